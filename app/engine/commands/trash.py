"""Commands about deleted restore points."""

from app.domain.ids import PointId, StandbyId
from app.engine.commands.base import Command


class TakeBackPoint(Command[None], frozen=True, kw_only=True):
    """Move a deleted restore point back from its repository's trash.

    Raises ``PointMissing`` when it is not there any more, ``PointExists`` when a point of that name is.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId
