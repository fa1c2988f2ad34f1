"""Opens a recovery for serving: its restore point, its disks with their overlays, and its names."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from app.core.disks import DiskReader
from app.core.space import space_at
from app.domain.errors import OperationalError
from app.nfs.content import OpenFiles
from app.nfs.diskcontent import DiskContent
from app.nfs.failures import StandbyAwayUnderVm, WritesElsewhere
from app.nfs.overlay import OverlayDisk, OverlayError, last_sequence
from app.nfs.service.exports import Export
from app.nfs.tree import stored_names
from app.nfs.trouble import Doing, Trouble, trouble_of
from app.nfs.volume import Volume

_NAMES_FOLDER: Final = "volume"
_DISKS_FOLDER: Final = "disks"


def disk_folder(folder: Path, key: int) -> Path:
    """Return where is kept what was written to a disk, in the folder of its recovery."""
    return folder / _DISKS_FOLDER / str(key)


class Source(Protocol):
    """A restore point that is open for reading. Thread: any."""

    def open_disk(self, key: int) -> DiskReader:
        """Open a disk; as many readers of one are open as threads read it.

        Raises:
            OperationalError: there is none.
        """
        ...

    def check(self) -> None:
        """Make sure that its repository is still under its path.

        Raises:
            OperationalError: another one is there, or none, or it cannot be read.
        """
        ...

    def close(self) -> None:
        """Let go of it; never raises."""
        ...


class KeyMissing(Exception):
    """The repository is encrypted, and nobody has given its key yet."""


OpenSource = Callable[[Export, bytes | None], Source]
"""Opens what an export is about, with the key of the repository where one was given.

Raises :class:`KeyMissing`, or an :class:`OperationalError`.
"""


class ServedRecovery:
    """A recovery that is open. Thread: any.

    Attributes:
        export: what is served, and to whom.
        volume: its names.
        disks: its disks, by their keys.
    """

    def __init__(
        self, export: Export, stack: ExitStack, source: Source, volume: Volume, disks: Mapping[str, DiskContent]
    ) -> None:
        self.export = export
        self.volume = volume
        self.disks = disks
        self._stack = stack
        self._source = source

    @property
    def records(self) -> dict[str, int]:
        """How many records of each disk are durable."""
        return {key: content.disk.durable_sequence for key, content in self.disks.items()}

    @property
    def has_failed(self) -> bool:
        """Whether a file takes nothing any more until it is opened again."""
        return self.volume.has_failed

    def look(self) -> OperationalError | None:
        """Look at the standby and return what is wrong there; may wait for it as long as it does not answer."""
        try:
            self._source.check()
        except OperationalError as error:
            return StandbyAwayUnderVm(detail=error)
        try:
            self._check_place()
        except (OSError, OverlayError) as error:
            return trouble_of(error)
        return self.volume.trouble.error()

    def free_bytes(self) -> int | None:
        """Return what the standby has free; None where its path leads elsewhere, or the system does not say."""
        try:
            self._check_place()
        except (OSError, OverlayError):
            return None
        space = space_at(Path(self.export.folder))
        return None if space is None else space.free_bytes

    def try_out(self) -> None:
        """Find out whether the standby takes writes again, so that nothing is wrong any more."""
        try:
            for content in self.disks.values():
                content.disk.try_out()
        except OverlayError as error:
            self.volume.trouble.note(Doing.WRITING, error)
        else:
            self.volume.trouble.end()

    def is_there_anew(self) -> bool:
        """Return whether the path leads to another mount of the same files, so that they are to be opened again.

        Raises:
            OperationalError: something else is there, or nothing.
        """
        try:
            self._check_place()
        except (OSError, OverlayError):
            self._source.check()
            check_begun(self.export, self.records, self.volume.generation)
            return True
        return False

    def _check_place(self) -> None:
        self.volume.check_place()
        for content in self.disks.values():
            content.disk.check_place()

    def close(self) -> None:
        """Let go of everything; never raises."""
        self._stack.close()


def open_recovery(
    export: Export, source: Source, files: OpenFiles, seen: Mapping[str, int] | None
) -> ServedRecovery:
    """Open what an export says; the recovery closes the source then.

    Args:
        export: what is to be served.
        source: its restore point.
        files: keeps files open.
        seen: how many records its disks had when it was served here before; None when it never was.

    Raises:
        WritesElsewhere: it was served before, and what its VM wrote is not there.
        OperationalError, OverlayError, NamesDamaged, NfsError, OSError: it cannot be opened.
    """
    trouble = Trouble()
    with ExitStack() as stack:
        stack.callback(source.close)
        if seen is not None or export.is_begun:
            check_begun(export, seen or {})
        contents: dict[str, DiskContent] = {}
        for disk in export.disks:
            contents[str(disk.key)] = content = _disk(export, source, disk.key, trouble)
            stack.callback(content.close)
        folder = Path(export.folder) / _NAMES_FOLDER
        clients = frozenset(export.clients)
        volume = Volume(folder, clients=clients, disks=dict(contents), files=files, trouble=trouble)
        stack.callback(volume.close)
        _name(export, volume)
        return ServedRecovery(export, stack.pop_all(), source, volume, contents)


def check_begun(export: Export, records: Mapping[str, int], generation: bytes | None = None) -> None:
    """Make sure that what a VM wrote is under its path, and not less of it than was there. Writes nothing.

    Args:
        export: a recovery that was served before.
        records: how many records each disk had at least.
        generation: of its volume, where that is known.

    Raises:
        WritesElsewhere: something else is there, or nothing.
        OverlayError, NamesDamaged, OSError: it cannot be read.
    """
    folder = Path(export.folder)
    names = stored_names(folder / _NAMES_FOLDER)
    is_there = names is not None and names.is_prepared and generation in (None, names.generation)
    if not is_there or any(_records_at(folder, disk.key) < records.get(str(disk.key), 0) for disk in export.disks):
        raise WritesElsewhere(path=folder)


def _records_at(folder: Path, key: int) -> int:
    """Return how many records a disk has; fewer than none where even its folder is missing."""
    place = disk_folder(folder, key)
    return last_sequence(place) if place.is_dir() else -1


def _disk(export: Export, source: Source, key: int, trouble: Trouble) -> DiskContent:
    open_disk = partial(source.open_disk, key)
    first = open_disk()
    capacity = first.capacity_bytes
    first.close()
    disk = OverlayDisk(open_disk, capacity, disk_folder(Path(export.folder), key))
    return DiskContent(disk, trouble=trouble, check=source.check)


def _name(export: Export, volume: Volume) -> None:
    """Give disks and files their names; what a host has removed or renamed meanwhile stays so."""
    changes = volume.changes
    if not volume.is_new:
        return
    for file in export.files:
        *folders, name = file.path.split("/")
        changes.add_file(changes.folders(folders), name.encode(), file.data)
    for disk in export.disks:
        *folders, name = disk.path.split("/")
        changes.add_disk(changes.folders(folders), name.encode(), str(disk.key))
    changes.end_preparation()
