"""Reads records out of sealed packs, from where the locator says they are. Thread: any.

Garbage collection runs beside those who read a pinned point, and moves records from pack to pack; the new packs
are there before the old ones go. So a pack that is missing is no loss yet: the record is looked for once more.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, TypeVar

from app.domain.extents import Extent
from app.domain.messages import Message
from app.repository.locator import Locator, Place
from app.repository.packheads import StoredHead
from app.repository.packs import PackEntry
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
from app.repository.sealedpacks import SealedPacks

_LONGEST_OVERHEAD_BYTES = 256 * 1024
LONGEST_RECORD_BYTES = LONGEST_RAW_BYTES + _LONGEST_OVERHEAD_BYTES
_FIRST_READ_BYTES = 2048
"""Enough for header and table of a chunk of 32 frames, so that both come with one read."""
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

    def __init__(self, packs: SealedPacks, locator: Locator) -> None:
        self._packs = packs
        self._locator = locator

    def _place(self, digest: bytes) -> Place:
        """Return where a record is stored.

        Raises:
            RecordLost: no pack holds it.
            WrittenByNewer: only a pack that a newer program wrote may hold it.
        """
        place = self._locator.find(digest)
        if place is None and self._packs.catch_up():
            place = self._locator.find(digest)
        if place is None:
            self._packs.refuse_newer()
            raise RecordLost(digest, None, f"{digest.hex()} is in no pack")
        return place

    def read(self, digest: bytes, place: Place, at: int, length: int) -> bytes:
        """Return bytes of a record.

        Raises:
            RecordLost: they cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        if length > LONGEST_RECORD_BYTES:
            raise RecordLost(digest, place.pack_id, "its footer gives an impossible length")
        try:
            data = self._packs.files.read(place.pack_id, place.offset + at, length)
        except OSError as error:
            raise self._refused(digest, place.pack_id, error) from error
        if len(data) != length:
            raise RecordLost(digest, place.pack_id, "the pack is torn")
        return data

    def read_together(self, pieces: Sequence[tuple[str, int, int]]) -> list[bytes]:
        """Return pieces of packs, each with its pack, offset and length; shorter what cannot be read.

        All are asked for before the first is waited for. Never raises.
        """
        return self._packs.files.read_together(pieces)

    def blob(self, digest: bytes, decoder: RecordDecoder) -> bytes:
        """Return a chunk or page, compared with its digest.

        Raises:
            RecordLost: it cannot be read, or is not what was stored.
            StandbyUnavailable: the standby is gone.
        """
        return self._twice(lambda: self._blob(digest, decoder))

    def _blob(self, digest: bytes, decoder: RecordDecoder) -> bytes:
        place = self._place(digest)
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
        place = self._place(digest)
        length = place.length_bytes
        if length > len(scratch):
            raise RecordLost(digest, place.pack_id, "its footer gives an impossible length")
        try:
            done = self._packs.files.read_into(place.pack_id, place.offset, scratch[:length])
        except OSError as error:
            raise self._refused(digest, place.pack_id, error) from error
        if done != length:
            raise RecordLost(digest, place.pack_id, "the pack is torn")
        try:
            return use(scratch[:length])
        except RecordDamaged as error:
            raise RecordLost(digest, place.pack_id, str(error)) from error

    def _refused(self, digest: bytes, pack_id: str, error: OSError) -> RecordLost:
        """Return that a record cannot be read of a pack that the system refuses to open or read.

        Raises:
            StandbyUnavailable: the standby is gone.
        """
        self._packs.check_standby()
        self._packs.miss(pack_id, error)
        return RecordLost(digest, pack_id, error.strerror or str(error))

    def _twice(self, read: Callable[[], _Result]) -> _Result:
        """Read; when that fails, catch up with garbage collection, which may have moved records.

        That is done once per point opened, and once for each pack that has gone.
        """
        try:
            return read()
        except RecordLost:
            if not self._packs.catch_up():
                raise
        return read()

    def frames(self, digest: bytes, decoder: RecordDecoder) -> "FrameReader":
        """Open a chunk for reading single frames.

        Raises:
            RecordLost: it cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        head = self._packs.files.head(digest)
        if head is not None:
            with suppress(RecordDamaged):  # it is in the record once more
                return self._at_hand(head, digest, decoder)
        return self._twice(lambda: self._frames(digest, decoder))

    def _at_hand(self, head: StoredHead, digest: bytes, decoder: RecordDecoder) -> "FrameReader":
        pack_id, offset, data = head
        header, table = _opened(data, digest, decoder)
        return FrameReader(self, Place(pack_id, offset, header.length_bytes, header.kind), header, table)

    def _frames(self, digest: bytes, decoder: RecordDecoder) -> "FrameReader":
        place = self._place(digest)
        self._packs.files.fetch_heads(place.pack_id)
        at_hand = self._packs.files.head(digest)
        if at_hand is not None and at_hand[0] == place.pack_id:
            with suppress(RecordDamaged):  # it is in the record once more
                return self._at_hand(at_hand, digest, decoder)
        head = self.read(digest, place, 0, min(place.length_bytes, _FIRST_READ_BYTES))
        try:
            frames_at = parse_header(head[:HEADER_BYTES]).frames_at
            if frames_at > len(head):
                head += self.read(digest, place, len(head), frames_at - len(head))
            header, table = _opened(head, digest, decoder)
            if header.length_bytes != place.length_bytes:
                raise RecordDamaged("another record is stored here")
        except RecordDamaged as error:
            raise RecordLost(digest, place.pack_id, str(error)) from error
        return FrameReader(self, place, header, table)

    def forget(self, chunk: "FrameReader") -> None:
        """Look for a chunk where the locator says, next time: it could not be read where it was."""
        self._packs.files.forget_head(chunk.place.pack_id, chunk.header.digest)

    def read_entry(self, pack_id: str, entry: PackEntry) -> bytes:
        """Return a record as a pack's footer lists it, wherever the locator would look.

        Raises:
            RecordLost: it cannot be read.
            StandbyUnavailable: the standby is gone.
        """
        place = Place(pack_id, entry.offset, entry.length_bytes, entry.kind)
        return self.read(entry.digest, place, 0, entry.length_bytes)


def _opened(head: bytes, digest: bytes, decoder: RecordDecoder) -> tuple[RecordHeader, FrameTable]:
    """Read a record's head.

    Raises:
        RecordDamaged: it was changed, or is another record's.
    """
    header = parse_header(head[:HEADER_BYTES])
    if header.digest != digest:
        raise RecordDamaged("another record is stored here")
    return header, decoder.table(header, head[HEADER_BYTES : header.frames_at])


def record_scratch(chunk_bytes: int) -> memoryview:
    """Return memory that takes any record of a chunk, for one thread to use again and again."""
    return memoryview(bytearray(chunk_bytes + _LONGEST_OVERHEAD_BYTES))


class FrameReader(NamedTuple):
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

    def piece(self, index: int) -> tuple[str, int, int]:
        """Return where one frame is stored: pack, offset and length."""
        start, end = self.table.offsets[index : index + 2]
        return self.place.pack_id, self.place.offset + start, end - start

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
