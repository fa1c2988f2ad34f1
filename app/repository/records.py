"""One record of a pack: a chunk or an index page, cut into frames that decode alone.

Layout (little-endian): a header of 64 bytes, in an encrypted repository a salt of 32 bytes, the frame table,
the frames. The table holds each frame's stored length (bit 31: stored as it is, not compressed), each frame's
digest, and a CRC-32. The record's digest is computed from the frames' digests, so that reading one frame is
checked against the digest the point names. Source of truth: ``docs/repository-format.md``, "Records".
"""

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from typing import NamedTuple

import zstandard

from app.domain.extents import Extent
from app.repository.crypto import DIGEST_BYTES, SALT_BYTES, TAG_BYTES, Hasher, RepositoryKeys
from app.repository.reasons import RECORD_CHANGED, NotAsWritten

HEADER_BYTES = 64
MAGIC = b"SFRC"
FLAG_ENCRYPTED = 1
LONGEST_RAW_BYTES = 4 * 1024 * 1024
SHORTEST_FRAME_BYTES = 16 * 1024
HEADER = struct.Struct("<4sBBHIII32sQI")
CRC = struct.Struct("<I")
STORED_AS_IS = 1 << 31
_LENGTH = STORED_AS_IS - 1

Buffer = bytes | bytearray | memoryview


class RecordKind(IntEnum):
    """What a record holds."""

    CHUNK = 1
    PAGE = 2


class RecordDamaged(NotAsWritten):
    """The bytes of a record are not what was stored. Callers say which record it was."""

    kind = RECORD_CHANGED


_KINDS = {int(kind): kind for kind in RecordKind}


class RecordHeader(NamedTuple):
    """The first 64 bytes of a record; a tuple, which is made in a fifth of a dataclass's time."""

    kind: RecordKind
    encrypted: bool
    frame_count: int
    raw_bytes: int
    frame_bytes: int
    digest: bytes
    sequence: int
    packed: bytes
    length_bytes: int
    """Length of the whole record."""
    frames_at: int
    """Offset of the first frame in the record."""

    def frame_raw_bytes(self, index: int) -> int:
        """Length of a frame when it is decoded."""
        return min(self.frame_bytes, self.raw_bytes - index * self.frame_bytes)


class FrameTable(NamedTuple):
    """Where the frames of a record lie, and what they must be."""

    offsets: tuple[int, ...]
    """Offsets in the record, one more than there are frames."""
    as_is: tuple[bool, ...]
    digests: bytes
    salt: bytes
    """Names the session key; empty when the record is not encrypted."""

    def digest(self, index: int) -> bytes:
        """Return the digest of one frame."""
        return self.digests[index * DIGEST_BYTES : (index + 1) * DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class EncodedRecord:
    """A record ready to be appended: its parts one after the other."""

    parts: list[Buffer]
    length_bytes: int


def table_bytes_of(frame_count: int) -> int:
    """Return the length of a frame table, not encrypted."""
    return frame_count * (4 + DIGEST_BYTES) + CRC.size


def frame_count_of(raw_bytes: int, frame_bytes: int) -> int:
    """Return how many frames hold so many bytes."""
    return -(-raw_bytes // frame_bytes)


def parse_header(data: bytes) -> RecordHeader:
    """Read a record's header, believing nothing.

    Raises:
        RecordDamaged: it is not a header, was changed, or its numbers cannot be.
    """
    if len(data) != HEADER_BYTES or not data.startswith(MAGIC):
        raise RecordDamaged("no record begins here")
    _, kind, flags, frame_count, raw, payload, frame_bytes, digest, sequence, crc = HEADER.unpack(data)
    if zlib.crc32(data[:-4]) != crc:
        raise RecordDamaged("a record's header was changed")
    sane = (
        kind in _KINDS
        and flags in (0, FLAG_ENCRYPTED)
        and SHORTEST_FRAME_BYTES <= frame_bytes <= LONGEST_RAW_BYTES
        and 0 < raw <= LONGEST_RAW_BYTES
        and frame_count == frame_count_of(raw, frame_bytes)
    )
    if not sane:
        raise RecordDamaged("a record's header holds impossible numbers")
    encrypted = flags == FLAG_ENCRYPTED
    table = table_bytes_of(frame_count)
    before = table + SALT_BYTES + TAG_BYTES if encrypted else table
    tags = TAG_BYTES * frame_count if encrypted else 0
    if not before + tags < payload <= before + tags + raw:
        raise RecordDamaged("a record's header holds impossible lengths")
    length, frames_at = HEADER_BYTES + payload, HEADER_BYTES + before
    kind = _KINDS[kind]
    return RecordHeader(
        kind, encrypted, frame_count, raw, frame_bytes, digest, sequence, bytes(data), length, frames_at
    )


class RecordDecoder:
    """Decrypts, decompresses and compares with the digests. Thread: one at a time."""

    def __init__(self, hasher: Hasher, keys: RepositoryKeys | None) -> None:
        self._hasher = hasher
        self._keys = keys
        zstd = zstandard.ZstdDecompressor(max_window_size=LONGEST_RAW_BYTES)
        self._decompress_all = zstd.multi_decompress_to_buffer
        self._decompress = zstd.decompress
        self._stream = zstd.stream_reader

    def decode(self, record: Buffer, expected: bytes | None = None) -> bytes:
        """Return the whole chunk or page of a record, compared with its digest.

        Raises:
            RecordDamaged: it is not what was stored, or not the record that was expected.
        """
        view = memoryview(record)
        header, table = self._open(view, expected)
        offsets = table.offsets
        return b"".join(
            [
                self.frame(header, table, index, view[offsets[index] : offsets[index + 1]])
                for index in range(header.frame_count)
            ]
        )

    def is_whole(self, record: Buffer) -> bool:
        """Return whether a record is what was stored under the digest that it names."""
        try:
            self.decode(record)
        except RecordDamaged:
            return False
        return True

    def decode_into(self, record: Buffer, target: memoryview, expected: bytes) -> None:
        """Fill ``target`` with the chunk of a record, without a copy on the way.

        Raises:
            RecordDamaged: it is not what was stored, not what was expected, or has another length; what
                ``target`` holds is undefined then.
        """
        view = memoryview(record)
        header, table = self._open(view, expected)
        if header.raw_bytes != len(target):
            raise RecordDamaged("a chunk has another length than the repository's chunks")
        offsets, start = table.offsets, 0
        for index in range(header.frame_count):
            end = start + header.frame_raw_bytes(index)
            self._frame_into(header, table, index, view[offsets[index] : offsets[index + 1]], target[start:end])
            start = end

    def decode_gaps(
        self, record: Buffer, target: memoryview, expected: bytes, gaps: Sequence[Extent]
    ) -> dict[tuple[int, int], Buffer]:
        """Fill only the gaps of ``target`` from the chunk of a record.

        Returns:
            The frames that lie in gaps from end to end, by where they begin and end, as they are stored but not
            encrypted.

        Raises:
            RecordDamaged: as for :meth:`decode_into`.
        """
        view = memoryview(record)
        header, table = self._open(view, expected)
        if header.raw_bytes != len(target):
            raise RecordDamaged("a chunk has another length than the repository's chunks")
        offsets, size = table.offsets, header.frame_bytes
        kept: dict[tuple[int, int], Buffer] = {}
        for gap in gaps:
            for index in range(gap.start // size, -(-gap.end // size)):
                stored = view[offsets[index] : offsets[index + 1]]
                first, last = index * size, index * size + header.frame_raw_bytes(index)
                if gap.start <= first and last <= gap.end:
                    kept[first, last] = self._frame_into(header, table, index, stored, target[first:last])
                else:
                    start, end = max(first, gap.start), min(last, gap.end)
                    frame = memoryview(self.frame(header, table, index, stored))
                    target[start:end] = frame[start - first : end - first]
        return kept

    def check(self, record: Buffer, expected: bytes) -> int:
        """Compare a whole record with its digest and return how many bytes it decodes to.

        Raises:
            RecordDamaged: it is not what was stored, or not the record that was expected.
        """
        view = memoryview(record)
        header, table = self._open(view, expected)
        offsets = table.offsets
        for index in range(header.frame_count):
            self.frame(header, table, index, view[offsets[index] : offsets[index + 1]])
        return header.raw_bytes

    def _open(self, view: memoryview, expected: bytes | None) -> tuple[RecordHeader, FrameTable]:
        header = parse_header(bytes(view[:HEADER_BYTES]))
        if expected is not None and header.digest != expected:
            raise RecordDamaged("another record is stored here")
        if len(view) != header.length_bytes:
            raise RecordDamaged("a record is torn")
        return header, self.table(header, bytes(view[HEADER_BYTES : header.frames_at]))

    def table(self, header: RecordHeader, stored: bytes) -> FrameTable:
        """Read the frame table from what follows the header, up to the first frame.

        Raises:
            RecordDamaged: it was changed.
        """
        count = header.frame_count
        table = self._open_table(header, stored)
        if len(table) != table_bytes_of(count) or zlib.crc32(table[:-4]) != CRC.unpack(table[-4:])[0]:
            raise RecordDamaged("a frame table was changed")
        digests = table[4 * count : -4]
        if self._hasher.blob_digest(header.kind, header.raw_bytes, digests) != header.digest:
            raise RecordDamaged("a frame table does not belong to its digest")
        lengths = struct.unpack_from(f"<{count}I", table)
        offsets = tuple(accumulate([length & _LENGTH for length in lengths], initial=header.frames_at))
        if offsets[-1] != header.length_bytes:
            raise RecordDamaged("a frame table does not fit its record")
        salt = stored[:SALT_BYTES] if header.encrypted else b""
        return FrameTable(offsets, tuple([length > _LENGTH for length in lengths]), digests, salt)

    def _open_table(self, header: RecordHeader, stored: bytes) -> bytes:
        if not header.encrypted:
            return stored
        if self._keys is None:
            raise RecordDamaged("the record is encrypted, but the repository is not")
        try:
            return self._keys.open_part(
                stored[:SALT_BYTES], header.sequence, 0, stored[SALT_BYTES:], header.packed
            )
        except ValueError as error:
            raise RecordDamaged(str(error)) from error

    def frame(self, header: RecordHeader, table: FrameTable, index: int, stored: Buffer) -> Buffer:
        """Decode one frame and compare it with its digest.

        Raises:
            RecordDamaged: it is not what was stored.
        """
        length = header.frame_raw_bytes(index)
        if header.encrypted:
            stored = self._open_frame(header, index, stored, table.salt)
        data = stored if table.as_is[index] else self._inflate(stored, length)
        if len(data) != length or self._hasher.frame_digest(data) != table.digest(index):
            raise RecordDamaged(f"frame {index} is not what was stored")
        return data

    def frames_together(
        self, asked: Sequence[tuple[RecordHeader, FrameTable, int, Buffer]]
    ) -> list[Buffer | None]:
        """Decode several frames and compare them with their digests; None for one that is not what was stored.

        They are decompressed in one call, in which other threads can work.
        """
        plain: list[Buffer | None] = [None] * len(asked)
        packed: list[Buffer] = []
        places: list[int] = []
        lengths = [header.frame_raw_bytes(index) for header, _, index, _ in asked]
        for at, (header, table, index, stored) in enumerate(asked):
            opened = self._opened_or_none(header, table, index, stored) if header.encrypted else stored
            if opened is not None and not table.as_is[index]:
                packed.append(opened)
                places.append(at)
            else:
                plain[at] = opened
        if packed:
            sizes = struct.pack(f"={len(places)}Q", *[lengths[at] for at in places])
            # One that is damaged fails the call: all of them are decoded alone then, where the fault is named.
            with suppress(zstandard.ZstdError, ValueError):
                frames = self._decompress_all(packed, decompressed_sizes=sizes)
                for number, at in enumerate(places):
                    plain[at] = memoryview(frames[number])  # type: ignore[arg-type]  # a buffer, not for its stub
        digest_of = self._hasher.frame_digest
        return [
            data if data is not None and len(data) == length and digest_of(data) == table.digest(index) else None
            for data, length, (_, table, index, _) in zip(plain, lengths, asked, strict=True)
        ]

    def _opened_or_none(
        self, header: RecordHeader, table: FrameTable, index: int, stored: Buffer
    ) -> Buffer | None:
        with suppress(RecordDamaged):
            return self._open_frame(header, index, stored, table.salt)
        return None

    def _frame_into(
        self, header: RecordHeader, table: FrameTable, index: int, stored: Buffer, target: memoryview
    ) -> Buffer:
        """Decode a frame and return it as it is stored, but not encrypted."""
        if header.encrypted:
            stored = self._open_frame(header, index, stored, table.salt)
        if table.as_is[index]:
            whole = len(stored) == len(target)
            if whole:
                target[:] = stored
        else:
            try:
                reader = self._stream(stored)
                whole = reader.readinto(target) == len(target) and not reader.read(1)
            except zstandard.ZstdError as error:
                raise RecordDamaged(f"a frame cannot be decompressed: {error}") from error
        if not whole or self._hasher.frame_digest(target) != table.digest(index):
            raise RecordDamaged(f"frame {index} is not what was stored")
        return stored

    def _open_frame(self, header: RecordHeader, index: int, stored: Buffer, salt: bytes) -> bytes:
        if self._keys is None:
            raise RecordDamaged("the record is encrypted, but the repository is not")
        try:
            return self._keys.open_part(salt, header.sequence, index + 1, stored, None)
        except ValueError as error:
            raise RecordDamaged(str(error)) from error

    def _inflate(self, stored: Buffer, length: int) -> bytes:
        try:
            if zstandard.frame_content_size(stored) > length:
                raise RecordDamaged("a frame claims to be larger than it can be")
            return self._decompress(stored, max_output_size=length)
        except zstandard.ZstdError as error:
            raise RecordDamaged(f"a frame cannot be decompressed: {error}") from error
