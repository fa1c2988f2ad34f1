"""The disk of a restore point as a VM writes to it."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Self

from app.core.disks import DiskReader, ReadRequest
from app.core.positioned import Buffer
from app.domain.extents import Extent, normalize
from app.nfs.overlay.base import BaseDisk
from app.nfs.overlay.compaction import Compactor
from app.nfs.overlay.errors import OverlayError, OverlayFull, OverlayUnavailable, standby_errors
from app.nfs.overlay.format import GRAIN_BYTES
from app.nfs.overlay.grainmap import IN_BASE
from app.nfs.overlay.limits import OverlayLimits
from app.nfs.overlay.reading import OverlayReader
from app.nfs.overlay.store import GrainStore

_log = logging.getLogger(__name__)
_DEFAULTS: Final = OverlayLimits()


class OverlayDisk:
    """A disk that is read from a base and whose writes are kept in a folder. Thread: any, several at once.

    Attributes:
        capacity_bytes: Size of the disk.
    """

    def __init__(
        self,
        open_base: Callable[[], DiskReader],
        capacity_bytes: int,
        folder: Path,
        limits: OverlayLimits = _DEFAULTS,
    ) -> None:
        """Open what was written before, or begin with nothing; may take seconds for each GiB that was written.

        Args:
            open_base: opens a reader of the base; as many are open as threads read from it at once.
            capacity_bytes: of the disk, and at most that of the base.
            folder: at the standby; made when it is not there. Nothing else may be in it.
            limits: how large the parts may become.

        Raises:
            OverlayDamaged: something that was durable is not what was stored, or is missing.
            OverlayFull: the standby has no space.
            OverlayInUse: it is open already.
            OverlayMismatch: it is of another disk, or of a newer program.
            OverlayUnavailable: the standby refused.
            ValueError: the capacity is not positive.
        """
        if capacity_bytes <= 0:
            raise ValueError(f"a disk has a positive capacity: {capacity_bytes}")
        self.capacity_bytes = capacity_bytes
        self._piece_bytes = limits.record_bytes
        self._store = GrainStore(folder, capacity_bytes, limits)
        self._base = BaseDisk(open_base, capacity_bytes)
        self._reader = OverlayReader(self._store, self._base)
        self._compactor = Compactor(self._store)
        self._segments = self._store.log.newest
        self._closing = threading.Lock()
        self._is_closed = False
        if limits.compaction_bytes_per_s is not None:
            self._compactor.start()
            self._compactor.wake()

    def _check(self, offset: int, length_bytes: int) -> None:
        if offset < 0 or offset + length_bytes > self.capacity_bytes:
            raise ValueError(f"beyond the disk of {self.capacity_bytes} bytes: {offset}+{length_bytes}")
        if self._is_closed:
            raise OverlayUnavailable("the overlay is closed")

    # --- reading -------------------------------------------------------------------------------------------------

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill a buffer with the disk's bytes from ``offset`` on; a concurrent write is in it whole or not at all.

        Raises:
            OperationalError: the base cannot be read.
            OverlayDamaged: a segment of the log is not as long as it was.
            OverlayUnavailable: the standby refused.
            ValueError: the range reaches beyond the capacity.
        """
        self._check(offset, len(view))
        if view:
            self._reader.read([ReadRequest(offset, view)])

    def read_many_into(self, requests: Sequence[ReadRequest]) -> None:
        """Fill several buffers together, which costs less than one after the other.

        Raises:
            OperationalError: the base cannot be read.
            OverlayDamaged: a segment of the log is not as long as it was.
            OverlayUnavailable: the standby refused.
            ValueError: a range reaches beyond the capacity.
        """
        for request in requests:
            self._check(request.offset, len(request.buffer))
        self._reader.read([request for request in requests if request.buffer])

    def read_now(self, offset: int, view: memoryview) -> bool:
        """Fill a small buffer where that needs no waiting for a disk; return whether it was filled.

        Raises:
            ValueError: the range reaches beyond the capacity.
        """
        self._check(offset, len(view))
        return not view or self._reader.read_now(offset, view)

    # --- writing -------------------------------------------------------------------------------------------------

    def write(self, offset: int, data: Buffer) -> None:
        """Write bytes, visible to every later read and not durable before a :meth:`sync`.

        After a crash a write is there whole or not at all, unless it is longer than a record: then a part of it
        may be there, in whole records from its beginning.

        Raises:
            OperationalError: the base cannot be read, for the rest of a grain that is written in part.
            OverlayDamaged: the same of a segment.
            OverlayFull: the standby has no space; nothing was written, or a part of a write longer than a record.
            OverlayUnavailable: the standby refused, now or at an earlier write or sync.
            ValueError: the range reaches beyond the capacity.
        """
        view = memoryview(data)
        self._check(offset, len(view))
        while view:
            length = self._piece_bytes - offset % GRAIN_BYTES
            self._write_piece(offset, view[:length])
            offset, view = offset + length, view[length:]

    def write_now(self, offset: int, data: Buffer) -> bool:
        """Do :meth:`write` where that needs no waiting for a disk or another thread; return whether it was done.

        That is so for whole grains, at most a record, while the newest segment has room and the log is short.

        Raises:
            OverlayFull, OverlayUnavailable: as :meth:`write` does.
            ValueError: the range reaches beyond the capacity.
        """
        view = memoryview(data)
        self._check(offset, len(view))
        if offset % GRAIN_BYTES or len(view) % GRAIN_BYTES or not 0 < len(view) <= self._piece_bytes:
            return False
        if self._compactor.is_pressing or not self._store.writing.acquire(blocking=False):
            return False
        try:
            first = offset // GRAIN_BYTES
            if self._is_closed or not self._store.can_put_now(first, len(view)):
                return False
            self._put(first, view)
        finally:
            self._store.writing.release()
        return True

    def _write_piece(self, offset: int, view: memoryview) -> None:
        if self._compactor.is_pressing:
            self._help_compaction()
        first = offset // GRAIN_BYTES
        end = offset + len(view)
        padding = -end % GRAIN_BYTES if end == self.capacity_bytes else 0
        is_whole = not offset % GRAIN_BYTES and not (end + padding) % GRAIN_BYTES
        edges = {} if is_whole else self._edges_in_base(offset, end)
        with self._store.writing:
            if self._is_closed:
                raise OverlayUnavailable("the overlay is closed")
            if is_whole:
                whole: Buffer = bytes(view) + bytes(padding) if padding else view
            else:
                whole = self._completed(offset, view, edges)
            self._put(first, whole)

    def _put(self, first: int, whole: Buffer) -> None:
        try:
            self._store.put(first, whole)
        except OverlayFull:
            self._compactor.make_room()
            raise
        if self._store.log.newest != self._segments:
            self._segments = self._store.log.newest
            self._compactor.wake()

    def _edges_in_base(self, offset: int, end: int) -> dict[int, bytearray]:
        """Return the grains that a write begins and ends in, where they are still in the base.

        They are read before the write excludes others: what the base holds does not change.
        """
        found: dict[int, bytearray] = {}
        for grain in self._edges(offset, end):
            if self._store.position(grain) == IN_BASE:
                found[grain] = self._read_grain(grain)
        return found

    def _edges(self, offset: int, end: int) -> set[int]:
        edges = {offset // GRAIN_BYTES} if offset % GRAIN_BYTES else set()
        return edges | {end // GRAIN_BYTES} if end % GRAIN_BYTES and end != self.capacity_bytes else edges

    def _read_grain(self, grain: int) -> bytearray:
        """Return a grain; the last one of the disk may be short and is padded."""
        data = bytearray(GRAIN_BYTES)
        start = grain * GRAIN_BYTES
        with memoryview(data) as view:
            self._reader.read([ReadRequest(start, view[: self.capacity_bytes - start])])
        return data

    def _completed(self, offset: int, view: memoryview, in_base: dict[int, bytearray]) -> bytearray:
        """Return the whole grains that a write changes, as they are after it."""
        end = offset + len(view)
        first = offset // GRAIN_BYTES
        whole = bytearray((-(-end // GRAIN_BYTES) - first) * GRAIN_BYTES)
        for grain in self._edges(offset, end):
            at = (grain - first) * GRAIN_BYTES
            is_in_base = grain in in_base and self._store.position(grain) == IN_BASE
            whole[at : at + GRAIN_BYTES] = in_base[grain] if is_in_base else self._read_grain(grain)
        start = offset - first * GRAIN_BYTES
        whole[start : start + len(view)] = view
        return whole

    def _help_compaction(self) -> None:
        """Make the log shorter before it becomes longer."""
        try:
            self._compactor.help()
        except OverlayError as error:  # the write itself may succeed
            _log.info("a writer could not compact the overlay: %s", error)

    def sync(self) -> None:
        """Return when everything is durable whose :meth:`write` had returned before this call.

        Raises:
            OverlayUnavailable: that is not known; nothing is written any more until the overlay is opened again.
        """
        self._check(0, 0)
        self._store.log.sync()

    # --- the standby ---------------------------------------------------------------------------------------------

    @property
    def has_failed(self) -> bool:
        """Whether nothing is taken any more until the overlay is opened again."""
        return self._store.log.has_failed

    @property
    def durable_sequence(self) -> int:
        """How many records the log ever had up to the last one that is known to be durable; never fewer later."""
        return self._store.log.durable

    def check_place(self) -> None:
        """Make sure that the folder of the overlay is still under its path.

        Raises:
            OverlayUnavailable: another one is there, or none.
        """
        with standby_errors("look for the overlay"):
            self._store.files.check_place()

    def try_out(self) -> None:
        """Find out whether writing would succeed, as after a refusal, and change nothing.

        Raises:
            OverlayFull: the standby has no space.
            OverlayUnavailable: it refuses, or did before.
        """
        self._check(0, 0)
        self._store.log.try_out()

    # --- facts ---------------------------------------------------------------------------------------------------

    def written_extents(self) -> list[Extent]:
        """Return what is in the overlay and not in the base, in whole grains; normalized.

        Raises:
            OverlayUnavailable: the standby refused.
        """
        self._check(0, 0)
        return normalize(
            Extent(first * GRAIN_BYTES, min(stop * GRAIN_BYTES, self.capacity_bytes) - first * GRAIN_BYTES)
            for first, stop in self._store.written()
        )

    @property
    def log_bytes(self) -> int:
        """What the overlay takes at the standby; from memory."""
        return self._store.stored_bytes

    @property
    def live_bytes(self) -> int:
        """What the log would take at most if it held nothing that was overwritten; from memory."""
        return self._store.table.live_bytes

    def compact_once(self) -> bool:
        """Empty and delete one segment, if the log is too long or nothing is alive in the segment.

        Returns:
            Whether there was one.

        Raises:
            OverlayDamaged: the segment is not what was stored; it is left alone from now on.
            OverlayFull: there is no space for what is alive in it.
            OverlayUnavailable: the standby refused.
        """
        self._check(0, 0)
        return self._compactor.compact_once()

    def close(self) -> None:
        """Make everything durable that can be, and release the disk; never raises. No one may be using it."""
        with self._closing:
            if self._is_closed:
                return
            self._compactor.stop()
            with self._store.writing:
                self._is_closed = True
            try:
                self._store.close()
            except OverlayError as error:
                _log.warning("the overlay in %s was not closed properly: %s", self._store.files.folder, error)
            self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
