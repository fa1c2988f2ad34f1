"""Moves and clones VMs."""

from contextlib import suppress
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.entity import adopt, child_named, duplicate_name, release, stored_name
from app.simulator.inventory.folder import Folder
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath, SimDisk, StorageError
from app.simulator.vm import create, files, power
from app.simulator.vm.config import extra_value, with_devices
from app.simulator.vm.disk_tree import DiskTree
from app.simulator.vm.disks import with_present_backings
from app.simulator.vm.identity import new_mac
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.storage_motion import MotionPlan, changes_storage, move_files
from app.simulator.vm.stun import stunned
from app.simulator.vm.values import Device, changed, disks_of, find_device

_device = vim.vm.device
_THIN = {"sparse": True, "flat": False}


# ---- relocate ------------------------------------------------------------------------------------------


def relocate(vm: Machine, call: Call, spec: vim.vm.RelocateSpec, wsdl_name: str = "RelocateVM_Task") -> vim.Task:
    """Move a VM to another host, folder or datastore, in a task; it may run meanwhile.

    Raises:
        vim.fault.NoPermission: the caller may not.
        vim.fault.TaskInProgress: the VM is busy.
        vim.fault.StorageVMotionNotSupported: the license does not cover it.
    """
    call.require("Resource.HotMigrate" if vm.is_running else "Resource.ColdMigrate", vm)
    inventory = vm.world.inventory
    host = inventory.host_of(spec.host)
    home = None if spec.datastore is None else inventory.require_datastore(spec.datastore).name
    plan = MotionPlan(_disk_targets(vm, spec), home, _THIN.get(spec.transform or ""))
    _refuse_unlicensed(vm, plan)
    folder = None if spec.folder is None else vm.world.get(spec.folder)

    def run(progress: TaskProgress) -> None:
        if isinstance(folder, Folder) and folder is not vm.parent_object():
            _move_to_folder(vm, folder)
        move_files(vm, plan, progress)
        if host is not None and host is not vm.host:
            vm.set_host(host)
        vm.post(vim.event.VmRelocatedEvent, f"Relocated {vm.name} to {vm.host.name}.", call.user, **_source(vm))

    return vm.start(call, wsdl_name, run, cancelable=True)


def _refuse_unlicensed(vm: Machine, plan: MotionPlan) -> None:
    """Refuse to move the files of a running VM when the license does not cover it.

    Raises:
        vim.fault.StorageVMotionNotSupported: it does not.
    """
    if vm.is_running and not vm.world.spec.license.moves_storage_live and changes_storage(vm, plan):
        raise vim.fault.StorageVMotionNotSupported(
            msg=f"Storage vMotion is not licensed on host '{vm.host.name}'.",
            atSourceHost=True,
            failedHostName=vm.host.name,
            failedHost=vm.host.ref,
        )


def _source(vm: Machine) -> dict[str, Any]:
    return {"sourceHost": vim.event.HostEventArgument(name=vm.host.name, host=vm.host.ref)}


def _disk_targets(vm: Machine, spec: vim.vm.RelocateSpec) -> dict[int, str]:
    """Return the datastores that disks go to, by device key; disks that stay are left out."""
    inventory = vm.world.inventory
    targets: dict[int, str] = {}
    if spec.datastore is not None:
        name = inventory.require_datastore(spec.datastore).name
        targets = dict.fromkeys((disk.key for disk in disks_of(vm.config.hardware.device)), name)
    for locator in spec.disk:
        if find_device(vm.config.hardware.device, locator.diskId) is None:
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: spec.disk.diskId", invalidProperty="spec.disk.diskId"
            )
        targets[locator.diskId] = inventory.require_datastore(locator.datastore).name
    return targets


def _move_to_folder(vm: Machine, folder: Folder) -> None:
    with vm.world.lock:
        twin = child_named(folder, vm.name)
        if twin is not None:
            raise duplicate_name(vm.name, twin)
        parent = vm.parent_object()
        if parent is not None:
            release(parent, vm)
        adopt(folder, vm)


# ---- clone ---------------------------------------------------------------------------------------------


def clone(vm: Machine, call: Call, folder_ref: vim.Folder, name: str, spec: vim.vm.CloneSpec) -> vim.Task:
    """Copy a VM, or what one of its snapshots holds, in a task.

    Raises:
        vim.fault.NoPermission: the caller may not.
        vim.fault.DuplicateName: the folder has a child of that name.
        vim.fault.TaskInProgress: the VM is busy.
    """
    call.require("VirtualMachine.Provisioning.Clone", vm)
    folder = vm.world.get(folder_ref)
    if not isinstance(folder, Folder) or not folder.holds(vim.VirtualMachine):
        raise vmodl.fault.InvalidArgument(msg="VMs cannot be in this folder.", invalidProperty="folder")
    twin = child_named(folder, stored_name(name))
    if twin is not None:
        raise duplicate_name(name, twin)
    place = create.place_for(folder, spec.location.pool, spec.location.host)
    snapshot = None
    if spec.snapshot is not None:
        snapshot = next((known for known in vm.every_snapshot() if known.ref == spec.snapshot), None)
        if snapshot is None:
            raise vim.fault.NotFound(msg="The snapshot is not one of this virtual machine.")
    return vm.start(call, "CloneVM_Task", lambda progress: _clone(vm, place, name, spec, snapshot, progress, call))


def _clone(
    vm: Machine,
    place: create.Place,
    name: str,
    spec: vim.vm.CloneSpec,
    snapshot: Snapshot | None,
    progress: TaskProgress,
    call: Call,
) -> vim.VirtualMachine:
    world = vm.world
    source = vm.config if snapshot is None else snapshot.config
    location = spec.location
    home_store = (
        files.home_of(vm.config).datastore
        if location.datastore is None
        else world.inventory.require_datastore(location.datastore).name
    )
    home = create.new_home(world, f"[{home_store}]", name)
    targets = _disk_targets(vm, location)
    config_spec = _spec_of_copy(vm, source, name, spec)

    def copy_disks(copy: Machine) -> None:
        trees, devices = _copied_disks(vm, snapshot, targets, home, location, progress)
        copy.set_trees(trees)
        own = [
            device for device in copy.config.hardware.device if device.key not in {other.key for other in devices}
        ]
        made = changed(with_devices(copy.config, [*own, *devices]), template=spec.template)
        copy.set_config(with_present_backings(copy, made))
        nvram = files.stored_file(world, files.nvram_path(vm.config))
        if nvram.exists():
            files.write_file(world, files.nvram_path(copy.config), nvram.read_bytes())

    copy = create.build_vm(place, config_spec, home, progress, prepare=copy_disks)
    copy.hostname = vm.hostname
    copy.post(vim.event.VmClonedEvent, f"Cloned {vm.name} to {copy.name}.", call.user, **_clone_source(vm))
    if spec.powerOn and not spec.template:
        power.start(copy)
    ref: vim.VirtualMachine = copy.ref
    return ref


def _clone_source(vm: Machine) -> dict[str, Any]:
    return {"sourceVm": vim.event.VmEventArgument(name=vm.name, vm=vm.ref)}


def _spec_of_copy(vm: Machine, source: vim.vm.ConfigInfo, name: str, spec: vim.vm.CloneSpec) -> vim.vm.ConfigSpec:
    """Describe the copy without its disks; cards get addresses of their own."""
    hardware = source.hardware
    skipped = {200, 201, 300, 100, 400, 600, 700, 500, 12000}
    additions = [
        _device.VirtualDeviceSpec(operation="add", device=_as_new(vm, device))
        for device in hardware.device
        if device.key not in skipped and not isinstance(device, _device.VirtualDisk)
    ]
    memory: Any = hardware.memoryMB
    wanted = vim.vm.ConfigSpec(
        name=name,
        version=source.version,
        guestId=source.guestId,
        annotation=source.annotation,
        numCPUs=hardware.numCPU,
        numCoresPerSocket=hardware.numCoresPerSocket,
        memoryMB=memory,
        firmware=source.firmware,
        bootOptions=source.bootOptions,
        flags=source.flags,
        extraConfig=[option for option in source.extraConfig if option.key != "nvram"],
        deviceChange=additions,
    )
    if spec.config is not None:
        given = {key: value for key, value in spec.config.__dict__.items() if value is not None and value != []}
        given.pop("deviceChange", None)
        given.pop("name", None)
        wanted = changed(wanted, **given)
    if extra_value(source, "uuid.action"):
        wanted = changed(
            wanted, extraConfig=[option for option in wanted.extraConfig if option.key != "uuid.action"]
        )
    return wanted


def _as_new(vm: Machine, device: Device) -> Device:
    if isinstance(device, _device.VirtualEthernetCard):
        mac, address_type = new_mac(vm.world)
        return changed(device, macAddress=mac, addressType=address_type)
    return device


def _copied_disks(
    vm: Machine,
    snapshot: Snapshot | None,
    targets: dict[int, str],
    home: DatastorePath,
    location: vim.vm.RelocateSpec,
    progress: TaskProgress,
) -> tuple[dict[int, DiskTree], list[Device]]:
    """Copy each disk with its parents into one file; what was copied is deleted when one fails."""
    source = (vm.config if snapshot is None else snapshot.config).hardware.device
    trees: dict[int, DiskTree] = {}
    devices: list[Device] = []
    disks = disks_of(source)
    try:
        for number, device in enumerate(disks):
            tree = vm.trees[device.key]
            stem = home.name.removesuffix(".vmx") + (f"_{number}" if number else "")
            target = DatastorePath.of(targets.get(device.key, home.datastore), f"{home.directory}/{stem}.vmdk")
            with as_vim_faults(str(target)):
                thin = _THIN.get(location.transform or "")
                copied = _copy_tree(vm, tree, snapshot, target, thin=thin)
            trees[device.key] = DiskTree(vm.world.disks, device.key, copied)
            devices.append(device)
            progress.report(90 * (number + 1) // len(disks))
    except vmodl.MethodFault:
        for tree in trees.values():
            if tree.leaf is not None:
                with suppress(StorageError):
                    vm.world.disks.delete(tree.leaf.path)
        raise
    return trees, devices


def _copy_tree(
    vm: Machine, tree: DiskTree, snapshot: Snapshot | None, target: DatastorePath, *, thin: bool | None
) -> SimDisk:
    """Copy what a snapshot holds, or the present state, which is frozen meanwhile when the VM runs."""
    held = None if snapshot is None else tree.frozen[snapshot.moid]
    passing = f"clone-{vm.moid}"
    if held is None and vm.is_running:
        with stunned(vm):
            tree.freeze(passing)
        held = tree.frozen[passing]
    source = held or tree.leaf
    assert source is not None
    try:
        copied: SimDisk = vm.world.disks.copy(source.path, target, thin=source.base.thin if thin is None else thin)
    finally:
        if passing in tree.frozen:
            tree.forget(passing)
            with stunned(vm):
                tree.consolidate()
    return copied
