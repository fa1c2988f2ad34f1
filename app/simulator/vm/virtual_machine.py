"""The managed object VirtualMachine: one method per SOAP call, carried out by the module of its subject."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
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
    screenshot,
    snapshots,
    views,
)
from app.simulator.vm.machine import WITHOUT_CONFIGURATION, Machine
from app.simulator.vm.snapshot import Snapshot, SnapshotWish
from app.simulator.vm.virtual_machine_snapshot import VirtualMachineSnapshot

_FROM_FILES = frozenset({"config", "layout", "layoutEx", "guest", "snapshot"})
"""Properties that come from a VM's files."""


class VirtualMachine(Machine):
    """A virtual machine as clients see it: its properties and methods."""

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

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; clients are told no configuration of a VM whose files cannot be read."""
        if session is not None and name in _FROM_FILES and self.connection in WITHOUT_CONFIGURATION:
            return None
        return super().read(name, session)

    def new_snapshot(self, wish: SnapshotWish, number: int, parent: Snapshot | None) -> Snapshot:
        """Make the managed object of a snapshot of this VM, which is not part of its tree yet."""
        return VirtualMachineSnapshot(self, wish, number=number, parent=parent)

    def rename(self, name: str) -> None:
        """Rename the VM; its files keep theirs."""
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
        """Ask the guest to restart."""
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
        """Rename the VM."""
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
        lifecycle.mark_as_vm(self, pool, host)

    def RefreshStorageInfo(self, call: Call) -> None:
        """Measure the VM's files again."""
        self.refresh("storage", "layoutEx", "layout", "summary")

    # ---- snapshots -------------------------------------------------------------------------------------

    def CreateSnapshot_Task(
        self, call: Call, *, name: str, memory: bool, quiesce: bool, description: str | None = None
    ) -> vim.Task:
        """Take a snapshot; the task's result is its reference."""
        wish = SnapshotWish(name=name, description=description or "", memory=memory, quiesce=quiesce)
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
        wish = SnapshotWish(name=name, description=description or "", memory=memory, quiesce=quiesce)
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
        """Return what changed on a disk."""
        return changed_areas.query(self, snapshot, deviceKey, startOffset, changeId)

    def CreateScreenshot_Task(self, call: Call) -> vim.Task:
        """Take a picture of the screen; the task's result is its path."""
        return screenshot.create(self, call)

    # ---- coming and going ------------------------------------------------------------------------------

    def UnregisterVM(self, call: Call) -> None:
        """Remove the VM from the inventory; its files stay."""
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
