"""Restore points: listing them, deleting them, and taking deleted points back."""

import logging
from collections.abc import Callable, Iterable

from app.contract.points import (
    DeletedPoint,
    DeletePoint,
    ListDeletedPoints,
    ListPoints,
    ListRecoverableVms,
    RefreshPoints,
    TakeBackPoint,
)
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.tasks import KnownPoint, PointTally, TaskRecord
from app.engine.errors import StillInUse
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.points.list import PointList
from app.engine.ports import PointStore, StandbyStore
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.repositories import Repositories
from app.repository import GarbageCollectionPolicy

_log = logging.getLogger(__name__)


class PointHandlers:
    """Answers about restore points. Thread: any."""

    def __init__(
        self,
        *,
        points: PointStore,
        standbys: StandbyStore,
        repositories: Repositories,
        point_list: PointList,
        unfinished: Callable[[], Iterable[TaskRecord]],
        journal: Journal,
    ) -> None:
        self._points = points
        self._standbys = standbys
        self._repositories = repositories
        self._list = point_list
        self._unfinished = unfinished
        self._journal = journal
        self._grace = GarbageCollectionPolicy().grace

    # --- the list ------------------------------------------------------------------------------------------------

    @handles(ListPoints)
    def _list_points(self, query: ListPoints) -> tuple[KnownPoint, ...]:
        return self._points.find(
            standby=query.standby,
            target_path=query.target_path,
            vm=query.vm,
            origin=query.origin,
            chain=query.chain,
        )

    @handles(ListRecoverableVms)
    def _list_recoverable_vms(self, _: ListRecoverableVms) -> tuple[PointTally, ...]:
        tallies = self._points.tallies()
        return tuple(sorted(tallies, key=lambda tally: (tally.vm_name.casefold(), tally.rule_name.casefold())))

    @handles(RefreshPoints)
    def _refresh_points(self, command: RefreshPoints) -> int:
        standby = registered_standby(self._standbys, command.standby)
        if command.target_path is None:
            target_paths = sorted(self._standbys.repositories(standby.id))
        else:
            target_paths = [command.target_path]
        count = sum(self._list.agree(standby.id, target_path).count for target_path in target_paths)
        self._journal.about(standby.name, "standby.refresh").info(messages.POINTS_REFRESHED, count=count)
        return count

    # --- the trash -----------------------------------------------------------------------------------------------

    @handles(DeletePoint)
    def _delete_point(self, command: DeletePoint) -> None:
        """Move a restore point to the trash.

        Raises:
            StillInUse: a task reads it.
            PointPinned: somebody uses it for long, here or on another console.
            OperationalError: the repository refused.
        """
        standby, target_path, point = command.standby, command.target_path, command.point
        if any(
            (task.standby, task.target_path, task.point) == (standby, target_path, point)
            for task in self._unfinished()
        ):
            raise StillInUse(name=point)
        with self._repositories.lease(standby, target_path) as repository:
            repository.delete_point(point)
        known = self._points.get(standby, target_path, point)
        self._points.remove(standby, target_path, point)
        vm_name = known.point.facts.name if known else ""
        log = self._journal.about(vm_name, "point.delete", vm=known.point.facts.vm if known else None)
        log.info(messages.POINT_DELETED, point=point)

    @handles(ListDeletedPoints)
    def _list_deleted(self, query: ListDeletedPoints) -> tuple[DeletedPoint, ...]:
        if query.target_path is not None:
            found = self._deleted_in(query.standby, query.target_path)
        else:
            found = []
            for target_path in sorted(self._standbys.repositories(query.standby)):
                try:
                    found.extend(self._deleted_in(query.standby, target_path))
                except OperationalError as error:
                    _log.info("the trash of %s was not read: %s", target_path or "/", error)
        return tuple(sorted(found, key=lambda point: (point.deleted_at, point.id), reverse=True))

    def _deleted_in(self, standby: StandbyId, target_path: str) -> list[DeletedPoint]:
        with self._repositories.lease(standby, target_path) as repository:
            return [
                DeletedPoint(
                    standby=standby,
                    target_path=target_path,
                    id=deleted.id,
                    deleted_at=deleted.deleted_at,
                    kept_until=deleted.deleted_at + self._grace,
                    point=deleted.point,
                )
                for deleted in repository.deleted_points()
            ]

    @handles(TakeBackPoint)
    def _take_back(self, command: TakeBackPoint) -> None:
        with self._repositories.lease(command.standby, command.target_path) as repository:
            point = repository.take_back_point(command.point)
        self._points.put(command.standby, command.target_path, point)
        log = self._journal.about(point.facts.name, "point.take_back", vm=point.facts.vm)
        log.info(messages.POINT_TAKEN_BACK, point=command.point)
