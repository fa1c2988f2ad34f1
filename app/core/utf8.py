"""UTF-8 for file names, arguments and streams, whatever the locale says.

Names in a repository are UTF-8, on every machine. Python takes the encoding of file names from the locale, which
may be GBK or ISO 8859-1: then a name is written in bytes that no other machine can read, or not at all.
Python's UTF-8 mode (PEP 540) ends that, but can only be chosen when the interpreter starts.
"""

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from io import TextIOWrapper
from typing import Final

UTF8_OPTIONS: Final = () if os.name == "nt" else ("-X", "utf8")
"""What starts an interpreter in UTF-8 mode; on Windows file names are Unicode anyway."""


def names_are_utf8() -> bool:
    """Return whether this process writes file names in UTF-8."""
    return sys.getfilesystemencoding().lower().replace("-", "") == "utf8"


def assure_utf8() -> None:
    """Start this program again in UTF-8 mode where it is not in it; to be called before anything else.

    Arguments are converted on the way: they came in the encoding of the locale, unless they are UTF-8 already.
    Returns where nothing has to be done or nothing can be done; see :func:`names_are_utf8`.
    """
    if os.name == "nt" or names_are_utf8() or "utf8" in sys._xoptions:
        return
    if not sys.executable or not sys.orig_argv:
        return
    arguments = [sys.executable, *UTF8_OPTIONS, *sys.orig_argv[1:]]
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with suppress(OSError, ValueError):
                stream.flush()
    with suppress(OSError):  # the interpreter cannot be started a second time: the caller finds out
        os.execv(sys.executable, [utf8_bytes(argument) for argument in arguments])  # noqa: S606 - our own program


def utf8_bytes(argument: str) -> bytes:
    """Return a command-line argument in UTF-8; what is neither text of the locale nor UTF-8 stays as it is."""
    raw = os.fsencode(argument)
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return argument.encode("utf-8", "surrogateescape")
    return raw


def use_utf8_streams() -> None:
    """Make the standard streams UTF-8; what cannot be written in it is shown as an escape, never an error."""
    for stream, errors in (
        (sys.stdin, "strict"),
        (sys.stdout, "backslashreplace"),
        (sys.stderr, "backslashreplace"),
    ):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError, ValueError):  # it was read from, or is closed
                stream.reconfigure(encoding="utf-8", errors=errors)


def first_not_utf8(texts: Iterable[str]) -> str | None:
    """Return the first text with bytes that are not UTF-8, in a form that can be shown; None without one."""
    for text in texts:
        if any("\ud800" <= character <= "\udfff" for character in text):
            return text.encode("utf-8", "backslashreplace").decode("ascii", "backslashreplace")
    return None


def can_be_path(text: str) -> bool:
    """Return whether a path can be passed on to other programs, kept and shown: UTF-8, and no NUL."""
    return "\0" not in text and first_not_utf8([text]) is None


def shown_path(text: str) -> str:
    """Return a path in a form that can be shown, whatever is in it."""
    return (first_not_utf8([text]) or text).replace("\0", "\\x00") or "(nothing)"
