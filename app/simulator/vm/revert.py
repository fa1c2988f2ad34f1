"""Reverts VMs to snapshots."""

from contextlib import suppress

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.storage import StorageError
from app.simulator.vm import files, layout, power
from app.simulator.vm.disks import with_present_backings
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot
from app.simulator.vm.snapshot_files import save_list
from app.simulator.vm.storage_faults import as_vim_faults
from app.simulator.vm.values import changed, disks_of


def revert(vm: Machine, snapshot: Snapshot, call: Call, *, suppress_power_on: bool) -> vim.Task:
    """Bring a VM back to a snapshot, in a task.

    Raises:
        vim.fault.TaskInProgress: the VM is busy.
    """
    return vm.start(
        call, call.method, lambda _: _revert(vm, snapshot, call.user, suppress_power_on=suppress_power_on)
    )


def revert_to_current(vm: Machine, call: Call, *, suppress_power_on: bool) -> vim.Task:
    """Bring a VM back to its current snapshot, in a task.

    Raises:
        vim.fault.NotFound: it has none.
        vim.fault.TaskInProgress: the VM is busy.
    """
    snapshot = vm.current_snapshot
    if snapshot is None:
        raise vim.fault.NotFound(msg="The virtual machine has no current snapshot.")
    return vm.start(
        call, call.method, lambda _: _revert(vm, snapshot, call.user, suppress_power_on=suppress_power_on)
    )


def _revert(vm: Machine, snapshot: Snapshot, user: str, *, suppress_power_on: bool) -> None:
    power.stop(vm, "poweredOff")
    made = snapshot.config
    same_generation = vm.world.faults.keeps_cbt_over_revert(vm.name, vm.moid)
    kept_keys = {device.key for device in disks_of(made.hardware.device)}
    for key, tree in vm.trees.items():
        with as_vim_faults(str(files.home_of(vm.config))):
            if snapshot.moid in tree.frozen:
                tree.revert(snapshot.moid, same_generation=same_generation)
            elif key not in kept_keys:
                tree.leaf = None
    _consolidate_quietly(vm)
    with vm.world.lock:
        vm.set_trees({key: tree for key, tree in vm.trees.items() if tree.leaf is not None or tree.frozen})
        vm.current_snapshot = snapshot
        now = vm.world.now()
        present = changed(made, name=vm.config.name, modified=now, changeVersion=now.isoformat())
        vm.set_config(with_present_backings(vm, present))
        vm.snapshots_changed()
    with as_vim_faults(str(files.home_of(vm.config))):
        vm.apply_tracking()
    layout.save_configuration(vm)
    save_list(vm)
    if snapshot.power_state == "poweredOn" and not suppress_power_on:
        power.start(vm)
    _post(vm, snapshot, user)


def _post(vm: Machine, snapshot: Snapshot, user: str) -> None:
    """Write the event that a vCenter writes then; a host alone has none besides its task's."""
    if not vm.world.spec.is_vcenter:
        return
    vm.post(
        vim.event.EventEx,
        f"The execution state of the virtual machine {vm.name} on host {vm.host.name} has been reverted to the "
        f"state of snapshot {snapshot.name}, with ID {snapshot.number}",
        user,
        eventTypeId="com.vmware.vc.vm.VmStateRevertedToSnapshot",
        severity="info",
    )


def _consolidate_quietly(vm: Machine) -> None:
    """Throw branches away; a branch that is being read stays, and consolidation is needed."""
    for tree in vm.trees.values():
        with suppress(StorageError):
            tree.consolidate()
