"""Restore points: listing, verifying, exporting, deleting and taking them back."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.domain.ids import PointId, StandbyId, TaskId, VmId
from app.domain.images import ImageFormat
from app.domain.restore_point import RestorePoint
from app.domain.tasks import KnownPoint, PointTally


class RefreshPoints(Command[int], frozen=True, kw_only=True):
    """Read the list of a standby's restore points from its repositories again; return how many there are."""

    standby: StandbyId
    target_path: str | None = None
    """Only the repository in this directory; None: every one that was ever used there."""


class DeletePoint(Command[None], frozen=True, kw_only=True):
    """Move a restore point to its repository's trash."""

    standby: StandbyId
    target_path: str = ""
    point: PointId


class StartVerify(Command[TaskId], frozen=True, kw_only=True):
    """Queue reading a restore point back, every chunk against its digest."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    priority: int = 0


class StartExport(Command[TaskId], frozen=True, kw_only=True):
    """Queue writing disks of a restore point into files of another format, in a folder of the engine's machine."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    disks: tuple[int, ...] = ()
    """Device keys; empty: all disks of the point."""
    folder: str
    """Absolute path on the engine's machine; it must exist."""
    image: ImageFormat = ImageFormat.RAW
    priority: int = 0


class TakeBackPoint(Command[None], frozen=True, kw_only=True):
    """Move a deleted restore point back from its repository's trash.

    Raises ``PointMissing`` when it is not there any more, ``PointExists`` when a point of that name is.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId


class ListPoints(Query[tuple[KnownPoint, ...]], frozen=True, kw_only=True):
    """Return the known restore points that fit every condition given, newest first."""

    standby: StandbyId | None = None
    target_path: str | None = None
    vm: VmId | None = None
    origin: str | None = None
    """As in a ``PointTally``: of one platform."""
    chain: str | None = None


class ListRecoverableVms(Query[tuple[PointTally, ...]], frozen=True, kw_only=True):
    """Return every VM that has restore points, once for each rule and repository, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedPoint:
    """A restore point in the trash of its repository."""

    standby: StandbyId
    target_path: str
    id: PointId
    deleted_at: datetime
    kept_until: datetime
    """From then on the next garbage collection removes it for good."""
    point: RestorePoint | None
    """None when its description cannot be read."""


class ListDeletedPoints(Query[tuple[DeletedPoint, ...]], frozen=True, kw_only=True):
    """Return the deleted restore points that can be taken back, the one deleted last first.

    A repository that cannot be opened is left out when others are asked, too.
    """

    standby: StandbyId
    target_path: str | None = None
    """Only the repository in this directory; None: every one that was ever used there."""
