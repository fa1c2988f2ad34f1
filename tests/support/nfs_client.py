"""An NFS 3 client for tests, written from RFC 1813 with nothing of the server's."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

PORTMAP, MOUNT, NFS = 100_000, 100_005, 100_003
UNSTABLE, DATA_SYNC, FILE_SYNC = 0, 1, 2
UNCHECKED, GUARDED, EXCLUSIVE = 0, 1, 2
NO_ATTRIBUTES = struct.pack(">6I", 0, 0, 0, 0, 0, 0)
GETATTR, SETATTR, LOOKUP, ACCESS, READ, WRITE, CREATE, MKDIR = 1, 2, 3, 4, 6, 7, 8, 9
REMOVE, RMDIR, RENAME, READDIR, READDIRPLUS, FSSTAT, FSINFO, PATHCONF, COMMIT = 12, 13, 14, 16, 17, 18, 19, 20, 21


def u32(*values: int) -> bytes:
    """Return unsigned integers as they travel."""
    return struct.pack(f">{len(values)}I", *values)


def opaque(data: bytes) -> bytes:
    """Return bytes as they travel."""
    return u32(len(data)) + data + bytes(-len(data) % 4)


def sattr(*, size: int | None = None, mode: int | None = None) -> bytes:
    """Return ``sattr3``."""
    how_mode = u32(0) if mode is None else u32(1, mode)
    how_size = u32(0) if size is None else u32(1) + struct.pack(">Q", size)
    return how_mode + u32(0, 0) + how_size + u32(0, 0)


class Reader:
    """Takes values from a reply."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, length: int) -> bytes:
        assert self.at + length <= len(self.data), "the reply is too short"
        self.at += length
        return self.data[self.at - length : self.at]

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "big")

    def opaque(self) -> bytes:
        length = self.u32()
        data = self.take(length)
        self.take(-length % 4)
        return data

    def attributes(self) -> "Facts | None":
        return Facts.of(self.take(84)) if self.u32() else None

    def wcc(self) -> "Facts | None":
        if self.u32():
            self.take(24)
        return self.attributes()

    def end(self) -> None:
        assert self.at == len(self.data), f"{len(self.data) - self.at} bytes too many"


@dataclass(frozen=True)
class Facts:
    """``fattr3``."""

    kind: int
    mode: int
    size: int
    fileid: int
    mtime: tuple[int, int]
    ctime: tuple[int, int]

    @classmethod
    def of(cls, data: bytes) -> Self:
        words = struct.unpack(">5I2Q2I2Q6I", data)
        return cls(words[0], words[1], words[5], words[10], words[13:15], words[15:17])


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class NfsClient:
    """One connection; use as a context manager."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.xid = int.from_bytes(os.urandom(3), "big") << 8

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    # --- calls ---------------------------------------------------------------------------------------------------

    def send(
        self, procedure: int, body: bytes, *, program: int = NFS, version: int = 3, xid: int | None = None
    ) -> int:
        """Send a call; return its number."""
        self.xid += 1
        number = self.xid if xid is None else xid
        call = u32(number, 0, 2, program, version, procedure, 1, 20) + bytes(20) + u32(0, 0) + body
        self.socket.sendall(u32(0x8000_0000 | len(call)) + call)
        return number

    def receive(self) -> tuple[int, bytes]:
        """Wait for a reply; return the number of its call, and the results."""
        reply = self.record()
        assert reply[4:24] == u32(1, 0, 0, 0, 0), reply[:24].hex()
        return int.from_bytes(reply[:4], "big"), reply[24:]

    def record(self) -> bytes:
        """Wait for a record."""
        mark = int.from_bytes(self._take(4), "big")
        assert mark & 0x8000_0000
        return self._take(mark & 0x7FFF_FFFF)

    def _take(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                raise ConnectionError("the server has closed the connection")
            data += part
        return bytes(data)

    def ask(
        self, procedure: int, body: bytes, *, program: int = NFS, version: int = 3, xid: int | None = None
    ) -> Reader:
        """Call, and wait for the results."""
        number = self.send(procedure, body, program=program, version=version, xid=xid)
        answered, results = self.receive()
        assert answered == number
        return Reader(results)

    def call(self, procedure: int, body: bytes, *, xid: int | None = None) -> Reader:
        """Call NFS, and return the results behind the status.

        Raises:
            Refused: the status is an error.
        """
        reader = self.ask(procedure, body, xid=xid)
        status = reader.u32()
        if status:
            raise Refused(status)
        return reader

    # --- procedures ----------------------------------------------------------------------------------------------

    def mount(self, path: str) -> bytes:
        """Return the handle of a path."""
        reader = self.ask(1, opaque(path.encode()), program=MOUNT)
        status = reader.u32()
        if status:
            raise Refused(status)
        return reader.opaque()

    def lookup(self, folder: bytes, name: str) -> bytes:
        reader = self.call(LOOKUP, opaque(folder) + opaque(name.encode()))
        handle = reader.opaque()
        assert reader.attributes() is not None
        assert reader.attributes() is not None
        reader.end()
        return handle

    def facts(self, handle: bytes) -> Facts:
        reader = self.call(GETATTR, opaque(handle))
        return Facts.of(reader.take(84))

    def set(self, handle: bytes, wanted: bytes, guard: tuple[int, int] | None = None) -> Facts:
        reader = self.call(SETATTR, opaque(handle) + wanted + (u32(0) if guard is None else u32(1, *guard)))
        after = reader.wcc()
        reader.end()
        assert after is not None
        return after

    def create(
        self, folder: bytes, name: str, how: int = UNCHECKED, verifier: bytes = b"", *, xid: int | None = None
    ) -> bytes:
        rest = verifier if how == EXCLUSIVE else NO_ATTRIBUTES
        return self._made(CREATE, opaque(folder) + opaque(name.encode()) + u32(how) + rest, xid=xid)

    def mkdir(self, folder: bytes, name: str) -> bytes:
        return self._made(MKDIR, opaque(folder) + opaque(name.encode()) + NO_ATTRIBUTES)

    def _made(self, procedure: int, body: bytes, xid: int | None = None) -> bytes:
        reader = self.call(procedure, body, xid=xid)
        assert reader.u32() == 1
        handle = reader.opaque()
        assert reader.attributes() is not None
        assert reader.wcc() is not None
        reader.end()
        return handle

    def remove(self, folder: bytes, name: str, *, xid: int | None = None) -> None:
        self.call(REMOVE, opaque(folder) + opaque(name.encode()), xid=xid).wcc()

    def rmdir(self, folder: bytes, name: str) -> None:
        self.call(RMDIR, opaque(folder) + opaque(name.encode())).wcc()

    def rename(self, folder: bytes, name: str, to_folder: bytes, to_name: str) -> None:
        body = opaque(folder) + opaque(name.encode()) + opaque(to_folder) + opaque(to_name.encode())
        reader = self.call(RENAME, body)
        reader.wcc()
        reader.wcc()
        reader.end()

    def write(self, handle: bytes, offset: int, data: bytes, stable: int = FILE_SYNC) -> bytes:
        """Write, and return the server's verifier."""
        reader = self.call(WRITE, write_body(handle, offset, data, stable))
        assert reader.wcc() is not None
        count, committed, verifier = reader.u32(), reader.u32(), reader.take(8)
        reader.end()
        assert count == len(data)
        assert committed >= stable
        return verifier

    def commit(self, handle: bytes) -> bytes:
        reader = self.call(COMMIT, opaque(handle) + struct.pack(">QI", 0, 0))
        assert reader.wcc() is not None
        verifier = reader.take(8)
        reader.end()
        return verifier

    def read(self, handle: bytes, offset: int, count: int) -> tuple[bytes, bool]:
        """Return bytes, and whether the file ends with them."""
        reader = self.call(READ, opaque(handle) + struct.pack(">QI", offset, count))
        assert reader.attributes() is not None
        announced, is_end = reader.u32(), reader.u32()
        data = reader.opaque()
        reader.end()
        assert announced == len(data)
        return data, bool(is_end)

    def names(self, folder: bytes, page_bytes: int = 4096) -> Iterator[tuple[str, int]]:
        """Yield names and ids of a folder, page by page, without those of itself and what is above."""
        cookie, is_end = 0, False
        while not is_end:
            reader = self.call(READDIR, opaque(folder) + struct.pack(">Q8xI", cookie, page_bytes))
            assert len(reader.data) <= page_bytes
            reader.attributes()
            reader.take(8)
            while reader.u32():
                fileid, name, cookie = reader.u64(), reader.opaque().decode(), reader.u64()
                if name not in (".", ".."):
                    yield name, fileid
            is_end = bool(reader.u32())
            reader.end()


def write_body(handle: bytes, offset: int, data: bytes, stable: int) -> bytes:
    """Return the arguments of WRITE."""
    return opaque(handle) + struct.pack(">QII", offset, len(data), stable) + opaque(data)
