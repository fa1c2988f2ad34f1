"""One context of libnfs, used by many threads at once.

The library's context belongs to one thread at a time, but it carries many requests. So each thread begins its
request under the lock; then one of those that wait, the leader, waits for the socket and lets the library work,
for all. No thread has to stay until its request is answered: it may give up, the request goes on, and what it
was to fill is kept until the library lets go of it.

A connection that broke is made again by the library, which sends again what was unanswered, under the same
numbers; handles stay what they are.
"""

import errno
import os
import re
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from app.simulator.nas.errors import NasLost
from app.simulator.nas.library import Callback, Context, Function, library

_TURN_MS: Final = 50
_RECONNECT_S: Final = 0.05
_BUSY_S: Final = 0.1
_FOR_EVER: Final = -1
_BUSY: Final = -errno.EAGAIN
"""The library's number of the answer NFS3ERR_JUKEBOX: come again later."""
_TOLD: Final = re.compile(r"NFS3ERR_\w+\((-\d+)\)")
"""In the library's text of an answer; its number is another one where a request was made of several."""

Take = Callable[[int, int], Any]
"""Takes the number and the address of a result, which are gone after it; returns what the caller wants of them."""
Patience = Callable[[float], None]
"""Told how long, in seconds, a request has been unanswered; raises when its caller gives up."""


class _Request:
    __slots__ = ("buffer", "done", "error", "result", "take", "text")

    def __init__(self, take: Take | None, buffer: object) -> None:
        self.take = take
        self.buffer = buffer
        self.done = False
        self.error = 0
        self.text = ""
        self.result: Any = None


class Connection:
    """A connection to a server. Thread: any."""

    def __init__(self) -> None:
        """Prepare.

        Raises:
            OSError: libnfs is not installed.
        """
        self._library = library()
        self._context = Context(self._library.nfs_init_context())
        self._library.nfs_set_autoreconnect(self._context, _FOR_EVER)
        self._library.nfs_set_dircache(self._context, 0)
        self._turns = threading.Condition()
        self._has_leader = False
        self._is_closed = False
        self._users = 0
        self._requests: dict[int, _Request] = {}
        self._next = 1
        self._callback = Callback(self._answered)
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)

    def mount(self, server: str, path: str, port: int | None, patience: Patience) -> None:
        """Mount an export, whose server's port the port mapper knows unless it is given.

        Raises:
            OSError: the server refused.
            StorageError: the caller gave up.
        """
        if port is not None:
            self._set_port(port)
        self.call("nfs_mount_async", server.encode(), path.encode(), patience=patience)

    def call(
        self, function: str, *arguments: Any, patience: Patience, take: Take | None = None, buffer: object = None
    ) -> Any:
        """Send a request and wait for its answer; one that the server asks to repeat later is repeated.

        Args:
            function: of the library, with its name's ``_async``.
            arguments: those between the context and the callback.
            patience: when to give up.
            take: makes the result of an answer, on any thread and with the lock held.
            buffer: what must stay in memory until the library lets go of it.

        Raises:
            OSError: the server refused.
            StorageError: the caller gave up, or the connection was closed.
        """
        began = time.monotonic()
        while True:
            request = self._run(function, arguments, _Request(take, (arguments, buffer)), began, patience)
            if not request.error:
                return request.result
            if request.error != _BUSY:
                raise OSError(-request.error, request.text)
            patience(time.monotonic() - began)
            time.sleep(_BUSY_S)

    def close(self) -> None:
        """End the connection; who waits for an answer hears that it is lost. Twice is fine."""
        with self._turns:
            if self._is_closed:
                return
            self._is_closed = True
            self._turns.notify_all()
            self._wake()
            self._turns.wait_for(lambda: not self._users)
            self._library.nfs_destroy_context(self._context)
            self._requests.clear()
            os.close(self._wake_read)
            os.close(self._wake_write)

    def readdir(self, folder: int) -> list[str]:
        """Return the names in an opened folder, and close it; a ``take`` of ``nfs_opendir_async``."""
        names: list[str] = []
        while entry := self._library.nfs_readdir(self._context, folder):
            names.append(entry.contents.name.decode("utf-8", "surrogateescape"))
        self._library.nfs_closedir(self._context, folder)
        return [name for name in names if name not in (".", "..")]

    def _set_port(self, port: int) -> None:
        """The library takes ports out of a URL only."""
        url = f"nfs://server/path?nfsport={port}&mountport={port}"
        with self._turns:
            parsed = self._library.nfs_parse_url_dir(self._context, url.encode())
            if not parsed:
                raise OSError(errno.EINVAL, self._text())
            self._library.nfs_destroy_url(parsed)

    # ---- inside: all with the lock held -----------------------------------------------------------------

    def _run(
        self, function: str, arguments: tuple[Any, ...], request: _Request, began: float, patience: Patience
    ) -> _Request:
        begin: Function = getattr(self._library, function)
        with self._turns:
            self._refuse_closed()
            number = self._next
            self._next += 1
            self._requests[number] = request
            self._users += 1
            try:
                if begin(self._context, *arguments, self._callback, number):
                    raise OSError(errno.EIO, self._text())
                if self._has_leader:
                    self._wake()
                self._await(request, began, patience)
            finally:
                self._users -= 1
                self._turns.notify_all()
        return request

    def _await(self, request: _Request, began: float, patience: Patience) -> None:
        while True:
            self._turn()
            if request.done:
                return
            self._refuse_closed()
            self._without_lock(patience, time.monotonic() - began)

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise NasLost("the datastore was unmounted")

    def _turn(self) -> None:
        """Let the library work once, or wait until another thread has."""
        if self._has_leader:
            self._turns.wait(_TURN_MS / 1000)
            return
        socket = self._library.nfs_get_fd(self._context)
        if socket < 0:
            self._turns.wait(_RECONNECT_S)
            return
        poll = select.poll()
        poll.register(socket, self._library.nfs_which_events(self._context))
        poll.register(self._wake_read, select.POLLIN)
        self._has_leader = True
        self._turns.release()
        try:
            ready = dict(poll.poll(_TURN_MS))
        finally:
            self._turns.acquire()
            self._has_leader = False
        if ready.pop(self._wake_read, 0):
            os.read(self._wake_read, 4096)
        events = next(iter(ready.values()), 0)
        if events:
            self._library.nfs_service(self._context, events)
        if events & (select.POLLHUP | select.POLLERR):
            self._turns.wait(_RECONNECT_S)
        else:
            self._turns.notify_all()

    def _without_lock(self, patience: Patience, waited_s: float) -> None:
        self._turns.release()
        try:
            patience(waited_s)
        finally:
            self._turns.acquire()

    def _wake(self) -> None:
        os.write(self._wake_write, b"x")

    def _answered(self, error: int, _: int, data: int | None, number: int) -> None:
        request = self._requests.pop(number, None)
        if request is None:
            return
        if error < 0:
            request.text = self._text()
            told = _TOLD.search(request.text)
            request.error = error if told is None else int(told[1])
        elif request.take is not None:
            request.result = request.take(error, data or 0)
        request.done = True

    def _text(self) -> str:
        told = self._library.nfs_get_error(self._context)
        return told.decode("utf-8", "replace") if told else "no reason"
