"""Pack files: header, records, footer table, trailer. Nothing in a sealed pack is ever changed.

Source of truth for the bytes: ``docs/repository-format.md``, "Packs".
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from blake3 import blake3

from app.core.durable import rename, sync_directory, unlink
from app.core.privatefiles import open_on_standby
from app.repository.files import make_directory, open_regular, refuse_links, write_all
from app.repository.reasons import PACK_CHANGED, NotAsWritten
from app.repository.records import HEADER_BYTES, EncodedRecord, RecordDamaged, RecordKind, parse_header

PACK_HEADER_BYTES = 64
TRAILER_BYTES = 64
ENTRY_BYTES = 48
PACK_VERSION = 1
LONGEST_PACK_BYTES = 2 * 1024 * 1024 * 1024
_PACK_MAGIC = b"SFPACK\x1a\x00"
_END_MAGIC = b"SFPKEND\x1a"
_PACK_HEADER = struct.Struct("<8sHHI16s16s12xI")
_TRAILER = struct.Struct("<8sQI4x32s4xI")
_ENTRY = struct.Struct("<32sIIIB3x")


class PackEntry(NamedTuple):
    """One record of a pack, as its footer lists it."""

    digest: bytes
    offset: int
    length_bytes: int
    raw_bytes: int
    kind: int


class PackDamaged(NotAsWritten):
    """The header, footer or trailer of a pack is not what was written."""

    kind = PACK_CHANGED


class PackTooNew(PackDamaged):
    """The pack has a version that only a newer program reads; nothing is wrong with it."""


def pack_header(repository_id: bytes, pack_id: bytes) -> bytes:
    """Return the first bytes of a pack."""
    head = _PACK_HEADER.pack(_PACK_MAGIC, PACK_VERSION, 0, 0, repository_id, pack_id, 0)[:-4]
    return head + struct.pack("<I", zlib.crc32(head))


def check_pack_header(data: bytes, repository_id: bytes, pack_id: bytes | None) -> None:
    """Make sure that a pack belongs here.

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
    if version != PACK_VERSION:
        raise PackDamaged(f"it has version {version}, this program reads {PACK_VERSION}")
    if repository != repository_id:
        raise PackDamaged("it belongs to another repository")
    if pack_id is not None and pack != pack_id:
        raise PackDamaged("it is another pack under this name")


def pack_footer(entries: Sequence[PackEntry], footer_at: int) -> bytes:
    """Return the footer table and the trailer behind it."""
    table = b"".join([_ENTRY.pack(*entry) for entry in entries])
    trailer = _TRAILER.pack(_END_MAGIC, footer_at, len(entries), blake3(table).digest(), 0)[:-4]
    return table + trailer + struct.pack("<I", zlib.crc32(trailer))


def sealed_bytes(entries: Sequence[PackEntry]) -> int:
    """Return the size of the file of a sealed pack that holds just these records."""
    records_bytes = sum(entry.length_bytes for entry in entries)
    return PACK_HEADER_BYTES + records_bytes + len(entries) * ENTRY_BYTES + TRAILER_BYTES


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
        if not PACK_HEADER_BYTES + TRAILER_BYTES <= size <= LONGEST_PACK_BYTES:
            raise PackDamaged("it is torn")
        file.seek(size - TRAILER_BYTES)
        footer_at, count, digest = _parse_trailer(file.read(TRAILER_BYTES), size)
        file.seek(footer_at)
        table = file.read(count * ENTRY_BYTES)
    if blake3(table).digest() != digest:
        raise PackDamaged("its footer was changed")
    entries = [PackEntry._make(fields) for fields in _ENTRY.iter_unpack(table)]
    if any(entry.offset + entry.length_bytes > footer_at for entry in entries):
        raise PackDamaged("its footer points behind its records")
    return entries


def _parse_trailer(data: bytes, size: int) -> tuple[int, int, bytes]:
    magic, footer_at, count, digest, crc = _TRAILER.unpack(data)
    if magic != _END_MAGIC:
        raise PackDamaged("it does not end like a pack")
    if zlib.crc32(data[:-4]) != crc:
        raise PackDamaged("its trailer was changed")
    if footer_at < PACK_HEADER_BYTES or footer_at + count * ENTRY_BYTES + TRAILER_BYTES != size:
        raise PackDamaged("its trailer does not fit its size")
    return footer_at, count, digest


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
            if not is_whole(head + file.read(header.payload_bytes)):
                return
            yield PackEntry(header.digest, offset, header.length_bytes, header.raw_bytes, header.kind)
            offset += header.length_bytes


class PackBuilder:
    """A pack while it is written. Thread: one at a time."""

    def __init__(self, path: Path, repository_id: bytes) -> None:
        self.path = path
        self.pack_id = path.stem
        self.size_bytes = PACK_HEADER_BYTES
        self.entries: list[PackEntry] = []
        self._descriptor = open_on_standby(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            write_all(self._descriptor, [pack_header(repository_id, bytes.fromhex(self.pack_id))])
        except OSError:
            self.discard()
            raise

    def append(self, kind: RecordKind, digest: bytes, raw_bytes: int, record: EncodedRecord) -> None:
        """Write a record behind the last one.

        Raises:
            OSError: the system refused; the pack ends with its last whole record.
        """
        write_all(self._descriptor, record.parts)
        self.entries.append(PackEntry(digest, self.size_bytes, record.length_bytes, raw_bytes, kind))
        self.size_bytes += record.length_bytes

    def seal(self, target: Path) -> None:
        """Write footer and trailer, make all durable, and move the pack to its place.

        Raises:
            OSError: the system refused.
        """
        try:
            write_all(self._descriptor, [pack_footer(self.entries, self.size_bytes)])
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
        check_pack_header(file.read(PACK_HEADER_BYTES), repository_id, bytes.fromhex(source.stem))
    entries = list(scan_records(source, is_whole))
    if not entries:
        return []
    end = entries[-1].offset + entries[-1].length_bytes
    with os.fdopen(open_regular(source, os.O_RDWR | getattr(os, "O_BINARY", 0)), "r+b") as file:
        file.truncate(end)
        file.seek(end)
        file.write(pack_footer(entries, end))
        file.flush()
        os.fsync(file.fileno())
    place_pack(source, target)
    return entries
