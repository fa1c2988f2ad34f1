"""Opens a log: checks its segments, finds where it ends, and learns where each grain is."""

import os
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

from app.nfs.overlay.errors import OverlayDamaged, standby_errors
from app.nfs.overlay.files import OverlayFiles
from app.nfs.overlay.format import (
    GRAIN_BYTES,
    ID_BYTES,
    RECORD_HEADER_BYTES,
    SUMMARY_ENTRY_BYTES,
    Entry,
    NotReadable,
    RecordCodec,
    RecordKind,
    SegmentHeader,
    parse_entries,
)
from app.nfs.overlay.grainmap import GrainMap, position_of, zero_position_of
from app.nfs.overlay.log import LogStart
from app.nfs.overlay.segments import Scan, check_header, read_header, read_summary, scan, sealed_entries
from app.nfs.overlay.table import SegmentTable

_PIECE_BYTES: Final = 1024 * 1024


class _Newest(NamedTuple):
    """The newest segment; ``torn`` is what is whole of it where it was not sealed."""

    header: SegmentHeader
    entries: bytes | bytearray
    torn: Scan | None


def replay(files: OverlayFiles, capacity_bytes: int, table: SegmentTable, grains: GrainMap) -> LogStart:
    """Fill the table and the map with what the log says; afterwards every segment is sealed and durable.

    What a crash left behind is deleted: unfinished segments, and such that are not part of the log any more.

    Raises:
        OverlayDamaged: something that was durable is not what was stored, or is missing.
        OverlayMismatch: a segment is of another overlay, another disk, or a newer program.
        OSError: the system refused.
    """
    numbers = files.numbers()
    begun = files.last_begun()
    if begun > max(numbers, default=0):
        raise OverlayDamaged(files.path(begun), 0, "the newest segment is missing")
    if not numbers:
        files.remove_scratch()
        return LogStart(os.urandom(ID_BYTES), capacity_bytes, 0, 1)
    newest = _read_newest(files, numbers[-1])
    for number in numbers:
        path = files.path(number)
        header = read_header(files.open(number), path)
        check_header(header, number, newest.header.overlay_id, capacity_bytes, path)
    expected = _expected(newest)
    _refuse_missing(files, expected, numbers)
    if newest.torn is not None:
        _cut(files, newest.header, newest.torn)
    files.remove_scratch()
    superfluous = sorted(set(numbers) - expected)
    if superfluous:
        files.delete(superfluous)
    for number in sorted(expected):
        _apply(files, number, table, grains)
    following = newest.header.first_sequence + len(newest.entries) // SUMMARY_ENTRY_BYTES
    return LogStart(newest.header.overlay_id, capacity_bytes, newest.header.number, following)


def last_sequence(folder: Path) -> int:
    """Return the sequence of the last record of a log, 0 where there is none. Writes nothing.

    Raises:
        OverlayDamaged, OverlayMismatch: the newest segment is not what was stored.
        OverlayUnavailable: the standby refused.
    """
    with standby_errors(f"look at the overlay in {folder}"):
        files = OverlayFiles(folder, 1)
        try:
            numbers = files.numbers()
            if not numbers:
                return 0
            newest = _read_newest(files, numbers[-1])
            return newest.header.first_sequence + len(newest.entries) // SUMMARY_ENTRY_BYTES - 1
        finally:
            files.close()


def _read_newest(files: OverlayFiles, number: int) -> _Newest:
    path = files.path(number)
    file = files.open(number)
    header = read_header(file, path)
    codec = RecordCodec(header.overlay_id, header.number)
    entries = read_summary(file, codec)
    if entries is not None:
        return _Newest(header, entries, None)
    file.forget_cached()
    found = scan(file, path, codec, header)
    return _Newest(header, found.entries, found)


def _expected(newest: _Newest) -> set[int]:
    """Return the numbers of the segments that the log consists of."""
    header = newest.header
    expected = {number for start, stop in header.older for number in range(start, stop)} | {header.number}
    gone = (
        entry.offset
        for entry in parse_entries(newest.entries, header.header_bytes)
        if entry.kind is RecordKind.GONE
    )
    return expected.difference(gone)


def _refuse_missing(files: OverlayFiles, expected: Iterable[int], numbers: Iterable[int]) -> None:
    missing = sorted(set(expected).difference(numbers))
    if missing:
        raise OverlayDamaged(files.path(missing[0]), 0, f"the segment is missing, {len(missing)} in all")


def _cut(files: OverlayFiles, header: SegmentHeader, torn: Scan) -> None:
    """Seal the newest segment behind its last whole record, so that nothing behind that comes back.

    What no later record proves to be durable is written again first: it may be in the page cache only, which
    believes it to be on the disk when an earlier sync failed.
    """
    codec = RecordCodec(header.overlay_id, header.number)
    summary = codec.encode_summary(torn.entries, torn.end, header.first_sequence)
    with closing(files.open_for_writing(header.number)) as file:
        file.truncate(torn.end)
        for start in range(torn.proven_bytes, torn.end, _PIECE_BYTES):
            file.write(start, [file.read(start, min(_PIECE_BYTES, torn.end - start))])
        file.sync()  # a summary on the disk proves that its records are
        file.write(torn.end, [summary])
        file.sync()


def _apply(files: OverlayFiles, number: int, table: SegmentTable, grains: GrainMap) -> None:
    file = files.open(number)
    header = read_header(file, files.path(number))
    entries = sealed_entries(files, number, header, file)
    table.add(number, file.size_bytes())
    try:
        for entry in parse_entries(entries, header.header_bytes):
            _put(entry, number, grains)
    except NotReadable as error:
        raise OverlayDamaged(files.path(number), 0, str(error)) from error


def _put(entry: Entry, number: int, grains: GrainMap) -> None:
    if entry.kind is RecordKind.GONE:
        return
    first, count = entry.offset // GRAIN_BYTES, entry.length_bytes // GRAIN_BYTES
    grains.pin(first, count)
    if entry.kind is RecordKind.ZERO:
        grains.put_zeros(first, count, zero_position_of(number, entry.position))
    else:
        grains.put_data(first, count, position_of(number, entry.position + RECORD_HEADER_BYTES))
