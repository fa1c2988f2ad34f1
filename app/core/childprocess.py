"""How child processes are started on Windows: without a console window that flashes up."""

import subprocess
import sys

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
