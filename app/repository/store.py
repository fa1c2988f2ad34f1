"""Reads records out of sealed packs, from where the locator says they are. Thread: any."""

import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from app.core.durable import rename, sync_directory
from app.domain.extents import Extent
from app.domain.messages import Message
from app.repository.errors import WrittenByNewer
from app.repository.files import storage_error, storage_errors
from app.repository.layout import Layout
from app.repository.leftovers import Leftovers
from app.repository.locator import Locator, Place
from app.repository.packfiles import PackFiles
from app.repository.packlists import list_packs
from app.repository.packs import PackDamaged, PackEntry, PackTooNew, read_footer, scan_records
from app.repository.reasons import NO_PACK, PACK, RECORD_LOST
from app.repository.records import (
    HEADER_BYTES,
    LONGEST_RAW_BYTES,
    Buffer,
    FrameTable,
    RecordDamaged,
    RecordDecoder,
    RecordHeader,
    parse_header,
)

_LONGEST_OVERHEAD_BYTES = 256 * 1024
LONGEST_RECORD_BYTES = LONGEST_RAW_BYTES + _LONGEST_OVERHEAD_BYTES
_FIRST_READ_BYTES = 1024
"""Enough for header and table of a chunk of 16 frames, so that both come with one read."""
_Result = TypeVar("_Result")


class RecordLost(Exception):
    """A chunk or page cannot be read; the caller knows what it was for."""

    def __init__(self, digest: bytes, pack_id: str | None, detail: str) -> None:
        self.digest = digest
        self.pack_id = pack_id
        self.detail = detail
        super().__init__(detail)

    @property
    def where(self) -> Message:
        """The pack, for the operator."""
        return PACK.fill(pack=self.pack_id) if self.pack_id else NO_PACK.fill()

    def said(self) -> Message:
        """Return it as a message."""
        return RECORD_LOST.fill(details=self.detail)


class RecordStore:
    """Finds and reads chunks and pages. Thread: any."""

    def __init__(
        self, layout: Layout, repository_id: bytes, locator: Locator, make_decoder: Callable[[], RecordDecoder]
    ) -> None:
        self._make_decoder = make_decoder
        self._layout = layout
        self._repository_id = repository_id
        self._locator = locator
        self._packs = PackFiles(layout)
        self._lock = threading.Lock()
        self._may_synchronize = True
        self._seen_packs: frozenset[str] = frozenset()
        """Packs that were seen in this root, as large as the locator knows them."""
        self.damaged_packs: dict[str, str] = {}
        """Packs whose header, footer or trailer cannot be trusted, with the reason."""
        self.newer_packs: set[str] = set()
        """Packs that a newer program wrote; they are left alone."""

    def close(self) -> None:
        """Close all packs."""
        self._packs.close()

    def holds(self, digest: bytes) -> bool:
        """Return whether a sealed pack of this root holds a record.

        The locator alone is not believed: the pack must be a file here, as large as it was when it was taken in.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        place = self._locator.find(digest)
        return place is not None and (place.pack_id in self._seen_packs or self._is_here(place.pack_id))

    def add_pack(self, pack_id: str, entries: Sequence[PackEntry]) -> None:
        """Take in what a pack holds that was sealed in this root just now.

        Raises:
            LocatorUnavailable: the local disk refuses.
        """
        self._locator.add_pack(pack_id, entries)

    def _is_here(self, pack_id: str) -> bool:
        try:
            found = self._layout.pack(pack_id).lstat()
        except OSError:
            return False
        if not stat.S_ISREG(found.st_mode) or found.st_size != self._locator.pack_size(pack_id):
            return False
        self._seen_packs = self._seen_packs | {pack_id}
        return True

    def synchronize(self) -> None:
        """Take in packs that others added, and forget those that are gone.

        Raises:
            StandbyUnavailable: the standby cannot be read.
            LocatorUnavailable: the local disk refuses.
        """
        with self._lock:
            with storage_errors(self._layout.root):
                present = list_packs(self._layout)
            self.newer_packs &= present.keys()
            self._locator.synchronize(present, self.entries)
            self._seen_packs = frozenset(present)
            self._may_synchronize = False

    def allow_synchronization(self) -> None:
        """Let the next record that is not found look for new packs."""
        self._may_synchronize = True

    def entries(self, pack_id: str) -> Sequence[PackEntry] | None:
        """Return what a pack holds, None when that cannot be determined; a damaged pack is noted.

        Raises:
            StandbyUnavailable: the standby is gone.
        """
        path = self._layout.pack(pack_id)
        try:
            found = read_footer(path, self._repository_id)
        except PackTooNew:
            self.newer_packs.add(pack_id)
            return None
        except PackDamaged as error:
            self.damaged_packs[pack_id] = str(error)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.check_standby()
            self.damaged_packs[pack_id] = error.strerror or str(error)
            return None
        else:
            self.damaged_packs.pop(pack_id, None)  # it may have been refused for a moment only
            return found
        try:  # the records say themselves where they begin and what they are
            return self._whole_records(path)
        except OSError:
            return None

    def _whole_records(self, path: Path) -> list[PackEntry]:
        """Return the records of a damaged pack that are what was stored; no backup must rest on the others."""
        decoder, verdicts = self._make_decoder(), list[bool]()

        def look(record: bytes) -> bool:
            verdicts.append(decoder.is_whole(record))
            return True

        entries = list(scan_records(path, look))
        return [entry for entry, is_whole in zip(entries, verdicts, strict=True) if is_whole]

    def check_standby(self) -> None:
        """Distinguish one unreadable file from a standby that is gone.

        Raises:
            StandbyUnavailable: it is gone.
        """
        try:
            self._layout.settings.stat()
        except OSError as error:
            raise storage_error(error, self._layout.root) from error

    def refuse_newer_packs(self) -> None:
        """Make sure that this program reads every pack.

        Raises:
            WrittenByNewer: it does not.
        """
        if self.newer_packs:
            raise WrittenByNewer(what=PACK.fill(pack=min(self.newer_packs)))

    def place(self, digest: bytes) -> Place:
        """Return where a record is stored.

        Raises:
            RecordLost: no pack holds it.
            WrittenByNewer: only a pack that a newer program wrote may hold it.
        """
        place = self._locator.find(digest)
        if place is None and self._may_synchronize:
            self.synchronize()
            place = self._locator.find(digest)
        if place is None:
            self.refuse_newer_packs()
            raise RecordLost(digest, None, f"{digest.hex()} is in no pack")
        return place

    def record(self, digest: bytes) -> bytes:
        """Return a whole record as it is stored.

        Raises:
            RecordLost: it cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        place = self.place(digest)
        return self.read(digest, place, 0, place.length_bytes)

    def read(self, digest: bytes, place: Place, at: int, length: int) -> bytes:
        """Return bytes of a record.

        Raises:
            RecordLost: they cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        if length > LONGEST_RECORD_BYTES:
            raise RecordLost(digest, place.pack_id, "its footer gives an impossible length")
        try:
            data = self._packs.read(place.pack_id, place.offset + at, length)
        except OSError as error:
            self.check_standby()
            raise RecordLost(digest, place.pack_id, error.strerror or str(error)) from error
        if len(data) != length:
            raise RecordLost(digest, place.pack_id, "the pack is torn")
        return data

    def blob(self, digest: bytes, decoder: RecordDecoder) -> bytes:
        """Return a chunk or page, compared with its digest.

        Raises:
            RecordLost: it cannot be read, or is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        return self._twice(lambda: self._blob(digest, decoder))

    def _blob(self, digest: bytes, decoder: RecordDecoder) -> bytes:
        place = self.place(digest)
        record = self.read(digest, place, 0, place.length_bytes)
        try:
            return decoder.decode(record, digest)
        except RecordDamaged as error:
            raise RecordLost(digest, place.pack_id, str(error)) from error

    def chunk_into(self, digest: bytes, decoder: RecordDecoder, scratch: memoryview, target: memoryview) -> None:
        """Fill ``target`` with a chunk, compared with its digest.

        ``scratch`` takes the record on the way; see :func:`record_scratch`.

        Raises:
            RecordLost: it cannot be read, or is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        self._twice(
            lambda: self._through(digest, scratch, lambda record: decoder.decode_into(record, target, digest))
        )

    def gaps_into(
        self,
        digest: bytes,
        decoder: RecordDecoder,
        scratch: memoryview,
        target: memoryview,
        gaps: Sequence[Extent],
    ) -> dict[tuple[int, int], Buffer]:
        """Fill the gaps of ``target`` from a chunk; return whole frames as they are stored, not encrypted.

        The frames may lie in ``scratch``.

        Raises:
            RecordLost: it cannot be read, or is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        return self._twice(
            lambda: self._through(
                digest, scratch, lambda record: decoder.decode_gaps(record, target, digest, gaps)
            )
        )

    def check(self, digest: bytes, decoder: RecordDecoder, scratch: memoryview) -> int:
        """Read a chunk only to compare it with its digest; return its length. ``scratch`` as above.

        Raises:
            RecordLost: it cannot be read, or is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        return self._twice(lambda: self._through(digest, scratch, lambda record: decoder.check(record, digest)))

    def _through(self, digest: bytes, scratch: memoryview, use: Callable[[memoryview], _Result]) -> _Result:
        place = self.place(digest)
        length = place.length_bytes
        if length > len(scratch):
            raise RecordLost(digest, place.pack_id, "its footer gives an impossible length")
        try:
            done = self._packs.read_into(place.pack_id, place.offset, scratch[:length])
        except OSError as error:
            self.check_standby()
            raise RecordLost(digest, place.pack_id, error.strerror or str(error)) from error
        if done != length:
            raise RecordLost(digest, place.pack_id, "the pack is torn")
        try:
            return use(scratch[:length])
        except RecordDamaged as error:
            raise RecordLost(digest, place.pack_id, str(error)) from error

    def _twice(self, read: Callable[[], _Result]) -> _Result:
        """Read; when that fails, catch up with garbage collection elsewhere, which may have moved records.

        That is done once per point opened.
        """
        try:
            return read()
        except RecordLost:
            if not self._may_synchronize:
                raise
        self.synchronize()
        return read()

    def frames(self, digest: bytes, decoder: RecordDecoder) -> "FrameReader":
        """Open a chunk for reading single frames.

        Raises:
            RecordLost: it cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        return self._twice(lambda: self._frames(digest, decoder))

    def _frames(self, digest: bytes, decoder: RecordDecoder) -> "FrameReader":
        place = self.place(digest)
        head = self.read(digest, place, 0, min(place.length_bytes, _FIRST_READ_BYTES))
        try:
            header = parse_header(head[:HEADER_BYTES])
            if header.digest != digest or header.length_bytes != place.length_bytes:
                raise RecordDamaged("another record lies here")
            if header.frames_at > len(head):
                head += self.read(digest, place, len(head), header.frames_at - len(head))
            table = decoder.table(header, head[HEADER_BYTES : header.frames_at])
        except RecordDamaged as error:
            raise RecordLost(digest, place.pack_id, str(error)) from error
        return FrameReader(self, place, header, table)

    def read_entry(self, pack_id: str, entry: PackEntry) -> bytes:
        """Return a record as a pack's footer lists it, wherever the locator would look.

        Raises:
            RecordLost: it cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        place = Place(pack_id, entry.offset, entry.length_bytes, entry.kind)
        return self.read(entry.digest, place, 0, entry.length_bytes)

    def drop_pack(self, pack_id: str, leftovers: Leftovers) -> bool:
        """Delete a pack that nothing needs; return whether it is gone. The caller holds the exclusive lease.

        Raises:
            StandbyUnavailable: the standby is gone.
            LocatorUnavailable: the local disk refuses.
        """
        self._packs.forget(pack_id)
        path = self._layout.pack(pack_id)
        if not leftovers.remove(path):
            self.check_standby()
            return False
        with storage_errors(self._layout.root):
            sync_directory(path.parent)
        self._locator.forget_packs([pack_id])
        return True

    def set_aside(self, pack_id: str, leftovers: Leftovers) -> bool:
        """Move a damaged pack into ``damaged/``, where it can be examined; return whether that was possible.

        Raises:
            StandbyUnavailable: the standby is gone.
            LocatorUnavailable: the local disk refuses.
        """
        self._packs.forget(pack_id)
        path = self._layout.pack(pack_id)
        try:
            rename(path, self._layout.damaged / path.name)
        except OSError as error:
            self.check_standby()
            leftovers.note(path, error)
            return False
        with storage_errors(self._layout.root):
            sync_directory(self._layout.damaged)
            sync_directory(path.parent)
        self.damaged_packs.pop(pack_id, None)
        self._locator.forget_packs([pack_id])
        return True


def record_scratch(chunk_bytes: int) -> memoryview:
    """Return memory that takes any record of a chunk, for one thread to use again and again."""
    return memoryview(bytearray(chunk_bytes + _LONGEST_OVERHEAD_BYTES))


@dataclass(frozen=True, slots=True)
class FrameReader:
    """A chunk whose frame table is known."""

    store: RecordStore
    place: Place
    header: RecordHeader
    table: FrameTable

    def frame(self, index: int, decoder: RecordDecoder) -> Buffer:
        """Read and decode one frame, compared with its digest.

        Raises:
            RecordLost: it is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        start, end = self.table.offsets[index : index + 2]
        stored = self.store.read(self.header.digest, self.place, start, end - start)
        return self._decoded(index, stored, decoder)

    def frames(self, first: int, last: int, decoder: RecordDecoder) -> Iterator[Buffer]:
        """Read frames that lie behind each other at once, and yield each decoded and compared with its digest.

        Raises:
            RecordLost: one is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        offsets = self.table.offsets
        start = offsets[first]
        stored = memoryview(self.store.read(self.header.digest, self.place, start, offsets[last + 1] - start))
        for index in range(first, last + 1):
            yield self._decoded(index, stored[offsets[index] - start : offsets[index + 1] - start], decoder)

    def _decoded(self, index: int, stored: Buffer, decoder: RecordDecoder) -> Buffer:
        try:
            return decoder.frame(self.header, self.table, index, stored)
        except RecordDamaged as error:
            raise RecordLost(self.header.digest, self.place.pack_id, str(error)) from error
