"""The heads of a pack's records once more, together behind the last record: what reads at random needs first.

A record's head is what stands before its frames: header, salt and frame table. Each says what it is and is checked
like the one in its record, so one that cannot be trusted costs a read and nothing else. Source of truth:
``docs/repository-format.md``, "Packs".
"""

from collections.abc import Iterable
from typing import Final, TypeAlias

from app.repository.crypto import SALT_BYTES, TAG_BYTES
from app.repository.records import (
    FLAG_ENCRYPTED,
    HEADER,
    HEADER_BYTES,
    MAGIC,
    EncodedRecord,
    parse_header,
    table_bytes_of,
)

StoredHead: TypeAlias = tuple[str, int, bytes]
"""Pack and offset of a record, and its head. A plain tuple, for there are very many: the garbage collector passes
over those, but not over objects of a class."""
_SECTION_MAGIC: Final = b"SFHD"
"""No record begins like that: whoever reads the records one after the other stops here."""


def head_of(record: EncodedRecord) -> bytes:
    """Return the head of a record that is about to be written; it lies in the first of its parts.

    Raises:
        RecordDamaged: what begins there is no record.
    """
    first = memoryview(record.parts[0])
    return bytes(first[: parse_header(bytes(first[:HEADER_BYTES])).frames_at])


def join_heads(heads: Iterable[bytes]) -> bytes:
    """Return the section that holds some heads."""
    return _SECTION_MAGIC + b"".join(heads)


def split_heads(section: bytes, pack_id: str, first_at: int) -> tuple[dict[bytes, StoredHead], int]:
    """Return the heads of a section, up to the first that cannot be one.

    Args:
        section: as :func:`join_heads` made it.
        pack_id: of its pack.
        first_at: offset of the pack's first record; the others follow without gaps.

    Returns:
        The heads by the digests of their records, and the offset behind the last record.
    """
    heads: dict[bytes, StoredHead] = {}
    at, record_at, unpack = len(_SECTION_MAGIC), first_at, HEADER.unpack_from
    if not section.startswith(_SECTION_MAGIC):
        return heads, record_at
    while at + HEADER_BYTES <= len(section):
        magic, _, flags, frame_count, _, payload_bytes, _, digest, _, _ = unpack(section, at)
        end = at + HEADER_BYTES + table_bytes_of(frame_count)
        if flags & FLAG_ENCRYPTED:
            end += SALT_BYTES + TAG_BYTES
        if magic != MAGIC or end > len(section):
            break
        heads[digest] = pack_id, record_at, section[at:end]  # looked at closely by whoever needs it
        at, record_at = end, record_at + HEADER_BYTES + payload_bytes
    return heads, record_at
