"""What travels between the engine and the process of the library: frames with a small head, over sockets.

Standard library only: this is loaded into the library's process too.
"""

import dataclasses
import json
import struct
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any, Final

HEAD: Final = struct.Struct("<BxxxIQQQ")
"""Kind, bytes that follow, number of the request, two numbers that depend on the kind."""
LONGEST_TEXT_BYTES: Final = 64 * 1024
"""Of a frame that is not a disk's data."""
LONGEST_READ_BYTES: Final = 1 << 20
"""Of one read or write; a longer one is asked for in parts."""


class Kind(IntEnum):
    """What a frame is."""

    BEGIN = 1  # engine: what to do, as JSON
    READ = 2  # engine: offset, length
    WRITE = 3  # engine: offset; the bytes follow
    FLUSH = 4  # engine
    ALLOCATED = 5  # engine: offset, length
    CLOSE = 6  # engine: end in order, and leave what is not begun; 1: clean up as well
    DONE = 10  # child: an answer; what follows depends on the request
    FAILED = 11  # child: the error number; JSON follows
    CALLING = 12  # child: JSON follows: the function that is being called now
    PANIC = 13  # child: JSON follows: the last words of the library


class Work(Enum):
    """What a process of the library is for."""

    LOAD = "load"
    READ = "read"
    WRITE = "write"
    HOLD = "hold"
    LET_GO = "let_go"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What a process of the library gets first."""

    work: str
    library: str
    library_folder: str
    """Where its parts are found; the folder that holds ``lib64``."""
    config: str
    major: int
    minor: int
    server: str = ""
    port: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    thumbprint: str = ""
    vm: str = ""
    """``moref=vm-12``"""
    snapshot: str = ""
    transport: str = ""
    path: str = ""
    identity: str = ""
    cleans_up: bool = False
    """Whether what an earlier process may have left is removed first."""

    def encode(self) -> bytes:
        """Return the payload of a frame."""
        return json.dumps(dataclasses.asdict(self)).encode()

    @classmethod
    def decode(cls, payload: bytes) -> "Begin":
        """Read the payload of a frame."""
        return cls(**json.loads(payload))


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why a call failed."""

    function: str
    text: str = ""
    """What the library says of the number."""
    lines: tuple[str, ...] = ()
    """Its last warnings."""

    def encode(self) -> bytes:
        """Return the payload of a frame."""
        return json.dumps(dataclasses.asdict(self)).encode()[:LONGEST_TEXT_BYTES]

    @classmethod
    def decode(cls, payload: bytes) -> "Trouble":
        """Read the payload of a frame.

        Raises:
            ValueError: it is none.
        """
        try:
            found: dict[str, Any] = json.loads(payload)
            return cls(function=str(found["function"]), text=str(found["text"]), lines=tuple(found["lines"]))
        except (KeyError, TypeError) as error:
            raise ValueError(str(error)) from error
