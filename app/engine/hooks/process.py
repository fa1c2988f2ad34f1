"""Runs one command with a time limit and bounded output, and ends it with all its children."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

import psutil

from app.core.cancel import CancelToken
from app.core.childprocess import child_flags, decode_output

MAX_OUTPUT_BYTES = 16 * 1024
"""What is kept of a command's output; the rest is read and dropped."""
_GRACE_S = 5.0
"""How long a command may take to end after it was asked to."""
_LOOK_S = 0.1
_DRAIN_S = 2.0
"""How long the output is still read once the command has ended; a child that went its own way may hold it open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a command ended."""

    status: int | None
    """Exit status, negative for a signal; None when it was ended because its time was up, or by a cancel."""
    output: str
    is_cut: bool
    """There was more output than is kept."""
    was_cancelled: bool = False

    @property
    def is_good(self) -> bool:
        """Return whether it did what it should."""
        return self.status == 0


class _Output:
    """The beginning of a stream, read to its end on a thread of its own."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._kept = bytearray()
        self._is_cut = False
        self._thread = threading.Thread(target=self._read, name="hook-output", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with suppress(OSError, ValueError):  # the stream is closed under us when a program holds it open for ever
            while part := os.read(self._stream.fileno(), 1 << 16):
                with self._lock:
                    room = MAX_OUTPUT_BYTES - len(self._kept)
                    self._kept += part[:room]
                    self._is_cut |= len(part) > room

    def finish(self) -> tuple[str, bool]:
        self._thread.join(_DRAIN_S)
        if not self._thread.is_alive():
            self._stream.close()
        with self._lock:
            return decode_output(bytes(self._kept)), self._is_cut


def run_command(
    arguments: Sequence[str],
    *,
    environment: Mapping[str, str],
    time_limit_s: float,
    cancel: CancelToken,
) -> Outcome:
    """Run a program without a shell and wait for it; its input is empty, its output is kept up to a bound.

    Raises:
        OSError: it could not be started.
    """
    process = subprocess.Popen(  # noqa: S603 - the operator's own command, as a list
        list(arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(environment),
        start_new_session=sys.platform != "win32",
        creationflags=child_flags(own_group=True),
    )
    assert process.stdout is not None
    output = _Output(process.stdout)
    try:
        status = _wait(process, time_limit_s, cancel)
    finally:
        _end_tree(process)
    text, is_cut = output.finish()
    return Outcome(status=status, output=text, is_cut=is_cut, was_cancelled=status is None and cancel.is_cancelled)


def _wait(process: "subprocess.Popen[bytes]", time_limit_s: float, cancel: CancelToken) -> int | None:
    deadline = time.monotonic() + time_limit_s
    while (left_s := deadline - time.monotonic()) > 0 and not cancel.is_cancelled:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(left_s, _LOOK_S))
    return process.poll()


def _end_tree(process: "subprocess.Popen[bytes]") -> None:
    """End what is left of a command: its session on POSIX, its descendants elsewhere; first with a request."""
    family = _descendants(process)
    if process.poll() is None:
        _signal_all(process, family, is_last=False)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    _signal_all(process, family, is_last=True)
    process.wait()


def _descendants(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    try:
        return psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        return []


def _signal_all(process: "subprocess.Popen[bytes]", family: list[psutil.Process], *, is_last: bool) -> None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL if is_last else signal.SIGTERM)
    for member in family:
        with suppress(psutil.Error):
            member.kill() if is_last else member.terminate()
    if sys.platform == "win32" and process.poll() is None:
        process.kill() if is_last else process.terminate()
