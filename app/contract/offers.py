"""Restore points that are offered over NBD."""

from dataclasses import dataclass, field
from datetime import datetime

from app.contract.base import Command, Query
from app.domain.ids import PointId, StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedDisk:
    """A disk that other programs of the engine's machine can read."""

    key: int
    label: str
    capacity_bytes: int
    address: str = field(repr=False)
    """NBD URI, such as ``nbd+unix:///2000?socket=/run/user/1000/standfast-nbd-x/nbd.sock``.

    Over TCP the name in it is a secret: who knows it can read the disk.
    """
    connections: int = 0
    """How many connections read it right now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A restore point whose disks are offered, read only."""

    standby: StandbyId
    target_path: str
    point: PointId
    vm_name: str
    point_at: datetime
    """When the restore point was made."""
    since: datetime
    over_tcp: bool
    """Whether the addresses are secrets."""
    disks: tuple[OfferedDisk, ...]

    @property
    def is_read(self) -> bool:
        """Return whether any of the disks is read right now."""
        return any(disk.connections for disk in self.disks)


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


class ListOffers(Query[tuple[Offer, ...]], frozen=True, kw_only=True):
    """Return what is offered, oldest first."""
