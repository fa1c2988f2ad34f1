"""Implements the engine's hypervisor port for vSphere, over one session."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

from app.core.access import DiskAccess
from app.core.cancel import CancelToken
from app.core.patience import Patience
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.errors import LicenseRefused, PrivilegeMissing
from app.domain.extents import Extent
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.messages import Message
from app.domain.places import PlannedVm, PlatformPlaces, SavedHardware
from app.domain.platforms import PlatformFacts, PlatformKind, PrivilegeCheck
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
from app.vsphere import consolidation, details, inventory, places
from app.vsphere.access import VSphereAccess
from app.vsphere.attachments import VSphereAttacher
from app.vsphere.change_tracking import ChangeTracking
from app.vsphere.configuration import Configurations
from app.vsphere.creation import Creation
from app.vsphere.faults import translated
from app.vsphere.files import SmallFiles
from app.vsphere.history import History
from app.vsphere.identity import give_identity
from app.vsphere.inventory_updates import InventoryWatch
from app.vsphere.marked_vms import MarkedVms
from app.vsphere.nfs_datastores import VSphereNfs
from app.vsphere.nfs_hosting import NfsHosting
from app.vsphere.power import VmControl
from app.vsphere.privileges import check_privileges
from app.vsphere.properties import read
from app.vsphere.session import VSphereSession
from app.vsphere.snapshots import Snapshots, SnapshotTimings
from app.vsphere.startorder import take_over_order
from app.vsphere.tasks import Deadline
from app.vsphere.vddk import VSphereVddk
from app.vsphere.words import Operation

_FREE_EDITION = "esxBasic"
"""How the edition of the free ESXi license begins."""


class VSphereHypervisor(NfsHosting):
    """Implements ``Hypervisor`` of the core and its optional ports.

    Attributes:
        session: the login.

    Thread: any.
    """

    def __init__(
        self, session: VSphereSession, facts: PlatformFacts, *, timings: SnapshotTimings | None = None
    ) -> None:
        self._access = VSphereAccess(session)
        files = SmallFiles(session, self._access)
        super().__init__(session, files, facts.instance_uuid or "")
        self._facts = facts
        self._snapshots = Snapshots(session, timings)
        self._tracking = ChangeTracking(session, self._snapshots)
        self._history = History(session)
        self._configurations = Configurations(session, files, facts.instance_uuid or "")
        self._creation = Creation(session, files, facts.instance_uuid or "")
        self._control = VmControl(session)
        self._marked = MarkedVms(session)
        self._watch = InventoryWatch(session)

    @property
    def facts(self) -> PlatformFacts:
        """What the platform said of itself at login."""
        return self._facts

    @property
    def disk_access(self) -> DiskAccess:
        """NFC tickets and datastore addresses."""
        return DiskAccess(
            nfc=self._access,
            https=self._access,
            nfs=VSphereNfs(self.session),
            vddk=VSphereVddk(self.session, self._facts.kind),
            patience=self.session.patience,
            allows_plain=self.session.platform.allows_plain_transport,
        )

    @property
    def disk_attacher(self) -> VSphereAttacher:
        """What attaches disks to the VM that this program runs in."""
        return VSphereAttacher(self.session)

    def be_patient(self, patience: Patience) -> None:
        """Wait while the platform cannot be reached, from now on, wherever a call may safely be sent again."""
        self.session.be_patient(patience)

    def check_license(self) -> None:
        """Report at registration what would otherwise fail at the first backup.

        Raises:
            LicenseRefused: the host has the free license, which allows no changes.
        """
        if self._facts.kind is not PlatformKind.ESXI:
            return
        with translated(self.session.attempt(Operation.READ_LICENSES)):
            row = self.session.run(
                lambda connection: read(connection.query(), connection.content.licenseManager, "licenses")
            )
        editions = [license.editionKey or "" for license in row.get("licenses") or ()]
        if editions and all(edition.startswith(_FREE_EDITION) for edition in editions):
            raise LicenseRefused(address=self.session.platform.address, operation=Operation.CREATE_SNAPSHOTS)

    def license_name(self) -> str:
        """Return what the platform's licenses are called; empty when the account may not read them."""
        try:
            with translated(self.session.attempt(Operation.READ_LICENSES)):
                row = self.session.run(
                    lambda connection: read(connection.query(), connection.content.licenseManager, "licenses")
                )
        except PrivilegeMissing:
            return ""
        return ", ".join(dict.fromkeys(license.name for license in row.get("licenses") or () if license.name))

    def check_privileges(self, vm: VmId | None = None) -> Sequence[PrivilegeCheck]:
        """Return every privilege that a backup or a restore needs, and whether the account has it."""
        with translated(self.session.attempt(Operation.TELL_PRIVILEGES)):
            return self.session.run(lambda connection: check_privileges(connection, vm))

    # ---- reading -----------------------------------------------------------------------------------------

    def list_vms(self) -> Sequence[VmSummary]:
        """Return the whole inventory, in one paged query."""
        with translated(self.session.attempt(Operation.LIST_VMS)):
            return self.session.run(inventory.list_vms)

    def follow_vms(self) -> Sequence[VmSummary]:
        """Return what :meth:`list_vms` does, from the second time on by what changed; see ``FollowsInventory``."""
        with translated(self.session.attempt(Operation.LIST_VMS)):
            return self._watch.look()

    def vm_details(self, vm: VmId) -> VmDetails:
        """Return one VM with its disks and snapshots.

        Raises:
            VmNotFound: it is gone.
        """
        with translated(self.session.attempt(Operation.DESCRIBE_VM, str(vm))):
            return self.session.run(lambda connection: details.vm_details(connection, vm))

    # ---- snapshots and change tracking -------------------------------------------------------------------

    def enable_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Switch CBT on where it is supported and off; return whether it is on afterwards."""
        with translated(self.session.attempt(Operation.SWITCH_TRACKING_ON, str(vm))):
            return self._tracking.enable(vm, log=log, cancel=cancel)

    def reset_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Start the tracking of all disks of a VM again; return whether that was done."""
        with translated(self.session.attempt(Operation.RESET_TRACKING, str(vm))):
            return self._tracking.reset(vm, log=log, cancel=cancel)

    def create_snapshot(
        self, vm: VmId, task: TaskId, *, quiesce: bool, log: TaskLog, cancel: CancelToken
    ) -> FrozenVm:
        """Freeze the VM's disks in a snapshot named for the task.

        Raises:
            SnapshotFailed: no snapshot was created; nothing is left on the VM.
            TaskCancelled: cancelled; nothing is left on the VM.
        """
        with translated(self.session.attempt(Operation.CREATE_SNAPSHOT, str(vm))):
            return self._snapshots.create(vm, task, quiesce=quiesce, log=log, cancel=cancel)

    def frozen_disks(self, vm: VmId, snapshot: SnapshotId) -> tuple[VirtualDisk, ...]:
        """Return the disks of a snapshot as they lie now: a storage vMotion moves their files.

        Raises:
            SnapshotGone: the snapshot is not on the VM any more.
            VmNotFound: the VM itself is gone.
        """
        with translated(self.session.attempt(Operation.LOOK_AT_SNAPSHOT, str(vm))):
            return self._snapshots.disks(vm, snapshot)

    def remove_snapshot(
        self, vm: VmId, snapshot: SnapshotId, *, deadline_s: float, watch: RemovalWatch | None = None
    ) -> None:
        """Remove a snapshot and consolidate its disks; see ``Hypervisor.remove_snapshot``.

        Raises:
            SnapshotRemovalRuns: the watch ended the wait; it goes on.
            SnapshotFailed: it is still there, or the disks still need consolidation.
        """
        with translated(self.session.attempt(Operation.REMOVE_SNAPSHOT, str(vm))):
            self._snapshots.remove(vm, snapshot, Deadline.after(self.session.clock, deadline_s), watch)

    def finish_removals(self, vm: VmId, *, deadline_s: float, watch: RemovalWatch | None = None) -> None:
        """Wait until no removal of a snapshot runs on a VM, and consolidate what they left.

        Raises:
            SnapshotRemovalRuns: the watch ended the wait; it goes on.
            SnapshotFailed: the disks still need consolidation.
        """
        with translated(self.session.attempt(Operation.REMOVE_SNAPSHOT, str(vm))):
            self._snapshots.finish_removals(vm, Deadline.after(self.session.clock, deadline_s), watch)

    def consolidate_disks(self, vm: VmId, *, on_progress: Callable[[int], None], cancel: CancelToken) -> None:
        """Merge what removed snapshots have left on the disks of a VM.

        Raises:
            DisksStillUnconsolidated: something is still left.
            TaskCancelled: cancelled; the platform was asked to stop.
        """
        with translated(self.session.attempt(Operation.CONSOLIDATE_DISKS, str(vm))):
            consolidation.consolidate_disks(self.session, vm, on_progress=on_progress, cancel=cancel)

    def find_snapshots(self, prefix: str) -> Sequence[SnapshotInfo]:
        """Return every snapshot on the platform whose name starts with ``prefix``."""
        with translated(self.session.attempt(Operation.FIND_SNAPSHOTS)):
            return self._snapshots.find(prefix)

    def changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        """Return what changed on a frozen disk since a change id, or with None what is allocated.

        Raises:
            ChangeTrackingLost: it cannot be determined; read the disk whole.
            SnapshotGone: the snapshot is not on the VM any more.
        """
        with translated(self.session.attempt(Operation.TELL_CHANGES, str(vm))):
            return self._tracking.changed_extents(vm, snapshot, disk_key, capacity_bytes, since)

    def history_mark(self) -> HistoryMark:
        """Return where the platform's history is now: its own time, and its newest event."""
        with translated(self.session.attempt(Operation.TELL_HISTORY)):
            return self._history.mark()

    def reverted_since(self, vm: VmId, moment: datetime | HistoryMark) -> bool:
        """Return whether the VM was brought back to an earlier snapshot since a mark, or a moment of our clock.

        Raises:
            HistoryIncomplete: the platform does not remember.
        """
        with translated(self.session.attempt(Operation.TELL_HISTORY_OF_VM, str(vm))):
            return self._history.reverted_since(vm, moment)

    # ---- configuration and creation ----------------------------------------------------------------------

    def save_configuration(self, vm: VmId, *, log: TaskLog) -> SavedConfiguration:
        """Return all that is needed to create the VM again."""
        with translated(self.session.attempt(Operation.DESCRIBE_VM, str(vm))):
            return self._configurations.save(vm, log=log)

    def create_vm(self, saved: SavedConfiguration, placement: VmPlacement, *, log: TaskLog) -> CreatedVm:
        """Create a powered-off VM with empty disks from a saved configuration.

        Raises:
            VmCreationFailed: nothing is left on the platform.
        """
        with translated(self.session.attempt(Operation.CREATE_VM, placement.name)):
            return self._creation.create(saved, placement, log=log)

    def plan_vm(self, saved: SavedConfiguration, placement: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created and what would not be as it was; changes nothing.

        Raises:
            VmCreationFailed: it cannot be created there; the message says what to do.
        """
        with translated(self.session.attempt(Operation.PLAN_VM, placement.name)):
            return self._creation.plan(saved, placement)

    def plan_here(self, saved: SavedConfiguration, placement: VmPlacement) -> PlannedVm:
        """Decide where a VM would be created that runs from this machine; see ``RunsFromNfs.plan_here``.

        Raises:
            VmCreationFailed: it cannot be created there; the message says what to do.
        """
        with translated(self.session.attempt(Operation.PLAN_VM, placement.name)):
            return self._creation.plan_here(saved, placement)

    def list_places(self) -> PlatformPlaces:
        """Return the datacenters, hosts, datastores and networks that a new VM can use."""
        with translated(self.session.attempt(Operation.LIST_PLACES)):
            return self.session.run(lambda connection: places.list_places(connection.query()))

    def saved_hardware(self, saved: SavedConfiguration) -> SavedHardware:
        """Return what a saved VM was made of.

        Raises:
            ConfigurationUnreadable: it cannot be determined.
        """
        return places.hardware_of(saved)

    def find_marked(self, name: str, mark: str) -> VmId | None:
        """Return the VM of a name that was created with a placement's mark, None when there is none."""
        with translated(self.session.attempt(Operation.FIND_VM, name)):
            return self._marked.find(name, mark)

    def give_identity(self, vm: VmId, saved: SavedConfiguration) -> tuple[Message, ...]:
        """Give a powered-off VM the UUIDs and network addresses of a saved one that is gone."""
        with translated(self.session.attempt(Operation.SET_IDENTITY, str(vm))):
            return give_identity(self.session, vm, saved)

    def take_over_order(self, created: VmId, original: VmId) -> bool:
        """Give a VM the place that another one has in the order of the vApp that holds both."""
        with translated(self.session.attempt(Operation.ORDER_VMS, str(created))):
            return self.session.run(lambda connection: take_over_order(connection, created, original))

    # ---- control -----------------------------------------------------------------------------------------

    def rename_vm(self, vm: VmId, name: str) -> None:
        """Give the VM another display name."""
        with translated(self.session.attempt(Operation.RENAME_VM, str(vm))):
            self._control.rename(vm, name)

    def power_on(self, vm: VmId) -> None:
        """Start the VM and wait until it runs.

        Raises:
            PowerOperationFailed: it does not start.
        """
        with translated(self.session.attempt(Operation.POWER_ON, str(vm))):
            self._control.power_on(vm)

    def power_off(self, vm: VmId) -> None:
        """Stop the VM hard and wait until it is off; a VM that is off already is fine.

        Raises:
            PowerOperationFailed: it does not stop.
        """
        with translated(self.session.attempt(Operation.POWER_OFF, str(vm))):
            self._control.power_off(vm)

    def shut_down_guest(self, vm: VmId) -> bool:
        """Ask the system in a running VM to shut down; return False when no tools run in it."""
        with translated(self.session.attempt(Operation.POWER_OFF, str(vm))):
            return self._control.shut_down_guest(vm)

    def mark_as_template(self, vm: VmId) -> None:
        """Make a template of a powered-off VM; one that is a template already is fine."""
        with translated(self.session.attempt(Operation.MARK_AS_TEMPLATE, str(vm))):
            self._control.mark_as_template(vm)

    def destroy_vm(self, vm: VmId) -> None:
        """Delete the VM with its disks; a VM that is gone already is fine."""
        with translated(self.session.attempt(Operation.DELETE_VM, str(vm))):
            self._control.destroy(vm)

    # ---- the session -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Log out; never raises."""
        self.session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
