"""A virtual machine's state, and how it changes."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.entity import Entity
from app.simulator.inventory.host import HostSystem
from app.simulator.objects import Lazy, SimObject
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, DiskStore, SimDisk
from app.simulator.vm import files
from app.simulator.vm.disk_tree import DiskTree, can_be_tracked
from app.simulator.vm.locks import FileLocks
from app.simulator.vm.snapshot import Snapshot, SnapshotWish
from app.simulator.vm.values import disks_of
from app.simulator.world import World

_FOLLOW_CONFIG = (
    "config", "summary", "guest", "layoutEx", "layout", "storage", "datastore", "network", "resourceConfig",
)  # fmt: skip
VmConnection = Literal["connected", "disconnected", "inaccessible", "invalid", "orphaned"]
"""What ``runtime.connectionState`` of a VM can be."""
WITHOUT_CONFIGURATION = frozenset({"inaccessible", "invalid"})
"""States in which no configuration can be returned, as the reference says."""
_FOLLOW_STATE = ("runtime", "summary", "guest", "guestHeartbeatStatus")
_FOLLOW_SNAPSHOTS = ("snapshot", "rootSnapshot", "layoutEx", "layout", "storage", "runtime", "summary")


@dataclass(eq=False)
class Question:
    """Something that the VM asks before it goes on."""

    info: vim.vm.QuestionInfo
    answer: str | None = None
    answered: threading.Event = field(default_factory=threading.Event)


@dataclass(eq=False)
class LentDisk:
    """A disk that is attached to another VM than its own, and the pin that holds its files still."""

    disk: SimDisk
    is_writable: bool
    pin: ExitStack = field(default_factory=ExitStack)


class Machine(Entity):
    """A virtual machine: its state, and how the state changes.

    The SOAP methods are :class:`app.simulator.vm.virtual_machine.VirtualMachine`'s, which every VM is one of.

    Attributes:
        host: where it runs, or would run.
        pool: the pool it draws from.
        power_state: ``poweredOn``, ``poweredOff`` or ``suspended``.
        boot_time: since when it runs; None while it does not.
        has_booted: False while its guest boots.
        hostname: the name that its guest tools report; None when there are none.
        files_lock: held while disks are created that were only promised, or moved, or opened over NFC.
        has_files: False as long as its disks are not on this machine's disk, for inventories of thousands.
        datastore_names: the datastores that hold files of it.
        root_snapshots: the snapshots without a parent.
        current_snapshot: the one that the present state stands on.
        last_snapshot_number: counts snapshots; never goes back.
        consolidation_needed: True when files of removed snapshots could not be merged.
        question: what it asks, if anything.
        own_connection: how the server reaches it while its host is connected.
        moved_here: True after a registration at another place than it was written at: it asks before it starts.
        locks: the locks that its host holds while it runs from an NFS datastore; None while it does not.
        lent: disks of other VMs that are attached, by device key; no part of ``trees``.
        workload_bytes_per_s: what its guest writes each second.
    """

    vim_type = vim.VirtualMachine

    def __init__(
        self,
        world: World,
        moid: str,
        name: str,
        parent: SimObject | None,
        *,
        made: vim.vm.ConfigInfo | Lazy,
        host: HostSystem,
        pool: ResourcePool,
        datastore_names: frozenset[str],
        hostname: str | None = None,
        has_files: bool = True,
        power_state: str = "poweredOff",
    ) -> None:
        vapp = pool.vapp
        super().__init__(world, moid, name, parent if vapp is None else None, config=made)
        if vapp is not None:
            self.properties["parentVApp"] = vapp.ref
        self.host = host
        self.pool = pool
        self.power_state = power_state
        self.boot_time: datetime | None = world.now() if power_state == "poweredOn" else None
        self.has_booted = True
        self.hostname = hostname
        self.has_files = has_files
        self.files_lock = threading.Lock()
        self.datastore_names = datastore_names
        self.root_snapshots: list[Snapshot] = []
        self.current_snapshot: Snapshot | None = None
        self.last_snapshot_number = 0
        self.consolidation_needed = False
        self.question: Question | None = None
        self.own_connection: VmConnection = "connected"
        self.moved_here = False
        self.locks: FileLocks | None = None
        self.lent: dict[int, LentDisk] = {}
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
            self.create_missing_disks()
        return self._trees

    def set_trees(self, trees: dict[int, DiskTree]) -> None:
        """Set which files the VM's disks are made of; from now on it has files."""
        self._trees = trees
        self.has_files = True

    def create_missing_disks(self) -> None:
        """Create the disks that a VM of a large inventory was only promised to have, unless it has them."""
        store: DiskStore = self.world.disks
        with self.files_lock:
            if self.has_files:
                return
            trees: dict[int, DiskTree] = {}
            for device in disks_of(self.config.hardware.device):
                backing = device.backing
                capacity: Any = device.capacityInBytes
                path, uuid = str(getattr(backing, "fileName", "")), getattr(backing, "uuid", None)
                if store.exists(path):
                    leaf = store.open(path)
                else:
                    thin = bool(getattr(backing, "thinProvisioned", False))
                    leaf = store.create(path, capacity, thin=thin, disk_uuid=uuid)
                trees[device.key] = DiskTree(store, device.key, leaf)
            self.set_trees(trees)
        if self.config.changeTrackingEnabled:
            self.apply_tracking()

    def apply_tracking(self, *, taking: str | None = None) -> None:
        """Switch change tracking on or off as configured; it comes into force when a VM is stunned or off.

        Args:
            taking: id of a snapshot that is just being taken and does not count as an older one.
        """
        devices = self.config.hardware.device
        older = any(snapshot.moid != taking for snapshot in self.every_snapshot())
        for device in disks_of(devices):
            tree = self.trees.get(device.key)
            if tree is None or tree.leaf is None:
                continue
            if self.config.changeTrackingEnabled and can_be_tracked(device, devices):
                tree.start_tracking(among_snapshots=older)
            else:
                tree.stop_tracking()

    @property
    def is_running(self) -> bool:
        """True while it is powered on."""
        return self.power_state == "poweredOn"

    @property
    def connection(self) -> VmConnection:
        """How the server reaches it."""
        return self.own_connection if self.host.connection == "connected" else "disconnected"

    def set_connection(self, connection: VmConnection) -> None:
        """Let the server lose it, or reach it again."""
        with self.world.lock:
            self.own_connection = connection
            self.refresh(*_FOLLOW_CONFIG[1:], *_FOLLOW_STATE, "capability")
            self.touch("config")

    def refuse_unconnected(self) -> None:
        """Refuse when the server does not reach the VM.

        Raises:
            vmodl.fault.HostNotConnected: its host is not connected.
            vim.fault.InvalidState: it is inaccessible, invalid or orphaned.
        """
        if self.connection == "disconnected":
            raise vmodl.fault.HostNotConnected(
                msg="Unable to communicate with the remote host, since it is disconnected."
            )
        if self.connection != "connected":
            raise vim.fault.InvalidState(
                msg=f"The operation is not allowed in the current connection state of the VM: {self.connection}."
            )

    def set_config(self, made: vim.vm.ConfigInfo) -> None:
        """Replace the configuration and announce the change."""
        with self.world.lock:
            self.properties["config"] = made
            self.properties["name"] = made.name
            self.datastore_names = _datastore_names(made, self._trees)
            for name in _FOLLOW_CONFIG[1:]:
                self.properties.pop(name, None)
            self.touch("name", *_FOLLOW_CONFIG)

    def set_power(self, state: str) -> None:
        """Set the power state and announce the change."""
        with self.world.lock:
            self.power_state = state
            self.boot_time = self.world.now() if state == "poweredOn" else None
            self.refresh(*_FOLLOW_STATE)

    def finish_boot(self, began: datetime | None) -> None:
        """Let its guest answer, when it still is the boot that began at a moment."""
        with self.world.lock:
            if self.is_running and self.boot_time is began:
                self.has_booted = True
                self.refresh(*_FOLLOW_STATE)

    def set_question(self, question: Question | None) -> None:
        """Set what the VM asks; None: it asks nothing any more."""
        with self.world.lock:
            self.question = question
            self.refresh("runtime", "summary")

    def set_host(self, host: HostSystem) -> None:
        """Move the VM to another host."""
        with self.world.lock:
            for place in (self.host, host):
                others = [ref for ref in place.properties["vm"] if ref != self.ref]
                place.set(vm=[*others, self.ref] if place is host else others)
            self.host = host
            self.refresh("runtime", "summary")

    def set_pool(self, pool: ResourcePool) -> None:
        """Move the VM to another resource pool."""
        with self.world.lock:
            for place in (self.pool, pool):
                others = [ref for ref in place.properties["vm"] if ref != self.ref]
                place.set(vm=[*others, self.ref] if place is pool else others)
            self.pool = pool
            self.refresh("resourcePool")

    def snapshots_changed(self) -> None:
        """Announce that snapshots or the disks' files changed."""
        with self.world.lock:
            trees = self._trees.values()
            self.consolidation_needed = any(tree.needs_consolidation for tree in trees)
            self.refresh(*_FOLLOW_SNAPSHOTS)

    def every_snapshot(self) -> list[Snapshot]:
        """Return all snapshots, parents before children."""
        return [snapshot for root in self.root_snapshots for snapshot in root.subtree()]

    def new_snapshot(self, wish: SnapshotWish, number: int, parent: Snapshot | None) -> Snapshot:
        """Make the managed object of a snapshot that is not in the tree yet; ``VirtualMachine`` implements it.

        Args:
            wish: what it is called and holds.
            number: counts the VM's snapshots.
            parent: the snapshot before it.
        """
        raise NotImplementedError

    def add_snapshot(self, snapshot: Snapshot) -> None:
        """Add a snapshot to the VM's tree, as the current one."""
        siblings = self.root_snapshots if snapshot.parent is None else snapshot.parent.children
        siblings.append(snapshot)
        self.current_snapshot = snapshot
        self.world.add(snapshot)

    def drop_snapshot(self, snapshot: Snapshot) -> None:
        """Remove a snapshot from the VM's tree; its children go to its parent."""
        siblings = self.root_snapshots if snapshot.parent is None else snapshot.parent.children
        place = siblings.index(snapshot)
        siblings[place : place + 1] = snapshot.children
        for child in snapshot.children:
            child.parent = snapshot.parent
        if self.current_snapshot is snapshot:
            self.current_snapshot = snapshot.parent
        self.world.remove(snapshot)

    def used_files(self) -> Iterator[DatastorePath]:
        """Return the paths of its configuration and of all files of its disks."""
        if self.has_files:
            yield files.home_of(self.config)
            for tree in list(self._trees.values()):
                for disk in tree.every_disk():
                    yield from disk.files

    def uses_file(self, path: DatastorePath) -> bool:
        """Return whether a file is one of its disks' or its configuration."""
        return path in self.used_files()

    def start(
        self, call: Call, wsdl_name: str, run: Callable[[TaskProgress], Any], *, cancelable: bool = False
    ) -> vim.Task:
        """Run a task on the VM, unless one runs already.

        Raises:
            vim.fault.TaskInProgress: one does.
            vmodl.fault.HostNotConnected, vim.fault.InvalidState: the server does not reach the VM.
        """
        with self.world.lock:
            self.refuse_unconnected()
            self.refuse_while_busy()
            return call.start_task(self, wsdl_name, run, cancelable=cancelable)

    def refuse_while_busy(self) -> None:
        """Refuse when a task runs on the VM.

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


class MakesMachines(Protocol):
    """Makes the managed object of a VM; the class ``VirtualMachine`` fulfils it."""

    def __call__(
        self,
        world: World,
        moid: str,
        name: str,
        parent: SimObject | None,
        *,
        made: vim.vm.ConfigInfo,
        host: HostSystem,
        pool: ResourcePool,
        datastore_names: frozenset[str],
    ) -> Machine:
        """Make a VM of these parts, which is not part of the inventory yet; see :class:`Machine`."""
        ...


def _datastore_names(made: vim.vm.ConfigInfo, trees: Mapping[int, DiskTree]) -> frozenset[str]:
    names = {files.home_of(made).datastore}
    names |= {disk.datastore.name for tree in trees.values() for disk in tree.every_disk()}
    for device in disks_of(made.hardware.device):
        names.add(DatastorePath.parse(str(getattr(device.backing, "fileName", ""))).datastore)
    return frozenset(names)
