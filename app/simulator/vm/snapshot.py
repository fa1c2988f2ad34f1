"""The managed object of one snapshot."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from pyVmomi import vim

from app.simulator.objects import Call, SimObject
from app.simulator.vm import consolidation, revert, snapshots

if TYPE_CHECKING:
    from app.simulator.session import Session
    from app.simulator.vm.machine import VirtualMachine
    from app.simulator.world import World


def new_snapshot_moid(vm: "VirtualMachine", number: int) -> str:
    """Return the id of a VM's snapshot: ``snapshot-1001``, on a bare ESXi ``17-snapshot-2``."""
    return vm.world.new_moid("snapshot") if vm.world.spec.is_vcenter else f"{vm.moid}-snapshot-{number}"


class Snapshot(SimObject):
    """A snapshot of a VM.

    Attributes:
        vm: whose it is.
        number: counts the VM's snapshots.
        name: as the client gave it.
        description: as the client gave it.
        created: when.
        power_state: the VM's at that moment.
        quiesced: True when the guest was asked to be still.
        with_memory: True when the memory was saved too.
        parent: the snapshot before it.
        children: the snapshots after it.
    """

    vim_type = vim.vm.Snapshot
    volatile: ClassVar[frozenset[str]] = frozenset({"childSnapshot"})

    def __init__(
        self,
        world: "World",
        moid: str,
        vm: "VirtualMachine",
        wish: "snapshots.Wish",
        *,
        number: int,
        parent: "Snapshot | None",
    ) -> None:
        super().__init__(world, moid, vm=vm.ref, value=[], availableField=[])
        self.vm = vm
        self.number = number
        self.name = wish.name
        self.description = wish.description
        self.quiesced = wish.quiesce and vm.is_running
        self.with_memory = wish.memory and vm.is_running
        self.created: datetime = world.now()
        self.power_state = vm.power_state if self.with_memory else "poweredOff"
        self.parent = parent
        self.children: list[Snapshot] = []

    @property
    def config(self) -> vim.vm.ConfigInfo:
        """The VM's configuration at that moment; its disks carry the change ids."""
        made: vim.vm.ConfigInfo = self.properties["config"]
        return made

    def read(self, name: str, session: "Session | None" = None) -> Any:
        """Return a property."""
        if name == "childSnapshot":
            return [child.ref for child in self.children]
        return super().read(name, session)

    def subtree(self) -> "list[Snapshot]":
        """Return this snapshot and all that came after it, parents before children."""
        found: list[Snapshot] = [self]
        for child in self.children:
            found += child.subtree()
        return found

    def depth(self) -> int:
        """Return how many snapshots this one stands on, itself included."""
        return 1 if self.parent is None else 1 + self.parent.depth()

    def hook(self) -> None:
        """Put the snapshot into the VM's tree, as the current one."""
        siblings = self.vm.root_snapshots if self.parent is None else self.parent.children
        siblings.append(self)
        self.vm.current_snapshot = self
        self.world.add(self)

    def unhook(self) -> None:
        """Take the snapshot out of the VM's tree; its children go to its parent."""
        siblings = self.vm.root_snapshots if self.parent is None else self.parent.children
        place = siblings.index(self)
        siblings[place : place + 1] = self.children
        for child in self.children:
            child.parent = self.parent
        if self.vm.current_snapshot is self:
            self.vm.current_snapshot = self.parent
        self.world.remove(self)

    def RemoveSnapshot_Task(
        self, call: Call, *, removeChildren: bool, consolidate: bool | None = None
    ) -> vim.Task:
        """Remove the snapshot."""
        return consolidation.remove(self, call, with_children=removeChildren, consolidate=consolidate is not False)

    def RevertToSnapshot_Task(
        self, call: Call, *, host: vim.HostSystem | None = None, suppressPowerOn: bool | None = None
    ) -> vim.Task:
        """Bring the VM back to this moment."""
        return revert.revert(self, call, suppress_power_on=bool(suppressPowerOn))

    def RenameSnapshot(self, call: Call, *, name: str | None = None, description: str | None = None) -> None:
        """Give the snapshot another name or description."""
        snapshots.rename(self, name, description)
