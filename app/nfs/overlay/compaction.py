"""Keeps the log short: copies what is alive in a segment to the end of the log and deletes the segment."""

import logging
import threading
from collections.abc import Iterator

from app.core.positioned import PositionedFile
from app.nfs.overlay.errors import OverlayDamaged, OverlayError, standby_errors
from app.nfs.overlay.format import GRAIN_BYTES, RECORD_HEADER_BYTES, Entry, RecordCodec, RecordKind, parse_entries
from app.nfs.overlay.grainmap import Positions, position_of, zero_position_of
from app.nfs.overlay.segments import read_header, sealed_entries
from app.nfs.overlay.store import GrainStore

_log = logging.getLogger(__name__)


class Compactor:
    """Empties segments one at a time. Thread: any; it starts one of its own when it is asked to.

    A crash at any step loses nothing: the copies and the record that says that the segment is gone are appended in
    this order and become durable together, before the file is deleted. A file whose deletion did not last is
    deleted at the next opening.
    """

    def __init__(self, store: GrainStore) -> None:
        self._store = store
        self._limits = store.limits
        self._alone = threading.Lock()
        """Held while a segment is emptied; taken before the store's locks."""
        self._unreadable: frozenset[int] = frozenset()
        self._is_short = False
        """True after there was no space for a write."""
        self._doomed: list[int] = []
        """Not part of the log any more, and not deleted yet."""
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._hurry = threading.Event()
        """Set while someone waits for the thread."""
        self._helping = threading.Lock()
        self._helpers = 0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Compact in the background from now on, whenever :meth:`wake` is called."""
        self._thread = threading.Thread(target=self._run, name="overlay-compaction")
        self._thread.start()

    def wake(self) -> None:
        """Look whether there is something to do."""
        self._wake.set()

    def make_room(self) -> None:
        """Free space at the standby, where a segment can be deleted without copying."""
        self._is_short = True
        self._wake.set()

    def stop(self) -> None:
        """End the thread; a segment that is being emptied stays."""
        self._stop.set()
        self._hurry.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    @property
    def is_pressing(self) -> bool:
        """Whether the log is so long that writers have to help."""
        return self._excess_bytes() > self._limits.spare_segments * self._limits.segment_bytes

    def help(self) -> None:
        """Compact on a writer's thread until the log is not far too long any more.

        Raises:
            OverlayError: what :meth:`compact_once` raises.
        """
        with self._helping:
            self._helpers += 1
            self._hurry.set()
        try:
            while self.is_pressing and self.compact_once():
                pass
        finally:
            with self._helping:
                self._helpers -= 1
                if not self._helpers and not self._stop.is_set():
                    self._hurry.clear()

    def _excess_bytes(self) -> int:
        table = self._store.table
        allowed = 2 * table.live_bytes + self._limits.spare_segments * self._limits.segment_bytes
        return table.file_bytes - allowed

    def compact_once(self) -> bool:
        """Empty and delete a segment if the log is too long, or one in which nothing is alive.

        Returns:
            Whether there was one.

        Raises:
            OverlayDamaged: the segment is not what was stored; it stays, and is left alone from now on.
            OverlayFull: there is no space for what is alive in it.
            OverlayUnavailable: the standby refused.
        """
        with self._alone:
            number = self._choose()
            if number is None or self._stop.is_set():
                return False
            try:
                with standby_errors(f"compact segment {number}"):
                    self._empty(number)
            except OverlayDamaged:
                self._unreadable |= {number}
                raise
            return True

    def _choose(self) -> int | None:
        with self._store.writing:
            table, log = self._store.table, self._store.log
            if self._excess_bytes() > 0:
                return table.emptiest(below=log.active, spared=self._unreadable)
            if not (log.is_begun or self._is_short):  # else a new segment would be begun for nothing but that
                return None
            dead = table.first_dead(below=log.active, spared=self._unreadable)
            self._is_short = self._is_short and dead is not None
            return dead

    def _empty(self, number: int) -> None:
        if not self._move_all(number):
            return
        with self._store.writing:
            if not self._store.table.is_dead(number):
                raise OverlayDamaged(
                    self._store.files.path(number), 0, "the summary does not list all that is alive"
                )
            self._store.drop(number)
        self._doomed.append(number)
        self._store.log.sync()
        self._store.files.delete(self._doomed)
        self._doomed.clear()

    def _move_all(self, number: int) -> bool:
        """Copy what is alive in a segment to the end of the log; return False when it was stopped."""
        files = self._store.files
        file = files.open(number)
        header = read_header(file, files.path(number))
        codec = RecordCodec(header.overlay_id, number)
        entries = sealed_entries(files, number, header, file)
        for entry in parse_entries(entries, header.header_bytes):
            if self._store.table.is_dead(number):
                return True
            if entry.kind is not RecordKind.GONE:
                self._pause(self._move(number, file, codec, entry))
            if self._stop.is_set():
                return False
        return True

    def _move(self, number: int, file: PositionedFile, codec: RecordCodec, entry: Entry) -> int:
        """Copy what is alive of a record; return how many bytes that were."""
        first, count = entry.offset // GRAIN_BYTES, entry.length_bytes // GRAIN_BYTES
        if not any(True for _ in self._alive(number, entry, self._store.positions(first, count))):
            return 0
        payload = self._read(number, file, codec, entry)
        copied = 0
        with self._store.writing:
            for start, stop in self._alive(number, entry, self._store.positions(first, count)):
                if entry.kind is RecordKind.ZERO:
                    self._store.put_zeros(first + start, stop - start)
                else:
                    self._store.put(first + start, payload[start * GRAIN_BYTES : stop * GRAIN_BYTES])
                    copied += (stop - start) * GRAIN_BYTES
        return copied

    def _alive(self, number: int, entry: Entry, found: Positions) -> Iterator[tuple[int, int]]:
        """Yield the runs of a record's grains of which it is the last record."""
        stride = 0 if entry.kind is RecordKind.ZERO else GRAIN_BYTES
        expected = (
            position_of(number, entry.position + RECORD_HEADER_BYTES)
            if stride
            else zero_position_of(number, entry.position)
        )
        start = -1
        for at, position in enumerate(found):
            if position == expected + at * stride:
                start = at if start < 0 else start
            elif start >= 0:
                yield start, at
                start = -1
        if start >= 0:
            yield start, len(found)

    def _read(self, number: int, file: PositionedFile, codec: RecordCodec, entry: Entry) -> memoryview:
        data = memoryview(file.read(entry.position, RECORD_HEADER_BYTES + entry.payload_bytes))
        header, payload = bytes(data[:RECORD_HEADER_BYTES]), data[RECORD_HEADER_BYTES:]
        if codec.parse(header) is None or not codec.is_whole(header, payload):
            raise OverlayDamaged(self._store.files.path(number), entry.position, "a record is not what was stored")
        return payload

    def _pause(self, copied_bytes: int) -> None:
        """Be gentle: in the background only, and not while someone waits."""
        rate = self._limits.compaction_bytes_per_s
        if copied_bytes and rate and threading.current_thread() is self._thread:
            self._hurry.wait(copied_bytes / rate)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait()
            self._wake.clear()
            try:
                while not self._stop.is_set() and self.compact_once():
                    pass
            except OverlayError as error:
                _log.warning("the overlay in %s is not compacted for now: %s", self._store.files.folder, error)
