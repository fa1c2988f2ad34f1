"""LVM2: the label of a physical volume and the metadata of its group.

Source: lvm2's ``lib/format_text/layout.h`` and ``lib/label/label.h``; the checksum is a CRC-32 with a beginning of
its own and without a complement at the end.
"""

import struct
import zlib
from typing import Final

from app.guestcheck.volume import SECTOR, Volume, require
from app.guestcheck.words import Part

_LABEL: Final = b"LABELONE"
_KIND: Final = b"LVM2 001"
_MAGIC: Final = b" LVM2 x[5A%r0N*>"
_SEED: Final = 0xF597A6CF
_MOST_AREAS: Final = 16
_HEADER_BYTES: Final = 512


def lvm_crc(data: bytes) -> int:
    """Return LVM2's checksum."""
    return zlib.crc32(data, _SEED ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def find(volume: Volume) -> str | None:
    """Return ``LVM2`` where a volume says to be one of its physical volumes."""
    return None if _label_at(volume) is None else "LVM2"


def _label_at(volume: Volume) -> int | None:
    if not volume.holds(4 * SECTOR):
        return None
    head = volume.read(0, 4 * SECTOR, Part.LABEL)
    for at in range(0, 4 * SECTOR, SECTOR):
        if head[at : at + 8] == _LABEL and head[at + 24 : at + 32] == _KIND:
            return at
    return None


def check(volume: Volume) -> None:
    """Read the structures.

    Raises:
        Damaged: one is not as it has to be.
    """
    part, at = Part.LABEL, _label_at(volume) or 0
    label = volume.read(at, SECTOR, part)
    sector, checksum, offset = struct.unpack_from("<QII", label, 8)
    require(sector * SECTOR == at and lvm_crc(label[20:]) == checksum and 32 <= offset <= SECTOR - 40, part)
    size = struct.unpack_from("<Q", label, offset + 32)[0]
    require(volume.holds(size), part)
    areas = _areas(label, offset + 40)
    for start, length in areas:
        _metadata(volume, start, length)


def _areas(label: bytes, at: int) -> list[tuple[int, int]]:
    """Return where the metadata areas are: the second of two lists that a pair of zeros ends each."""
    part = Part.LABEL
    lists: list[list[tuple[int, int]]] = [[], []]
    for found in lists:
        for _ in range(_MOST_AREAS):
            require(at + 16 <= len(label), part)
            start, length = struct.unpack_from("<QQ", label, at)
            at += 16
            if not start:
                break
            found.append((start, length))
    return lists[1]


def _metadata(volume: Volume, start: int, length: int) -> None:
    part = Part.METADATA
    header = volume.read(start, _HEADER_BYTES, part)
    checksum, magic, version, at, size = struct.unpack_from("<I16sIQQ", header)
    require(magic == _MAGIC and version == 1 and (at, size) == (start, length), part)
    require(lvm_crc(header[4:]) == checksum, part)
    offset, text_bytes, text_sum, _ = struct.unpack_from("<QQII", header, 40)
    if not offset:
        return  # it belongs to no group yet
    require(_HEADER_BYTES <= offset < length and 0 < text_bytes <= length - _HEADER_BYTES, part)
    # The area is a ring: what does not fit before its end goes on behind its header.
    first = min(text_bytes, length - offset)
    text = volume.read(start + offset, first, part)
    if first < text_bytes:
        text += volume.read(start + _HEADER_BYTES, text_bytes - first, part)
    require(lvm_crc(text) == text_sum, part)
    require(b"physical_volumes {" in text and text.count(b"{") == text.count(b"}"), part)
