"""Child processes of Windows: started without a console window that flashes up, and read in their encoding."""

import subprocess
import sys
from typing import Final

_OTHERWISE: Final = "oem" if sys.platform == "win32" else "utf-8"
"""The encoding of output that is not UTF-8: on Windows the code page of consoles, GBK in China."""

if sys.platform == "win32":

    def child_flags(*, own_group: bool = False, low_priority: bool = False) -> int:
        """Return the creation flags of a child process; every start of one passes them.

        Args:
            own_group: Ctrl+C in this program's console is not the child's.
            low_priority: the child leaves the processor to the window.
        """
        flags = subprocess.CREATE_NO_WINDOW
        if own_group:
            flags |= subprocess.CREATE_NEW_PROCESS_GROUP
        if low_priority:
            flags |= subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return flags

else:

    def child_flags(*, own_group: bool = False, low_priority: bool = False) -> int:
        """Return the creation flags of a child process; elsewhere than on Windows there are none."""
        del own_group, low_priority
        return 0


def decode_output(output: bytes, *, otherwise: str = _OTHERWISE) -> str:
    """Return what a program of others wrote, as text; never raises.

    Programs of Windows write in the code page of consoles, most programs from elsewhere write UTF-8 there as well.

    Args:
        output: its bytes; the last character may be cut.
        otherwise: the encoding of what is not UTF-8.
    """
    try:
        return output.decode("utf-8")
    except UnicodeDecodeError as error:
        is_cut = error.reason == "unexpected end of data"
    return output.decode("utf-8" if is_cut else otherwise, "replace")
