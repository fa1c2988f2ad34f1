"""Restore points that are offered over NBD."""

from dataclasses import dataclass

from app.domain.ids import PointId, StandbyId
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedDisk:
    """A disk that other programs of the engine's machine can read."""

    key: int
    label: str
    capacity_bytes: int
    address: str
    """NBD URI, such as ``nbd+unix:///2000?socket=/run/user/1000/standfast-nbd-x/nbd.sock``.

    Over TCP the name in it is a secret: who knows it can read the disk.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A restore point whose disks are offered, read only."""

    standby: StandbyId
    target_path: str
    point: PointId
    disks: tuple[OfferedDisk, ...]


class ListOffers(Query[tuple[Offer, ...]], frozen=True, kw_only=True):
    """Return what is offered."""
