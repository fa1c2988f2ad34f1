"""Appends records to the newest segment and makes them durable, many with one sync."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from app.core.durable import unlink
from app.core.positioned import Buffer, PositionedFile
from app.nfs.overlay.errors import OverlayError, OverlayFull, OverlayUnavailable, overlay_error
from app.nfs.overlay.files import OverlayFiles
from app.nfs.overlay.format import (
    RECORD_HEADER_BYTES,
    SUMMARY_ENTRY_BYTES,
    TRAILER_BYTES,
    Record,
    RecordCodec,
    RecordKind,
    SegmentHeader,
    encode_entry,
    encode_segment_header,
)
from app.nfs.overlay.limits import OverlayLimits
from app.nfs.overlay.table import SegmentTable

_HEAD_BYTES: Final = RECORD_HEADER_BYTES + SUMMARY_ENTRY_BYTES
_RESERVE_BYTES: Final = 16 * _HEAD_BYTES
"""Of each segment, for records that say which segments are gone: space is freed also where there is none left."""


class LogStart(NamedTuple):
    """Where an opened log goes on."""

    overlay_id: bytes
    capacity_bytes: int
    newest: int
    """Number of the newest segment, 0 when there is none."""
    next_sequence: int


class _Tail(NamedTuple):
    """The newest segment at one moment; replaced as a whole, so that it is read without a lock."""

    file: PositionedFile
    codec: RecordCodec
    number: int
    size_bytes: int
    first_sequence: int
    end: int
    sequence: int
    """Of the last record."""


class _Turn:
    """A thread that waits for a sync; each is woken once."""

    __slots__ = ("come", "leads", "target")

    def __init__(self, target: float) -> None:
        self.target = target
        self.leads = False
        self.come = threading.Lock()
        self.come.acquire()


class Log:
    """The end of the log.

    Thread: :meth:`append` and :meth:`close` by one at a time, who may also use the table; :meth:`sync` by any,
    several at once. One sync of a file is under way at a time, because the system reports a failure once only.
    """

    def __init__(self, files: OverlayFiles, table: SegmentTable, limits: OverlayLimits, start: LogStart) -> None:
        self._files = files
        self._table = table
        self._limits = limits
        self._id = start.overlay_id
        self._capacity_bytes = start.capacity_bytes
        self._tail: _Tail | None = None
        self._entries = bytearray()
        self._sequence = start.next_sequence - 1
        self.newest = start.newest
        self._turns = threading.Lock()
        """Guards what follows."""
        self._is_syncing = False
        self._waiting: list[_Turn] = []
        self._durable = self._sequence
        self._durable_end = 0
        """How much of the newest segment is durable."""
        self._failure: OSError | None = None

    @property
    def active(self) -> int:
        """Number of the segment that is written; a number that no segment has yet where none is."""
        return self.newest + 1 if self._tail is None else self._tail.number

    @property
    def is_begun(self) -> bool:
        """Whether a segment is being written."""
        return self._tail is not None

    @property
    def has_failed(self) -> bool:
        """Whether nothing is taken any more until the log is opened again."""
        return self._failure is not None

    @property
    def durable(self) -> int:
        """Sequence of the last record that is known to be durable."""
        return self._durable

    def try_out(self) -> None:
        """Find out whether the standby would take another segment, and leave nothing of the attempt.

        Raises:
            OverlayFull, OverlayUnavailable: it would not.
        """
        self.refuse_failed()
        _remove(self._prepare(self.newest + 1, bytes(RECORD_HEADER_BYTES), self._limits.segment_bytes))

    def refuse_failed(self) -> None:
        """Make sure that nothing is unknown about what was written.

        Raises:
            OverlayUnavailable: a sync failed; what the page cache holds since then cannot be trusted.
        """
        if self._failure is not None:
            raise OverlayUnavailable(
                f"an earlier failure left it unknown what is durable: {self._failure}"
            ) from self._failure

    def has_room(self, payload_bytes: int) -> bool:
        """Return whether a record fits into the newest segment, so that none has to be begun."""
        tail = self._tail
        return tail is not None and self._fits(tail, RecordKind.DATA, RECORD_HEADER_BYTES + payload_bytes)

    # --- appending -----------------------------------------------------------------------------------------------

    def append(self, kind: RecordKind, offset: int, length_bytes: int, payload: Buffer = b"") -> tuple[int, int]:
        """Write a record behind the last one; it is not durable yet.

        Returns:
            The segment and where in it the record's header begins.

        Raises:
            OverlayFull: there is no space; nothing was appended.
            OverlayUnavailable: the standby refused; nothing was appended, or it is not known what is durable.
        """
        self.refuse_failed()
        total = RECORD_HEADER_BYTES + len(payload)
        tail = self._tail
        if tail is None or not self._fits(tail, kind, total):
            tail = self._roll(kind, total)
        sequence = self._sequence + 1
        record = Record(kind, sequence, offset, length_bytes, len(payload), self._durable_end)
        header = tail.codec.encode(record, payload)
        try:
            tail.file.write(tail.end, [header, payload] if payload else [header])
        except OSError as error:
            raise self._write_failed(tail, error) from error
        self._entries += encode_entry(kind, offset, length_bytes)
        self._tail = tail._replace(end=tail.end + total, sequence=sequence)
        self._sequence = sequence
        return tail.number, tail.end

    def _fits(self, tail: _Tail, kind: RecordKind, total: int) -> bool:
        kept = TRAILER_BYTES + (0 if kind is RecordKind.GONE else _RESERVE_BYTES)
        return tail.end + total + len(self._entries) + SUMMARY_ENTRY_BYTES + kept <= tail.size_bytes

    def _write_failed(self, tail: _Tail, error: OSError) -> OverlayError:
        """Find out whether the failure was that of this record, or of earlier ones on their way to the disk."""
        with self._alone():
            try:
                tail.file.sync_data()
            except OSError as second:
                self._fail(second)
                return OverlayUnavailable(f"a write failed, and the sync after it: {second}")
        return overlay_error(error, "write to the log")

    # --- segments ------------------------------------------------------------------------------------------------

    def _roll(self, kind: RecordKind, total: int) -> _Tail:
        """Seal the newest segment and begin another one, with room for a record."""
        number = self.newest + 1
        first = self._sequence + 1
        header = encode_segment_header(
            SegmentHeader(self._id, number, self._capacity_bytes, first, self._table.ranges())
        )
        room = len(header) + total + SUMMARY_ENTRY_BYTES + TRAILER_BYTES + _RESERVE_BYTES
        size = max(self._limits.segment_bytes, room)
        try:
            scratch = self._prepare(number, header, size)
        except OverlayFull:
            if kind is not RecordKind.GONE:
                raise
            size = room  # a small segment, without which a large one could not be deleted
            scratch = self._prepare(number, header, size)
        try:
            self._seal()
            file = self._files.publish(number, scratch)
        except (OSError, OverlayError) as error:
            _remove(scratch)
            if not isinstance(error, OSError):
                raise
            self._fail(error)
            raise OverlayUnavailable(f"begin a segment: {error}") from error
        self.newest = number
        self._table.add(number, size)
        self._entries.clear()
        codec = RecordCodec(self._id, number)
        with self._turns:
            self._durable_end = len(header)
            tail = self._tail = _Tail(file, codec, number, size, first, len(header), self._sequence)
        return tail

    def _prepare(self, number: int, header: bytes, size: int) -> Path:
        """Make the file of a segment, durable under a name that is not part of the log."""
        path: Path | None = None
        try:
            path, file = self._files.create_scratch(number)
            try:
                file.preallocate(size)
                file.write(0, [header])
                file.sync()
            finally:
                file.close()
        except OSError as error:
            if path is not None:
                _remove(path)
            raise overlay_error(error, "begin a segment") from error
        return path

    def _seal(self) -> None:
        tail = self._tail
        if tail is None:
            return
        with self._alone():
            self.refuse_failed()
            summary = tail.codec.encode_summary(self._entries, tail.end, tail.first_sequence)
            size = tail.end + len(summary)
            if self._durable_end < tail.end:  # a summary on the disk proves that its records are
                tail.file.sync_data()
            tail.file.write(tail.end, [summary])
            tail.file.truncate(size)
            tail.file.sync()
            with self._turns:
                self._durable = tail.sequence
        self._table.resize(tail.number, size)
        self._tail = None

    # --- syncing -------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when everything that was appended before this call is durable.

        Raises:
            OverlayUnavailable: that is not known.
        """
        self.refuse_failed()
        target = self._sequence
        if self._lead(target):
            try:
                self._sync_tail()
            finally:
                self._hand_over()
        elif self._durable < target:
            self.refuse_failed()

    def _sync_tail(self) -> None:
        self.refuse_failed()
        tail = self._tail
        assert tail is not None, "what is not durable is in the newest segment"
        try:
            tail.file.sync_data()
        except OSError as error:
            self._fail(error)
            raise OverlayUnavailable(f"sync the log: {error}") from error
        with self._turns:
            self._durable = max(self._durable, tail.sequence)
            if self._tail is not None and self._tail.number == tail.number:
                self._durable_end = max(self._durable_end, tail.end)

    def _lead(self, target: float) -> bool:
        """Wait until all up to a record is durable, or this is not known any more, or this thread is to sync.

        Returns:
            Whether this thread is to sync; it calls :meth:`_hand_over` then.
        """
        with self._turns:
            if self._durable >= target:
                return False
            if not self._is_syncing:
                self._is_syncing = True
                return True
            turn = _Turn(target)
            self._waiting.append(turn)
        turn.come.acquire()
        return turn.leads

    def _hand_over(self) -> None:
        """Wake those whose records are durable, and one of the others, who syncs for all of these."""
        with self._turns:
            reached = math.inf if self._failure is not None else self._durable
            served = [turn for turn in self._waiting if turn.target <= reached]
            left = [turn for turn in self._waiting if turn.target > reached]
            self._is_syncing = bool(left)
            if left:
                left[0].leads = True
                served.append(left.pop(0))
            self._waiting = left
        for turn in served:
            turn.come.release()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Exclude other syncs."""
        while not self._lead(math.inf):
            pass
        try:
            yield
        finally:
            self._hand_over()

    def _fail(self, error: OSError) -> None:
        with self._turns:
            if self._failure is None:
                self._failure = error

    def close(self) -> None:
        """Seal the newest segment, so that it is opened fast.

        Raises:
            OverlayUnavailable: it could not be, or an earlier sync failed.
        """
        tail = self._tail
        try:
            self._seal()
        except OSError as error:
            self._fail(error)
            raise OverlayUnavailable(f"seal the log: {error}") from error
        finally:
            self._tail = None
            if tail is not None:  # now, because the failure that is kept would keep it open
                tail.file.close()


def _remove(scratch: Path) -> None:
    with suppress(OSError):  # the next opening deletes it
        unlink(scratch, missing_ok=True)
