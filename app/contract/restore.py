"""Restores: where a VM can go, what it would replace, and starting them."""

from dataclasses import dataclass

import msgspec

from app.contract.base import Command, Query
from app.domain.identity import Verdict
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.domain.states import TransportMode
from app.domain.vms import VmPlacement, VmSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmedVm:
    """The VM that the operator saw and confirmed to be replaced."""

    vm: VmId
    name: str
    """As the platform named it then."""
    instance_uuid: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One VM of a group restore and the point it goes back to."""

    vm: VmId
    point: PointId
    confirmed: ConfirmedVm | None = None
    """The VM to be replaced, as the operator saw it; None takes only one that is certainly the original."""


class StartGroupRestore(Command[tuple[TaskId, ...]], frozen=True, kw_only=True):
    """组恢复: restore several VMs of a rule over their originals."""

    rule: RuleId
    members: tuple[GroupMember, ...]
    power_on: bool = False


class NewVm(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore as a new VM."""

    placement: VmPlacement


class OverOriginal(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Restore in the place of the VM the point was taken from; it is deleted once the new one is verified."""

    datastore: str | None = None
    """None: where the VM came from."""
    host: str | None = None
    confirmed: ConfirmedVm | None = None
    """The VM to be replaced; None takes only one that is certainly the original."""


class StartRestore(Command[TaskId], frozen=True, kw_only=True):
    """Queue a restore of one restore point."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId
    name: str = ""
    """What the operator calls this restore."""
    target: NewVm | OverOriginal
    power_on: bool = False
    rule: RuleId | None = None
    """The rule whose group restore it belongs to."""
    transports: tuple[TransportMode, ...] = ()
    """Modes to try, in order; empty takes those of the platform."""
    lan_free: bool = False
    """Whether the platform's LAN-free modes are tried first; without it they are not tried at all."""
    priority: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginalRow:
    """What a restore of one point over its original would find on the platform now."""

    point: PointId
    platform: PlatformId | None
    """Where the original is looked for; None: its platform is not registered."""
    address: str
    """Of the platform; where it is not registered, the one in the point."""
    verdict: Verdict
    is_proven: bool = False
    """True: it goes on automatically. False: the operator has to choose among ``choices``."""
    choices: tuple[VmSummary, ...] = ()
    """The VMs that may be replaced, as they are now."""
    other: VmSummary | None = None
    """Another VM that has the original's UUID; it is never replaced."""
    uncovered: tuple[tuple[VmId, tuple[str, ...]], ...] = ()
    """For each choice that has some: its disks that the point does not hold. Such a VM is not replaced."""

    def uncovered_of(self, vm: VmId) -> tuple[str, ...]:
        """Return the disks of a choice that the point does not hold."""
        return dict(self.uncovered).get(vm, ())


class FindOriginals(Query[tuple[OriginalRow, ...]], frozen=True, kw_only=True):
    """Ask a platform which VMs restores over their originals would replace; one row for each point."""

    standby: StandbyId
    target_path: str = ""
    points: tuple[PointId, ...]
    platform: PlatformId | None = None
    """None: the registered platform that the first point came from."""


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

    None where the platform cannot say beforehand. What cannot be restored there is refused, as the restore is.
    """

    standby: StandbyId
    target_path: str = ""
    point: PointId
    platform: PlatformId
    target: NewVm | OverOriginal
