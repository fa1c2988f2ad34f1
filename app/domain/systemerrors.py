"""Errors of the operating system for the numbers that sockets report, also on Windows."""

import os

from app.domain.reasons import SYSTEM_ERROR, reason_of


def error_of_code(code: int) -> OSError:
    """Return the error for a number that a socket reports."""
    reason = reason_of(OSError(code, os.strerror(code)))
    if reason.kind is SYSTEM_ERROR or code < _FIRST_OF_WINDOWS:
        return OSError(code, os.strerror(code))
    return OSError(code, f"{reason} ({code})")


_FIRST_OF_WINDOWS = 10_000
"""Numbers from here on are those of Windows Sockets, for which the C library often has no words."""
