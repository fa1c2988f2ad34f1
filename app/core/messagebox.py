"""A message for an operator whom nothing else reaches: no window, no terminal, no standard streams."""

import ctypes
import os
from typing import Final, Protocol

_ERROR_IN_FRONT: Final = 0x10 | 0x10000
"""``MB_ICONERROR | MB_SETFOREGROUND`` of the Windows API."""


class User32(Protocol):
    """The function of ``user32`` that is needed."""

    def MessageBoxW(self, owner: object, text: str, caption: str, kind: int) -> int:  # noqa: N802 - Windows' name
        """Show a box until it is closed."""
        ...


def show_box(text: str, user32: User32 | None = None) -> bool:
    """Show an error in a box of the system until it is closed; return False where there is none.

    Args:
        text: in plain words.
        user32: Windows' library, or what stands for it; None takes that of this system.
    """
    library = user32 if user32 is not None or os.name != "nt" else ctypes.WinDLL("user32")  # type: ignore[attr-defined,unused-ignore]
    return library is not None and bool(library.MessageBoxW(None, text, "Standfast", _ERROR_IN_FRONT))
