"""What a task has to do, as it is stored with the task.

It is no command of the door: the two change independently of each other. It is a JSON document with the kind of
``task`` and the ``version`` of its form; :mod:`app.engine.tasks.stored` writes and reads it. A change by which
older documents would be read wrongly, or not at all, raises ``VERSION`` there and adds an upgrade of them.
"""

import msgspec

from app.domain.changetracking import ChangeTracking
from app.domain.ids import MigrationId, PlatformId, PointId, RecoveryId, RuleId, StandbyId, VmId
from app.domain.images import ImageFormat
from app.domain.instant import FinishWay
from app.domain.migration import MigrationWork
from app.domain.states import BackupKind, TransportMode
from app.domain.vms import VmPlacement


class _Spec(msgspec.Struct, frozen=True, kw_only=True, tag_field="task"):
    standby: StandbyId
    priority: int = 0


class BackupSpec(_Spec, frozen=True, kw_only=True, tag="backup"):
    """Backs one VM up."""

    platform: PlatformId
    vm: VmId
    vm_name: str
    target_path: str = ""
    """Directory of the repository on the standby, relative to its root."""
    rule: RuleId | None = None
    """The rule that it runs for: its retention is applied afterwards."""
    rule_name: str
    kind: BackupKind = BackupKind.INCREMENTAL
    tracking: ChangeTracking = ChangeTracking.AUTOMATIC
    quiesce: bool = False
    transports: tuple[TransportMode, ...] = ()
    """Modes to try, in order; empty takes those of the platform."""
    lan_free: bool = False
    """Whether the platform's LAN-free modes are tried first; without it they are not tried at all."""
    host: str = ""
    """ESXi host of the VM, when it is known: it limits how many tasks read from it at once."""
    retry: int = 0
    """How many times its rule has tried it again by itself; 0 for the run itself."""


class ConfirmedOriginal(msgspec.Struct, frozen=True, kw_only=True):
    """The VM that the operator saw and confirmed to be replaced."""

    vm: VmId
    name: str
    instance_uuid: str | None = None


class NewVmTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="target", tag="new_vm"):
    """Restores as a new VM."""

    placement: VmPlacement


class OriginalTarget(msgspec.Struct, frozen=True, kw_only=True, tag_field="target", tag="original"):
    """Restores in the place of the VM that the point was taken from."""

    datastore: str | None = None
    """None: where the VM came from."""
    host: str | None = None
    confirmed: ConfirmedOriginal | None = None
    """The VM to be replaced; None takes only one that is certainly the original."""


class RestoreSpec(_Spec, frozen=True, kw_only=True, tag="restore"):
    """Restores one restore point."""

    target_path: str = ""
    point: PointId
    platform: PlatformId
    name: str = ""
    """What the operator calls this restore."""
    target: NewVmTarget | OriginalTarget
    power_on: bool = False
    rule: RuleId | None = None
    """The rule whose group restore it belongs to."""
    transports: tuple[TransportMode, ...] = ()
    lan_free: bool = False


class VerifySpec(_Spec, frozen=True, kw_only=True, tag="verify"):
    """Reads a restore point back, every chunk against its digest."""

    target_path: str = ""
    point: PointId


class ExportSpec(_Spec, frozen=True, kw_only=True, tag="export"):
    """Writes disks of a restore point into files of another format."""

    target_path: str = ""
    point: PointId
    disks: tuple[int, ...] = ()
    """Device keys; empty: all disks of the point."""
    folder: str
    """Absolute path on the engine's machine."""
    image: ImageFormat = ImageFormat.RAW


class GarbageSpec(_Spec, frozen=True, kw_only=True, tag="sweep"):
    """Frees what no restore point needs."""

    target_path: str = ""


class ClosingSpec(_Spec, frozen=True, kw_only=True, tag="closing"):
    """Takes the rights that other users of the machine have on the repositories of a standby."""


class ConsolidationSpec(_Spec, frozen=True, kw_only=True, tag="consolidation"):
    """Merges what removed snapshots have left on the disks of a VM; no standby machine takes part."""

    standby: StandbyId = StandbyId("")
    platform: PlatformId
    vm: VmId
    vm_name: str


class RecoverySpec(_Spec, frozen=True, kw_only=True):
    """What tasks of one instant recovery have in common."""

    target_path: str = ""
    point: PointId
    platform: PlatformId
    recovery: RecoveryId
    vm_name: str
    rule: RuleId | None = None
    rule_name: str = ""


class InstantStartSpec(RecoverySpec, frozen=True, kw_only=True, tag="instant_start"):
    """Runs a VM from its restore point, or again with what it had written."""

    placement: VmPlacement
    power_on: bool = True
    address: str = ""
    """Of this machine; empty: the one that routes to the host."""


class InstantStopSpec(RecoverySpec, frozen=True, kw_only=True, tag="instant_stop"):
    """Takes the VM of an instant recovery from the platform."""

    discard: bool = False
    """Whether what it wrote is deleted as well."""


class InstantFinishSpec(RecoverySpec, frozen=True, kw_only=True, tag="instant_finish"):
    """Moves the VM of an instant recovery to a datastore of the platform."""

    way: FinishWay
    datastore: str
    disk_datastores: tuple[tuple[int, str], ...] = ()
    power_on: bool = True


class InstantKeepSpec(RecoverySpec, frozen=True, kw_only=True, tag="instant_keep"):
    """Makes a restore point of what the VM of a stopped instant recovery left."""


class MigrationSpec(_Spec, frozen=True, kw_only=True, tag="migration"):
    """Works at the migration of one VM; no standby machine takes part."""

    standby: StandbyId = StandbyId("")
    platform: PlatformId
    """Of the source."""
    vm: VmId
    vm_name: str
    migration: MigrationId
    work: MigrationWork = MigrationWork.COPY
    host: str = ""


class ProofSpec(_Spec, frozen=True, kw_only=True, tag="proof"):
    """Starts the VM of a restore point without a network, looks at it and takes it away."""

    target_path: str = ""
    point: PointId
    platform: PlatformId | None
    """Where it is started; None: nowhere, only what is on its disks is looked at."""
    host: str = ""
    """Id or name; empty: the platform's choice."""
    address: str = ""
    """Of this machine; empty: the one that routes to the host."""
    limit_s: float
    """How long the guest system may take to come up."""
    cpus: int
    memory_mib: int
    rule: RuleId | None = None
    at_once: int = 1
    """How many proofs of the rule run at the same time; of those without a rule, all together."""
    is_automatic: bool = False
    """Whether the rule asked for it, so that it counts for the minutes of its day."""


InstantSpec = InstantStartSpec | InstantStopSpec | InstantFinishSpec | InstantKeepSpec
TaskSpec = (
    BackupSpec
    | RestoreSpec
    | VerifySpec
    | ExportSpec
    | GarbageSpec
    | ClosingSpec
    | ConsolidationSpec
    | InstantStartSpec
    | InstantStopSpec
    | InstantFinishSpec
    | InstantKeepSpec
    | MigrationSpec
    | ProofSpec
)
