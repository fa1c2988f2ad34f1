"""What the engine remembers of VMs that run from restore points, and what serves them."""

from collections.abc import Sequence
from typing import Protocol

from app.domain.ids import RecoveryId, TaskId
from app.domain.instant import InstantRecovery


class InstantStore(Protocol):
    """Remembers instant recoveries; what is noted is durable when a call returns. Thread: any."""

    def add(self, recovery: InstantRecovery) -> InstantRecovery:
        """Remember a new one, and return it with its number, which is never given twice."""
        ...

    def put(self, recovery: InstantRecovery) -> None:
        """Remember how one is now; one that was forgotten meanwhile stays so."""
        ...

    def hand_over(self, recovery: InstantRecovery, task: TaskId) -> None:
        """Do :meth:`put`, and forget what the restore journal has of a task, both or neither.

        From then on the recovery alone says what becomes of the VM that the task created.
        """
        ...

    def remove(self, recovery: RecoveryId) -> None:
        """Forget one; nothing of it is anywhere any more."""
        ...

    def get(self, recovery: RecoveryId) -> InstantRecovery | None:
        """Return one, or None, also where it cannot be read."""
        ...

    def all(self) -> Sequence[InstantRecovery]:
        """Return all, the newest first."""
        ...
