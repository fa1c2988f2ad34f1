"""ReconfigVM_Task: a spec is checked whole, its disk work done, and the new configuration put in place."""

from collections.abc import Sequence

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.entity import child_named, duplicate_name, stored_name
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, DiskFrozen, DiskInUse, SimDisk
from app.simulator.vm import files, layout, lending
from app.simulator.vm.config import check_spec, with_devices, with_spec
from app.simulator.vm.controllers import storage_kind
from app.simulator.vm.device_changes import DevicePlan, DiskStep, DiskWork, plan_device_changes
from app.simulator.vm.disk_tree import DiskTree
from app.simulator.vm.disks import described_disk
from app.simulator.vm.identity import new_mac
from app.simulator.vm.machine import Machine
from app.simulator.vm.privileges import require_privileges
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import Device, changed, find_device, replaced
from app.simulator.world import World

_device = vim.vm.device


class VmDeviceContext:
    """Answers what planning asks, for a VM that exists or is being created."""

    def __init__(self, world: World, home: DatastorePath, vm: Machine | None = None) -> None:
        self._world = world
        self._home = home
        self._vm = vm

    @property
    def running(self) -> bool:
        """Return whether the VM is powered on."""
        return self._vm is not None and self._vm.is_running

    def in_snapshot(self, disk_key: int) -> bool:
        """Return whether a snapshot holds a disk of that key."""
        tree = None if self._vm is None else self._vm.trees.get(disk_key)
        return tree is not None and bool(tree.frozen)

    def new_mac(self) -> tuple[str, str]:
        """Return a MAC address that is not in use, and its address type."""
        return new_mac(self._world)

    def new_disk_path(self, wanted: str, datastore: vim.Datastore | None, taken: set[str]) -> str:
        """Complete ``""``, ``[ds]`` or a whole path to the path of a disk that does not exist yet."""
        if wanted.endswith(".vmdk"):
            return wanted
        name = self._home.datastore
        if wanted.startswith("["):
            name = DatastorePath.parse(wanted).datastore
        elif datastore is not None:
            name = self._world.inventory.require_datastore(datastore).name
        directory = wanted.partition("] ")[2].strip("/") or self._home.directory
        stem = files.stem_of(self._home)
        for number in range(1000):
            suffix = f"_{number}" if number else ""
            path = f"[{name}] {directory}/{stem}{suffix}.vmdk"
            if path not in taken and not self._exists(path):
                return path
        raise vim.fault.FileAlreadyExists(msg="There is no free name for the disk.", file=wanted)

    def _exists(self, path: str) -> bool:
        place = DatastorePath.parse(path)
        data = place.sibling(place.name.removesuffix(".vmdk") + "-flat.vmdk")
        return any(files.stored_file(self._world, file).exists() for file in (place, data))

    def any_network(self) -> str:
        """Return the name of a standard network."""
        inventory = self._world.inventory
        networks = inventory.networks_in(inventory.parts_of(self._vm))
        return next(str(network.name) for network in networks if not network.properties.get("key"))

    def network(self, backing: Device.BackingInfo) -> Device.BackingInfo | None:
        """Complete the backing of a network card, or return None when there is no such network."""
        inventory = self._world.inventory
        if isinstance(backing, _device.VirtualEthernetCard.NetworkBackingInfo):
            network = inventory.network_of(backing.network, backing.deviceName, self._vm)
            if network is None or network.properties.get("key"):
                return None
            return changed(backing, network=network.ref, deviceName=network.name, useAutoDetect=False)
        if isinstance(backing, _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
            portgroup = inventory.portgroup_of(backing.port.portgroupKey)
            if portgroup is None or portgroup.switch_uuid != backing.port.switchUuid:
                return None
            port_key = backing.port.portKey or str(self._world.new_number())
            return changed(backing, port=changed(backing.port, portKey=port_key, connectionCookie=1))
        return None


# ---- the task ------------------------------------------------------------------------------------------


def reconfigure(vm: Machine, call: Call, spec: vim.vm.ConfigSpec) -> vim.Task:
    """Change a VM's configuration, in a task.

    Raises:
        vim.fault.NoPermission: the caller lacks a privilege that the spec asks for.
        vim.fault.TaskInProgress: the VM is busy.
    """
    require_privileges(call, vm, spec, home=files.home_of(vm.config).datastore)
    return vm.start(call, call.method, lambda progress: _apply(vm, spec, progress, call.user))


def _apply(vm: Machine, spec: vim.vm.ConfigSpec, progress: TaskProgress, user: str) -> None:
    check_spec(vm.config, spec, power_state=vm.power_state)
    _check_new_name(vm, spec)
    if spec.changeTrackingEnabled and not vm.read("capability").changeTrackingSupported:
        raise vmodl.fault.NotSupported(msg="Change tracking is not supported by this virtual machine.")
    context = VmDeviceContext(vm.world, files.home_of(vm.config), vm)
    plan = plan_device_changes(vm.config.hardware.device, spec.deviceChange, context)
    progress.report(30)
    devices = carry_out(vm, plan)
    old_name = vm.name
    with vm.world.lock:
        now = vm.world.now()
        vm.set_config(with_devices(with_spec(vm.config, spec, now), devices))
        if spec.name is not None:
            vm.set(name=stored_name(spec.name))
        vm.snapshots_changed()
    if not vm.is_running:
        with as_vim_faults(str(files.home_of(vm.config))):
            vm.apply_tracking()
    progress.report(80)
    if spec.name is not None and vm.name != old_name:
        renamed(vm, old_name)
    layout.save_configuration(vm)
    vm.post(vim.event.VmReconfiguredEvent, f"Reconfigured {vm.name} on {vm.host.name}.", user, configSpec=spec)


def _check_new_name(vm: Machine, spec: vim.vm.ConfigSpec) -> None:
    parent = vm.parent_object()
    if spec.name is None or parent is None:
        return
    twin = child_named(parent, stored_name(spec.name))
    if twin is not None and twin is not vm:
        raise duplicate_name(spec.name, twin)


def renamed(vm: Machine, old_name: str) -> None:
    """Carry a new display name into the configuration and its file."""
    if vm.config.name != vm.name:
        vm.set_config(changed(vm.config, name=vm.name))
    layout.save_configuration(vm)
    if vm.name != old_name:
        vm.post(vim.event.VmRenamedEvent, f"Renamed {old_name} to {vm.name}.", oldName=old_name, newName=vm.name)


def upgrade(vm: Machine, call: Call, version: str | None) -> vim.Task:
    """Upgrade the virtual hardware, in a task."""
    newest = f"vmx-{vm.host.newest_hardware}"

    def run(_: TaskProgress) -> None:
        wanted = version or newest
        if vm.is_running:
            raise vim.fault.InvalidPowerState(
                msg="The virtual machine runs.", requestedState="poweredOff", existingState=vm.power_state
            )
        if vm.config.version >= wanted:
            raise vim.fault.AlreadyUpgraded(msg="The virtual hardware is up to date.")
        if wanted > newest:
            raise vmodl.fault.NotSupported(msg=f"{wanted} is not supported here.")
        vm.set_config(changed(vm.config, version=wanted))
        layout.save_configuration(vm)

    return vm.start(call, call.method, run)


# ---- disk work -----------------------------------------------------------------------------------------


def carry_out(vm: Machine, plan: DevicePlan) -> list[Device]:
    """Do a plan's work on disk files; when a step fails, disks that were created are deleted again.

    Returns:
        the devices with what is known of their files now.

    Raises:
        vmodl.MethodFault: a step failed.
    """
    trees = dict(vm.trees)
    devices = plan.devices
    created: list[SimDisk] = []
    lent = set(vm.lent)
    try:
        for work in plan.work:
            with as_vim_faults(work.path):
                devices = _do(vm, work, trees, devices, created)
    except (vmodl.MethodFault, ValueError) as failure:
        for key in set(vm.lent) - lent:
            lending.give_back(vm, key)
        for disk in created:
            with as_vim_faults(str(disk.path)):
                vm.world.disks.delete(disk.path)
        if isinstance(failure, ValueError):
            raise vmodl.fault.InvalidArgument(
                msg=f"A specified parameter was not correct: {failure}", invalidProperty="deviceChange"
            ) from failure
        raise
    vm.set_trees(trees)
    return devices


def _do(
    vm: Machine,
    work: DiskWork,
    trees: dict[int, DiskTree],
    devices: list[Device],
    created: list[SimDisk],
) -> list[Device]:
    store = vm.world.disks
    tree = trees.get(work.key)
    if work.step is DiskStep.CREATE:
        if work.replace and store.exists(work.path):
            store.delete(work.path)
        adapter = _adapter_of(work.key, devices)
        disk = store.create(work.path, work.capacity_bytes, thin=work.thin, adapter=adapter, disk_uuid=work.uuid)
        created.append(disk)
        return _attached(vm, work.key, disk, trees, devices)
    if work.step is DiskStep.ATTACH:
        return _attach(vm, work, trees, devices)
    if work.key in vm.lent:
        return _give_back(vm, work, devices)
    if tree is None:
        return devices
    if work.step is DiskStep.EXTEND and tree.leaf is not None:
        tree.leaf.extend(work.capacity_bytes)
        return devices
    leaf, tree.leaf = tree.leaf, None
    if not tree.frozen:
        del trees[work.key]
        for disk in [] if leaf is None else leaf.chain():
            if work.step is DiskStep.DESTROY:
                store.delete(disk.path)
            else:
                disk.close()
    return devices


def _attach(vm: Machine, work: DiskWork, trees: dict[int, DiskTree], devices: list[Device]) -> list[Device]:
    if work.mode == lending.ONLY_READ:
        return lending.lend(vm, work.key, work.path, devices, writable=False)
    _refuse_attached_elsewhere(vm, work)
    disk = vm.world.disks.open(work.path)
    if disk.is_frozen:  # a write would change what stands on it
        raise DiskFrozen(f"{disk.path} is the parent of {disk.children[0].path}")
    if vm.is_running and lending.belongs_to_another(vm, disk):
        return lending.lend(vm, work.key, work.path, devices, writable=True)
    return _attached(vm, work.key, disk, trees, devices)


def _give_back(vm: Machine, work: DiskWork, devices: list[Device]) -> list[Device]:
    if work.step is DiskStep.DESTROY:
        raise DiskInUse(f"{work.path} is another VM's")
    lending.give_back(vm, work.key)
    return devices


def _adapter_of(key: int, devices: Sequence[Device]) -> str:
    device = find_device(devices, key)
    controller = (
        None if device is None or device.controllerKey is None else find_device(devices, device.controllerKey)
    )
    kind = None if controller is None else storage_kind(controller)
    return "ide" if kind is not None and kind.name in ("ide", "sata") else "lsilogic"


def _attached(
    vm: Machine, key: int, disk: SimDisk, trees: dict[int, DiskTree], devices: list[Device]
) -> list[Device]:
    before = trees.get(key)
    if before is not None and before.leaf is None and disk in before.every_disk():
        before.leaf = disk
    else:
        trees[key] = DiskTree(vm.world.disks, key, disk)
    device = find_device(devices, key)
    assert isinstance(device, _device.VirtualDisk)
    return replaced(devices, described_disk(vm, device, disk))


def _refuse_attached_elsewhere(vm: Machine, work: DiskWork) -> None:
    path = DatastorePath.parse(work.path)
    for other in vm.world.inventory.vms.values():
        if other.is_running and other.uses_file(path):
            raise vim.fault.FileLocked(
                msg=f"Unable to access file {work.path} since it is locked.", file=work.path
            )
