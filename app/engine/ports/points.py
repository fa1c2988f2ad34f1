"""What the engine remembers of restore points, and how it opens the repositories that hold them."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Protocol

from app.domain.ids import PointId, StandbyId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.standbys import RepositoryPlace
from app.domain.tasks import KnownPoint, PointTally, VerificationState
from app.repository import Protection, Repository, RepositoryKey

RepositoryOpener = Callable[[RepositoryPlace, RepositoryKey | None, Protection | None], Repository]
"""Opens the repository at a place with a key, or creates one, with a protection an encrypted one.

It may create one only where ``repository_id`` is None, which is when nothing was ever kept there: at a path
that is merely not mounted, a new empty repository would hide the loss.
"""


class PointStore(Protocol):
    """Remembers restore points, as a cache of the repositories. Thread: any."""

    def put(self, standby: StandbyId, target_path: str, point: RestorePoint) -> None:
        """Add or change one."""
        ...

    def remove(self, standby: StandbyId, target_path: str, point: PointId) -> None:
        """Forget one."""
        ...

    def set_verification(
        self, standby: StandbyId, target_path: str, point: PointId, verification: VerificationState, at: datetime
    ) -> None:
        """Note what a verification found."""
        ...

    def get(self, standby: StandbyId, target_path: str, point: PointId) -> KnownPoint | None:
        """Return one, or None."""
        ...

    def newest(self) -> Mapping[tuple[str, VmId], datetime]:
        """Return the moment of the newest point of each VM in each rule, by the rule's name."""
        ...

    def count(self) -> int:
        """Return how many points are known."""
        ...

    def named(self, words: Collection[str], limit: int) -> tuple[KnownPoint, ...]:
        """Return the newest points in whose key, VM or rule every word occurs."""
        ...

    def tallies(self, standby: StandbyId | None = None, *, rule_name: str | None = None) -> tuple[PointTally, ...]:
        """Return how many points each VM has in each rule and repository, without reading them.

        Args:
            standby: only those of this standby.
            rule_name: only those of rules of this name.
        """
        ...

    def find(
        self,
        *,
        standby: StandbyId | None = None,
        target_path: str | None = None,
        vm: VmId | None = None,
        origin: str | None = None,
        chain: str | None = None,
        rule_name: str | None = None,
    ) -> tuple[KnownPoint, ...]:
        """Return the points that fit every condition given, newest first."""
        ...
