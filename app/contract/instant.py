"""Instant recoveries: starting VMs from restore points, and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.domain.ids import PlatformId, PointId, RecoveryId, RuleId, StandbyId, TaskId, VmId
from app.domain.instant import FinishWay, InstantAction, InstantState
from app.domain.places import PlannedVm
from app.domain.vms import VmPlacement


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantMember:
    """One VM to start, and the restore point that it runs from."""

    standby: StandbyId
    target_path: str = ""
    point: PointId
    placement: VmPlacement
    """Datastores in it do not count: the VM is on one that this machine serves."""
    power_on: bool = True


class StartInstantRecovery(Command[tuple[TaskId, ...]], frozen=True, kw_only=True):
    """瞬时恢复: run VMs from restore points; they start one after the other, in the order of the members."""

    platform: PlatformId
    members: tuple[InstantMember, ...]
    address: str = ""
    """Of this machine, to which the hosts connect; empty: the one that routes to each host."""
    rule: RuleId | None = None
    """The rule from whose list it is started."""


class StopInstantRecovery(Command[TaskId], frozen=True, kw_only=True):
    """Power its VM off and take it from the platform; one that somebody moved away stays.

    One that is stopped already can be discarded.
    """

    recovery: RecoveryId
    discard: bool = False
    """Delete what the VM wrote as well, after a typed confirmation; else it is kept, and can be started again."""


class ResumeInstantRecovery(Command[TaskId], frozen=True, kw_only=True):
    """Run the VM of a stopped recovery again, with what it had written."""

    recovery: RecoveryId
    power_on: bool = True


class FinishInstantRecovery(Command[TaskId], frozen=True, kw_only=True):
    """Move its VM to a datastore of the platform for good; nothing is needed of the point then."""

    recovery: RecoveryId
    way: FinishWay
    datastore: str
    """Id or name."""
    disk_datastores: tuple[tuple[int, str], ...] = ()
    """Pairs (disk key in the restore point, datastore) that differ from ``datastore``."""
    power_on: bool = True
    """Whether the VM is started afterwards; one that moves while it runs goes on running."""


class KeepInstantRecovery(Command[TaskId], frozen=True, kw_only=True):
    """Make a restore point of a stopped recovery: what its point holds, and what the VM wrote since."""

    recovery: RecoveryId


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantTraffic:
    """What a VM reads and writes here, in the last seconds."""

    reads_per_s: float
    read_bytes_per_s: float
    writes_per_s: float
    written_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantRow:
    """An instant recovery as lists show it."""

    id: RecoveryId
    name: str
    """Of the VM that runs from the point."""
    vm_name: str
    """Of the VM in the restore point."""
    state: InstantState
    percent: int | None = None
    """How far the move is, while it moves."""
    error: ErrorRow | None = None
    """Why the last that was done with it failed, or why its state is not known."""
    task: TaskId | None = None
    """The task that waits or works at it now; it can be stopped."""
    last_task: TaskId | None = None
    """The task that worked at it last, whose log tells what became of it."""
    standby: StandbyId
    standby_name: str = ""
    target_path: str = ""
    point: PointId
    point_at: datetime | None = None
    """When the restore point was made; None where it is not listed any more."""
    rule: RuleId | None = None
    rule_name: str = ""
    platform: PlatformId
    platform_name: str = ""
    host_name: str = ""
    """Empty before one was chosen."""
    datastore: str = ""
    vm: VmId | None = None
    address: str = ""
    """Of this machine, where the host connects."""
    since: datetime
    is_isolated: bool = False
    traffic: InstantTraffic | None = None
    """None while nothing is served."""
    overlay_bytes: int | None = None
    """What the VM's writes take at the standby; None when that cannot be told."""
    free_bytes: int | None = None
    """At the standby."""
    days_left: float | None = None
    """Until the standby is full when it goes on like this; None when it does not grow."""
    actions: tuple[InstantAction, ...] = ()
    """What can be done with it now."""


class ListInstantRecoveries(Query[tuple[InstantRow, ...]], frozen=True, kw_only=True):
    """Return the instant recoveries, the newest first; cheap enough for once a second."""


class PlanInstantRecovery(Query[PlannedVm | None], frozen=True, kw_only=True):
    """Return where an instant recovery would create its VM and what would not be as it was; nothing is done.

    None where the platform cannot say beforehand. What cannot be created there is refused, as the recovery is.
    """

    platform: PlatformId
    member: InstantMember


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingAddress:
    """An address of this machine at which hosts may find it."""

    address: str
    adapter: str
    """Name of the network adapter."""
    is_preferred: bool = False
    """Whether it is the one that routes to the host that was asked about."""


class ListServingAddresses(Query[tuple[ServingAddress, ...]], frozen=True, kw_only=True):
    """Return the addresses of the engine's machine, the preferred one first."""

    platform: PlatformId
    """Of which the route to its address decides."""
