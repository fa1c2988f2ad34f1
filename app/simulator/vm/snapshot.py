"""One snapshot of a VM: what it is called, when it was taken, and its place among the others."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.client_session import ClientSession
from app.simulator.world import World, WorldObject


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotWish:
    """What a client asks of a new snapshot."""

    name: str
    description: str
    memory: bool
    quiesce: bool


class Snapshot(WorldObject):
    """A snapshot of a VM.

    Attributes:
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
        world: World,
        moid: str,
        vm: vim.VirtualMachine,
        wish: SnapshotWish,
        *,
        number: int,
        power_state: str,
        parent: "Snapshot | None",
    ) -> None:
        super().__init__(world, moid, vm=vm, value=[], availableField=[])
        self.number = number
        self.name = wish.name
        self.description = wish.description
        is_running = power_state == "poweredOn"
        self.quiesced = wish.quiesce and is_running
        self.with_memory = wish.memory and is_running
        self.created: datetime = world.now()
        self.power_state = power_state if self.with_memory else "poweredOff"
        self.parent = parent
        self.children: list[Snapshot] = []

    @property
    def config(self) -> vim.vm.ConfigInfo:
        """The VM's configuration at that moment; its disks carry the change ids."""
        made: vim.vm.ConfigInfo = self.properties["config"]
        return made

    def read(self, name: str, session: ClientSession | None = None) -> Any:
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
