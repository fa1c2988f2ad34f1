"""The library's own process, as the engine sees it: started, asked, and ended whatever it does.

It hears over one socket what to do, with the password; its command line and its environment hold neither. The
environment is where ``LD_LIBRARY_PATH`` is set, and only there.
"""

import base64
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.core.cancel import CancelToken
from app.core.childprocess import child_flags
from app.domain.messages import Message, MessageKind
from app.domain.reasons import reason_of
from app.transport.errors import LinkFailure, LinkStalled, MalformedAnswer
from app.transport.link import Link
from app.transport.vddk.codes import may_pass, words_of
from app.transport.vddk.layouts import CODE_MASK
from app.transport.vddk.wire import HEAD, LONGEST_TEXT_BYTES, Begin, Kind, Trouble

NOT_STARTED: Final = MessageKind("vddk.process_not_started", "the process of the library could not be started")
REFUSED: Final = MessageKind("vddk.refused", "{function} of the library failed with the number {number}: {reason}")
NOT_LOADED: Final = MessageKind("vddk.not_loaded", "the library cannot be loaded")
DIED: Final = MessageKind("vddk.died", "the library ended its process in {function} ({ending})")
HUNG: Final = MessageKind(
    "vddk.hung", "{function} of the library did not return within {seconds} s, and its process was ended"
)
BY_SIGNAL: Final = MessageKind("vddk.by_signal", "signal {number}")
WITH_STATUS: Final = MessageKind("vddk.with_status", "exit status {number}")

_FUNCTIONS: Final = {
    Kind.READ: "VixDiskLib_Read",
    Kind.WRITE: "VixDiskLib_Write",
    Kind.FLUSH: "VixDiskLib_Flush",
    Kind.ALLOCATED: "VixDiskLib_QueryAllocatedBlocks",
}
"""What is called for requests of which the process does not say it; all that wait are of one kind."""
_BUFFER_BYTES: Final = 4 << 20
_END_S: Final = 5.0
_PLACES: Final = frozenset({"PATH", "HOME", "TMPDIR", "TZ", "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "TEMP", "TMP"})
"""Variables of the engine's environment that the process gets: places, and nothing that may be secret."""


class LibraryFailure(Exception):
    """Something that the library or its process did. Its message says what; a new process may help."""

    may_pass = True

    def __init__(self, reason: Message) -> None:
        super().__init__(str(reason))
        self._reason = reason

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason


class LibraryRefusal(LibraryFailure):
    """A function of the library returned an error."""

    def __init__(self, number: int, trouble: Trouble) -> None:
        """Note it.

        Args:
            number: the error as the library returned it; 0: it could not be loaded.
            trouble: which function, and what the library says.
        """
        self.code = number & CODE_MASK
        self.may_pass = may_pass(self.code)
        self.function = trouble.function
        details = "\n".join(filter(None, (trouble.text, *trouble.lines)))
        if number:
            reason = REFUSED.fill(
                function=trouble.function, number=self.code, reason=words_of(self.code), details=details
            )
        else:
            reason = NOT_LOADED.fill(details=details)
        super().__init__(reason)


class LibraryHung(LibraryFailure):
    """A function of the library did not return; its process was killed."""


class LibraryDied(LibraryFailure):
    """The process of the library ended by itself."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer; its data is still to be received."""

    number: int
    length_bytes: int
    first: int
    second: int


class VddkProcess:
    """One process of the library. Thread: one at a time."""

    def __init__(self, command: Sequence[str], library_file: str, cancel: CancelToken) -> None:
        """Start it; nothing is loaded yet.

        Args:
            command: what starts this program as the process of a library.
            library_file: of the library, for the search path.
            cancel: ends waits.

        Raises:
            LibraryFailure: the system refused.
        """
        self._function = "load"
        self._last_words: Trouble | None = None
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        try:
            self._process = _started(command, library_file, theirs)
        except OSError as error:
            ours.close()
            raise LibraryFailure(NOT_STARTED.fill(details=str(reason_of(error)))) from error
        finally:
            theirs.close()
        self._link = Link(ours, "vddk", cancel)

    def send(
        self,
        kind: Kind,
        number: int,
        first: int = 0,
        second: int = 0,
        *,
        data: bytes | memoryview = b"",
        within_s: float,
    ) -> None:
        """Send a request; requests are done one after the other.

        Raises:
            LibraryFailure: the process does not take it.
            TaskCancelled: cancelled meanwhile.
        """
        self._function = _FUNCTIONS.get(kind, self._function)
        head = HEAD.pack(kind, len(data), number, first, second)
        try:
            self._link.send(head, data, within_s=within_s)
        except LinkFailure as failure:
            raise self._failed(failure, within_s) from failure

    def begin(self, begin: Begin, *, within_s: float) -> tuple[Answer, bytes]:
        """Say what to do, and wait for the first answer.

        Raises:
            LibraryFailure: the library refused, hangs or died.
            TaskCancelled: cancelled meanwhile.
        """
        self.send(Kind.BEGIN, 0, data=begin.encode(), within_s=within_s)
        answer = self.receive(within_s=within_s)
        return answer, self.text(answer, within_s=within_s)

    def receive(self, *, within_s: float) -> Answer:
        """Return the head of the next answer.

        Args:
            within_s: how long is waited for it, and for every step on the way to it.

        Raises:
            LibraryRefusal: what was asked failed; further requests can be answered.
            LibraryFailure: the library hangs or died.
            MalformedAnswer: the process does not follow the protocol.
            TaskCancelled: cancelled meanwhile.
        """
        while True:
            try:
                kind, length, number, first, second = HEAD.unpack(self._link.receive(HEAD.size, within_s=within_s))
                if kind == Kind.DONE:
                    return Answer(number, length, first, second)
                trouble = self._trouble(length, within_s)
            except LinkFailure as failure:
                raise self._failed(failure, within_s) from failure
            if kind == Kind.FAILED:
                raise LibraryRefusal(first, trouble)
            if kind == Kind.CALLING:
                self._function = trouble.function
            elif kind == Kind.PANIC:
                self._last_words = trouble
            else:
                raise MalformedAnswer(f"a frame of the kind {kind}")

    def receive_into(self, view: memoryview, *, within_s: float) -> None:
        """Receive the data of an answer.

        Raises:
            LibraryFailure: the library died.
            TaskCancelled: cancelled meanwhile.
        """
        try:
            self._link.receive_into(view, within_s=within_s)
        except LinkFailure as failure:
            raise self._failed(failure, within_s) from failure

    def text(self, answer: Answer, *, within_s: float) -> bytes:
        """Receive the data of a short answer.

        Raises:
            LibraryFailure, MalformedAnswer, TaskCancelled: as they say.
        """
        data = bytearray(answer.length_bytes)
        self.receive_into(memoryview(data), within_s=within_s)
        return bytes(data)

    def close(self, *, cleans_up: bool, within_s: float) -> None:
        """Let the library end in order, kill it where it does not; never raises."""
        self._link.ignore_cancel()
        with suppress(LibraryFailure, LinkFailure):
            self.send(Kind.CLOSE, 0, int(cleans_up), within_s=within_s)
            self._link.pass_over(within_s=within_s)
        self.wait(within_s=within_s)

    def wait(self, *, within_s: float) -> None:
        """Wait until the process has ended by itself, and kill it then."""
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._link.close()

    def kill(self) -> None:
        """End the process at once; never raises."""
        self._process.kill()
        self._process.wait()
        self._link.close()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    def _trouble(self, length: int, within_s: float) -> Trouble:
        if length > LONGEST_TEXT_BYTES:
            raise MalformedAnswer(f"a text of {length} bytes")
        try:
            return Trouble.decode(self._link.receive(length, within_s=within_s))
        except ValueError as error:
            raise MalformedAnswer(str(error)) from error

    def _failed(self, failure: LinkFailure, within_s: float) -> LibraryFailure:
        """Say why the process does not answer; it has ended afterwards."""
        if isinstance(failure, LinkStalled):
            self.kill()
            return LibraryHung(HUNG.fill(function=self._function, seconds=f"{within_s:g}"))
        try:
            status = self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            status = -signal.SIGTERM
        self._link.close()
        words = self._last_words
        details = "" if words is None else "\n".join(filter(None, (words.text, *words.lines)))
        ending = BY_SIGNAL.fill(number=-status) if status < 0 else WITH_STATUS.fill(number=status)
        return LibraryDied(DIED.fill(function=self._function, ending=ending, details=details))


if sys.platform == "win32":

    def _started(command: Sequence[str], library_file: str, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=_environment(os.environ, str(Path(library_file).parent)),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            creationflags=child_flags(own_group=True),
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(base64.b64encode(theirs.share(process.pid)) + b"\n")
        return process

else:

    def _started(command: Sequence[str], library_file: str, theirs: socket.socket) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own program
            [*command, str(theirs.fileno())],
            env=_environment(os.environ, str(Path(library_file).parent)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            process_group=0,
            creationflags=child_flags(),
        )


def _environment(ours: Mapping[str, str], library_folder: str) -> dict[str, str]:
    kept = {name: value for name, value in ours.items() if name.upper() in _PLACES}
    return {**kept, "LD_LIBRARY_PATH": library_folder}
