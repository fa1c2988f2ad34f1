"""Commands about restore points that are offered over NBD."""

from app.domain.ids import PointId, StandbyId
from app.engine.commands.base import Command
from app.engine.queries.offers import Offer


class OfferPoint(Command[Offer], frozen=True, kw_only=True):
    """Offer the disks of a restore point over NBD until it is withdrawn or the engine ends.

    One that is offered already stays as it is; over TCP it is refused when a socket offers it.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId
    over_tcp: bool = False
    """Listen on the loopback address under secret names also where there are Unix sockets."""


class WithdrawPoint(Command[None], frozen=True, kw_only=True):
    """Offer a restore point no more; clients that are connected are cut off."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
