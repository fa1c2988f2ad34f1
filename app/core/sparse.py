"""Files that take no room for what was never written.

On POSIX a file that is made longer has a hole at its end. On Windows it has none until the file is marked as
sparse (``FSCTL_SET_SPARSE``), and the C library's ``_chsize_s`` even writes zeros: there the end of the
file is set by ``SetFileInformationByHandle`` (Windows API, "FileEndOfFileInfo").
"""

import ctypes
import os
import sys
from contextlib import suppress
from typing import Final, Protocol

_FSCTL_SET_SPARSE: Final = 0x000900C4
_FILE_END_OF_FILE_INFO: Final = 6


class Kernel(Protocol):
    """The two functions of ``kernel32`` that are needed."""

    def DeviceIoControl(self, handle: object, code: int, *rest: object) -> int:  # noqa: N802 - Windows' name
        """Ask a file's driver for something."""
        ...

    def SetFileInformationByHandle(  # noqa: N802 - Windows' name
        self, handle: object, kind: int, information: object, size_bytes: int
    ) -> int:
        """Change what the file system notes of a file."""
        ...


def extend_with_hole(descriptor: int, size_bytes: int) -> None:
    """Make a new, empty file longer without writing to it.

    Raises:
        OSError: the system refused.
    """
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(descriptor)
        extend_by_handle(ctypes.WinDLL("kernel32", use_last_error=True), handle, size_bytes)
    else:
        os.truncate(descriptor, size_bytes)


def extend_by_handle(kernel32: Kernel, handle: int, size_bytes: int) -> None:
    """Make a file of Windows sparse where its file system can, and set its end.

    Args:
        kernel32: the library, or what stands for it.
        handle: of the file, opened for writing.
        size_bytes: the new size.

    Raises:
        OSError: the end cannot be set.
    """
    returned = ctypes.c_uint32(0)
    with suppress(OSError):  # FAT has no holes: the file is as large as it says then
        kernel32.DeviceIoControl(
            ctypes.c_void_p(handle), _FSCTL_SET_SPARSE, None, 0, None, 0, ctypes.byref(returned), None
        )
    end = ctypes.c_int64(size_bytes)
    if not kernel32.SetFileInformationByHandle(
        ctypes.c_void_p(handle), _FILE_END_OF_FILE_INFO, ctypes.byref(end), ctypes.sizeof(end)
    ):
        raise OSError(0, "the end of the file could not be set", None, _last_error())


def _last_error() -> int:
    if sys.platform == "win32":
        return int(ctypes.get_last_error())
    return 0
