"""The system's lock of an open file, which it frees when the process that holds it ends, however that happens.

On Windows it is ``LockFileEx`` of the Windows API: the C library's ``_locking`` says why there is no lock only by
``errno``, which is the same for a held lock and for a file that may not be locked, and which not every C
library sets.
The locked byte is far behind the content, because Windows lets no other holder read a locked byte.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

LOCKED_BYTE: Final = 1 << 30
_FAIL_IMMEDIATELY: Final = 1
_EXCLUSIVE: Final = 2
_HELD: Final = frozenset({33, 997})
"""Of Windows: lock violation; and pending, where the file was opened for overlapped calls."""


class Overlapped(ctypes.Structure):
    """Windows' ``OVERLAPPED``: where in the file."""

    _fields_ = (
        ("internal", ctypes.c_size_t),
        ("internal_high", ctypes.c_size_t),
        ("offset", ctypes.c_uint32),
        ("offset_high", ctypes.c_uint32),
        ("event", ctypes.c_void_p),
    )


class Kernel(Protocol):
    """The two functions of ``kernel32`` that are needed."""

    def LockFileEx(  # noqa: N802 - Windows' name
        self, handle: object, flags: int, reserved: int, length: int, length_high: int, overlapped: object
    ) -> int:
        """Lock a range of a file."""
        ...

    def UnlockFileEx(  # noqa: N802 - Windows' name
        self, handle: object, reserved: int, length: int, length_high: int, overlapped: object
    ) -> int:
        """Give a range of a file free."""
        ...


def try_lock(descriptor: int) -> bool:
    """Take the lock of an open file; return False when another holder has it, in this process or in any other.

    Raises:
        OSError: this file cannot be locked.
    """
    if sys.platform == "win32":
        import msvcrt

        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        return lock_by_handle(kernel32, msvcrt.get_osfhandle(descriptor), ctypes.get_last_error)
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def close_locked(descriptor: int) -> None:
    """Release a lock and close its file.

    Closing alone would do it later: Windows takes its time, and on POSIX a program that is being started holds a
    copy of the descriptor for a moment.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            unlock_by_handle(ctypes.WinDLL("kernel32"), msvcrt.get_osfhandle(descriptor))
        else:
            import fcntl

            with suppress(OSError):  # closing does it as well
                fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)


def lock_by_handle(kernel32: Kernel, handle: int, last_error: Callable[[], int]) -> bool:
    """Take the lock of a file of Windows; return False when another holder has it.

    Args:
        kernel32: the library, or what stands for it.
        handle: of the file.
        last_error: returns the system's number for the last refusal.

    Raises:
        OSError: this file cannot be locked.
    """
    place = Overlapped(offset=LOCKED_BYTE)
    flags = _EXCLUSIVE | _FAIL_IMMEDIATELY
    if kernel32.LockFileEx(ctypes.c_void_p(handle), flags, 0, 1, 0, ctypes.byref(place)):
        return True
    number = last_error()
    if number in _HELD:
        return False
    raise OSError(0, "the file cannot be locked", None, number)


def unlock_by_handle(kernel32: Kernel, handle: int) -> None:
    """Release the lock of a file of Windows; nothing happens when it is not held."""
    kernel32.UnlockFileEx(ctypes.c_void_p(handle), 0, 1, 0, ctypes.byref(Overlapped(offset=LOCKED_BYTE)))
