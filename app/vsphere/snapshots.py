"""The life of a snapshot: created under our name, found by it, removed, its disks consolidated, and that verified.

Source: protocols page *vSphere facts*, section "Snapshots".
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError, SnapshotFailed, SnapshotGone
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.messages import Message
from app.domain.vms import FrozenVm, PowerState, SnapshotInfo, VirtualDisk
from app.domain.words import Done
from app.vsphere import messages, tasks
from app.vsphere.details import frozen_disks_of, snapshots_in
from app.vsphere.errors import (
    DatastoreFull,
    OperationUnsupported,
    PlatformBusy,
    PlatformRefused,
    PlatformTaskTimedOut,
)
from app.vsphere.faults import FAILURES, FOREIGN, error_reason, translate
from app.vsphere.faultwords import fault_reason
from app.vsphere.inventory import power_state
from app.vsphere.names import escaped, unescaped
from app.vsphere.properties import read, read_all
from app.vsphere.removal import Removal
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_DESCRIPTION = "Made by Standfast for a backup, which removes it again. Safe to delete when no backup runs."
_UNKNOWN_METHOD = (vmodl.fault.MethodNotFound, vmodl.fault.NotSupported, vmodl.fault.NotImplemented)
_QUIESCE_FAULTS = (
    vim.fault.ApplicationQuiesceFault,
    vim.fault.FilesystemQuiesceFault,
    vim.fault.GenericVmConfigFault,
    vim.fault.ToolsUnavailable,
)
_OTHER_FAILURES = (PlatformRefused, PlatformBusy, DatastoreFull, PlatformTaskTimedOut, OperationUnsupported)
"""Ours that are shown as a failed snapshot; all others say what is the matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTimings:
    """Time limits of snapshots, in seconds."""

    create_s: float = 900.0
    quiesced_create_s: float = 1500.0
    guest_quiesce_s: float = 900.0
    """How long the guest may take to quiesce; the platform gives up then."""
    quiesce_attempts: int = 3
    quiesce_pause_s: float = 5.0
    busy_s: float = 120.0
    """How long a VM may be busy with something else before its snapshot is given up."""
    busy_pause_s: float = 2.0
    undo_s: float = 900.0
    """How long a failed creation may take to be put in order."""
    first_pause_s: float = 5.0
    longest_pause_s: float = 60.0
    """Pauses between attempts to remove or consolidate grow from the first to the longest."""


class Snapshots:
    """Creates, finds and removes snapshots over one session. Thread: any."""

    def __init__(self, session: VSphereSession, timings: SnapshotTimings | None = None) -> None:
        self._session = session
        self.timings = timings or SnapshotTimings()

    # ---- create ------------------------------------------------------------------------------------------

    def create(self, vm: VmId, task: TaskId, *, quiesce: bool, log: TaskLog, cancel: CancelToken) -> FrozenVm:
        """Freeze a VM's disks; see ``Hypervisor.create_snapshot``."""
        cancel.check()
        name = SNAPSHOT_PREFIX + task
        vm_name = str(vm)
        try:
            row = self._session.run(
                lambda connection: read(connection.query(), connection.vm(vm), "name", "runtime.powerState")
            )
            vm_name = unescaped(row.get("name") or vm)
            running = power_state(row.get("runtime.powerState")) is PowerState.ON
            creation = _Creation(self, vm, vm_name, name, log, cancel)
            snapshot, failure = creation.quiesced() if quiesce and running else (None, None)
            crash_consistent = snapshot is None
            if snapshot is None:
                snapshot = self.take(vm, name, cancel=cancel, on_busy=creation.say_busy)
            disks = self._first_look(vm, snapshot, name)
        except FAILURES as error:
            raise self._failure(error, vm_name, Done.CREATED) from error
        return FrozenVm(
            snapshot=snapshot, disks=disks, crash_consistent=crash_consistent and running, quiesce_failure=failure
        )

    def take(
        self,
        vm: VmId,
        name: str,
        *,
        cancel: CancelToken,
        quiesce: bool = False,
        on_busy: Callable[[], None] = lambda: None,
    ) -> SnapshotId:
        """Create one snapshot; when that fails or is cancelled, nothing of that name is left on the VM.

        A VM that is busy with something else is waited for; ``on_busy`` is called before.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException, PlatformTaskTimedOut, TaskCancelled: why not.
            SnapshotFailed: a snapshot was left behind and could not be removed.
        """
        give_up_at = self._session.clock.monotonic() + self.timings.busy_s
        try:
            return self._take_once(vm, name, cancel, quiesce=quiesce)
        except vim.fault.TaskInProgress as busy:
            refused = busy
        on_busy()
        try:
            while self._session.clock.monotonic() < give_up_at:
                cancel.wait(self.timings.busy_pause_s)
                # It may be busy with a creation of ours, whose answer was lost and which the platform forgot.
                earlier = self._session.run(lambda connection: self._made(connection, vm, name))
                if earlier is not None:
                    return SnapshotId(earlier._moId)
                with contextlib.suppress(vim.fault.TaskInProgress):
                    made = self._take_once(vm, name, cancel, quiesce=quiesce)
                    self._remove_others(vm, name, made)
                    return made
            raise refused
        except BaseException:  # as below
            self._undo(vm, name, None)
            raise

    def _take_once(self, vm: VmId, name: str, cancel: CancelToken, *, quiesce: bool) -> SnapshotId:
        seconds = self.timings.quiesced_create_s if quiesce else self.timings.create_s
        waiting = Waiting(
            operation=Operation.CREATE_SNAPSHOT,
            deadline=Deadline.after(self._session.clock, seconds),
            cancel=cancel,
            instead=lambda connection: self._made(connection, vm, name),
        )
        task: str | None = None
        try:
            task = self._start_creation(vm, name, quiesce=quiesce)
            created = tasks.wait_for_task(self._session, task, waiting)
            return SnapshotId(created._moId) if created is not None else self._only_one_named(vm, name)
        except vim.fault.TaskInProgress:  # nothing was begun
            raise
        except BaseException:  # also a bug or an interrupt must not leave a snapshot on a production VM
            self._undo(vm, name, task)
            raise

    def _remove_others(self, vm: VmId, name: str, made: SnapshotId) -> None:
        """Remove what an earlier creation of ours made just before the one that counts."""
        deadline = Deadline.after(self._session.clock, self.timings.undo_s)
        for snapshot in self._named(vm, name):
            if snapshot != made:
                self.remove(vm, snapshot, deadline)

    def _made(self, connection: Connection, vm: VmId, name: str) -> Any:
        """Return a snapshot that is there and no longer being made, though its task is forgotten; else None."""
        tree = read(connection.query(), connection.vm(vm), "snapshot").need("snapshot")
        found = [snapshot.id for snapshot in snapshots_in(vm, tree) if snapshot.name == name]
        return connection.object(vim.vm.Snapshot, found[0]) if len(found) == 1 else None

    def _start_creation(self, vm: VmId, name: str, *, quiesce: bool) -> str:
        minutes = max(1, round(self.timings.guest_quiesce_s / 60))
        spec = vim.vm.GuestQuiesceSpec(timeout=minutes) if quiesce else None

        def start_newer(connection: Connection) -> Any:
            return connection.vm(vm).CreateSnapshotEx_Task(
                name=escaped(name), description=_DESCRIPTION, memory=False, quiesceSpec=spec
            )

        def start_older(connection: Connection) -> Any:
            return connection.vm(vm).CreateSnapshot_Task(
                name=escaped(name), description=_DESCRIPTION, memory=False, quiesce=quiesce
            )

        try:
            return tasks.start_task(self._session, start_newer)
        except _UNKNOWN_METHOD:
            return tasks.start_task(self._session, start_older)

    def _first_look(self, vm: VmId, snapshot: SnapshotId, name: str) -> tuple[VirtualDisk, ...]:
        try:
            return self._session.run(lambda connection: _frozen_disks(connection, snapshot))
        except BaseException:  # as above
            self._undo(vm, name, None)
            raise

    def disks(self, vm: VmId, snapshot: SnapshotId) -> tuple[VirtualDisk, ...]:
        """Return the disks of a snapshot as they lie now; see ``Hypervisor.frozen_disks``."""
        try:
            return self._session.run(lambda connection: _frozen_disks(connection, snapshot))
        except vmodl.fault.ManagedObjectNotFound as error:
            raise self.gone(vm) from error

    def gone(self, vm: VmId) -> SnapshotGone:
        """Return the error of a snapshot that is not found.

        Raises:
            vmodl.fault.ManagedObjectNotFound: the VM itself is gone.
        """
        row = self._session.run(lambda connection: read(connection.query(), connection.vm(vm), "name"))
        return SnapshotGone(vm=unescaped(row.get("name") or vm))

    # ---- undo --------------------------------------------------------------------------------------------

    def _undo(self, vm: VmId, name: str, task: str | None) -> None:
        """Wait until a creation that failed for us has ended on the platform, and remove what it made.

        Raises:
            SnapshotFailed, OperationalError: it may still be there; a later orphan search has to find it.
        """
        deadline = Deadline.after(self._session.clock, self.timings.undo_s)

        def put_in_order() -> None:
            if task is None:
                tasks.wait_for_unknown(self._session, lambda kinds: kinds.vm(vm), "createSnapshot", deadline)
            else:
                tasks.wait_for_end(self._session, task, deadline)
            for snapshot in self._named(vm, name):
                self.remove(vm, snapshot, deadline)

        try:
            tasks.through_outage(self._session, put_in_order, deadline)
        except vmodl.fault.ManagedObjectNotFound:
            return
        except FAILURES as error:
            raise self._failure(error, str(vm), Done.REMOVED) from error

    def _named(self, vm: VmId, name: str) -> list[SnapshotId]:
        def look(connection: Connection) -> list[SnapshotId]:
            tree = read(connection.query(), connection.vm(vm), "snapshot").need("snapshot")
            return [snapshot.id for snapshot in snapshots_in(vm, tree) if snapshot.name == name]

        return self._session.run(look)

    def _only_one_named(self, vm: VmId, name: str) -> SnapshotId:
        found = self._named(vm, name)
        if len(found) != 1:
            raise vmodl.fault.SystemError(
                msg="The platform did not report which snapshot it made.", reason="no result"
            )
        return found[0]

    # ---- remove ------------------------------------------------------------------------------------------

    def remove(
        self, vm: VmId, snapshot: SnapshotId, deadline: Deadline, watch: RemovalWatch | None = None
    ) -> None:
        """Remove a snapshot, consolidate, and look whether both happened; try again until the deadline.

        Raises:
            SnapshotRemovalRuns: nobody waits any more; it goes on.
            SnapshotFailed: it is still there, or the disks still need consolidation.
            OperationalError: nothing can be done, such as a missing privilege.
        """
        removal = self._removal(vm, deadline, watch)
        removal.of_snapshot(snapshot, self.timings.first_pause_s, self.timings.longest_pause_s)

    def finish_removals(self, vm: VmId, deadline: Deadline, watch: RemovalWatch | None = None) -> None:
        """Wait for removals that run on a VM already; see ``FinishesRemovals.finish_removals``."""
        removal = self._removal(vm, deadline, watch)
        removal.of_earlier_ones(self.timings.first_pause_s, self.timings.longest_pause_s)

    def _removal(self, vm: VmId, deadline: Deadline, watch: RemovalWatch | None) -> Removal:
        def failure(error: Exception) -> OperationalError:
            return self._failure(error, str(vm), Done.REMOVED)

        return Removal(self._session, vm, deadline, failure, watch)

    # ---- find --------------------------------------------------------------------------------------------

    def find(self, prefix: str) -> list[SnapshotInfo]:
        """Return every snapshot on the platform whose name starts with ``prefix``, in one paged query."""

        def look(connection: Connection) -> list[SnapshotInfo]:
            return [
                snapshot
                for row in read_all(connection.query(), {vim.VirtualMachine: ("snapshot",)})
                for snapshot in snapshots_in(VmId(row.moid), row.get("snapshot"))
                if snapshot.name.startswith(prefix)
            ]

        return self._session.run(look)

    def _failure(self, error: Exception, vm_name: str, operation: Done) -> OperationalError:
        ours = error
        if isinstance(error, FOREIGN):
            ours = translate(error, self._session.attempt(Operation.CHANGE_SNAPSHOT, vm_name))
        if isinstance(ours, _OTHER_FAILURES):
            return SnapshotFailed(vm=vm_name, operation=operation, detail=error_reason(error))
        assert isinstance(ours, OperationalError)
        return ours


class _Creation:
    """Attempts to make one snapshot. Thread: one."""

    def __init__(
        self, snapshots: Snapshots, vm: VmId, vm_name: str, name: str, log: TaskLog, cancel: CancelToken
    ) -> None:
        self._snapshots, self._vm, self._vm_name, self._name = snapshots, vm, vm_name, name
        self._log, self._cancel = log, cancel

    def say_busy(self) -> None:
        """Say that the VM is waited for."""
        self._log.warning(messages.VM_BUSY, vm=self._vm_name, seconds=round(self._snapshots.timings.busy_s))

    def quiesced(self) -> tuple[SnapshotId | None, Message | None]:
        """Return a quiesced snapshot, or why the guest cannot be quiesced."""
        timings = self._snapshots.timings
        attempts = timings.quiesce_attempts
        for attempt in range(1, attempts + 1):
            try:
                taken = self._snapshots.take(
                    self._vm, self._name, cancel=self._cancel, quiesce=True, on_busy=self.say_busy
                )
                return taken, None
            except vmodl.MethodFault as fault:
                if not _is_about_quiescing(fault):
                    raise
                reason = fault_reason(fault)
                hopeless = isinstance(fault, vim.fault.ToolsUnavailable)
            if hopeless or attempt == attempts:
                break
            self._log.info(
                messages.QUIESCE_RETRY, vm=self._vm_name, attempt=attempt, attempts=attempts, reason=reason
            )
            self._cancel.wait(timings.quiesce_pause_s)
        return None, reason


def _is_about_quiescing(fault: Exception) -> bool:
    # Subclasses of SnapshotFault say that no snapshot at all is possible; the bare one is what hosts raise
    # when the guest did not answer.
    return isinstance(fault, _QUIESCE_FAULTS) or type(fault) is vim.fault.SnapshotFault


def snapshot_devices(connection: Connection, snapshot: SnapshotId) -> list[Any]:
    """Return the devices as a snapshot holds them.

    Raises:
        vmodl.fault.ManagedObjectNotFound: the snapshot is gone.
    """
    reference = connection.object(vim.vm.Snapshot, snapshot)
    devices = read(connection.query(), reference, "config.hardware.device").need("config.hardware.device")
    return list(devices or ())


def _frozen_disks(connection: Connection, snapshot: SnapshotId) -> tuple[VirtualDisk, ...]:
    reference = connection.object(vim.vm.Snapshot, snapshot)
    row = read(connection.query(), reference, "config.hardware.device", "config.keyId")
    is_encrypted = row.get("config.keyId") is not None
    return frozen_disks_of(row.need("config.hardware.device") or (), is_encrypted=is_encrypted)
