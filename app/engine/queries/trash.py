"""Queries about deleted restore points."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PointId, StandbyId
from app.domain.restore_point import RestorePoint
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedPoint:
    """A restore point in the trash of its repository."""

    standby: StandbyId
    target_path: str
    id: PointId
    deleted_at: datetime
    kept_until: datetime
    """From then on the next clean-up removes it for good."""
    point: RestorePoint | None
    """None when its description cannot be read."""


class ListDeletedPoints(Query[tuple[DeletedPoint, ...]], frozen=True, kw_only=True):
    """Return the deleted restore points that can be taken back, the one deleted last first.

    A repository that cannot be opened is left out when others are asked, too.
    """

    standby: StandbyId
    target_path: str | None = None
    """Only the repository in this directory; None: every one that was ever used there."""
