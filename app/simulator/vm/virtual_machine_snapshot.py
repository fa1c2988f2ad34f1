"""The managed object VirtualMachineSnapshot: one method per SOAP call."""

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.vm import consolidation, revert, snapshots
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot, SnapshotWish


class VirtualMachineSnapshot(Snapshot):
    """A snapshot as clients see it."""

    def __init__(self, vm: Machine, wish: SnapshotWish, *, number: int, parent: Snapshot | None) -> None:
        world = vm.world
        # on a bare ESXi: 17-snapshot-2
        moid = world.new_moid("snapshot") if world.spec.is_vcenter else f"{vm.moid}-snapshot-{number}"
        super().__init__(world, moid, vm.ref, wish, number=number, power_state=vm.power_state, parent=parent)
        self._vm = vm

    def RemoveSnapshot_Task(
        self, call: Call, *, removeChildren: bool, consolidate: bool | None = None
    ) -> vim.Task:
        """Remove the snapshot."""
        return consolidation.remove(
            self._vm, self, call, with_children=removeChildren, consolidate=consolidate is not False
        )

    def RevertToSnapshot_Task(
        self, call: Call, *, host: vim.HostSystem | None = None, suppressPowerOn: bool | None = None
    ) -> vim.Task:
        """Bring the VM back to this moment."""
        return revert.revert(self._vm, self, call, suppress_power_on=bool(suppressPowerOn))

    def RenameSnapshot(self, call: Call, *, name: str | None = None, description: str | None = None) -> None:
        """Change the name or description of the snapshot."""
        snapshots.rename(self._vm, self, name, description)
