"""The managed object VirtualMachine: its state, and one method per SOAP call, which leads to its module."""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.entity import Entity
from app.simulator.objects import Call, Lazy, SimObject
from app.simulator.storage import DatastorePath
from app.simulator.vm import (
    changed_areas,
    config,
    consolidation,
    layout,
    lifecycle,
    power,
    reconfigure,
    relocate,
    revert,
    snapshots,
    views,
)
from app.simulator.vm.disks import DiskTree, create_missing_disks
from app.simulator.vm.values import disks_of

if TYPE_CHECKING:
    from app.simulator.inventory.compute import ResourcePool
    from app.simulator.inventory.host import HostSystem
    from app.simulator.tasks import TaskProgress
    from app.simulator.vm.snapshot import Snapshot
    from app.simulator.world import World

_FOLLOW_CONFIG = (
    "config", "summary", "guest", "layoutEx", "layout", "storage", "datastore", "network", "resourceConfig",
)  # fmt: skip
_FOLLOW_STATE = ("runtime", "summary", "guest", "guestHeartbeatStatus")
_FOLLOW_SNAPSHOTS = ("snapshot", "rootSnapshot", "layoutEx", "layout", "storage", "runtime", "summary")


@dataclass(eq=False)
class Question:
    """Something that the VM asks before it goes on."""

    info: vim.vm.QuestionInfo
    answer: str | None = None
    answered: threading.Event = field(default_factory=threading.Event)


class VirtualMachine(Entity):
    """A virtual machine.

    Attributes:
        host: where it runs, or would run.
        pool: the pool it draws from.
        power_state: ``poweredOn``, ``poweredOff`` or ``suspended``.
        boot_time: since when it runs; None while it does not.
        hostname: what its guest tools tell; None when there are none.
        files_lock: held while disks are created that were only promised, or moved, or opened over NFC.
        has_files: False as long as its disks are not on this machine's disk, for inventories of thousands.
        datastore_names: the datastores that hold files of it.
        root_snapshots: the snapshots without a parent.
        current_snapshot: the one that the present state stands on.
        last_snapshot_number: counts snapshots; never goes back.
        consolidation_needed: True when files of removed snapshots could not be merged.
        question: what it asks, if anything.
        moved_here: True after a registration at another place than it was written at: it asks before it starts.
        workload_bytes_per_s: what its guest writes each second.
    """

    vim_type = vim.VirtualMachine
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "runtime": views.runtime,
        "guest": views.guest,
        "guestHeartbeatStatus": views.heartbeat,
        "summary": views.summary,
        "storage": views.storage,
        "datastore": views.datastores,
        "network": views.networks,
        "resourceConfig": views.resource_config,
        "layoutEx": layout.layout_ex,
        "layout": layout.layout,
        "snapshot": snapshots.snapshot_info,
        "rootSnapshot": lambda vm: [snapshot.ref for snapshot in vm.root_snapshots],
        "capability": lambda _: config.capability(),
        "resourcePool": lambda vm: None if vm.config.template else vm.pool.ref,
        "environmentBrowser": lambda vm: vm.pool.owner.properties["environmentBrowser"],
    }

    def __init__(
        self,
        world: "World",
        moid: str,
        name: str,
        parent: SimObject | None,
        *,
        made: "vim.vm.ConfigInfo | Lazy",
        host: "HostSystem",
        pool: "ResourcePool",
        datastore_names: frozenset[str],
        hostname: str | None = None,
        has_files: bool = True,
        power_state: str = "poweredOff",
    ) -> None:
        super().__init__(world, moid, name, parent, config=made)
        self.host = host
        self.pool = pool
        self.power_state = power_state
        self.boot_time: datetime | None = world.now() if power_state == "poweredOn" else None
        self.hostname = hostname
        self.has_files = has_files
        self.files_lock = threading.Lock()
        self.datastore_names = datastore_names
        self.root_snapshots: list[Snapshot] = []
        self.current_snapshot: Snapshot | None = None
        self.last_snapshot_number = 0
        self.consolidation_needed = False
        self.question: Question | None = None
        self.moved_here = False
        self.workload_bytes_per_s = 0
        self._trees: dict[int, DiskTree] = {}

    # ---- state -----------------------------------------------------------------------------------------

    @property
    def config(self) -> vim.vm.ConfigInfo:
        """The configuration; never changed in place."""
        made: vim.vm.ConfigInfo = self.read("config")
        return made

    @property
    def trees(self) -> dict[int, DiskTree]:
        """The files of each disk by device key; disks that were only promised are created now."""
        if not self.has_files:
            create_missing_disks(self)
        return self._trees

    def set_trees(self, trees: dict[int, DiskTree]) -> None:
        """Say which files the VM's disks are made of; from now on it has files."""
        self._trees = trees
        self.has_files = True

    @property
    def is_running(self) -> bool:
        """True while it is powered on."""
        return self.power_state == "poweredOn"

    def set_config(self, made: vim.vm.ConfigInfo) -> None:
        """Give the VM another configuration and tell everybody."""
        with self.world.lock:
            self.properties["config"] = made
            self.properties["name"] = made.name
            self.datastore_names = _datastore_names(made, self._trees)
            for name in _FOLLOW_CONFIG[1:]:
                self.properties.pop(name, None)
            self.touch("name", *_FOLLOW_CONFIG)

    def set_power(self, state: str) -> None:
        """Give the VM another power state and tell everybody."""
        with self.world.lock:
            self.power_state = state
            self.boot_time = self.world.now() if state == "poweredOn" else None
            self.refresh(*_FOLLOW_STATE)

    def set_question(self, question: Question | None) -> None:
        """Let the VM ask something, or ask nothing any more."""
        with self.world.lock:
            self.question = question
            self.refresh("runtime", "summary")

    def set_host(self, host: "HostSystem") -> None:
        """Let the VM be on another host."""
        with self.world.lock:
            for one in (self.host, host):
                others = [ref for ref in one.properties["vm"] if ref != self.ref]
                one.set(vm=[*others, self.ref] if one is host else others)
            self.host = host
            self.refresh("runtime", "summary")

    def snapshots_changed(self) -> None:
        """Tell everybody that snapshots or the disks' files changed."""
        with self.world.lock:
            trees = self._trees.values()
            self.consolidation_needed = any(tree.needs_consolidation for tree in trees)
            self.refresh(*_FOLLOW_SNAPSHOTS)

    def every_snapshot(self) -> "list[Snapshot]":
        """Return all snapshots, parents before children."""
        return [snapshot for root in self.root_snapshots for snapshot in root.subtree()]

    def used_files(self) -> Iterator[DatastorePath]:
        """Return the paths of its configuration and of all files of its disks."""
        if self.has_files:
            yield layout.home_of(self.config)
            for tree in list(self._trees.values()):
                for disk in tree.every_disk():
                    yield from disk.files

    def uses_file(self, path: DatastorePath) -> bool:
        """Tell whether a file is one of its disks' or its configuration."""
        return path in self.used_files()

    def start(self, call: Call, wsdl_name: str, run: "Callable[[TaskProgress], Any]") -> vim.Task:
        """Run a task on the VM, unless one runs already.

        Raises:
            vim.fault.TaskInProgress: one does.
        """
        with self.world.lock:
            self.refuse_while_busy()
            return call.start_task(self, wsdl_name, run)

    def refuse_while_busy(self) -> None:
        """Go on only when no task runs on the VM.

        Raises:
            vim.fault.TaskInProgress: one does.
        """
        running = self.world.tasks.running_on(self)
        if running:
            raise vim.fault.TaskInProgress(
                msg="The operation is not allowed in the current state: another task is already in progress.",
                task=running[0].ref,
            )

    def post(self, kind: type[Any], message: str, user: str = "", **fields: Any) -> None:
        """Write an event about the VM to the log."""
        host = vim.event.HostEventArgument(name=self.host.name, host=self.host.ref)
        self.world.events.post(kind, message, vm=self, user=user, host=host, **fields)

    def rename(self, name: str) -> None:
        """Give the VM another display name; its files keep theirs."""
        old = self.name
        super().rename(name)
        reconfigure.renamed(self, old)

    # ---- power -----------------------------------------------------------------------------------------

    def PowerOnVM_Task(self, call: Call, *, host: vim.HostSystem | None = None) -> vim.Task:
        """Start the VM."""
        return power.power_on(self, call, host)

    def PowerOffVM_Task(self, call: Call) -> vim.Task:
        """Stop the VM hard."""
        return power.power_off(self, call)

    def SuspendVM_Task(self, call: Call) -> vim.Task:
        """Suspend the VM."""
        return power.suspend(self, call)

    def ResetVM_Task(self, call: Call) -> vim.Task:
        """Stop the VM hard and start it again."""
        return power.reset(self, call)

    def ShutdownGuest(self, call: Call) -> None:
        """Ask the guest to shut down."""
        power.shutdown_guest(self, call)

    def RebootGuest(self, call: Call) -> None:
        """Ask the guest to start anew."""
        power.reboot_guest(self, call)

    def TerminateVM(self, call: Call) -> None:
        """Stop the VM at once, whatever it does."""
        power.terminate(self, call)

    def AnswerVM(self, call: Call, *, questionId: str, answerChoice: str) -> None:
        """Answer the VM's question."""
        power.answer(self, questionId, answerChoice)

    # ---- configuration ---------------------------------------------------------------------------------

    def ReconfigVM_Task(self, call: Call, *, spec: vim.vm.ConfigSpec) -> vim.Task:
        """Change the configuration."""
        self.world.inventory.parts_of(self).take_in(spec)
        return reconfigure.reconfigure(self, call, spec)

    def Rename_Task(self, call: Call, *, newName: str) -> vim.Task:
        """Give the VM another display name."""
        call.require("VirtualMachine.Config.Rename", self)
        return self.start(call, "Rename_Task", lambda _: self.rename(newName))

    def UpgradeVM_Task(self, call: Call, *, version: str | None = None) -> vim.Task:
        """Upgrade the virtual hardware."""
        return reconfigure.upgrade(self, call, version)

    def MarkAsTemplate(self, call: Call) -> None:
        """Make a template of the VM."""
        lifecycle.mark_as_template(self)

    def MarkAsVirtualMachine(
        self, call: Call, *, pool: vim.ResourcePool, host: vim.HostSystem | None = None
    ) -> None:
        """Make a VM of the template."""
        lifecycle.mark_as_vm(self, host)

    def RefreshStorageInfo(self, call: Call) -> None:
        """Measure the VM's files anew."""
        self.refresh("storage", "layoutEx", "layout", "summary")

    # ---- snapshots -------------------------------------------------------------------------------------

    def CreateSnapshot_Task(
        self, call: Call, *, name: str, memory: bool, quiesce: bool, description: str | None = None
    ) -> vim.Task:
        """Take a snapshot; the task's result is its reference."""
        wish = snapshots.Wish(name=name, description=description or "", memory=memory, quiesce=quiesce)
        return snapshots.create(self, call, wish)

    def CreateSnapshotEx_Task(
        self,
        call: Call,
        *,
        name: str,
        memory: bool,
        description: str | None = None,
        quiesceSpec: vim.vm.GuestQuiesceSpec | None = None,
    ) -> vim.Task:
        """Take a snapshot, quiesced when there is a specification for that."""
        quiesce = quiesceSpec is not None
        wish = snapshots.Wish(name=name, description=description or "", memory=memory, quiesce=quiesce)
        return snapshots.create(self, call, wish)

    def RemoveAllSnapshots_Task(
        self,
        call: Call,
        *,
        consolidate: bool | None = None,
        spec: vim.vm.SnapshotSelectionSpec | None = None,
    ) -> vim.Task:
        """Remove every snapshot."""
        return consolidation.remove_all(self, call, consolidate=consolidate is not False)

    def RevertToCurrentSnapshot_Task(
        self, call: Call, *, host: vim.HostSystem | None = None, suppressPowerOn: bool | None = None
    ) -> vim.Task:
        """Go back to the snapshot that the present state stands on."""
        return revert.revert_to_current(self, call, suppress_power_on=bool(suppressPowerOn))

    def ConsolidateVMDisks_Task(self, call: Call) -> vim.Task:
        """Merge the files of removed snapshots."""
        return consolidation.consolidate(self, call)

    def QueryChangedDiskAreas(
        self,
        call: Call,
        *,
        deviceKey: int,
        startOffset: int,
        changeId: str,
        snapshot: vim.vm.Snapshot | None = None,
    ) -> vim.VirtualMachine.DiskChangeInfo:
        """Tell what changed on a disk."""
        return changed_areas.query(self, snapshot, deviceKey, startOffset, changeId)

    # ---- coming and going ------------------------------------------------------------------------------

    def UnregisterVM(self, call: Call) -> None:
        """Take the VM out of the inventory; its files stay."""
        lifecycle.unregister(self, call)

    def Destroy_Task(self, call: Call) -> vim.Task:
        """Delete the VM with its files."""
        return lifecycle.destroy(self, call)

    def RelocateVM_Task(self, call: Call, *, spec: vim.vm.RelocateSpec, priority: str | None = None) -> vim.Task:
        """Move the VM to another host, pool, folder or datastore."""
        return relocate.relocate(self, call, spec)

    def MigrateVM_Task(
        self,
        call: Call,
        *,
        priority: str,
        pool: vim.ResourcePool | None = None,
        host: vim.HostSystem | None = None,
        state: str | None = None,
    ) -> vim.Task:
        """Move the VM to another host."""
        return relocate.relocate(self, call, vim.vm.RelocateSpec(host=host, pool=pool), "MigrateVM_Task")

    def CloneVM_Task(self, call: Call, *, folder: vim.Folder, name: str, spec: vim.vm.CloneSpec) -> vim.Task:
        """Make a copy; the task's result is the new VM's reference."""
        return relocate.clone(self, call, folder, name, spec)


def _datastore_names(made: vim.vm.ConfigInfo, trees: Mapping[int, DiskTree]) -> frozenset[str]:
    names = {layout.home_of(made).datastore}
    names |= {disk.datastore.name for tree in trees.values() for disk in tree.every_disk()}
    for device in disks_of(made.hardware.device):
        names.add(DatastorePath.parse(str(getattr(device.backing, "fileName", ""))).datastore)
    return frozenset(names)
