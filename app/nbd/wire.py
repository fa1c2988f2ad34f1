"""NBD's numbers and frames. All integers big-endian (``doc/proto.md``, "Conventions")."""

import struct
from enum import IntEnum, IntFlag
from typing import Final, NamedTuple, Self

NBD_MAGIC: Final = 0x4E42444D41474943  # "NBDMAGIC"
OPTION_MAGIC: Final = 0x49484156454F5054  # "IHAVEOPT"
OPTION_REPLY_MAGIC: Final = 0x0003E889045565A9
REQUEST_MAGIC: Final = 0x25609513
SIMPLE_REPLY_MAGIC: Final = 0x67446698
STRUCTURED_REPLY_MAGIC: Final = 0x668E33EF

LONGEST_OPTION_BYTES: Final = 8 * 1024
LONGEST_REQUEST_BYTES: Final = 32 * 1024 * 1024
"""The most that a portable client asks for at once ("Block size constraints")."""
ALLOCATION_CONTEXT: Final = "base:allocation"
ALLOCATION_ID: Final = 1


class HandshakeFlag(IntFlag):
    """Flags of both sides at the beginning."""

    FIXED_NEWSTYLE = 1
    NO_ZEROES = 2


class Option(IntEnum):
    """What a client may ask for before it chooses an export."""

    EXPORT_NAME = 1
    ABORT = 2
    LIST = 3
    STARTTLS = 5
    INFO = 6
    GO = 7
    STRUCTURED_REPLY = 8
    LIST_META_CONTEXT = 9
    SET_META_CONTEXT = 10


class OptionReply(IntEnum):
    """Answers to options."""

    ACK = 1
    SERVER = 2
    INFO = 3
    META_CONTEXT = 4
    ERR_UNSUPPORTED = (1 << 31) + 1
    ERR_POLICY = (1 << 31) + 2
    ERR_INVALID = (1 << 31) + 3
    ERR_UNKNOWN = (1 << 31) + 6


class Info(IntEnum):
    """Kinds of information about an export."""

    EXPORT = 0
    NAME = 1
    DESCRIPTION = 2
    BLOCK_SIZE = 3


class TransmissionFlag(IntFlag):
    """What an export can do."""

    HAS_FLAGS = 1 << 0
    READ_ONLY = 1 << 1
    SEND_FLUSH = 1 << 2
    SEND_DF = 1 << 7
    CAN_MULTI_CONN = 1 << 8


EXPORT_FLAGS: Final = (
    TransmissionFlag.HAS_FLAGS
    | TransmissionFlag.READ_ONLY
    | TransmissionFlag.SEND_FLUSH
    | TransmissionFlag.CAN_MULTI_CONN
)


class CommandKind(IntEnum):
    """Requests of the transmission phase."""

    READ = 0
    WRITE = 1
    DISCONNECT = 2
    FLUSH = 3
    TRIM = 4
    CACHE = 5
    WRITE_ZEROES = 6
    BLOCK_STATUS = 7


class CommandFlag(IntFlag):
    """Flags of a request."""

    FUA = 1
    NO_HOLE = 2
    DF = 4
    REQ_ONE = 8
    FAST_ZERO = 16


class ReplyKind(IntEnum):
    """Chunks of a structured reply."""

    NONE = 0
    OFFSET_DATA = 1
    OFFSET_HOLE = 2
    BLOCK_STATUS = 5
    ERROR = (1 << 15) + 1


REPLY_DONE: Final = 1


class Status(IntFlag):
    """State of a range in ``base:allocation``."""

    DATA = 0
    HOLE = 1
    ZERO = 2


class Errno(IntEnum):
    """Error numbers as the protocol fixes them."""

    EPERM = 1
    EIO = 5
    EINVAL = 22
    EOVERFLOW = 75
    ENOTSUP = 95


_REQUEST = struct.Struct(">IHHQQI")
_SIMPLE = struct.Struct(">IIQ")
_STRUCTURED = struct.Struct(">IHHQI")
_OPTION = struct.Struct(">QII")
_OPTION_REPLY = struct.Struct(">QIII")
REQUEST_BYTES: Final = _REQUEST.size
OPTION_BYTES: Final = _OPTION.size


class ProtocolBroken(Exception):
    """The client does not speak the protocol; its connection ends."""


class Request(NamedTuple):
    """One request of the transmission phase; offsets and lengths in bytes."""

    flags: int
    kind: int
    cookie: int
    offset: int
    length_bytes: int

    @classmethod
    def decode(cls, raw: bytes | bytearray) -> Self:
        """Read a request.

        Raises:
            ProtocolBroken: it does not begin with the magic number.
        """
        magic, flags, kind, cookie, offset, length_bytes = _REQUEST.unpack(raw)
        if magic != REQUEST_MAGIC:
            raise ProtocolBroken(f"a request begins with {magic:#x}")
        return cls(flags, kind, cookie, offset, length_bytes)


def decode_option(raw: bytes) -> tuple[int, int]:
    """Return kind and length of an option's data.

    Raises:
        ProtocolBroken: it does not begin with the magic number.
    """
    magic, kind, length_bytes = _OPTION.unpack(raw)
    if magic != OPTION_MAGIC:
        raise ProtocolBroken(f"an option begins with {magic:#x}")
    return kind, length_bytes


def option_reply(option: int, reply: OptionReply, payload: bytes = b"") -> bytes:
    """Return the answer to an option."""
    return _OPTION_REPLY.pack(OPTION_REPLY_MAGIC, option, reply, len(payload)) + payload


def simple_reply(cookie: int, error: int = 0) -> bytes:
    """Return the head of a simple reply; a read's data follows it."""
    return _SIMPLE.pack(SIMPLE_REPLY_MAGIC, error, cookie)


def chunk_head(cookie: int, kind: ReplyKind, length_bytes: int, *, is_last: bool) -> bytes:
    """Return the head of one chunk of a structured reply; ``length_bytes`` of payload follow it."""
    flags = REPLY_DONE if is_last else 0
    return _STRUCTURED.pack(STRUCTURED_REPLY_MAGIC, flags, kind, cookie, length_bytes)


def error_chunk(cookie: int, error: int, message: str) -> bytes:
    """Return a structured error reply with a message for the client's log."""
    text = message.encode()[:4096]
    return (
        chunk_head(cookie, ReplyKind.ERROR, 6 + len(text), is_last=True)
        + struct.pack(">IH", error, len(text))
        + text
    )
