"""Where is kept what VMs write that run from restore points."""

from pathlib import Path

from app.core.durable import remove_directory_tree
from app.repository.files import storage_errors
from app.repository.layout import Layout


class RecoveryFolders:
    """The folders of instant recoveries, by their ids; what is in them is the server's. Thread: any."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def folder(self, recovery: str) -> Path:
        """Return the folder of a recovery; it is made by whoever writes there.

        Raises:
            ValueError: that is no id of a recovery.
        """
        return self._layout.recovery(recovery)

    def remove(self, recovery: str) -> bool:
        """Delete what a VM wrote; return whether there was anything.

        Raises:
            ValueError: that is no id of a recovery.
            StandbyUnavailable: the standby refuses.
        """
        folder = self._layout.recovery(recovery)
        with storage_errors(self._layout.root):
            if not folder.is_dir():
                return False
            remove_directory_tree(folder)
        return True
