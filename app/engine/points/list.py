"""The list of restore points in the catalog, and how it is made to agree with a repository."""

from dataclasses import dataclass

from app.core.clock import Clock
from app.domain.ids import PointId, StandbyId
from app.domain.tasks import VerificationState
from app.engine.ports import PointStore
from app.engine.standbys.repositories import Repositories


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What a comparison found."""

    count: int
    """How many readable points the repository holds."""
    adopted: tuple[PointId, ...] = ()
    """Those that were not listed, and are now."""
    gone: tuple[PointId, ...] = ()
    """Those that were listed and are not there any more."""


class PointList:
    """Makes the catalog's list of restore points agree with the repositories. Thread: any."""

    def __init__(self, points: PointStore, repositories: Repositories, clock: Clock) -> None:
        self._points = points
        self._repositories = repositories
        self._clock = clock

    def agree(self, standby: StandbyId, target_path: str) -> Agreement:
        """Make the list of a repository's points equal to what it holds, while others may be working on it.

        What is listed is read before the repository is: a point that is listed but not in the repository was
        deleted. A point that cannot be read any more stays listed, as damaged.

        Raises:
            OperationalError: the repository or the catalog cannot be read.
        """
        store = self._points
        known = {listed.point.id: listed for listed in store.find(standby=standby, target_path=target_path)}
        with self._repositories.lease(standby, target_path) as repository:
            listing = repository.points()
            found = {point.id: point for point in listing.points}
            damaged = {point.id for point in listing.damaged}
            adopted = tuple(point for point in found if point not in known)
            for point in adopted:  # one by one: tasks list their own points meanwhile
                store.put(standby, target_path, found[point])
            if adopted:  # a point that was deleted meanwhile must not stay listed
                there = {point.id for point in repository.points().points}
                for point in adopted:
                    if point not in there:
                        store.remove(standby, target_path, point)
        gone = tuple(point for point in known if point not in found and point not in damaged)
        for point in gone:
            store.remove(standby, target_path, point)
        for point in damaged & known.keys():
            if known[point].verification is not VerificationState.DAMAGED:
                at = self._clock.now()
                store.set_verification(standby, target_path, point, VerificationState.DAMAGED, at)
        return Agreement(count=len(found), adopted=adopted, gone=gone)
