"""Layouts and numbers of NFC messages (protocols page *NFC*, sections 3, 4 and 4a). All integers little-endian."""

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum

CLASSIC_BYTES = 264
_CLASSIC_TYPE = struct.Struct("<I")
CLASSIC_PAIR = struct.Struct("<II")


class Classic(IntEnum):
    """Types of the 264-byte messages."""

    SESSION_COMPLETE = 4
    SESSION_PARAMETERS = 33
    SESSION_PARAMETERS_ANSWER = 36
    HANDSHAKE = 43
    VERSION = 51
    OPEN_AIO = 52
    CONNECTION_DATA = 54
    FEATURES = 55


def classic_message(kind: Classic, *fields: tuple[int, int]) -> bytes:
    """Build a classic message from pairs (offset, u32)."""
    message = bytearray(CLASSIC_BYTES)
    _CLASSIC_TYPE.pack_into(message, 0, kind)
    for offset, value in fields:
        _CLASSIC_TYPE.pack_into(message, offset, value)
    return bytes(message)


def classic_type(message: bytes | bytearray | memoryview) -> int:
    """Return the type of a classic message."""
    kind: int = _CLASSIC_TYPE.unpack_from(message)[0]
    return kind


MAGIC = 0xA100DA7A
HEADER = struct.Struct("<4I")
"""Magic, type, payload size, opId."""


class Frame(IntEnum):
    """Types of AIO frames."""

    ERROR = 1
    OPEN_SESSION = 2
    CLOSE_SESSION = 3
    OPEN_FILE = 4
    CLOSE_FILE = 5
    IO = 7
    SET_SOCK_OPTS = 9
    GET_FILE_INFO = 10
    DDB_GET = 11
    QUERY_ALLOCATED = 13
    SET_RES_POOL = 22


class NfcCode(IntEnum):
    """Codes of error answers.

    Known from the wire are NO_MEMORY and PERMISSION (section 4a.13); the others are this simulator's own choice.
    """

    BAD_REQUEST = 0x02
    FILE_NOT_FOUND = 0x03
    FILE_LOCKED = 0x04
    NO_MEMORY = 0x05
    IO_FAILED = 0x06
    NO_SPACE = 0x07
    NO_RESOURCES = 0x08
    PERMISSION = 0x0B


class RefusalForm(Enum):
    """How a host says no (section 4a.1 and 4a.2)."""

    IN_FRAME = "in the frame"
    """An ERROR frame with the text in its payload, and nothing else."""
    BEHIND_FRAME = "behind the frame"
    """An ERROR frame of 16 bytes with the text behind it, then the ordinary answer with its status set."""
    IN_STATUS = "in the status"
    """The ordinary answer with its status set, where it has one; otherwise as in the frame."""


OPEN_SESSION = struct.Struct("<4I")
SOCK_OPTS = struct.Struct("<3I")
U32 = struct.Struct("<I")
U64 = struct.Struct("<Q")
OPEN_FILE = struct.Struct("<6I36x")
"""pathLen, 0, 0, 0, 2 (disk), flags."""
OPEN_FILE_BYTES = 24
OPEN_FLAGS = frozenset({0x1E, 0x1A})
OPEN_FILE_ANSWER = struct.Struct("<QQIIIQIIII")
"""0, handle, type, flags, 0, capacity at 28, sector size, cylinders, heads, sectors."""
DDB_GET = struct.Struct("<QII")
DDB_ANSWER = struct.Struct("<4I")
QUERY_ALLOCATED = struct.Struct("<6Q")
IO_REQUEST = struct.Struct("<QQQQIII")
IO_FRAGMENT = struct.Struct("<QQQ5I")
FILE_TYPE_DISK = 2
FLAG_READ_ONLY = 0x4
OP_READ, OP_WRITE = 1, 0
IO_HEADER_BYTES = HEADER.size + IO_FRAGMENT.size


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of an IO: what read answers and write requests carry before their data."""

    handle: int
    operation: int
    compression: int
    offset: int
    """Where the whole IO begins on the disk."""
    total_bytes: int
    fragment_offset: int
    """Where this piece begins within the IO."""
    plain_bytes: int
    extra_bytes: int

    @classmethod
    def unpack(cls, payload: bytes | bytearray | memoryview) -> "Fragment":
        """Read a payload of 44 bytes."""
        handle, op, offset, total, at, plain, extra, _ = IO_FRAGMENT.unpack(payload)
        return cls(handle, op & 0xFFFFFFFF, op >> 32, offset, total, at, plain, extra)

    def pack_frame_into(self, target: memoryview | bytearray, position: int, op_id: int) -> None:
        """Write the frame's header and this payload."""
        HEADER.pack_into(target, position, MAGIC, Frame.IO, IO_FRAGMENT.size, op_id)
        IO_FRAGMENT.pack_into(
            target,
            position + HEADER.size,
            self.handle,
            self.compression << 32 | self.operation,
            self.offset,
            self.total_bytes,
            self.fragment_offset,
            self.plain_bytes,
            self.extra_bytes,
            0,
        )


def frame(kind: Frame, op_id: int, payload: bytes) -> bytes:
    """Build a frame without extra."""
    return HEADER.pack(MAGIC, kind, len(payload), op_id) + payload


_STATUS_FRAMES = frozenset({Frame.OPEN_FILE, Frame.IO})
_ANSWER_BYTES: dict[int, int] = {
    Frame.OPEN_SESSION: OPEN_SESSION.size,
    Frame.CLOSE_SESSION: U32.size,
    Frame.OPEN_FILE: OPEN_FILE_ANSWER.size,
    Frame.CLOSE_FILE: U64.size,
    Frame.IO: IO_FRAGMENT.size,
    Frame.SET_SOCK_OPTS: SOCK_OPTS.size,
    Frame.SET_RES_POOL: U32.size,
    Frame.DDB_GET: DDB_ANSWER.size,
    Frame.QUERY_ALLOCATED: QUERY_ALLOCATED.size,
}


def refusal(form: RefusalForm, kind: int, op_id: int, code: int, text: str) -> bytes:
    """Build the answer to a request of a kind that is refused."""
    words = text.encode("ascii", "replace")
    if form is RefusalForm.IN_FRAME or kind not in _ANSWER_BYTES:
        return frame(Frame.ERROR, op_id, struct.pack("<II", code, 0) + words)
    has_status = kind in _STATUS_FRAMES
    if form is RefusalForm.IN_STATUS and not has_status:
        return frame(Frame.ERROR, op_id, struct.pack("<II", code, 0) + words)
    status = U64.pack(code) if has_status else b""
    answer = frame(Frame(kind), op_id, status.ljust(_ANSWER_BYTES[kind], b"\0"))
    if form is RefusalForm.IN_STATUS:
        return answer
    return frame(Frame.ERROR, op_id, struct.pack("<QII", code, 0, len(words))) + words + answer
