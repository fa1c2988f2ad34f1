"""The log, the map and the table of segments, which change together."""

import errno
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.core.durable import sync_directory
from app.core.positioned import Buffer, PositionedFile
from app.core.privatefiles import make_folders_on_standby
from app.core.processlock import ProcessLock
from app.nfs.overlay.errors import OverlayInUse, OverlayUnavailable, overlay_error, standby_errors
from app.nfs.overlay.files import LOCK_NAME, OverlayFiles
from app.nfs.overlay.format import GRAIN_BYTES, RECORD_HEADER_BYTES, RecordKind
from app.nfs.overlay.grainmap import GrainMap, Positions, position_of, zero_position_of
from app.nfs.overlay.limits import OverlayLimits
from app.nfs.overlay.log import Log
from app.nfs.overlay.replay import replay
from app.nfs.overlay.table import SegmentTable

_ZEROS: Final = bytes(1 << 16)
_NO_LOCKS: Final = frozenset({errno.EINVAL, errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


class GrainStore:
    """Stores whole grains durably.

    Thread: any; those who change something hold :attr:`writing`. That lock is taken before the map's, and neither
    while a restore point is read.

    Attributes:
        writing: Held by the one who changes something.
        files: The segments as files.
        table: What is alive in each segment; :attr:`writing` guards it.
        log: The end of the log.
    """

    def __init__(self, folder: Path, capacity_bytes: int, limits: OverlayLimits) -> None:
        """Open what is in a folder, which is made when it is not there.

        Raises:
            OverlayError: it cannot be opened.
        """
        self.writing = threading.Lock()
        self.limits = limits
        self.table = SegmentTable()
        self._mapping = threading.Lock()
        self._spill: PositionedFile | None = None
        with standby_errors(f"open the overlay in {folder}"):
            if not folder.is_dir():
                make_folders_on_standby(folder)
                sync_directory(folder.parent)
            self.files = OverlayFiles(folder, limits.open_segments)
            self._lock: ProcessLock | None = None
            try:
                self._lock = _lock(folder / LOCK_NAME)
                self._open(capacity_bytes)
            except BaseException:
                self._release()
                raise

    def _open(self, capacity_bytes: int) -> None:
        grains = -(-capacity_bytes // GRAIN_BYTES)
        spill = self._spill = self.files.create_spill()
        self._grains = GrainMap(grains, spill, self.table, self.limits.pages_in_memory)
        start = replay(self.files, capacity_bytes, self.table, self._grains)
        self.log = Log(self.files, self.table, self.limits, start)

    # --- reading -------------------------------------------------------------------------------------------------

    def position(self, grain: int) -> int:
        """Return where a grain is.

        Raises:
            OverlayUnavailable: the map cannot be read.
        """
        return self.positions(grain, 1)[0]

    def positions(self, first: int, count: int) -> Positions:
        """Return where grains are that follow each other, all at the same moment.

        Raises:
            OverlayUnavailable: the map cannot be read.
        """
        try:
            with self._mapping:
                return self._grains.positions(first, count)
        except OSError as error:
            raise OverlayUnavailable(f"read the map: {error}") from error

    def positions_now(self, first: int, count: int) -> "Positions | None":
        """Return what :meth:`positions` does, or None where that needs to wait for a disk."""
        with self._mapping:
            return self._grains.positions(first, count) if self._grains.is_in_memory(first, count) else None

    def written(self) -> list[tuple[int, int]]:
        """Return the runs of grains that are stored, each the first and the one behind, in order.

        Raises:
            OverlayUnavailable: the map cannot be read.
        """
        try:
            with self._mapping:
                return list(self._grains.written())
        except OSError as error:
            raise OverlayUnavailable(f"read the map: {error}") from error

    @property
    def stored_bytes(self) -> int:
        """What the overlay takes at the standby; from memory."""
        return self.table.file_bytes + self._grains.spill_bytes

    # --- changing: the caller holds ``writing`` ------------------------------------------------------------------

    def can_put_now(self, first: int, payload_bytes: int) -> bool:
        """Return whether :meth:`put` needs no file but the newest segment; the caller holds ``writing``."""
        return (
            self.log.has_room(payload_bytes)
            and self.positions_now(first, payload_bytes // GRAIN_BYTES) is not None
        )

    def put(self, first: int, payload: Buffer) -> None:
        """Store whole grains.

        Raises:
            OverlayFull: there is no space; nothing has changed.
            OverlayUnavailable: the standby refused.
        """
        count = len(payload) // GRAIN_BYTES
        if is_zero(payload):
            self.put_zeros(first, count)
            return
        self._pin(first, count)
        segment, place = self.log.append(RecordKind.DATA, first * GRAIN_BYTES, len(payload), payload)
        with self._mapping:
            self._grains.put_data(first, count, position_of(segment, place + RECORD_HEADER_BYTES))

    def put_zeros(self, first: int, count: int) -> None:
        """Store grains that are zero.

        Raises:
            OverlayFull: there is no space; nothing has changed.
            OverlayUnavailable: the standby refused.
        """
        self._pin(first, count)
        segment, place = self.log.append(RecordKind.ZERO, first * GRAIN_BYTES, count * GRAIN_BYTES)
        with self._mapping:
            self._grains.put_zeros(first, count, zero_position_of(segment, place))

    def _pin(self, first: int, count: int) -> None:
        # Before anything is appended: afterwards the map must not refuse any more.
        self.log.refuse_failed()
        try:
            with self._mapping:
                self._grains.pin(first, count)
        except OSError as error:
            raise overlay_error(error, "write the map") from error

    def drop(self, number: int) -> None:
        """Take a segment out of the log in which nothing is alive; its file may go once this is durable.

        Raises:
            OverlayFull: there is no space; nothing has changed.
            OverlayUnavailable: the standby refused.
        """
        assert self.table.is_dead(number)
        self.log.append(RecordKind.GONE, number, 0)
        self.table.remove(number)

    def close(self) -> None:
        """Seal the log and release everything.

        Raises:
            OverlayUnavailable: the log could not be sealed.
        """
        try:
            self.log.close()
        finally:
            self._release()

    def _release(self) -> None:
        if self._spill is not None:
            self._spill.close()
            with suppress(OSError):  # it is made new at the next opening
                self.files.delete_spill()
        self.files.close()
        if self._lock is not None:
            self._lock.release()


def is_zero(payload: Buffer) -> bool:
    """Return whether bytes are all zero."""
    if payload[0] or payload[-1]:
        return False
    view = memoryview(payload)
    return all(
        view[at : at + len(_ZEROS)].tobytes() == _ZEROS[: len(view) - at]
        for at in range(0, len(view), len(_ZEROS))
    )


def _lock(path: Path) -> ProcessLock | None:
    """Keep other processes away; where the file system has no locks, nothing does."""
    try:
        lock = ProcessLock.take(path)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return None
    if lock is None:
        raise OverlayInUse(f"{path.parent} is open already")
    return lock
