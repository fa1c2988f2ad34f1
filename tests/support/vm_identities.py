"""What happens to the identity of VMs outside of any client's doing: new ids, shared UUIDs, a new vCenter.

A host that is removed from a vCenter and added again gives all its VMs new ids; a vCenter that is set up again
gives the ids that it counts from its beginning, so that one VM has the id that another had; a copied VM may have
the UUIDs of its original.
"""

from collections.abc import Mapping

from pyVmomi import vim

from app.simulator.content import SimServiceInstance
from app.simulator.vm.create import add_to_inventory, new_vm_moid
from app.simulator.vm.lifecycle import forget
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed
from app.simulator.world import World


def register_again(world: World, ids: Mapping[str, str | None]) -> dict[str, str]:
    """Give VMs without snapshots other ids, as registering them again does; they keep running.

    Args:
        world: where they are.
        ids: the new id of each VM by its old one, which may be one that another of them had; None takes a new one.

    Returns:
        The new ids by the old ones.
    """
    machines = {old: _machine(world, old) for old in ids}
    for vm in machines.values():
        vm.world.guests.stopped(vm)
    given: dict[str, str] = {}
    with world.lock:
        for vm in machines.values():
            forget(vm)
        for old, vm in machines.items():
            given[old] = vm.moid = ids[old] or new_vm_moid(world)
            vm.ref = vim.VirtualMachine(vm.moid)
            vm.fragments.clear()
            add_to_inventory(vm)
            vm.set_config(vm.config)
    for vm in machines.values():
        if vm.is_running:
            vm.world.guests.started(vm)
    return given


def share_uuids(original: Machine, copy: Machine, *, bios_too: bool = False) -> None:
    """Let a VM have the instance UUID of another, as a copied folder has that is registered on a host."""
    made = changed(copy.config, instanceUuid=original.config.instanceUuid)
    copy.set_config(changed(made, uuid=original.config.uuid) if bios_too else made)


def set_up_again(world: World, instance_uuid: str) -> None:
    """Let the platform be another one to its clients, under the same address."""
    for instance in world.all(SimServiceInstance):
        instance.be_another(instance_uuid)


def _machine(world: World, moid: str) -> Machine:
    vm = world.get(moid)
    assert isinstance(vm, Machine)
    return vm
