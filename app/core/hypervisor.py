"""A hypervisor as the engine sees it. vSphere is the first that fulfils this; a second must fit unchanged."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, Self, runtime_checkable

from app.core.access import DiskAccess, DiskAttacher
from app.core.cancel import CancelToken
from app.core.patience import Patience
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.extents import Extent
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.messages import Message
from app.domain.platforms import Platform, PlatformFacts, PrivilegeCheck, ServerCertificate
from app.domain.restore_point import HistoryMark
from app.domain.vms import (
    CreatedVm,
    FrozenVm,
    SavedConfiguration,
    SnapshotInfo,
    VirtualDisk,
    VmDetails,
    VmPlacement,
    VmSummary,
)

SNAPSHOT_PREFIX = "Standfast-"
"""Every snapshot of ours is named by this prefix and the id of the task that owns it."""

TRACKING_SNAPSHOT_PREFIX = SNAPSHOT_PREFIX + "cbt-"
"""Those that a hypervisor makes only for the moment in which tracking is switched; no task is named in them."""


class Hypervisor(Protocol):
    """A logged-in session on one platform. It logs in again automatically when the session expires.

    Every method may raise the platform errors of ``app.domain.errors`` (unreachable, login refused,
    certificate changed, privilege missing, license refused). Thread: any; calls of one session may wait
    for each other.
    """

    @property
    def facts(self) -> PlatformFacts:
        """What the platform said of itself at login."""
        ...

    @property
    def disk_access(self) -> DiskAccess:
        """The ways to reach its disks."""
        ...

    def list_vms(self) -> Sequence[VmSummary]:
        """Return the whole inventory, in one paged query."""
        ...

    def vm_details(self, vm: VmId) -> VmDetails:
        """Return one VM with its disks and snapshots.

        Raises:
            VmNotFound: it is gone.
        """
        ...

    def enable_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Switch CBT on where it is supported and off; return whether it is on afterwards.

        Never touches a VM that has snapshots: there CBT would lose changes in silence. Why it was not
        switched on goes to the log. A snapshot that is made for this is named with
        :data:`TRACKING_SNAPSHOT_PREFIX` and is gone afterwards, unless the program was killed in between.
        """
        ...

    def create_snapshot(
        self, vm: VmId, task: TaskId, *, quiesce: bool, log: TaskLog, cancel: CancelToken
    ) -> FrozenVm:
        """Freeze the VM's disks in a snapshot named for the task.

        When quiescing fails it is tried again, then the snapshot is taken crash-consistent and the result
        says so.

        Raises:
            SnapshotFailed: no snapshot was created; nothing is left on the VM.
            TaskCancelled: cancelled; nothing is left on the VM.
        """
        ...

    def frozen_disks(self, vm: VmId, snapshot: SnapshotId) -> tuple[VirtualDisk, ...]:
        """Return the disks of a snapshot as they lie now: the platform may have moved their files meanwhile.

        Raises:
            SnapshotGone: the snapshot is not on the VM any more.
            VmNotFound: the VM itself is gone.
        """
        ...

    def remove_snapshot(
        self, vm: VmId, snapshot: SnapshotId, *, deadline_s: float, watch: RemovalWatch | None = None
    ) -> None:
        """Remove a snapshot and consolidate its disks; a snapshot that is gone already is fine.

        It is never cancelled: what has begun goes on on the platform, whether or not it is waited for.

        Args:
            vm: whose.
            snapshot: which one.
            deadline_s: how long it may stand still, or fail again and again.
            watch: is told how far it is, and ends the wait.

        Raises:
            SnapshotRemovalRuns: the watch ended the wait; it goes on.
            SnapshotFailed: it is still there, or the disks still need consolidation.
        """
        ...

    def find_snapshots(self, prefix: str) -> Sequence[SnapshotInfo]:
        """Return every snapshot on the platform whose name starts with ``prefix``."""
        ...

    def changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        """Return what changed on a frozen disk since a change id, or with None what is allocated.

        Raises:
            ChangeTrackingLost: it cannot be determined; read the disk whole.
            SnapshotGone: the snapshot is not on the VM any more.
        """
        ...

    def save_configuration(self, vm: VmId, *, log: TaskLog) -> SavedConfiguration:
        """Return all that is needed to create the VM again."""
        ...

    def create_vm(self, saved: SavedConfiguration, placement: VmPlacement, *, log: TaskLog) -> CreatedVm:
        """Create a powered-off VM with empty disks from a saved configuration.

        Raises:
            VmCreationFailed: nothing is left on the platform.
            OperationalError: another one; something may be left.
        """
        ...

    def rename_vm(self, vm: VmId, name: str) -> None:
        """Give the VM another display name."""
        ...

    def power_on(self, vm: VmId) -> None:
        """Start the VM and wait until it runs."""
        ...

    def power_off(self, vm: VmId) -> None:
        """Stop the VM hard and wait until it is off; a VM that is off already is fine."""
        ...

    def destroy_vm(self, vm: VmId) -> None:
        """Delete the VM with its disks; a VM that is gone already is fine."""
        ...

    def close(self) -> None:
        """Log out; never raises."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


@runtime_checkable
class FollowsInventory(Protocol):
    """Follows the inventory by its changes; optional for a hypervisor session that stays open. Thread: any."""

    def follow_vms(self) -> Sequence[VmSummary]:
        """Return every VM, as ``list_vms`` does: the first time as slowly, later by what changed since then.

        Raises:
            OperationalError: the platform refused or cannot be reached.
        """
        ...


@runtime_checkable
class FinishesRemovals(Protocol):
    """Finishes removals that an earlier session began; optional for a hypervisor session. Thread: any."""

    def finish_removals(self, vm: VmId, *, deadline_s: float, watch: RemovalWatch | None = None) -> None:
        """Wait until no removal of a snapshot runs on a VM, and consolidate what they left.

        A VM that is gone is fine.

        Args:
            vm: which one.
            deadline_s: how long it may stand still, or fail again and again.
            watch: is told how far it is, and ends the wait.

        Raises:
            SnapshotRemovalRuns: the watch ended the wait; it goes on.
            SnapshotFailed: the disks still need consolidation.
        """
        ...


@runtime_checkable
class ResettableTracking(Protocol):
    """Resets change tracking; optional for a hypervisor session. Thread: any."""

    def reset_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Restart the tracking of all disks of a VM; return whether that was done.

        Called after tracking was caught leaving out changes, when no snapshot of ours is on the VM. Change
        ids from before cannot be used afterwards. Why it was not done goes to the log.
        """
        ...


@runtime_checkable
class ConsolidatesDisks(Protocol):
    """Merges what removed snapshots have left; optional for a hypervisor session. Thread: any."""

    def consolidate_disks(self, vm: VmId, *, on_progress: Callable[[int], None], cancel: CancelToken) -> None:
        """Merge what removed snapshots have left on the disks of a VM; that may take hours.

        Args:
            vm: the VM; it may run meanwhile.
            on_progress: called with the percentage, from this thread, when it changes.
            cancel: asks the platform to stop; it may still go on for a while.

        Raises:
            OperationalError: something is still left.
            TaskCancelled: cancelled.
        """
        ...


@runtime_checkable
class AttachesDisks(Protocol):
    """Attaches disks to the VM that this program runs in; optional for a hypervisor session. Thread: any."""

    @property
    def disk_attacher(self) -> DiskAttacher:
        """What attaches disks, for use by what notes it durably before."""
        ...


@runtime_checkable
class RevertHistory(Protocol):
    """Reports reverts to earlier snapshots; optional for a hypervisor session. Thread: any."""

    def reverted_since(self, vm: VmId, moment: datetime | HistoryMark) -> bool:
        """Return whether the VM was brought back to an earlier snapshot since a mark, or a moment of our clock.

        Changed block tracking does not show it: a change id from before counts on as if nothing had happened, and
        the changes it names are not the difference any more. When in doubt, the answer is True. A moment of our
        own clock is right only if that clock was right then, and still is.

        Raises:
            OperationalError: the history cannot be read, or does not reach back so far.
        """
        ...


@runtime_checkable
class MarkedHistory(Protocol):
    """Marks places in the platform's own history, independent of our clock; optional. Thread: any."""

    def history_mark(self) -> HistoryMark:
        """Return where the platform's history is now.

        Raises:
            OperationalError: it cannot be determined.
        """
        ...


@runtime_checkable
class MarkedVms(Protocol):
    """Finds VMs that a restore created; optional for a hypervisor session. Thread: any."""

    def find_marked(self, name: str, mark: str) -> VmId | None:
        """Return the VM of a name that was created with a placement's mark, None when there is none."""
        ...


@runtime_checkable
class KeptIdentity(Protocol):
    """Gives a restored VM the identity of the saved one; optional for a hypervisor session. Thread: any."""

    def give_identity(self, vm: VmId, saved: SavedConfiguration) -> tuple[Message, ...]:
        """Give a powered-off VM the UUIDs and network addresses of a saved one that is gone.

        Returns:
            What could not be given, in words; empty when the VM now has the saved identity.

        Raises:
            OperationalError: the platform refused; the VM has its own identity.
        """
        ...


@runtime_checkable
class KeptOrder(Protocol):
    """Lets a restored VM start and stop when the original did; optional for a hypervisor session. Thread: any."""

    def take_over_order(self, created: VmId, original: VmId) -> bool:
        """Give a VM the place that another one has in the order in which the platform starts and stops them.

        Returns:
            False when there is no such order that holds both.

        Raises:
            OperationalError: the platform refused.
        """
        ...


@runtime_checkable
class KeepsTemplates(Protocol):
    """Makes templates of VMs; optional for a hypervisor session. Thread: any."""

    def mark_as_template(self, vm: VmId) -> None:
        """Make a template of a powered-off VM; one that is a template already is fine.

        Raises:
            OperationalError: it stays a VM.
        """
        ...


@runtime_checkable
class Examinable(Protocol):
    """Checks license and privileges for the doctor; optional for a hypervisor session. Thread: any."""

    def check_license(self) -> None:
        """Report at registration what would otherwise fail at the first backup.

        Raises:
            LicenseRefused: the license allows no changes through the API.
        """
        ...

    def license_name(self) -> str:
        """Return the names of the platform's licenses; empty when it does not say."""
        ...

    def check_privileges(self, vm: VmId | None = None) -> Sequence[PrivilegeCheck]:
        """Return every privilege that a backup or a restore needs, and whether the account has it.

        Args:
            vm: where to look; None looks at the top of the inventory.
        """
        ...


@runtime_checkable
class WaitsForPlatform(Protocol):
    """Waits for a platform that is away; optional for a hypervisor session. Thread: any."""

    def be_patient(self, patience: Patience) -> None:
        """Wait while the platform cannot be reached, from now on, wherever a call may safely be sent again."""
        ...


@runtime_checkable
class CertificateSource(Protocol):
    """Shows certificates before a login; optional for a :class:`HypervisorFactory`. Thread: any."""

    def inspect(self, address: str, port: int) -> ServerCertificate:
        """Return the certificate that a server shows, sending nothing but a TLS handshake.

        Raises:
            PlatformUnreachable: nothing answers there, or not with TLS.
        """
        ...


class HypervisorFactory(Protocol):
    """Logs in to platforms."""

    def connect(self, platform: Platform, password: str) -> Hypervisor:
        """Log in.

        Raises:
            PlatformUnreachable, LoginRefused, CertificateChanged: as they say.
        """
        ...
