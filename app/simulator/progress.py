"""Progress of a running task: reported by its work, which also learns here that it is to stop."""

import threading
from collections.abc import Callable

from pyVmomi import vim, vmodl

from app.simulator.objects import SimObject


class TaskProgress:
    """What a running task's work gets. Thread: the task's own."""

    def __init__(self, task: SimObject, stop: threading.Event, is_cancelled: Callable[[], bool]) -> None:
        """Report on one task.

        Args:
            task: whose ``info`` shows the progress.
            stop: set when the simulator stops.
            is_cancelled: returns True once a client has cancelled the task.
        """
        self._task = task
        self._stop = stop
        self._is_cancelled = is_cancelled

    @property
    def task(self) -> vim.Task:
        """Reference of the task."""
        ref: vim.Task = self._task.ref
        return ref

    def report(self, percent: int) -> None:
        """Show how far the work is, 0 to 100."""
        with self._task.store.lock:
            info = self._task.properties["info"]
            if info.progress != percent:
                info.progress = percent
                self._task.touch("info")

    def check(self) -> None:
        """Raise when the task is to stop; call it between steps of the work.

        Raises:
            vmodl.fault.RequestCanceled: a client cancelled the task, or the simulator stops.
        """
        if self._is_cancelled() or self._stop.is_set():
            raise vmodl.fault.RequestCanceled(msg="The task was canceled by a user.")

    def pause(self, seconds: float) -> None:
        """Sleep, but wake when the simulator stops.

        Raises:
            vmodl.fault.RequestCanceled: as :meth:`check`.
        """
        self._stop.wait(seconds)
        self.check()
