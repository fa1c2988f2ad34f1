"""External Data Representation (RFC 4506): the few types that ONC RPC and NFS version 3 are made of."""

import struct
from abc import ABC, abstractmethod
from typing import Final

_U32: Final = struct.Struct(">I")
_U64: Final = struct.Struct(">Q")
_UNIT_BYTES: Final = 4


class XdrError(Exception):
    """What was received is not what the protocol says; the text tells what exactly."""


def padding(length_bytes: int) -> int:
    """Return how many bytes follow opaque data, so that what comes next begins at a multiple of four."""
    return -length_bytes % _UNIT_BYTES


class XdrEncoder:
    """Puts values one behind the other. Thread: one at a time."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def u32(self, *values: int) -> "XdrEncoder":
        """Append unsigned integers of 32 bits."""
        self._parts.extend(map(_U32.pack, values))
        return self

    def u64(self, *values: int) -> "XdrEncoder":
        """Append unsigned integers of 64 bits."""
        self._parts.extend(map(_U64.pack, values))
        return self

    def opaque(self, data: bytes) -> "XdrEncoder":
        """Append bytes with their length before them, and the padding behind."""
        self._parts += (_U32.pack(len(data)), data, bytes(padding(len(data))))
        return self

    def raw(self, data: bytes) -> "XdrEncoder":
        """Append what is encoded already."""
        self._parts.append(data)
        return self

    def done(self) -> bytes:
        """Return everything that was appended."""
        return b"".join(self._parts)


class XdrSource(ABC):
    """Takes values from what was received, one behind the other. Thread: one at a time.

    Every method raises :class:`XdrError` where fewer bytes are left than it needs.
    """

    @abstractmethod
    def take(self, length_bytes: int) -> bytes | memoryview:
        """Take so many bytes as they are."""

    def u32(self) -> int:
        """Take an unsigned integer of 32 bits."""
        value: int = _U32.unpack(self.take(_U32.size))[0]
        return value

    def u64(self) -> int:
        """Take an unsigned integer of 64 bits."""
        value: int = _U64.unpack(self.take(_U64.size))[0]
        return value

    def boolean(self) -> bool:
        """Take a boolean."""
        value = self.u32()
        if value > 1:
            raise XdrError(f"{value} where true or false was due")
        return value == 1

    def opaque(self, most_bytes: int) -> bytes:
        """Take bytes with their length before them, at most so many."""
        length = self.u32()
        if length > most_bytes:
            raise XdrError(f"{length} bytes where at most {most_bytes} were due")
        data = bytes(self.take(length))
        self.take(padding(length))
        return data


class XdrDecoder(XdrSource):
    """Takes values from memory."""

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._view = memoryview(data)
        self._position = 0

    @property
    def left_bytes(self) -> int:
        """How many bytes were not taken yet."""
        return len(self._view) - self._position

    def take(self, length_bytes: int) -> memoryview:
        """Take so many bytes as they are."""
        if length_bytes > self.left_bytes:
            raise XdrError(f"{self.left_bytes} bytes left where {length_bytes} were due")
        start = self._position
        self._position += length_bytes
        return self._view[start : self._position]
