"""Keeps ``True``, ``False`` and ``None`` alive under a Qt binding that loses references to them.

Up to Python 3.11 these three are counted like any object, and the interpreter dies when a count reaches zero.
PySide6 6.12 loses one reference to ``True`` with every ``Signal.emit``, and one to ``None`` with every item role
that has no value: a window that is open for hours would end with ``Fatal Python error: bool_dealloc``. From
Python 3.12 on they are immortal, which is what this gives them before.
"""

import ctypes
import sys
from typing import Final

_MANY: Final = 1 << 40
"""More references than a process can lose."""
_IMMORTAL_SINCE: Final = (3, 12)


def keep_constants_alive() -> None:
    """Give ``True``, ``False`` and ``None`` references enough to lose. Thread: any; a second call does nothing."""
    counted = sys.implementation.name == "cpython" and sys.version_info < _IMMORTAL_SINCE
    # A debug build that traces references has other fields in front of the count.
    if not counted or hasattr(sys, "getobjects"):
        return
    for constant in (True, False, None):
        if sys.getrefcount(constant) < _MANY:
            ctypes.c_ssize_t.from_address(id(constant)).value += _MANY
