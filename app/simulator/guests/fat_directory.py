"""Directory entries of FAT volumes, with long names in Unicode (VFAT)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from app.simulator.guests.fat_layout import DIRECTORY_ENTRY_BYTES

_SHORT = struct.Struct("<11sBBBHHHHHHHI")
_LONG = struct.Struct("<B10sBBB12sH4s")
_LONG_ATTRIBUTE = 0x0F
_LAST_LONG = 0x40
_CHARACTERS_PER_LONG = 13
DELETED = 0xE5
DIRECTORY, VOLUME_LABEL, ARCHIVE = 0x10, 0x08, 0x20


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory as its parent knows it."""

    name: str
    short_name: bytes
    attributes: int
    first_cluster: int
    size_bytes: int
    offset: int
    """Where its first 32 bytes are in the parent; long name parts come before the short entry."""
    n_parts: int
    """How many parts of 32 bytes it takes."""

    @property
    def is_directory(self) -> bool:
        """True for a directory."""
        return bool(self.attributes & DIRECTORY)

    @property
    def short_offset(self) -> int:
        """Where its short entry is in the parent."""
        return self.offset + (self.n_parts - 1) * DIRECTORY_ENTRY_BYTES


def pack_short(short_name: bytes, attributes: int, first_cluster: int, size_bytes: int, at: datetime) -> bytes:
    """Write a short entry."""
    date = (at.year - 1980) << 9 | at.month << 5 | at.day
    time = at.hour << 11 | at.minute << 5 | at.second // 2
    high, low = divmod(first_cluster, 1 << 16)
    return _SHORT.pack(short_name, attributes, 0, 0, time, date, date, high, time, date, low, size_bytes)


def pack_with_long_name(name: str, short_entry: bytes) -> bytes:
    """Put the parts of a long name before a short entry."""
    units = name.encode("utf-16-le")
    n_parts = -(-len(units) // (2 * _CHARACTERS_PER_LONG))
    if len(units) % (2 * _CHARACTERS_PER_LONG):
        units = (units + b"\0\0").ljust(n_parts * 2 * _CHARACTERS_PER_LONG, b"\xff")
    checksum = _checksum(short_entry[:11])
    parts = []
    for number in range(n_parts, 0, -1):
        piece = units[(number - 1) * 26 : number * 26]
        order = number | (_LAST_LONG if number == n_parts else 0)
        parts.append(_LONG.pack(order, piece[:10], _LONG_ATTRIBUTE, 0, checksum, piece[10:22], 0, piece[22:]))
    return b"".join(parts) + short_entry


def parse_directory(content: bytes | bytearray) -> Iterator[Entry]:
    """Return the entries of a directory, without label, ``.`` and ``..``."""
    long_parts: list[bytes] = []
    first_offset = 0
    for offset in range(0, len(content), DIRECTORY_ENTRY_BYTES):
        part = content[offset : offset + DIRECTORY_ENTRY_BYTES]
        if part[0] == 0:
            return
        if part[0] == DELETED:
            long_parts = []
            continue
        if part[11] == _LONG_ATTRIBUTE:
            if part[0] & _LAST_LONG:
                long_parts, first_offset = [], offset
            _, first, _, _, _, second, _, third = _LONG.unpack(part)
            long_parts.insert(0, first + second + third)
            continue
        short_name, attributes, _, _, _, _, _, high, _, _, low, size_bytes = _SHORT.unpack(part)
        n_long, name = len(long_parts), _join_long(long_parts) or _readable(short_name)
        start = first_offset if n_long else offset
        long_parts = []
        if not attributes & VOLUME_LABEL and part[:1] != b".":
            yield Entry(name, short_name, attributes, high << 16 | low, size_bytes, start, n_long + 1)


def _join_long(parts: list[bytes]) -> str:
    return b"".join(parts).decode("utf-16-le", "replace").partition("\0")[0]


def _readable(short_name: bytes) -> str:
    stem, extension = short_name[:8].decode("latin-1").rstrip(), short_name[8:].decode("latin-1").rstrip()
    return f"{stem}.{extension}" if extension else stem


def _checksum(short_name: bytes) -> int:
    total = 0
    for byte in short_name:
        total = ((total & 1) << 7) + (total >> 1) + byte & 0xFF
    return total
