"""Standard streams that may not be there: none at all, a full device, a reader that is gone, no terminal."""

import argparse
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Final

from app.domain.display import own_lines

FAILED: Final = 1
_BROKEN: Final = (errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EINVAL, errno.EDQUOT)


def say(text: str) -> bool:
    """Write a line to standard error, or else to standard output; return False where neither takes it.

    What could move a terminal's cursor is made visible: names in errors come from outside.
    """
    for stream in (sys.stderr, sys.stdout):
        if stream is None:
            continue
        try:
            stream.write(f"{own_lines(text)}\n")
            stream.flush()
        except (OSError, ValueError):
            continue
        return True
    return False


def note(text: str) -> None:
    """Write a line to standard output where someone can read it; nothing happens where no one can."""
    if sys.stdout is not None:
        with suppress(OSError, ValueError):
            sys.stdout.write(f"{own_lines(text)}\n")
            sys.stdout.flush()


def is_at_terminal() -> bool:
    """Return whether standard input is a terminal, so that someone can be asked there."""
    return sys.stdin is not None and sys.stdin.isatty()


def guarded(run: Callable[[], int]) -> int:
    """Run a program; output that cannot be written is one line on standard error and status 1, not a traceback.

    A reader that has closed its end of a pipe has read enough: then nothing is said.
    """
    try:
        try:
            status = run()
        except SystemExit as end:  # argparse has said what is wrong, or shown the help
            if end.code is not None and not isinstance(end.code, int):
                say(str(end.code))
            status = FAILED if end.code is not None and not isinstance(end.code, int) else int(end.code or 0)
        _flush()
    except OSError as error:
        if not is_about_output(error):
            raise
        _let_go()
        if error.errno != errno.EPIPE:
            say(f"The output cannot be written: {error.strerror or error}.")
        return FAILED
    return status


def is_about_output(error: OSError) -> bool:
    """Return whether an error is about a stream that was open already, as the standard streams are."""
    return error.filename is None and error.errno in _BROKEN


class CheckedParser(argparse.ArgumentParser):
    """Parses arguments, and reports when its help cannot be written."""

    def _print_message(self, message: str, file: IO[str] | None = None) -> None:  # type: ignore[override]
        stream = file or sys.stderr
        if message and stream is not None:
            stream.write(message)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()


def _let_go() -> None:
    """Send what is left in the buffers of broken streams nowhere, so that the end of the process does not fail."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None or stream.closed:
            continue
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
                stream.flush()
