"""Creates VMs: CreateVM_Task, and the parts that registering and cloning use too."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.entity import adopt, child_named, duplicate_name, meant_name, stored_name
from app.simulator.inventory.folder import Folder
from app.simulator.inventory.host import HostSystem
from app.simulator.objects import Lazy, SimObject
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath
from app.simulator.vm import files, guest_systems, layout
from app.simulator.vm.config import (
    NewVm,
    check_name,
    check_spec,
    new_config,
    with_devices,
    with_spec,
)
from app.simulator.vm.device_changes import DiskStep, plan_device_changes
from app.simulator.vm.devices import default_devices
from app.simulator.vm.identity import bios_uuid, location_id, new_mac
from app.simulator.vm.lifecycle import delete_files
from app.simulator.vm.machine import Machine
from app.simulator.vm.privileges import require_privileges
from app.simulator.vm.reconfigure import VmDeviceContext, carry_out
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import changed
from app.simulator.world import World, WorldObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a new VM goes."""

    folder: Folder
    host: HostSystem
    pool: ResourcePool


def add_to_inventory(vm: Machine) -> None:
    """Add a new VM to the inventory.

    Raises:
        vim.fault.DuplicateName: its folder has a child of that name by now.
    """
    inventory = vm.world.inventory
    with vm.world.lock:
        parent = vm.parent_object()
        twin = child_named(parent, vm.name) if parent is not None else _child_of_pool(vm.pool, vm.name)
        if twin is not None:
            raise duplicate_name(vm.name, twin)
        vm.world.add(vm)
        inventory.vms[vm.moid] = vm
        if parent is not None:
            adopt(parent, vm)
        for owner in (vm.host, vm.pool):
            owner.set(vm=[*owner.properties["vm"], vm.ref])


def _child_of_pool(pool: ResourcePool, name: str) -> SimObject | None:
    """Return the VM or pool of a name that is directly in a pool, or None."""
    refs = [*pool.properties["vm"], *(inner.ref for inner in pool.pools)]
    found = (pool.world.find(ref._moId) for ref in refs)
    return next((child for child in found if child is not None and child.properties.get("name") == name), None)


def new_vm_moid(world: World) -> str:
    """Return the id of a new VM: ``vm-1001``, on a bare ESXi only a number."""
    return world.new_moid("vm") if world.spec.is_vcenter else str(world.new_number())


def place_for(folder: Folder, pool: vim.ResourcePool | None, host: vim.HostSystem | None) -> Place:
    """Return where a new VM goes; without a host, the one with the fewest VMs.

    Raises:
        vmodl.fault.ManagedObjectNotFound: the host or the pool does not exist.
    """
    inventory = folder.world.inventory
    parts = inventory.parts_of(folder)
    wanted = parts.pool if pool is None else folder.world.get(pool)
    if isinstance(wanted, ResourcePool) and wanted.vapp is not None:
        raise vmodl.fault.InvalidArgument(
            msg="A virtual machine of a vApp is in no folder.", invalidProperty="pool"
        )
    return _place_in(folder, wanted, host)


def _place_in(folder: Folder, wanted: SimObject, host: vim.HostSystem | None) -> Place:
    inventory = folder.world.inventory
    parts = inventory.parts_of(folder)
    chosen = inventory.host_of(host) or min(parts.hosts, key=lambda candidate: len(candidate.properties["vm"]))
    if not isinstance(wanted, ResourcePool) or chosen not in wanted.owner.hosts or chosen not in parts.hosts:
        raise vmodl.fault.InvalidArgument(
            msg="The folder, the resource pool and the host are not of one datacenter.", invalidProperty="pool"
        )
    return Place(folder=folder, host=chosen, pool=wanted)


def refuse_twin(folder: Folder, name: str) -> None:
    """Refuse the name of a VM that is to be in a folder when a child has it.

    Raises:
        vim.fault.DuplicateName: one does.
    """
    twin = child_named(folder, stored_name(name))
    if twin is not None:
        raise duplicate_name(name, twin)


# ---- CreateVM_Task -------------------------------------------------------------------------------------


def create_vm(
    folder: Folder, call: Call, spec: vim.vm.ConfigSpec, pool: vim.ResourcePool, host: vim.HostSystem | None
) -> vim.Task:
    """Create a VM in a folder, in a task.

    Raises:
        vim.fault.NoPermission: the caller lacks a privilege.
        vim.fault.InvalidName, vim.fault.DuplicateName: of the spec.
    """
    call.require("VirtualMachine.Inventory.Create", folder)
    _require_what_it_has(folder, call, spec)
    place = place_for(folder, pool, host)
    name = spec.name or ""
    check_name(name)
    refuse_twin(folder, name)
    return _start_creation(folder, place, call, spec, "CreateVM_Task")


def create_child_vm(
    pool: ResourcePool, folder: Folder, call: Call, spec: vim.vm.ConfigSpec, host: vim.HostSystem | None
) -> vim.Task:
    """Create a VM in a vApp or a pool of one, in a task.

    Args:
        pool: the vApp or its pool.
        folder: the folder of VMs of its datacenter, where the VM will not be.
        call: who asks.
        spec: what is wanted.
        host: where it would run.

    Raises:
        vim.fault.NoPermission: the caller lacks a privilege.
        vim.fault.InvalidName, vim.fault.DuplicateName: of the spec.
    """
    call.require("VApp.AssignVM" if pool.is_vapp else "Resource.AssignVMToPool", pool)
    _require_what_it_has(pool, call, spec)
    place = _place_in(folder, pool, host)
    name = spec.name or ""
    check_name(name)
    twin = _child_of_pool(pool, stored_name(name))
    if twin is not None:
        raise duplicate_name(name, twin)
    return _start_creation(pool, place, call, spec, "CreateChildVM_Task")


def _require_what_it_has(target: WorldObject, call: Call, spec: vim.vm.ConfigSpec) -> None:
    """Refuse a new VM with devices or a datastore that the caller may not use."""
    home_store = (spec.files.vmPathName or "")[1:].partition("] ")[0].removesuffix("]") if spec.files else ""
    devices_only = vim.vm.ConfigSpec(deviceChange=spec.deviceChange)
    require_privileges(call, target, devices_only, home=home_store)
    if home_store in target.world.inventory.datastores:
        call.require("Datastore.AllocateSpace", target.world.inventory.datastores[home_store])


def _start_creation(
    target: WorldObject, place: Place, call: Call, spec: vim.vm.ConfigSpec, wsdl_name: str
) -> vim.Task:
    refuse_unknown_hardware(place.host, spec)
    refuse_unknown_policies(target.world, spec)

    def run(progress: TaskProgress) -> vim.VirtualMachine:
        home = new_home(target.world, spec.files.vmPathName if spec.files else None, spec.name or "")
        vm = build_vm(place, spec, home, progress)
        vm.post(vim.event.VmCreatedEvent, f"Created virtual machine {vm.name} on {vm.host.name}.", call.user)
        ref: vim.VirtualMachine = vm.ref
        return ref

    return call.start_task(target, wsdl_name, run)


def refuse_unknown_hardware(host: HostSystem, spec: vim.vm.ConfigSpec) -> None:
    """Refuse a virtual hardware version that a host does not know, and devices that a version does not know.

    Raises:
        vim.fault.VirtualHardwareVersionNotSupported: the host is older than the version.
        vim.fault.DeviceUnsupportedForVmVersion: the version is older than a device.
        vmodl.fault.InvalidArgument: the version is older than the guest system.
    """
    version = spec.version or f"vmx-{host.newest_hardware}"
    digits = version.removeprefix("vmx-")
    number = int(digits) if digits.isdigit() else 0
    if not 3 <= number <= host.newest_hardware:
        raise vim.fault.VirtualHardwareVersionNotSupported(
            msg=f"Virtual machine hardware version '{version}' is not supported by host '{host.name}'.",
            hostName=host.name,
            host=host.ref,
        )
    if spec.guestId and not guest_systems.is_known_with(spec.guestId, number):
        raise vmodl.fault.InvalidArgument(
            msg="A specified parameter was not correct: configSpec.guestId", invalidProperty="configSpec.guestId"
        )
    for index, change in enumerate(spec.deviceChange):
        needed = next((since for kind, since in _DEVICE_VERSIONS if isinstance(change.device, kind)), 0)
        if change.operation == "add" and number < needed:
            raise vim.fault.DeviceUnsupportedForVmVersion(
                msg="The device is not supported by the virtual machine's hardware version.",
                deviceIndex=index,
                property="device",
                currentVersion=version,
                expectedVersion=f"vmx-{needed:02}",
            )


def refuse_unknown_policies(world: World, spec: vim.vm.ConfigSpec) -> None:
    """Refuse a storage policy that the platform does not have.

    Raises:
        vmodl.fault.InvalidArgument: it does not.
    """
    given = [*spec.vmProfile, *(profile for change in spec.deviceChange for profile in change.profile)]
    for profile in given:
        if getattr(profile, "profileId", None) not in (None, *world.spec.storage_policies):
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: profileId", invalidProperty="profileId"
            )


_DEVICE_VERSIONS = (
    (vim.vm.device.VirtualNVMEController, 13),
    (vim.vm.device.VirtualTPM, 14),
    (vim.vm.device.VirtualAHCIController, 10),
)


def new_home(world: World, wanted: str | None, name: str) -> DatastorePath:
    """Return the path of a new .vmx file, in a directory of its own unless the client named one.

    Raises:
        vim.fault.InvalidDatastorePath, vim.fault.InvalidDatastore: what the client named makes no sense.
        vim.fault.FileAlreadyExists: there is such a file.
    """
    with as_vim_faults(wanted or ""):
        path = DatastorePath.parse(wanted or "")
        base = safe_name(name)
        if path.name.endswith(".vmx"):
            home = path
        elif path.relative:
            home = DatastorePath.of(path.datastore, f"{path.relative}/{base}.vmx")
        else:
            home = _free_directory(world, path.datastore, base)
    if files.stored_file(world, home).exists():
        raise vim.fault.FileAlreadyExists(msg=f"{home} already exists.", file=str(home))
    return home


def _free_directory(world: World, datastore: str, base: str) -> DatastorePath:
    for number in range(1000):
        directory = f"{base}_{number}" if number else base
        home = DatastorePath.of(datastore, f"{directory}/{directory}.vmx")
        if not files.stored_file(world, home).parent.exists():
            return home
    raise vim.fault.FileAlreadyExists(msg="There is no free directory.", file=f"[{datastore}] {base}")


def safe_name(name: str) -> str:
    """Return a name as a file may have it."""
    cleaned = "".join("_" if char in '\\/:*?"<>|[]%' or ord(char) < 32 else char for char in meant_name(name))
    return cleaned.strip(" .") or "vm"


def bare_machine(place: Place, spec: vim.vm.ConfigSpec, home: DatastorePath) -> Machine:
    """Return a VM without disks, which is not part of the inventory yet."""
    world = place.folder.world
    vm: Machine = world.inventory.new_machine(
        world,
        new_vm_moid(world),
        stored_name(spec.name or ""),
        place.folder,
        made=base_config(world, spec, home, place.host),
        host=place.host,
        pool=place.pool,
        datastore_names=frozenset({home.datastore}),
    )
    vm.set_trees({})
    return vm


def build_vm(
    place: Place,
    spec: vim.vm.ConfigSpec,
    home: DatastorePath,
    progress: TaskProgress | None = None,
    *,
    prepare: Callable[[Machine], None] | None = None,
) -> Machine:
    """Create a VM's files and let it be part of the inventory; when that fails nothing is left.

    Args:
        place: where it goes.
        spec: what it looks like; its name is set.
        home: path of its .vmx file.
        progress: where to report.
        prepare: called before it is part of the inventory.

    Raises:
        vmodl.MethodFault: it could not be created.
    """
    world = place.folder.world
    vm = bare_machine(place, spec, home)
    check_spec(vm.config, changed(spec, changeVersion=None), power_state="poweredOff")
    plan = plan_device_changes(vm.config.hardware.device, spec.deviceChange, VmDeviceContext(world, home, vm))
    try:
        devices = carry_out(vm, plan)
        if progress is not None:
            progress.report(50)
        made = with_devices(with_spec(vm.config, changed(spec, name=vm.name), world.now()), devices)
        vm.set_config(_apart_from_others(world, vm, made))
        with as_vim_faults(str(home)):
            vm.apply_tracking()
        if prepare is not None:
            prepare(vm)
        if any(work.step is DiskStep.ATTACH for work in plan.work):
            vm.hostname = foreign_hostname(vm)
        layout.save_configuration(vm)
        add_to_inventory(vm)
    except vmodl.MethodFault:
        delete_files(vm)
        raise
    return vm


def foreign_hostname(vm: Machine) -> str | None:
    """Return what the tools in a guest of elsewhere report, None when none run in it."""
    return safe_name(vm.name).replace(" ", "-") if vm.world.spec.foreign_guests_have_tools else None


def _apart_from_others(world: World, vm: Machine, made: vim.vm.ConfigInfo) -> vim.vm.ConfigInfo:
    """Return a new VM's configuration as a vCenter gives it: with a UUID and addresses of its own."""
    if not world.spec.is_vcenter:
        return made
    others = [
        other.config
        for other in world.all(Machine)
        if other is not vm and not isinstance(other.properties["config"], Lazy)
    ]
    if made.instanceUuid in {other.instanceUuid for other in others}:
        made = changed(made, instanceUuid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{made.instanceUuid}/{vm.moid}")))
    taken = {
        device.macAddress
        for other in others
        for device in other.hardware.device
        if isinstance(device, vim.vm.device.VirtualEthernetCard)
    }
    devices = [
        changed(device, macAddress=new_mac(world)[0])
        if isinstance(device, vim.vm.device.VirtualEthernetCard)
        and device.addressType == "assigned"
        and device.macAddress in taken
        else device
        for device in made.hardware.device
    ]
    return with_devices(made, devices)


def base_config(world: World, spec: vim.vm.ConfigSpec, home: DatastorePath, host: HostSystem) -> vim.vm.ConfigInfo:
    """Return the configuration of a VM that has only what every VM has.

    Raises:
        vim.fault.InvalidDatastore: the datastore does not exist.
    """
    datastore = world.inventory.datastores.get(home.datastore)
    if datastore is None:
        raise vim.fault.InvalidDatastore(msg=f"Invalid datastore '{home.datastore}'.", name=home.datastore)
    number = world.new_number()
    made = new_config(
        NewVm(
            name=stored_name(spec.name or ""),
            vmx_path=str(home),
            uuid=spec.uuid or bios_uuid(world.spec.seed, "bios", number),
            instance_uuid=spec.instanceUuid or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{world.spec.seed}/{number}")),
            hardware_version=spec.version or f"vmx-{host.newest_hardware}",
            created=world.now(),
            datastore_url=datastore.url,
        ),
        default_devices(),
    )
    return changed(made, locationId=location_id(home))
