"""The heads of a pack's records once more, together behind the last record: what reads at random needs first.

A record's head is what stands before its frames: header, salt and frame table. Each says what it is and is checked
like the one in its record, so one that cannot be trusted costs a read and nothing else. Source of truth:
``docs/repository-format.md``, "Packs".
"""

from collections.abc import Iterable
from typing import Final

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


def split_heads(section: bytes) -> dict[bytes, bytes]:
    """Return the heads of a section by the digests of their records, up to the first that cannot be one."""
    heads: dict[bytes, bytes] = {}
    at = len(_SECTION_MAGIC)
    if not section.startswith(_SECTION_MAGIC):
        return heads
    while at + HEADER_BYTES <= len(section):
        magic, _, flags, frame_count, _, _, _, digest, _, _ = HEADER.unpack_from(section, at)
        end = at + HEADER_BYTES + table_bytes_of(frame_count)
        if flags & FLAG_ENCRYPTED:
            end += SALT_BYTES + TAG_BYTES
        if magic != MAGIC or end > len(section):
            break
        heads[digest] = section[at:end]  # looked at closely by whoever needs it
        at = end
    return heads
