"""Reads segment files: headers, summaries, and record by record where a segment was not sealed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from app.core.positioned import PositionedFile
from app.nfs.overlay.errors import OverlayDamaged, OverlayMismatch
from app.nfs.overlay.files import OverlayFiles
from app.nfs.overlay.format import (
    ALIGNMENT,
    FIXED_HEADER_BYTES,
    RECORD_HEADER_BYTES,
    RECORD_MAGIC,
    TRAILER_BYTES,
    NewerFormat,
    NotReadable,
    Record,
    RecordCodec,
    RecordKind,
    SegmentHeader,
    encode_entry,
    parse_segment_header,
    segment_header_bytes,
)

_WINDOW_BYTES: Final = 4 * 1024 * 1024


class Scan(NamedTuple):
    """The whole records at the beginning of a segment."""

    entries: bytes | bytearray
    """As the summary of the segment would list them."""
    end: int
    """Where the next record would begin."""
    proven_bytes: int
    """How much of the segment is known to be durable; what follows may be in the page cache only."""


def read_header(file: PositionedFile, path: Path) -> SegmentHeader:
    """Return what a segment begins with.

    Raises:
        OverlayDamaged: it is not what was stored.
        OverlayMismatch: a newer program wrote it.
        OSError: the system refused.
    """
    try:
        start = file.read(0, FIXED_HEADER_BYTES)
        return parse_segment_header(start + file.read(len(start), segment_header_bytes(start) - len(start)))
    except NotReadable as error:
        raise OverlayDamaged(path, 0, str(error)) from error
    except NewerFormat as error:
        raise OverlayMismatch(path, str(error)) from error


def check_header(header: SegmentHeader, number: int, overlay_id: bytes, capacity_bytes: int, path: Path) -> None:
    """Make sure that a segment is where it belongs.

    Raises:
        OverlayMismatch: it is of another overlay, of another disk, or under another's name.
    """
    if header.overlay_id != overlay_id:
        raise OverlayMismatch(path, "the segment belongs to another overlay than the newest segment")
    if header.capacity_bytes != capacity_bytes:
        raise OverlayMismatch(
            path, f"the overlay is of a disk of {header.capacity_bytes} bytes, not of {capacity_bytes}"
        )
    if header.number != number:
        raise OverlayMismatch(path, f"this is segment {header.number}")


def read_summary(file: PositionedFile, codec: RecordCodec) -> bytearray | None:
    """Return the entries of a sealed segment; None where its summary is not there or not whole.

    Raises:
        OSError: the system refused.
    """
    size = file.size_bytes()
    trailer = file.read(max(0, size - TRAILER_BYTES), TRAILER_BYTES)
    place = codec.summary_place(trailer, size)
    if place is None:
        return None
    entries = file.read(*place)
    return entries if codec.summary_is_whole(trailer, entries) else None


def sealed_entries(
    files: OverlayFiles, number: int, header: SegmentHeader, file: PositionedFile
) -> bytes | bytearray:
    """Return the entries of a segment that is not the newest: of its summary, or of its records.

    Raises:
        OverlayDamaged: neither is whole.
        OSError: the system refused.
    """
    codec = RecordCodec(header.overlay_id, number)
    entries: bytes | bytearray | None = read_summary(file, codec)
    if entries is not None:
        return entries
    path = files.path(number)
    found = scan(file, path, codec, header)
    following = _first_sequence(files, number + 1)
    if following is None or header.first_sequence + _count(found.entries) != following:
        raise OverlayDamaged(path, found.end, "a record is not what was stored, and neither is the summary")
    return found.entries


def _first_sequence(files: OverlayFiles, number: int) -> int | None:
    try:
        return read_header(files.open(number), files.path(number)).first_sequence
    except FileNotFoundError:
        return None


def _count(entries: bytes | bytearray) -> int:
    return len(entries) // len(encode_entry(RecordKind.GONE, 0, 0))


def scan(file: PositionedFile, path: Path, codec: RecordCodec, header: SegmentHeader) -> Scan:
    """Read a segment record by record, to the first that is not whole.

    Raises:
        OverlayDamaged: this record was durable before: a later one says so.
        OSError: the system refused.
    """
    window = _Window(file)
    entries = bytearray()
    end = proven = header.header_bytes
    sequence = header.first_sequence
    while (record := _whole_record(window, codec, end)) is not None and record.sequence == sequence:
        if not _is_possible(record, header):
            raise OverlayDamaged(path, end, "a record's numbers cannot be")
        entries += encode_entry(record.kind, record.offset, record.length_bytes)
        proven = max(proven, record.durable_bytes)
        end += record.total_bytes
        sequence += 1
    for position in _magics(window, end + ALIGNMENT):
        later = codec.parse(bytes(window.get(position, RECORD_HEADER_BYTES)))
        if later is not None and later.durable_bytes > end and _whole_record(window, codec, position):
            raise OverlayDamaged(path, end, f"a record is not what was stored; one at {position} is whole")
    return Scan(entries, end, min(proven, end))


def _is_possible(record: Record, header: SegmentHeader) -> bool:
    if record.kind is RecordKind.GONE:
        return True
    beyond = record.offset + record.length_bytes
    return record.length_bytes > 0 and beyond < header.capacity_bytes + record.length_bytes


def _whole_record(window: "_Window", codec: RecordCodec, position: int) -> Record | None:
    header = bytes(window.get(position, RECORD_HEADER_BYTES))
    record = codec.parse(header)
    if record is None:
        return None
    payload = window.get(position + RECORD_HEADER_BYTES, record.payload_bytes)
    return record if len(payload) == record.payload_bytes and codec.is_whole(header, payload) else None


def _magics(window: "_Window", start: int) -> Iterator[int]:
    """Yield where a record may begin."""
    while data := window.get(start, _WINDOW_BYTES):
        at = data.find(RECORD_MAGIC)
        while at >= 0:
            if (start + at) % ALIGNMENT == 0:
                yield start + at
            at = data.find(RECORD_MAGIC, at + 1)
        start += len(data)  # the magic does not cross the border: both are multiples of the alignment


class _Window:
    """Reads a file from its beginning on in large pieces."""

    def __init__(self, file: PositionedFile) -> None:
        self._file = file
        self._start = 0
        self._data = bytearray()

    def get(self, position: int, length_bytes: int) -> bytearray:
        """Return bytes; fewer where the file ends."""
        if not self._start <= position <= position + length_bytes <= self._start + len(self._data):
            self._data = self._file.read(position, max(length_bytes, _WINDOW_BYTES))
            self._start = position
        at = position - self._start
        return self._data[at : at + length_bytes]
