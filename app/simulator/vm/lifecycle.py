"""Unregisters and deletes VMs, and makes templates of them and VMs of templates."""

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.entity import release
from app.simulator.storage import StorageError
from app.simulator.vm import files, layout
from app.simulator.vm.lending import give_all_back
from app.simulator.vm.machine import Machine
from app.simulator.vm.power import wrong_state
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import changed


def forget(vm: Machine) -> None:
    """Remove a VM and its snapshots from the inventory."""
    inventory = vm.world.inventory
    give_all_back(vm)
    with vm.world.lock:
        parent = vm.parent_object()
        if parent is not None:
            release(parent, vm)
        for owner in (vm.host, vm.pool):
            owner.set(vm=[ref for ref in owner.properties["vm"] if ref != vm.ref])
        inventory.vms.pop(vm.moid, None)
        for snapshot in vm.every_snapshot():
            vm.world.remove(snapshot)
        vm.world.remove(vm)


def unregister(vm: Machine, call: Call) -> None:
    """Remove a VM from the inventory; its files stay.

    Raises:
        vim.fault.InvalidPowerState: it runs.
        vim.fault.TaskInProgress: it is busy.
    """
    with vm.world.lock:
        vm.refuse_while_busy()
        if vm.power_state != "poweredOff":
            raise wrong_state(vm, "poweredOff")
        forget(vm)
    vm.world.guests.stopped(vm)
    close_disks(vm)
    message = f"Removed {vm.name} on {vm.host.name}."
    vm.world.events.post(vim.event.VmRemovedEvent, message, vm=vm, user=call.user)


def close_disks(vm: Machine) -> None:
    """Close a VM's disks; those that others stand on stay open."""
    if not vm.has_files:
        return
    for tree in vm.trees.values():
        for disk in reversed(tree.every_disk()):
            try:
                disk.close()
            except StorageError:  # another disk stands on it
                continue


def destroy(vm: Machine, call: Call) -> vim.Task:
    """Delete a VM with its files, in a task.

    Raises:
        vim.fault.NoPermission: the caller may not.
        vim.fault.TaskInProgress: the VM is busy.
    """
    call.require("VirtualMachine.Inventory.Delete", vm)

    return vm.start(call, call.method, lambda _: remove(vm, call.user))


def remove(vm: Machine, user: str = "") -> None:
    """Delete a VM with its files.

    Raises:
        vim.fault.InvalidPowerState: it runs.
        vim.fault.FileLocked: a reader has one of the disks open.
    """
    if vm.power_state != "poweredOff":
        raise wrong_state(vm, "poweredOff")
    vm.world.guests.stopped(vm)
    if vm.has_files:
        delete_files(vm)
    message = f"Removed {vm.name} on {vm.host.name} from the disk."
    vm.world.events.post(vim.event.VmRemovedEvent, message, vm=vm, user=user)
    forget(vm)


def delete_files(vm: Machine) -> None:
    """Delete every file of a VM, and its directory when nothing else is in it.

    Raises:
        vim.fault.FileLocked: a reader has one of the disks open.
    """
    for tree in vm.trees.values():
        for disk in reversed(tree.every_disk()):
            with as_vim_faults(str(disk.path)):
                vm.world.disks.delete(disk.path)
    vm.set_trees({})
    home = files.home_of(vm.config)
    datastore = files.datastore_of(vm.world, home)
    directory = files.stored_file(vm.world, home).parent
    stem = files.stem_of(home)
    for entry in sorted(directory.iterdir()) if directory.is_dir() else []:
        if entry.is_file() and entry.name.startswith((stem, files.LOGS)) and entry.suffix in files.HOME_SUFFIXES:
            datastore.delete_file(home.sibling(entry.name).relative)
    if home.directory and directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def mark_as_template(vm: Machine) -> None:
    """Make a template of a VM.

    Raises:
        vim.fault.InvalidPowerState: it runs.
        vim.fault.TaskInProgress: it is busy.
        vmodl.fault.NotSupported: it is on a single host.
    """
    vm.refuse_unconnected()
    vm.refuse_while_busy()
    if not vm.world.spec.is_vcenter:
        raise vmodl.fault.NotSupported(msg="The operation is not supported on the object.")
    if vm.power_state != "poweredOff":
        raise wrong_state(vm, "poweredOff")
    _set_template(vm, is_template=True)


def mark_as_vm(vm: Machine, pool: vim.ResourcePool, host: vim.HostSystem | None) -> None:
    """Make a VM of a template, in a resource pool.

    Raises:
        vim.fault.InvalidState: it is none.
        vim.fault.TaskInProgress: it is busy.
        vmodl.fault.InvalidArgument: the pool is not one of the host.
        vmodl.fault.NotSupported: it is on a single host.
    """
    vm.refuse_unconnected()
    vm.refuse_while_busy()
    if not vm.world.spec.is_vcenter:
        raise vmodl.fault.NotSupported(msg="The operation is not supported on the object.")
    if not vm.config.template:
        raise vim.fault.InvalidState(msg="It is no template.")
    target = vm.world.inventory.host_of(host) or vm.host
    wanted = vm.world.get(pool)
    if not isinstance(wanted, ResourcePool) or target not in wanted.owner.hosts:
        raise vmodl.fault.InvalidArgument(
            msg="A specified parameter was not correct: pool", invalidProperty="pool"
        )
    vm.set_host(target)
    vm.set_pool(wanted)
    _set_template(vm, is_template=False)


def _set_template(vm: Machine, *, is_template: bool) -> None:
    """Make a template of a VM or the other way round; its configuration file gets another ending.

    Source: ``RegisterChildVM_Task`` of the vSphere Web Services reference: ``.vmtx`` refers to a template.
    """
    old = files.home_of(vm.config)
    new = old.sibling(files.stem_of(old) + (".vmtx" if is_template else ".vmx"))
    with vm.world.lock:
        now = vm.world.now()
        made = changed(vm.config, template=is_template, modified=now, changeVersion=now.isoformat())
        vm.set_config(changed(made, files=changed(made.files, vmPathName=str(new))))
        vm.refresh("resourcePool")
    if vm.has_files and files.stored_file(vm.world, old).exists():
        files.datastore_of(vm.world, old).delete_file(old.relative)
    layout.save_configuration(vm)
