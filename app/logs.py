"""The program's own log: a rotating file without secrets, and nothing that goes wrong goes unlogged.

Code that handles secrets must not log them in the first place; what :class:`Redactor` does is the second line of
defence. A task's log, which the operator reads, is another thing: see ``app.core.tasklog``.
"""

import faulthandler
import logging
import os
import re
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from app.core.privatefiles import make_private_folders, open_private, take_from_others
from app.domain.display import own_lines, visible

MIB = 1024 * 1024
HIDDEN = "[hidden]"
_SHORTEST_SECRET = 4
_INDENT = "    "
_FORMAT = "%(asctime)s %(levelname)-8s [%(threadName)s] %(name)s: %(message)s"

_NAMES = r"pass(?:word|wd|phrase)|secret|session_?id|ticket(?:_?id)?|token|vmware_soap_session|vmware_cgi_ticket"
_SECRET_SHAPES = (
    # <password>…</password> in a SOAP body.
    re.compile(rf"(<(?:\w+:)?(?:{_NAMES})\b[^<>]*>)[^<]+(?=<)", re.IGNORECASE),
    # Cookie and Authorization headers, whole.
    re.compile(r"(\b(?:set-)?cookie['\"]?\s*[:=]\s*|\bauthorization['\"]?\s*[:=]\s*)[^\r\n]+", re.IGNORECASE),
    # password='two words', "token": "…"
    re.compile(rf"(\b\w*(?:{_NAMES})['\"]?\s*[:=]\s*(['\"]))(?:\\.|(?!\2).)*(?=\2)", re.IGNORECASE),
    # password=word
    re.compile(rf"(\b\w*(?:{_NAMES})['\"]?\s*[:=]\s*)[^\s'\",;&)\]}}<>]+", re.IGNORECASE),
    # https://user:password@host
    re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@]+:)[^\s/@]+(?=@)", re.IGNORECASE),
)

_log = logging.getLogger(__name__)

BugListener = Callable[[BaseException], None]
"""Called for an exception that nothing caught, on the thread that raised it."""


class Redactor:
    """Redacts secrets in text: those it knows, and what looks like one.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: tuple[str, ...] = ()

    def protect(self, secret: str) -> None:
        """Hide this value wherever it appears from now on; values under four characters would hide everything."""
        if len(secret) < _SHORTEST_SECRET:
            return
        with self._lock:
            # Longest first, so that a secret within a secret does not leave the rest of it legible.
            self._known = tuple(sorted({*self._known, secret}, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """Return the text without secrets."""
        for secret in self._known:
            text = text.replace(secret, HIDDEN)
        for shape in _SECRET_SHAPES:
            text = shape.sub(rf"\g<1>{HIDDEN}", text)
        return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, its traceback included, and takes the secrets out. Times are local, with their offset.

    A record is one line, whatever is in its message: names come from other people's systems, and a line break in
    one must not forge a record. The lines of a traceback are indented for the same reason.
    """

    def __init__(self, redactor: Redactor) -> None:
        super().__init__(_FORMAT)
        self._redactor = redactor

    def formatTime(self, record: logging.LogRecord, _datefmt: str | None = None) -> str:  # noqa: N802 - as logging has it
        """Return the time of a record in ISO 8601."""
        return datetime.fromtimestamp(record.created).astimezone().isoformat(sep=" ", timespec="milliseconds")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and the lines of its traceback."""
        record.message = record.getMessage().rstrip()
        record.asctime = self.formatTime(record)
        shown = [visible(self._clean(self.formatMessage(record)))]
        if record.exc_info:
            shown += self._indented(self.formatException(record.exc_info))
        if record.stack_info:
            shown += self._indented(self.formatStack(record.stack_info))
        return "\n".join(shown)

    def _indented(self, text: str) -> list[str]:
        return [f"{_INDENT}{line}" for line in own_lines(self._clean(text)).split("\n")]

    def _clean(self, text: str) -> str:
        """Take out secrets, and what UTF-8 cannot hold."""
        return self._redactor.clean(text).encode("utf-8", "replace").decode("utf-8")


class _PrivateLogFile(RotatingFileHandler):
    """A rotating file that only this user can read."""

    def _open(self) -> TextIOWrapper:
        descriptor = _opened_privately(Path(self.baseFilename))
        return os.fdopen(descriptor, "a", encoding=self.encoding, errors=self.errors)

    def doRollover(self) -> None:  # noqa: N802 - as logging has it
        """Begin a new file; where the system refuses, go on in the full one and try again at the next line.

        Windows renames no file that another program has open: a viewer, or a second console.
        """
        if self.stream is not None:
            self.stream.close()
            self.stream = None  # where opening fails here, it is tried again at the next line
        with suppress(OSError):
            self._put_aside()
        self.stream = self._open()

    def _put_aside(self) -> None:
        """Rename the full file and those before it; a refusal leaves a gap, which the next attempt fills.

        Raises:
            OSError: the system refused.
        """
        files = [Path(f"{self.baseFilename}.{n}" if n else self.baseFilename) for n in range(self.backupCount + 1)]
        gap = next((n for n, file in enumerate(files) if not os.path.lexists(file)), self.backupCount)
        for number in range(gap, 0, -1):
            files[number - 1].replace(files[number])


def _opened_privately(file: Path) -> int:
    """Open a file for appending; one that others could read is theirs no more."""
    take_from_others(file)
    return open_private(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class ProgramLog:
    """The log of this process while it runs; a context manager that puts everything back when it ends.

    Attributes:
        file: where it writes.
        redactor: has to know every secret that enters the process.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str = "standfast",
        level: int = logging.INFO,
        file_bytes: int = 10 * MIB,
        file_count: int = 5,
        console: IO[str] | None = None,
        on_bug: BugListener | None = None,
    ) -> None:
        self.file = folder / f"{name}.log"
        self.redactor = Redactor()
        self._crash_file = folder / f"{name}.crash.txt"
        self._level = level
        self._file_bytes, self._file_count = file_bytes, file_count
        self._console = console
        self._on_bug = on_bug
        self._handlers: list[logging.Handler] = []
        self._crash_stream: IO[bytes] | None = None
        self._hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        self._root_level = logging.NOTSET
        self._faults_went_to_stderr = False

    def start(self) -> Self:
        """Begin to write; from here on uncaught exceptions of every thread are logged with their traceback.

        Where the file cannot be written, the lines go to standard error, if there is one, and the first says why.
        """
        # A handler whose disk is full would write a traceback to a standard error that perhaps no one reads.
        logging.raiseExceptions = False
        formatter = RedactingFormatter(self.redactor)
        problem = self._open_file()
        console = self._console
        if console is None and problem is not None:
            console = sys.stderr
        if console is not None:
            self._handlers.append(logging.StreamHandler(console))
        if not self._handlers:
            self._handlers.append(logging.NullHandler())
        root = logging.getLogger()
        self._root_level = root.level
        root.setLevel(self._level)
        for handler in self._handlers:
            handler.setFormatter(formatter)
            root.addHandler(handler)
        logging.captureWarnings(capture=True)
        if problem is not None:
            _log.warning(
                "%s cannot be written, so the log goes to standard error: %s",
                self.file,
                problem.strerror or problem,
            )
        self._watch_for_crashes()
        self._hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._on_uncaught
        threading.excepthook = self._on_uncaught_in_thread
        sys.unraisablehook = self._on_unraisable
        return self

    def _open_file(self) -> OSError | None:
        """Open the file of the log; return why that was not possible."""
        try:
            make_private_folders(self.file.parent)
            handler = _PrivateLogFile(
                self.file,
                maxBytes=self._file_bytes,
                backupCount=self._file_count,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            return error
        self._handlers.append(handler)
        return None

    def _watch_for_crashes(self) -> None:
        """Have the stacks of all threads written to a file at a crash in native code, which raises nothing."""
        self._faults_went_to_stderr = faulthandler.is_enabled()
        try:
            self._crash_stream = os.fdopen(_opened_privately(self._crash_file), "ab", buffering=0)
        except OSError:
            return  # what is enabled for standard error stays so
        faulthandler.enable(self._crash_stream)

    def stop(self) -> None:
        """Close the file and give back the hooks; nothing happens when it is stopped already."""
        if not self._handlers:
            return
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._hooks
        logging.captureWarnings(capture=False)
        if self._crash_stream is not None:
            faulthandler.disable()
            if self._faults_went_to_stderr and sys.__stderr__ is not None:
                faulthandler.enable(sys.__stderr__)
            self._crash_stream.close()
            self._crash_stream = None
        root = logging.getLogger()
        root.setLevel(self._root_level)
        for handler in self._handlers:
            root.removeHandler(handler)
            handler.close()
        self._handlers.clear()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _on_uncaught(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self._hooks[0](kind, error, traceback)
            return
        _log.critical("uncaught exception", exc_info=(kind, error, traceback))
        self._report(error)

    def _on_uncaught_in_thread(self, args: threading.ExceptHookArgs, /) -> None:
        if issubclass(args.exc_type, SystemExit):
            return
        name = args.thread.name if args.thread else "a thread that is gone"
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        _log.critical("uncaught exception in %s", name, exc_info=(args.exc_type, error, args.exc_traceback))
        self._report(error)

    def _on_unraisable(self, args: "sys.UnraisableHookArgs", /) -> None:
        error = args.exc_value if args.exc_value is not None else args.exc_type()
        what = args.err_msg or "exception ignored"
        _log.error("%s in %r", what, args.object, exc_info=(args.exc_type, error, args.exc_traceback))

    def _report(self, error: BaseException) -> None:
        if self._on_bug is None:
            return
        try:
            self._on_bug(error)
        except Exception:  # noqa: BLE001 - whatever a listener does, the report of the first bug must stand
            _log.exception("the listener for bugs failed")
