"""An NFS server of a test's own on 127.0.0.1: one export of plain files, with answers that a test may spoil."""

import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from app.core.connections import end_connection
from app.core.xdr import XdrDecoder, XdrEncoder

EXPORT: Final = "/export/nas"
PORTMAP, MOUNT, NFS = 100_000, 100_005, 100_003
ATTRIBUTES: Final = 21
"""Words of ``fattr3``."""

Spoil = Callable[[str, int, bytes], bytes | None]
"""Gets the name of a procedure, how often it was called before, and the reply that is due, without the mark;
returns what is sent instead, None to close the connection."""


def as_it_is(_procedure: str, _count: int, reply: bytes) -> bytes:
    """Spoil nothing."""
    return reply


class ScriptedNfs:
    """The server. Its port mapper is on a port of its own, which the test makes the client believe in.

    Attributes:
        files: content by path below the export.
        spoil: what becomes of replies.
        calls: names of the procedures that were called.
    """

    def __init__(
        self, files: Mapping[str, bytes], spoil: Spoil = as_it_is, *, most_read_bytes: int = 4096
    ) -> None:
        self.files = dict(files)
        self.spoil = spoil
        self.calls: list[str] = []
        self.fragment_bytes = 1 << 20
        self._most_read_bytes = most_read_bytes
        self._lock = threading.Lock()
        serve = self._serve

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._connections: set[socket.socket] = set()

    @property
    def port(self) -> int:
        """Where all three programs answer."""
        port: int = self._server.server_address[1]
        return port

    @contextmanager
    def running(self) -> Iterator["ScriptedNfs"]:
        """Serve for the time of the block."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self.cut()
            self._server.server_close()
            thread.join()

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            for connection in self._connections:
                end_connection(connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            while (call := _record(connection)) is not None:
                reply = self._answered(XdrDecoder(call))
                if reply is None:
                    return
                for start in range(0, len(reply), self.fragment_bytes):
                    piece = reply[start : start + self.fragment_bytes]
                    last = 0x8000_0000 if start + self.fragment_bytes >= len(reply) else 0
                    connection.sendall(struct.pack(">I", last | len(piece)) + piece)
        except OSError:
            return
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _answered(self, call: XdrDecoder) -> bytes | None:
        xid, kind, version, program, _, procedure = (call.u32() for _ in range(6))
        assert (kind, version) == (0, 2)
        for _ in range(2):
            call.u32()
            call.opaque(400)
        name, results = self._results(program, procedure, call)
        with self._lock:
            count = self.calls.count(name)
            self.calls.append(name)
        head = XdrEncoder().u32(xid, 1, 0, 0, 0, 0).done()
        return self.spoil(name, count, head + results)

    def _results(self, program: int, procedure: int, call: XdrDecoder) -> tuple[str, bytes]:
        if program == PORTMAP:
            return "GETPORT", XdrEncoder().u32(self.port).done()
        if program == MOUNT:
            path = call.opaque(1024).decode()
            answer = XdrEncoder().u32(0).opaque(b"/").u32(1, 1) if path == EXPORT else XdrEncoder().u32(2)
            return "MNT", answer.done()
        handle = call.opaque(64).decode()
        if procedure == 1:
            return "GETATTR", XdrEncoder().u32(0).raw(self._attributes(handle)).done()
        if procedure == 3:
            return "LOOKUP", self._lookup(handle, call.opaque(255).decode())
        if procedure == 19:
            sizes = (self._most_read_bytes, 1 << 20, 512, 1 << 20, 1 << 20, 512, 4096)
            return "FSINFO", XdrEncoder().u32(0, 0, *sizes).u64(1 << 40).u32(0, 1, 0x1B).done()
        assert procedure == 6
        offset, count = call.u64(), call.u32()
        data = self.files[handle][offset : offset + count]
        is_end = offset + len(data) >= len(self.files[handle])
        return "READ", XdrEncoder().u32(0, 0, len(data), is_end).opaque(data).done()

    def _lookup(self, directory: str, name: str) -> bytes:
        path = f"{directory}/{name}".lstrip("/")
        if path in self.files or any(file.startswith(f"{path}/") for file in self.files):
            return XdrEncoder().u32(0).opaque(path.encode()).u32(0, 0).done()
        return XdrEncoder().u32(2, 0).done()

    def _attributes(self, path: str) -> bytes:
        words = [0] * ATTRIBUTES
        size = len(self.files.get(path, b""))
        words[0] = 1 if path in self.files else 2
        words[5], words[6] = size >> 32, size & 0xFFFFFFFF
        return struct.pack(f">{ATTRIBUTES}I", *words)


def _record(connection: socket.socket) -> bytes | None:
    mark = _exactly(connection, 4)
    return None if mark is None else _exactly(connection, struct.unpack(">I", mark)[0] & 0x7FFF_FFFF)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            return None
        data += more
    return data
