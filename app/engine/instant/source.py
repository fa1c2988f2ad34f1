"""The disks of a recovery as they are now: the restore point, and what the VM wrote since."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from app.core.disks import ReadRequest
from app.domain.extents import Extent, union
from app.domain.states import TransportMode
from app.nfs.failures import failure_of
from app.nfs.overlay import OverlayDisk, OverlayError, OverlayLimits
from app.nfs.service import disk_folder
from app.repository import PointReader

_TOGETHER: Final = 8
_QUIET: Final = OverlayLimits(compaction_bytes_per_s=None)


class RecoveredDisk:
    """A disk of a recovery that nobody serves now. Fulfils ``DiskReader``; thread: one at a time."""

    def __init__(self, disk: OverlayDisk, held: list[Extent] | None) -> None:
        self._disk = disk
        self._held = held

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """It is on this machine."""
        return TransportMode.LOCAL

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next."""
        return _TOGETHER

    def written_extents(self) -> list[Extent]:
        """Return what the VM wrote.

        Raises:
            WritesUnusable: it cannot be read.
        """
        try:
            return self._disk.written_extents()
        except OverlayError as error:
            raise failure_of(error) from error

    def allocated_extents(self) -> list[Extent] | None:
        """Return the ranges that hold data."""
        return None if self._held is None else union(self._held, self.written_extents())

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Do ``DiskReader.read_many``.

        Raises:
            WritesUnusable: what the VM wrote cannot be read.
            OperationalError: the restore point cannot be read.
        """
        pending = iter(requests)
        while batch := list(islice(pending, _TOGETHER)):
            try:
                self._disk.read_many_into(batch)
            except OverlayError as error:
                raise failure_of(error) from error
            yield from batch

    def close(self) -> None:
        """Do nothing: whoever opened it closes it."""


@contextmanager
def recovered_disks(point: PointReader, folder: Path) -> Iterator[dict[int, RecoveredDisk]]:
    """Open all disks of a recovery, by their keys.

    Args:
        point: the restore point.
        folder: of the recovery.

    Raises:
        WritesUnusable: what the VM wrote cannot be opened, or is served by a process at this moment.
        OperationalError: the restore point cannot be read.
    """
    with ExitStack() as stack:
        found: dict[int, RecoveredDisk] = {}
        for disk in point.point.disks:
            try:
                overlay = OverlayDisk(
                    partial(point.open_disk, disk.key), disk.capacity_bytes, disk_folder(folder, disk.key), _QUIET
                )
            except (OverlayError, OSError) as error:
                raise failure_of(error) from error
            stack.enter_context(overlay)
            with closing(point.open_disk(disk.key)) as base:
                found[disk.key] = RecoveredDisk(overlay, base.allocated_extents())
        yield found
