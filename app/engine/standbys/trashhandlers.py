"""Deleted restore points: looking at them and taking them back."""

import logging
from collections.abc import Mapping

from app.contract.points import DeletedPoint, ListDeletedPoints, TakeBackPoint
from app.domain.console_events import PointsRefreshed
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.engine.handlers import Handler
from app.engine.history import messages
from app.engine.tasks.job import Workshop
from app.repository import SweepPolicy

_log = logging.getLogger(__name__)


class TrashHandlers:
    """Answers about deleted restore points. Thread: any."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._grace = SweepPolicy().grace

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {ListDeletedPoints: self._list, TakeBackPoint: self._take_back}

    def _list(self, query: ListDeletedPoints) -> tuple[DeletedPoint, ...]:
        if query.target_path is not None:
            found = self._of(query.standby, query.target_path)
        else:
            found = []
            for place in sorted(self._workshop.catalog.standbys.repositories(query.standby)):
                try:
                    found.extend(self._of(query.standby, place))
                except OperationalError as error:
                    _log.info("the trash of %s was not looked at: %s", place or "/", error)
        return tuple(sorted(found, key=lambda one: (one.deleted_at, one.id), reverse=True))

    def _of(self, standby: StandbyId, target_path: str) -> list[DeletedPoint]:
        with self._workshop.repositories.lease(standby, target_path) as repository:
            return [
                DeletedPoint(
                    standby=standby,
                    target_path=target_path,
                    id=one.id,
                    deleted_at=one.deleted_at,
                    kept_until=one.deleted_at + self._grace,
                    point=one.point,
                )
                for one in repository.deleted_points()
            ]

    def _take_back(self, command: TakeBackPoint) -> None:
        workshop = self._workshop
        with workshop.repositories.lease(command.standby, command.target_path) as repository:
            point = repository.take_back_point(command.point)
        workshop.catalog.points.put(command.standby, command.target_path, point)
        log = workshop.journal.about(point.facts.name, "point.take_back", vm=point.facts.vm)
        log.info(messages.POINT_TAKEN_BACK, point=command.point)
        workshop.bus.publish(PointsRefreshed(at=workshop.clock.now(), standby=command.standby))
