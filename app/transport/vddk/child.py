"""The process of the library: does what the engine asks over a socket, and ends with it.

Three threads: one receives, so that the end of the engine is noticed while the library works; the main thread
alone calls the library; one sends, so that the library goes on reading meanwhile. Standard library only, for the
library's own copies of others come first in this process.
"""

import base64
import ctypes
import json
import os
import queue
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from app.transport.vddk.calls import CallFailed, Library
from app.transport.vddk.wire import HEAD, LONGEST_READ_BYTES, Begin, Kind, Trouble, Work

_BUFFERS: Final = 3
_LAST_MOMENT_S: Final = 20.0
"""How long the library may take to end when the engine is gone."""


class _Request:
    """What the engine asked."""

    __slots__ = ("data", "first", "kind", "number", "second")

    def __init__(self, kind: Kind, number: int, first: int, second: int, data: bytearray) -> None:
        self.kind, self.number, self.first, self.second, self.data = kind, number, first, second, data


_Sent = tuple[bytes, Any, Any]
"""Head, payload, and the buffer that is free afterwards."""


class LibraryProcess:
    """Serves one engine over one socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._outgoing: queue.SimpleQueue[_Sent | None] = queue.SimpleQueue()
        self._free: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_ending = threading.Event()
        self._sending = threading.Lock()

    def run(self) -> int:
        """Serve until the engine has enough; return the exit status."""
        first = self._receive()
        if first is None or first.kind is not Kind.BEGIN:
            return 1
        begin = Begin.decode(bytes(first.data))
        threading.Thread(target=self._receive_all, name="receive", daemon=True).start()
        sender = threading.Thread(target=self._send_all, name="send", daemon=True)
        sender.start()
        try:
            self._work(begin, first.number)
        except CallFailed as failure:
            self._fail(first.number, failure)
        self._outgoing.put(None)
        sender.join()
        return 0

    # ---- what is asked ---------------------------------------------------------------------------------------

    def _work(self, begin: Begin, number: int) -> None:
        work = Work(begin.work)
        library = Library(begin, self._say_calling, self._say_panic)
        try:
            library.start()
            counts = library.clean_up() if begin.cleans_up else (0, 0)
            if work is Work.HOLD:
                library.hold()
            elif work is Work.LET_GO:
                library.let_go()
            if work not in (Work.READ, Work.WRITE):
                self._answer(number, *counts)
                return
            capacity_bytes, mode = library.open(read_only=work is Work.READ)
            self._answer(number, capacity_bytes, 0, mode.encode())
            self._serve(library)
        finally:
            library.exit()

    def _serve(self, library: Library) -> None:
        for _ in range(_BUFFERS):
            self._free.put(ctypes.create_string_buffer(LONGEST_READ_BYTES))
        while True:
            request = self._requests.get()
            if self._is_ending.is_set() and request.kind is not Kind.CLOSE:
                continue
            try:
                self._do(library, request)
            except CallFailed as failure:
                self._fail(request.number, failure)
            if request.kind is Kind.CLOSE:
                return

    def _do(self, library: Library, request: _Request) -> None:
        if request.kind is Kind.READ:
            buffer = self._free.get()
            try:
                library.read(request.first, request.second, buffer)
            except BaseException:
                self._free.put(buffer)
                raise
            head = HEAD.pack(Kind.DONE, request.second, request.number, 0, 0)
            self._outgoing.put((head, memoryview(buffer).cast("B")[: request.second], buffer))
        elif request.kind is Kind.WRITE:
            data = (ctypes.c_char * len(request.data)).from_buffer(request.data)
            library.write(request.first, len(request.data), data)
            self._answer(request.number)
        elif request.kind is Kind.FLUSH:
            library.flush()
            self._answer(request.number)
        elif request.kind is Kind.ALLOCATED:
            extents = library.allocated(request.first, request.second)
            self._answer(request.number, 0, 0, json.dumps(extents).encode())
        elif request.kind is Kind.CLOSE:
            library.disconnect()
            counts = library.clean_up() if request.first else (0, 0)
            self._answer(request.number, *counts)

    # ---- saying it -------------------------------------------------------------------------------------------

    def _answer(self, number: int, first: int = 0, second: int = 0, payload: bytes = b"") -> None:
        self._outgoing.put((HEAD.pack(Kind.DONE, len(payload), number, first, second), payload, None))

    def _fail(self, number: int, failure: CallFailed) -> None:
        payload = failure.trouble.encode()
        self._outgoing.put((HEAD.pack(Kind.FAILED, len(payload), number, failure.number, 0), payload, None))

    def _say_calling(self, function: str) -> None:
        self._say_at_once(Kind.CALLING, Trouble(function=function))

    def _say_panic(self, trouble: Trouble) -> None:
        self._say_at_once(Kind.PANIC, trouble)

    def _say_at_once(self, kind: Kind, trouble: Trouble) -> None:
        """Send past the queue: the library may end the process with its next instruction."""
        payload = trouble.encode()
        with suppress(OSError), self._sending:
            self._sock.sendall(HEAD.pack(kind, len(payload), 0, 0, 0) + payload)

    def _send_all(self) -> None:
        while (sent := self._outgoing.get()) is not None:
            head, payload, buffer = sent
            with suppress(OSError), self._sending:  # the engine is gone, which the receiver notices too
                self._sock.sendall(head)
                if len(payload):
                    self._sock.sendall(payload)
            if buffer is not None:
                self._free.put(buffer)

    # ---- hearing it ------------------------------------------------------------------------------------------

    def _receive_all(self) -> None:
        while (request := self._receive()) is not None:
            if request.kind is Kind.CLOSE:
                self._is_ending.set()
            self._requests.put(request)
        self._is_ending.set()
        self._requests.put(_Request(Kind.CLOSE, 0, 0, 0, bytearray()))
        threading.Event().wait(_LAST_MOMENT_S)
        os._exit(1)  # the library hangs, and no one is there to end it

    def _receive(self) -> _Request | None:
        head = self._exactly(HEAD.size)
        if head is None:
            return None
        kind, length, number, first, second = HEAD.unpack(head)
        data = self._exactly(length)
        return None if data is None else _Request(Kind(kind), number, first, second, data)

    def _exactly(self, size_bytes: int) -> bytearray | None:
        """Return so many bytes; None when the engine is gone."""
        data = bytearray(size_bytes)
        view = memoryview(data)
        while view:
            try:
                count = self._sock.recv_into(view)
            except OSError:
                return None
            if not count:
                return None
            view = view[count:]
        return data


def main(arguments: Sequence[str]) -> int:
    """Serve the engine that started this process; return the exit status.

    Args:
        arguments: the number of a descriptor that is the socket; on Windows none, the socket comes over the
            standard input.
    """
    _leave_no_memory_behind()
    if sys.platform == "win32":
        sock = socket.fromshare(base64.b64decode(sys.stdin.readline()))
    else:
        sock = socket.socket(fileno=int(arguments[0]))
    with sock:
        return LibraryProcess(sock).run()


def _leave_no_memory_behind() -> None:
    """Write no dump when the library aborts: it would hold the password."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
