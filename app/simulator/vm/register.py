"""Adds VMs whose files exist to the inventory: RegisterVM_Task."""

from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.entity import meant_name
from app.simulator.inventory.folder import Folder
from app.simulator.progress import TaskProgress
from app.simulator.storage import DatastorePath
from app.simulator.vm import files, vmx
from app.simulator.vm.config import with_devices, with_spec
from app.simulator.vm.create import Place, add_to_inventory, bare_machine, foreign_hostname, place_for, refuse_twin
from app.simulator.vm.device_changes import plan_device_changes
from app.simulator.vm.devices import connect_info, network_backing
from app.simulator.vm.identity import location_id
from app.simulator.vm.lifecycle import close_disks
from app.simulator.vm.machine import Machine
from app.simulator.vm.reconfigure import VmDeviceContext, carry_out
from app.simulator.vm.snapshot_files import load_snapshots
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import changed


def register_vm(
    folder: Folder,
    call: Call,
    path: str,
    name: str | None,
    *,
    pool: vim.ResourcePool | None,
    host: vim.HostSystem | None,
    as_template: bool,
) -> vim.Task:
    """Add a VM whose files exist to the inventory, in a task.

    Raises:
        vim.fault.NoPermission: the caller may not.
    """
    call.require("VirtualMachine.Inventory.Register", folder)
    place = place_for(folder, pool, host)

    def run(progress: TaskProgress) -> vim.VirtualMachine:
        vm = _register(place, path, name, progress, as_template=as_template)
        vm.post(vim.event.VmRegisteredEvent, f"Registered {vm.name} on {vm.host.name}.", call.user)
        ref: vim.VirtualMachine = vm.ref
        return ref

    return call.start_task(folder, "RegisterVM_Task", run)


def _register(place: Place, path: str, name: str | None, progress: TaskProgress, *, as_template: bool) -> Machine:
    world = place.folder.world
    with as_vim_faults(path):
        home = DatastorePath.parse(path)
    if any(files.home_of(known.config) == home for known in world.inventory.vms.values()):
        raise vim.fault.AlreadyExists(
            msg=f"The specified key, name, or identifier '{path}' already exists.", name=path
        )
    file = files.stored_file(world, home)
    if not file.is_file():
        raise vim.fault.NotFound(msg=f"The object or item referred to could not be found: {path}")
    spec = vmx.spec_from_text(file.read_text("utf-8", "replace"), path)
    spec = changed(spec, name=meant_name(name or spec.name or files.stem_of(home)))
    refuse_twin(place.folder, spec.name or "")
    written_at = spec.locationId
    vm = bare_machine(place, spec, home)
    context = VmDeviceContext(world, home, vm)
    plan = plan_device_changes(vm.config.hardware.device, _known_networks(spec, context), context)
    try:
        devices = carry_out(vm, plan)
        progress.report(50)
        made = with_devices(with_spec(vm.config, changed(spec, name=vm.name), world.now()), devices)
        vm.set_config(changed(made, template=as_template, locationId=written_at or location_id(home)))
        load_snapshots(vm, context)
        vm.hostname = foreign_hostname(vm)
        vm.moved_here = written_at not in (None, location_id(home))
        add_to_inventory(vm)
    except vmodl.MethodFault:
        close_disks(vm)
        raise
    return vm


def _known_networks(spec: vim.vm.ConfigSpec, context: VmDeviceContext) -> list[Any]:
    """A card on a network that does not exist here is registered unconnected, on the first network."""
    return [_on_known_network(change, context) for change in spec.deviceChange]


def _on_known_network(change: Any, context: VmDeviceContext) -> Any:
    card = change.device
    if not isinstance(card, vim.vm.device.VirtualEthernetCard) or card.backing is None:
        return change
    if context.network(card.backing) is not None:
        return change
    backing = network_backing(context.any_network(), None)
    disconnected = connect_info(connected=False, start_connected=False)
    return changed(change, device=changed(card, backing=backing, connectable=disconnected))
