"""Queries about virtual platforms, standby machines and what lies there."""

from dataclasses import dataclass

from app.domain.ids import PlatformId, PointId, StandbyId, VmId
from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.domain.platforms import Platform, PlatformFacts
from app.domain.standbys import Standby
from app.domain.tasks import KnownPoint, PointTally
from app.domain.vms import VmDetails, VmSummary
from app.engine.commands.tasks import NewVm, OverOriginal
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenEntriesRow:
    """How much other users of the machine can use on a standby."""

    path: str
    """Its root on the engine's machine."""
    count: int
    """Files and folders that closing would change."""
    linked: int
    """Open files with further names (hard links), which closing leaves as they are."""
    is_complete: bool
    """False when there was not time enough to look at everything, or something refused: there may be more."""


class ListPlatforms(Query[tuple[Platform, ...]], frozen=True, kw_only=True):
    """Return the registered platforms, by name."""


class ProbePlatform(Query[PlatformFacts], frozen=True, kw_only=True):
    """Log in to a platform and return what it tells of itself."""

    platform: PlatformId


class ListStandbys(Query[tuple[Standby, ...]], frozen=True, kw_only=True):
    """Return the registered standby machines, by name."""


class ReadOpenEntries(Query[OpenEntriesRow], frozen=True, kw_only=True):
    """Count what other users of the machine can use in the repositories of a standby; nothing is changed."""

    standby: StandbyId


class ListVms(Query[tuple[VmSummary, ...]], frozen=True, kw_only=True):
    """Ask a platform for its whole inventory."""

    platform: PlatformId


class DescribeVm(Query[VmDetails], frozen=True, kw_only=True):
    """Ask a platform for one VM with its disks and snapshots."""

    platform: PlatformId
    vm: VmId


class ListPoints(Query[tuple[KnownPoint, ...]], frozen=True, kw_only=True):
    """Return the known restore points that fit every condition given, newest first."""

    standby: StandbyId | None = None
    target_path: str | None = None
    vm: VmId | None = None
    platform_address: str | None = None
    chain: str | None = None


class ListRecoverableVms(Query[tuple[PointTally, ...]], frozen=True, kw_only=True):
    """Return every VM that has restore points, once for each rule and repository, by name."""


class ListPlaces(Query[PlatformPlaces], frozen=True, kw_only=True):
    """Ask a platform for the datacenters, hosts, datastores and networks that a restored VM can use."""

    platform: PlatformId


class DescribeSavedVm(Query[SavedHardware], frozen=True, kw_only=True):
    """Return what the VM in a restore point was made of, as the platform that restores it reads it."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId


class PlanRestore(Query[PlannedVm | None], frozen=True, kw_only=True):
    """Return where a restore would create its VM and what would not be as it was; nothing is done.

    None where the platform cannot tell beforehand. What cannot be restored there is refused, as the restore is.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId
    target: NewVm | OverOriginal
