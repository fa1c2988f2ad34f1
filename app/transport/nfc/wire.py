"""The bytes of NFC: classic messages and AIO frames, as values.

Source of every number: protocols page *NFC*, sections 3, 4 and 4a. All integers are little-endian. Decoders take
exactly the bytes of one structure and check every field that could send a reader astray; what a page does not
define is ignored.

Raises:
    MalformedAnswer: from whatever takes an answer apart, when the bytes are not what they claim to be.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from app.transport.errors import MalformedAnswer
from app.transport.options import Compression

MAGIC: Final = 0xA100DA7A
HEADER_BYTES: Final = 16
IO_BYTES: Final = 44
CLASSIC_BYTES: Final = 264

LONGEST_IO_BYTES: Final = 1024 * 1024
"""Most that is read or written by one request (section 4a.8)."""
HANDSHAKE_SINCE: Final = 11
"""Libraries below this one end the session on HANDSHAKE (section 4a.3)."""
LONGEST_CONTROL_BYTES: Final = 64 * 1024
"""Largest payload of an answer other than disk data; every known one is far smaller."""

DISK_FILE: Final = 2
READ_ONLY_FLAGS: Final = 0x1E
READ_WRITE_FLAGS: Final = 0x1A
ERROR_NO_MEMORY: Final = 0x05
ERROR_NOT_PERMITTED: Final = 0x0B
"""The ticket does not allow what was asked: writing with a read ticket, a file of another VM (section 4a.13)."""

_HEADER = struct.Struct("<4I")
_IO = struct.Struct("<3Q5I")
_READ = struct.Struct("<4Q3I")
_OPENED = struct.Struct("<2Q2I4xQ4I")
_OPENED_SIZES = (52, 60, 68)
_STATUS = struct.Struct("<Q")
_REFUSED = struct.Struct("<Q2I")
_ALLOCATED = struct.Struct("<6Q")


class Classic(IntEnum):
    """Types of the 264-byte messages that come before the frames."""

    SESSION_COMPLETE = 4
    SESSION_PARAMETERS = 33
    SESSION_PARAMETERS_TAKEN = 36
    HANDSHAKE = 43
    VERSION = 51
    OPEN_AIO = 52
    CONNECTION_DATA = 54
    FEATURES = 55


class FrameType(IntEnum):
    """Types of AIO frames."""

    ERROR = 1
    OPEN_SESSION = 2
    CLOSE_SESSION = 3
    OPEN_FILE = 4
    CLOSE_FILE = 5
    IO = 7
    SET_SOCK_OPTS = 9
    DDB_GET = 11
    QUERY_ALLOCATED = 13
    SET_RES_POOL = 22


KNOWN_FRAMES: Final = frozenset(FrameType)
"""Types that sources name; another one is a host switch (section 4a.9)."""


class Operation(IntEnum):
    """Direction of an IO."""

    WRITE = 0
    READ = 1


def classic(kind: Classic, body: bytes = b"") -> bytes:
    """Return a classic message; the body starts behind the type.

    Raises:
        ValueError: the body is too long.
    """
    if len(body) > CLASSIC_BYTES - 4:
        raise ValueError(f"a classic message has room for {CLASSIC_BYTES - 4} bytes, not {len(body)}")
    return struct.pack("<I", kind) + body.ljust(CLASSIC_BYTES - 4, b"\0")


def classic_handshake() -> bytes:
    """Return the first message."""
    return classic(Classic.HANDSHAKE, b"PlainText")


def classic_version(version: int) -> bytes:
    """Return the message with our protocol version."""
    return classic(Classic.VERSION, struct.pack("<I", version))


def versions_in(message: bytes) -> tuple[int, int]:
    """Return the two words of a host's VERSION message: its library, and one that nothing explains."""
    first, second = struct.unpack_from("<2I", message, 4)
    return first, second


def classic_connection_data(name: str, operation: str) -> bytes:
    """Return the message that says who we are, with the two strings that follow it unframed."""
    first, second = name.encode("ascii"), operation.encode("ascii")
    return classic(Classic.CONNECTION_DATA, struct.pack("<2I", len(first), len(second))) + first + second


def classic_features(features: int) -> bytes:
    """Return the message with our features."""
    return classic(Classic.FEATURES, struct.pack("<I", features))


def classic_kind(data: bytes) -> int:
    """Return the type of a message that the host sent."""
    kind: int
    (kind,) = struct.unpack_from("<I", data)
    return kind


def check_classic(data: bytes, expected: Classic) -> None:
    """Look whether a message that the host sent is of the type that is due; its fields have nothing we need."""
    kind = classic_kind(data)
    if kind != expected:
        raise MalformedAnswer(f"message type {kind} where {expected.name} ({int(expected)}) was due")


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """What every AIO frame starts with."""

    kind: int
    payload_bytes: int
    operation_id: int

    def encode(self) -> bytes:
        """Return the 16 bytes."""
        return _HEADER.pack(MAGIC, self.kind, self.payload_bytes, self.operation_id)

    @classmethod
    def decode(cls, data: bytes | bytearray | memoryview) -> Self:
        """Take the 16 bytes apart."""
        if len(data) != HEADER_BYTES:
            raise MalformedAnswer(f"a frame header of {len(data)} bytes")
        magic, kind, payload_bytes, operation_id = _HEADER.unpack(data)
        if magic != MAGIC:
            raise MalformedAnswer(f"a frame starts with 0x{magic:08X} instead of 0x{MAGIC:08X}")
        if payload_bytes > LONGEST_CONTROL_BYTES:
            raise MalformedAnswer(f"a frame claims a payload of {payload_bytes} bytes")
        return cls(kind, payload_bytes, operation_id)


def frame(kind: FrameType, operation_id: int, payload: bytes, extra: bytes = b"") -> bytes:
    """Return a whole request; the extra bytes are not counted in its size."""
    return FrameHeader(kind, len(payload), operation_id).encode() + payload + extra


def open_session(operation_id: int, *, buffer_bytes: int, buffer_count: int) -> bytes:
    """Return the request that agrees on buffers; zeros leave them to the host: 64 KiB each."""
    payload = struct.pack("<4I", 0, buffer_bytes, buffer_count, 0)
    return frame(FrameType.OPEN_SESSION, operation_id, payload)


def set_socket_options(operation_id: int) -> bytes:
    """Return the request that leaves the host's socket buffers as they are."""
    return frame(FrameType.SET_SOCK_OPTS, operation_id, bytes(12))


def set_resource_pool(operation_id: int) -> bytes:
    """Return the request that chooses the resource pool every client chooses."""
    return frame(FrameType.SET_RES_POOL, operation_id, struct.pack("<I", 1))


def open_file(operation_id: int, path: str, *, flags: int) -> bytes:
    """Return the request that opens a disk."""
    name = path.encode()
    payload = struct.pack("<6I36x", len(name), 0, 0, 0, DISK_FILE, flags)
    return frame(FrameType.OPEN_FILE, operation_id, payload, name)


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """The host's answer to :func:`open_file`."""

    handle: int
    capacity_bytes: int
    sector_bytes: int
    cylinders: int
    heads: int
    sectors: int

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Take the payload of an answer whose status is :func:`status_of` zero apart."""
        if len(payload) not in _OPENED_SIZES:
            raise MalformedAnswer(f"an answer to OPEN_FILE of {len(payload)} bytes")
        fields = _OPENED.unpack_from(payload)
        _, handle, _, _, capacity_bytes, sector_bytes, cylinders, heads, sectors = fields
        if not 0 < capacity_bytes < 1 << 63:
            raise MalformedAnswer(f"a disk of {capacity_bytes} bytes")
        return cls(handle, capacity_bytes, sector_bytes, cylinders, heads, sectors)


def read(operation_id: int, handle: int, offset: int, length_bytes: int, compression: Compression) -> bytes:
    """Return the request for a range of the disk."""
    direction = Operation.READ | compression << 32
    payload = _READ.pack(handle, direction, offset, length_bytes, length_bytes, length_bytes, 0)
    return frame(FrameType.IO, operation_id, payload)


@dataclass(frozen=True, slots=True)
class Fragment:
    """Part of an IO: what the host answers to a read, and what we send to write."""

    operation: Operation
    compression: Compression
    offset: int
    """Where on the disk the whole request starts."""
    total_bytes: int
    """Length of the whole request."""
    fragment_offset: int
    """Where in the request this fragment starts."""
    fragment_bytes: int
    """Length of the fragment once it is decompressed."""
    extra_bytes: int
    """Bytes that follow on the wire."""

    @classmethod
    def decode(cls, payload: bytes | bytearray | memoryview) -> Self:
        """Take the payload apart; every range is inside the request, every size is bounded by it."""
        _exactly(payload, IO_BYTES, "IO")
        _, direction, offset, total, fragment_offset, length, extra, _ = _IO.unpack(payload)
        if direction & 0xFFFFFFFF > Operation.READ or direction >> 32 > Compression.SKIPZ:
            raise MalformedAnswer(f"an IO of the unknown kind 0x{direction:x}")
        if fragment_offset + length > total:
            raise MalformedAnswer(
                f"a fragment of {length} bytes at {fragment_offset} reaches beyond the {total} requested"
            )
        compression = Compression(direction >> 32)
        if compression is Compression.NONE and extra != length:
            raise MalformedAnswer(f"{extra} bytes follow for an uncompressed fragment of {length}")
        return cls(Operation(direction & 0xFFFFFFFF), compression, offset, total, fragment_offset, length, extra)

    def encode(self, operation_id: int, handle: int) -> bytes:
        """Return header and payload of a frame of a write; its extra bytes follow."""
        direction = self.operation | self.compression << 32
        return _HEADER.pack(MAGIC, FrameType.IO, IO_BYTES, operation_id) + _IO.pack(
            handle,
            direction,
            self.offset,
            self.total_bytes,
            self.fragment_offset,
            self.fragment_bytes,
            self.extra_bytes,
            0,
        )


def ddb_get(operation_id: int, handle: int, key: str) -> bytes:
    """Return the request for an entry of the disk's database; the key comes without ``ddb.``."""
    name = key.encode("ascii")
    return frame(FrameType.DDB_GET, operation_id, struct.pack("<Q2I", handle, len(name), 0), name)


def ddb_value_bytes(payload: bytes) -> int:
    """Return how many bytes of value follow an answer to :func:`ddb_get`; 0 means no such key."""
    _exactly(payload, 16, "DDB_GET")
    length: int
    (length,) = struct.unpack_from("<I", payload, 12)
    if length > LONGEST_CONTROL_BYTES:
        raise MalformedAnswer(f"a disk database entry of {length} bytes")
    return length


def query_allocated(operation_id: int, handle: int, *, chunk_bytes: int, start: int, chunk_count: int) -> bytes:
    """Return the question which chunks from ``start`` on hold data.

    Raises:
        ValueError: the start is not a multiple of the chunk.
    """
    if start % chunk_bytes:
        raise ValueError(f"{start} is not a multiple of {chunk_bytes}")
    payload = _ALLOCATED.pack(handle, 0, chunk_bytes, start, chunk_count, 0)
    return frame(FrameType.QUERY_ALLOCATED, operation_id, payload)


def bitmap_bytes(payload: bytes, chunk_count: int) -> int:
    """Return how many bytes of bitmap follow an answer to :func:`query_allocated`."""
    _exactly(payload, _ALLOCATED.size, "QUERY_ALLOCATED")
    (answered,) = struct.unpack_from("<Q", payload, 32)
    if answered != chunk_count:
        raise MalformedAnswer(f"allocation of {answered} chunks answered, {chunk_count} asked")
    return -(-chunk_count // 32) * 4


def close_file(operation_id: int, handle: int) -> bytes:
    """Return the request that closes a disk."""
    return frame(FrameType.CLOSE_FILE, operation_id, struct.pack("<Q", handle))


def close_session(operation_id: int) -> bytes:
    """Return the request that ends the session."""
    return frame(FrameType.CLOSE_SESSION, operation_id, struct.pack("<I", 0))


def status_of(payload: bytes | bytearray | memoryview) -> int:
    """Return the status of an answer to OPEN_FILE or IO: zero when what was asked for happened (section 4a.1)."""
    if len(payload) < _STATUS.size:
        raise MalformedAnswer(f"an answer of {len(payload)} bytes where a status was due")
    status: int
    (status,) = _STATUS.unpack_from(payload)
    return status


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """What the payload of an ERROR frame says (section 4a.2)."""

    code: int
    text: str
    """What the host says in words, where that is inside the payload."""
    text_bytes: int
    """Bytes of text that follow on the wire; then the ordinary answer to the request comes too."""
    is_announced: bool
    """Whether the ordinary answer to the request still follows."""

    @classmethod
    def decode(cls, payload: bytes) -> Self:
        """Take the payload apart: 16 bytes that announce a text behind them, or a code with the text inside."""
        if len(payload) < 4:
            raise MalformedAnswer(f"an error answer of {len(payload)} bytes")
        if len(payload) == _REFUSED.size:
            code, zero, text_bytes = _REFUSED.unpack(payload)
            if not zero and not code >> 32:
                if text_bytes > LONGEST_CONTROL_BYTES:
                    raise MalformedAnswer(f"an error answer with a text of {text_bytes} bytes")
                return cls(code, "", text_bytes, is_announced=True)
        (code,) = struct.unpack_from("<I", payload)
        return cls(code, readable(payload[4:]), 0, is_announced=False)


def readable(text: bytes) -> str:
    """Return what a host says in words, or nothing when it cannot be shown."""
    shown = text.decode("utf-8", "replace").strip("\0 ")
    return shown if shown.isprintable() else ""


def _exactly(payload: bytes | bytearray | memoryview, size_bytes: int, what: str) -> None:
    if len(payload) != size_bytes:
        raise MalformedAnswer(f"an answer to {what} of {len(payload)} bytes instead of {size_bytes}")
