"""What the files of an overlay's log contain; pure functions on bytes. The package's docstring describes it whole.

All numbers are little-endian. Everything that is stored is checked by a BLAKE3 digest that also covers the random
id of the overlay and the number of the segment: what a guest writes cannot be taken for a record, nor can a record
of another place.
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from blake3 import blake3

from app.core.positioned import Buffer

GRAIN_BYTES: Final = 4096
"""The unit of the map: a grain is in the overlay whole, or not at all."""
VERSION: Final = 1
ID_BYTES: Final = 16
ALIGNMENT: Final = 64
"""Of records in a segment."""
RECORD_MAGIC: Final = b"SFOR"
RECORD_HEADER_BYTES: Final = 64
SUMMARY_ENTRY_BYTES: Final = 16
TRAILER_BYTES: Final = 64
FIXED_HEADER_BYTES: Final = 96

_SEGMENT_MAGIC: Final = b"SFOVLSEG"
_TRAILER_MAGIC: Final = b"SFOVLEND"
_RECORD = struct.Struct("<4sIQQIII")
_CRC = struct.Struct("<I")
_CHECKED_BYTES: Final = _RECORD.size + _CRC.size
_RECORD_DIGEST_BYTES: Final = RECORD_HEADER_BYTES - _CHECKED_BYTES
_SEGMENT = struct.Struct("<8sIIIIIIQQ16s")
_DIGEST_BYTES: Final = 32
_RANGE = struct.Struct("<II")
_ENTRY = struct.Struct("<QII")
_TRAILER = struct.Struct("<8sIIQQ")
_CONTEXT = struct.Struct("<16sI")
_MOST_HEADER_BYTES: Final = 1 << 30


class RecordKind(IntEnum):
    """What a record says."""

    DATA = 1
    """Grains, whose bytes follow."""
    ZERO = 2
    """Grains that are zero."""
    GONE = 3
    """Segment number ``offset`` is not part of the log any more."""


_KINDS: Final = {int(kind): kind for kind in RecordKind}


class NotReadable(Exception):
    """Bytes are not what they should be."""


class NewerFormat(Exception):
    """A newer version of the program wrote this."""


class Record(NamedTuple):
    """The header of a record."""

    kind: RecordKind
    sequence: int
    """Place of the record among all of the overlay, from 1 on, without gaps but where segments are gone."""
    offset: int
    """First byte on the disk, a multiple of the grain; or the number of a segment."""
    length_bytes: int
    """How much of the disk it covers, in whole grains."""
    payload_bytes: int
    durable_bytes: int
    """How much of this segment was known to be durable when the record was written."""

    @property
    def total_bytes(self) -> int:
        """Length of header and payload."""
        return RECORD_HEADER_BYTES + self.payload_bytes


class Entry(NamedTuple):
    """A record as the summary of its segment lists it."""

    kind: RecordKind
    offset: int
    length_bytes: int
    position: int
    """Where its header begins in the segment."""

    @property
    def payload_bytes(self) -> int:
        """Length of what follows the header."""
        return self.length_bytes if self.kind is RecordKind.DATA else 0


class SegmentHeader(NamedTuple):
    """What a segment begins with."""

    overlay_id: bytes
    number: int
    capacity_bytes: int
    first_sequence: int
    older: Sequence[tuple[int, int]]
    """The segments that the log had when this one was begun: ranges of numbers, the first and the one behind."""
    header_bytes: int = 0
    """How long it is; 0 in one that is not encoded yet."""


def pad_up(size_bytes: int, unit_bytes: int) -> int:
    """Return the next multiple of a unit."""
    return -(-size_bytes // unit_bytes) * unit_bytes


def encode_segment_header(header: SegmentHeader) -> bytes:
    """Return the bytes that a segment begins with."""
    length = pad_up(FIXED_HEADER_BYTES + _RANGE.size * len(header.older), ALIGNMENT)
    fixed = _SEGMENT.pack(
        _SEGMENT_MAGIC,
        VERSION,
        length,
        header.number,
        len(header.older),
        GRAIN_BYTES,
        0,
        header.capacity_bytes,
        header.first_sequence,
        header.overlay_id,
    )
    ranges = b"".join(_RANGE.pack(*found) for found in header.older)
    ranges += bytes(length - FIXED_HEADER_BYTES - len(ranges))
    return fixed + blake3(fixed + ranges).digest(_DIGEST_BYTES) + ranges


def segment_header_bytes(start: bytes | bytearray) -> int:
    """Return how long a segment header is, from its first :data:`FIXED_HEADER_BYTES`.

    Raises:
        NotReadable: no segment begins so.
        NewerFormat: a newer program wrote it.
    """
    if len(start) < FIXED_HEADER_BYTES or not start.startswith(_SEGMENT_MAGIC):
        raise NotReadable("no segment begins here")
    version: int
    length: int
    _, version, length, *_ = _SEGMENT.unpack_from(start)
    if version > VERSION:
        raise NewerFormat(f"written in version {version} of the format, this program knows version {VERSION}")
    if not FIXED_HEADER_BYTES <= length <= _MOST_HEADER_BYTES or length % ALIGNMENT:
        raise NotReadable("the segment header has no possible length")
    return length


def parse_segment_header(data: bytes | bytearray) -> SegmentHeader:
    """Read a whole segment header, believing nothing.

    Raises:
        NotReadable: it is not what was stored.
        NewerFormat: a newer program wrote it.
    """
    length = segment_header_bytes(data)
    fixed, ranges = data[: _SEGMENT.size], data[FIXED_HEADER_BYTES:length]
    stored = data[_SEGMENT.size : FIXED_HEADER_BYTES]
    _, _, _, number, count, grain, _, capacity, first, overlay_id = _SEGMENT.unpack(fixed)
    if len(data) < length or blake3(fixed + ranges).digest(_DIGEST_BYTES) != stored:
        raise NotReadable("the segment header is not what was stored")
    if grain != GRAIN_BYTES or count * _RANGE.size > len(ranges):
        raise NotReadable("the segment header's numbers cannot be")
    older = [(start, stop) for start, stop in _RANGE.iter_unpack(ranges[: count * _RANGE.size])]
    return SegmentHeader(overlay_id, number, capacity, first, older, length)


class RecordCodec:
    """Encodes and checks the records and the summary of one segment. Thread: any."""

    def __init__(self, overlay_id: bytes, number: int) -> None:
        self._context = _CONTEXT.pack(overlay_id, number)
        self._seed = zlib.crc32(self._context)

    def encode(self, record: Record, payload: Buffer = b"") -> bytes:
        """Return the header of a record."""
        fixed = _RECORD.pack(
            RECORD_MAGIC,
            record.kind,
            record.sequence,
            record.offset,
            record.length_bytes,
            record.payload_bytes,
            record.durable_bytes,
        )
        checked = fixed + _CRC.pack(zlib.crc32(fixed, self._seed))
        return checked + self._digest(checked, payload)

    def _digest(self, checked: bytes, payload: Buffer) -> bytes:
        # The payload first: so BLAKE3 hashes it in whole blocks, which is twice as fast.
        digest = blake3(payload)
        digest.update(checked + self._context)
        return digest.digest(_RECORD_DIGEST_BYTES)

    def parse(self, header: bytes) -> Record | None:
        """Return what a record's header says; None where none begins, or one of another place."""
        if len(header) != RECORD_HEADER_BYTES or not header.startswith(RECORD_MAGIC):
            return None
        (crc,) = _CRC.unpack_from(header, _RECORD.size)
        if zlib.crc32(header[: _RECORD.size], self._seed) != crc:
            return None
        _, kind, sequence, offset, length, payload, durable = _RECORD.unpack_from(header)
        try:
            record = Record(RecordKind(kind), sequence, offset, length, payload, durable)
        except ValueError:
            return None
        expected = length if record.kind is RecordKind.DATA else 0
        aligned = record.kind is RecordKind.GONE or not (offset | length) % GRAIN_BYTES
        return record if aligned and payload == expected else None

    def is_whole(self, header: bytes, payload: Buffer) -> bool:
        """Return whether header and payload are what was stored."""
        return header[_CHECKED_BYTES:] == self._digest(header[:_CHECKED_BYTES], payload)

    def encode_summary(self, entries: bytes | bytearray, records_end: int, first_sequence: int) -> bytes:
        """Return what a sealed segment ends with: the entries and a trailer."""
        count = len(entries) // SUMMARY_ENTRY_BYTES
        fixed = _TRAILER.pack(_TRAILER_MAGIC, count, records_end, first_sequence, 0)
        return bytes(entries) + fixed + self._summary_digest(fixed, entries)

    def _summary_digest(self, fixed: Buffer, entries: Buffer) -> bytes:
        digest = blake3(entries)
        digest.update(bytes(fixed) + self._context)
        return digest.digest(_DIGEST_BYTES)

    def summary_place(self, trailer: bytes | bytearray, file_bytes: int) -> tuple[int, int] | None:
        """Return where the summary begins and how long it is without its trailer; None without a trailer."""
        if len(trailer) != TRAILER_BYTES or not trailer.startswith(_TRAILER_MAGIC):
            return None
        _, count, records_end, _, _ = _TRAILER.unpack_from(trailer)
        length = count * SUMMARY_ENTRY_BYTES
        return (records_end, length) if records_end + length + TRAILER_BYTES == file_bytes else None

    def summary_is_whole(self, trailer: bytes | bytearray, entries: bytes | bytearray) -> bool:
        """Return whether a summary is what was stored."""
        fixed = trailer[: _TRAILER.size]
        return trailer[_TRAILER.size :] == self._summary_digest(fixed, entries)


def encode_entry(kind: RecordKind, offset: int, length_bytes: int) -> bytes:
    """Return the entry of a record in its segment's summary."""
    return _ENTRY.pack(offset, length_bytes, kind)


def parse_entries(entries: bytes | bytearray, first_position: int) -> Iterator[Entry]:
    """Yield the entries of a summary; the first record begins at ``first_position``.

    Raises:
        NotReadable: a kind is unknown.
    """
    position = first_position
    for offset, length, number in _ENTRY.iter_unpack(entries):
        kind = _KINDS.get(number)
        if kind is None:
            raise NotReadable(f"the summary lists a record of unknown kind {number}")
        yield Entry(kind, offset, length, position)
        position += RECORD_HEADER_BYTES + (length if kind is RecordKind.DATA else 0)
