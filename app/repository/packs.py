"""Pack files: header, records, their heads once more, footer table, trailer. Nothing in a sealed pack is changed.

Source of truth for the bytes: ``docs/repository-format.md``, "Packs".
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from blake3 import blake3

from app.core.durable import rename, sync_directory, unlink
from app.core.privatefiles import open_on_standby
from app.repository.files import make_directory, open_regular, refuse_links, write_all
from app.repository.packheads import head_of, join_heads
from app.repository.reasons import PACK_CHANGED, NotAsWritten
from app.repository.records import HEADER_BYTES, EncodedRecord, RecordDamaged, RecordKind, parse_header

PACK_HEADER_BYTES = 64
TRAILER_BYTES = 64
ENTRY_BYTES = 48
PACK_VERSION = 2
"""What this program reads up to; version 1 has no heads behind its records."""
LONGEST_PACK_BYTES = 2 * 1024 * 1024 * 1024
_PACK_MAGIC = b"SFPACK\x1a\x00"
_END_MAGIC = b"SFPKEND\x1a"
_PACK_HEADER = struct.Struct("<8sHHI16s16s12xI")
_TRAILER = struct.Struct("<8sQII32sII")
_ENTRY = struct.Struct("<32sIIIB3x")


class PackEntry(NamedTuple):
    """One record of a pack, as its footer lists it."""

    digest: bytes
    offset: int
    length_bytes: int
    raw_bytes: int
    kind: int


class Trailer(NamedTuple):
    """The end of a pack: where its footer table lies, and the heads before it."""

    footer_at: int
    entry_count: int
    footer_digest: bytes
    heads_bytes: int
    """0 in a pack without heads."""
    heads_crc: int

    @property
    def heads_at(self) -> int:
        """Offset of the heads, and the end of the records."""
        return self.footer_at - self.heads_bytes


class PackDamaged(NotAsWritten):
    """The header, footer or trailer of a pack is not what was written."""

    kind = PACK_CHANGED


class PackTooNew(PackDamaged):
    """The pack has a version that only a newer program reads; nothing is wrong with it."""


def pack_header(repository_id: bytes, pack_id: bytes, version: int = PACK_VERSION) -> bytes:
    """Return the first bytes of a pack."""
    head = _PACK_HEADER.pack(_PACK_MAGIC, version, 0, 0, repository_id, pack_id, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def check_pack_header(data: bytes, repository_id: bytes, pack_id: bytes | None) -> int:
    """Make sure that a pack belongs here; return its version.

    Raises:
        PackTooNew: a newer program wrote it.
        PackDamaged: its header was changed, or is another pack's.
    """
    if len(data) != PACK_HEADER_BYTES or not data.startswith(_PACK_MAGIC):
        raise PackDamaged("it does not begin like a pack")
    _, version, _, _, repository, pack, crc = _PACK_HEADER.unpack(data)
    if zlib.crc32(data[:-4]) != crc:
        raise PackDamaged("its header was changed")
    if version > PACK_VERSION:
        raise PackTooNew(f"a newer program wrote it: it has version {version}, this program reads {PACK_VERSION}")
    if not version:
        raise PackDamaged("it has version 0, which no program ever wrote")
    if repository != repository_id:
        raise PackDamaged("it belongs to another repository")
    if pack_id is not None and pack != pack_id:
        raise PackDamaged("it is another pack under this name")
    return int(version)


def pack_end(entries: Sequence[PackEntry], records_end: int, heads: Sequence[bytes] | None) -> bytes:
    """Return what stands behind the records: their heads, the footer table and the trailer.

    Args:
        entries: the records.
        records_end: where the last one ends.
        heads: of the records, in their order; None in a pack of version 1.
    """
    section = b"" if heads is None else join_heads(heads)
    table = b"".join([_ENTRY.pack(*entry) for entry in entries])
    trailer = _TRAILER.pack(
        _END_MAGIC,
        records_end + len(section),
        len(entries),
        len(section),
        blake3(table).digest(),
        zlib.crc32(section),
        0,
    )[:-4]
    return section + table + trailer + struct.pack("<I", zlib.crc32(trailer))


def read_footer(path: Path, repository_id: bytes) -> list[PackEntry]:
    """Return what a sealed pack holds, from its footer.

    Raises:
        PackDamaged: the header, footer or trailer is not what was written.
        OSError: the file cannot be read.
    """
    refuse_links([path.parent])
    with os.fdopen(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        check_pack_header(file.read(PACK_HEADER_BYTES), repository_id, bytes.fromhex(path.stem))
        trailer = _read_trailer(file, size)
        file.seek(trailer.footer_at)
        table = file.read(trailer.entry_count * ENTRY_BYTES)
    if blake3(table).digest() != trailer.footer_digest:
        raise PackDamaged("its footer was changed")
    entries = [PackEntry._make(fields) for fields in _ENTRY.iter_unpack(table)]
    if any(entry.offset + entry.length_bytes > trailer.heads_at for entry in entries):
        raise PackDamaged("its footer points behind its records")
    return entries


def flaw_of_heads(path: Path) -> PackDamaged | None:
    """Return what is wrong with the heads of a pack, None when they are what was written.

    They are wrong alone: the records and the footer of such a pack can be trusted as before.

    Raises:
        PackDamaged: its trailer is not what was written.
        OSError: the file cannot be read.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        trailer = _read_trailer(file, os.fstat(file.fileno()).st_size)
        file.seek(trailer.heads_at)
        if zlib.crc32(file.read(trailer.heads_bytes)) != trailer.heads_crc:
            return PackDamaged("the heads of its records were changed")
    return None


def _read_trailer(file: BinaryIO, size: int) -> Trailer:
    if not PACK_HEADER_BYTES + TRAILER_BYTES <= size <= LONGEST_PACK_BYTES:
        raise PackDamaged("it is torn")
    file.seek(size - TRAILER_BYTES)
    return parse_trailer(file.read(TRAILER_BYTES), size)


def parse_trailer(data: bytes, size: int) -> Trailer:
    """Read the trailer of a pack of so many bytes, believing nothing.

    Raises:
        PackDamaged: it is not what was written.
    """
    if len(data) != TRAILER_BYTES:
        raise PackDamaged("it is torn")
    magic, footer_at, count, heads_bytes, digest, heads_crc, crc = _TRAILER.unpack(data)
    if magic != _END_MAGIC:
        raise PackDamaged("it does not end like a pack")
    if zlib.crc32(data[:-4]) != crc:
        raise PackDamaged("its trailer was changed")
    if footer_at - heads_bytes < PACK_HEADER_BYTES or footer_at + count * ENTRY_BYTES + TRAILER_BYTES != size:
        raise PackDamaged("its trailer does not fit its size")
    return Trailer(footer_at, count, digest, heads_bytes, heads_crc)


def scan_records(path: Path, is_whole: Callable[[bytes], bool]) -> Iterator[PackEntry]:
    """Yield the records of a pack without its header and footer, up to the first that is not whole.

    ``is_whole`` gets each record's bytes and returns whether they are what was stored.

    Raises:
        OSError: the file cannot be read.
    """
    refuse_links([path.parent])
    with os.fdopen(open_regular(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(PACK_HEADER_BYTES)
        offset = PACK_HEADER_BYTES
        while offset + HEADER_BYTES <= size:
            head = file.read(HEADER_BYTES)
            try:
                header = parse_header(head)
            except RecordDamaged:
                return
            if offset + header.length_bytes > size:
                return
            if not is_whole(head + file.read(header.length_bytes - HEADER_BYTES)):
                return
            yield PackEntry(header.digest, offset, header.length_bytes, header.raw_bytes, header.kind)
            offset += header.length_bytes


class PackBuilder:
    """A pack while it is written. Thread: one at a time.

    Attributes:
        size_bytes: of the file so far; of all of it once it is sealed.
    """

    def __init__(self, path: Path, repository_id: bytes, version: int = PACK_VERSION) -> None:
        """Begin a pack of version 2, or of version 1 for a repository that older programs use as well.

        Raises:
            OSError: the system refused.
        """
        self.path = path
        self.pack_id = path.stem
        self.size_bytes = PACK_HEADER_BYTES
        self.entries: list[PackEntry] = []
        self._heads: list[bytes] | None = None if version < 2 else []
        self._descriptor = open_on_standby(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(self._descriptor, [pack_header(repository_id, bytes.fromhex(self.pack_id), version)])
        except OSError:
            self.discard()
            raise

    def append(self, kind: RecordKind, digest: bytes, raw_bytes: int, record: EncodedRecord) -> None:
        """Write a record behind the last one.

        Raises:
            OSError: the system refused; the pack ends with its last whole record.
        """
        head = b"" if self._heads is None else head_of(record)
        write_all(self._descriptor, record.parts)
        if self._heads is not None:
            self._heads.append(head)
        self.entries.append(PackEntry(digest, self.size_bytes, record.length_bytes, raw_bytes, kind))
        self.size_bytes += record.length_bytes

    def seal(self, target: Path) -> None:
        """Write what stands behind the records, make all durable, and move the pack to its place.

        Raises:
            OSError: the system refused.
        """
        try:
            end = pack_end(self.entries, self.size_bytes, self._heads)
            write_all(self._descriptor, [end])
            self.size_bytes += len(end)
            os.fsync(self._descriptor)
        finally:
            self._close()
        place_pack(self.path, target)

    def discard(self) -> None:
        """Forget the pack and delete its file."""
        self._close()
        with suppress(OSError):
            unlink(self.path)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def place_pack(source: Path, target: Path) -> None:
    """Move a finished pack to its place among the sealed ones, durably.

    Raises:
        Displaced: a link is in the place of its directory.
        OSError: the system refused.
    """
    make_directory(target.parent)
    rename(source, target)
    sync_directory(target.parent)


def salvage(
    source: Path, target: Path, repository_id: bytes, is_whole: Callable[[bytes], bool]
) -> list[PackEntry]:
    """Cut a torn pack behind its last whole record, finish it and move it to its place.

    Returns:
        What it holds; an empty list when there was no whole record, then the torn file is left where it is.

    Raises:
        PackDamaged: the pack's header is not what was written.
        OSError: the system refused.
    """
    with os.fdopen(open_regular(source), "rb") as file:
        version = check_pack_header(file.read(PACK_HEADER_BYTES), repository_id, bytes.fromhex(source.stem))
    entries = list(scan_records(source, is_whole))
    if not entries:
        return []
    end = entries[-1].offset + entries[-1].length_bytes
    with os.fdopen(open_regular(source, os.O_RDWR | getattr(os, "O_BINARY", 0)), "r+b") as file:
        heads = None if version < 2 else list(_heads_in(file, entries))
        file.truncate(end)
        file.seek(end)
        file.write(pack_end(entries, end, heads))
        file.flush()
        os.fsync(file.fileno())
    place_pack(source, target)
    return entries


def _heads_in(file: BinaryIO, entries: Sequence[PackEntry]) -> Iterator[bytes]:
    for entry in entries:
        file.seek(entry.offset)
        header = file.read(HEADER_BYTES)
        yield header + file.read(parse_header(header).frames_at - HEADER_BYTES)
