"""Datacenters."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.entity import Entity
from app.simulator.objects import Call

if TYPE_CHECKING:
    from app.simulator.inventory.index import Inventory
    from app.simulator.tasks import TaskProgress


def _datastores(datacenter: "Datacenter") -> list[vim.Datastore]:
    inventory = datacenter.inventory
    return [datastore.ref for datastore in inventory.datastores_in(inventory.parts_of(datacenter))]


def _networks(datacenter: "Datacenter") -> list[vim.Network]:
    inventory = datacenter.inventory
    return [network.ref for network in inventory.networks_in(inventory.parts_of(datacenter))]


class Datacenter(Entity):
    """A datacenter."""

    vim_type = vim.Datacenter
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "datastore": _datastores,
        "network": _networks,
        "configuration": lambda _: vim.Datacenter.ConfigInfo(),
    }

    @property
    def inventory(self) -> "Inventory":
        """What is in it."""
        inventory: Inventory = self.world.inventory
        return inventory

    def PowerOnMultiVM_Task(
        self, call: Call, *, vm: list[vim.VirtualMachine], option: list[Any] | None = None
    ) -> vim.Task:
        """Power several VMs on, each in a task of its own."""
        from app.simulator.vm.machine import VirtualMachine

        machines: list[VirtualMachine] = []
        for ref in vm:
            machine = self.world.get(ref)
            assert isinstance(machine, VirtualMachine)
            call.require("VirtualMachine.Interact.PowerOn", machine)
            machines.append(machine)

        def power_on(_: "TaskProgress") -> vim.cluster.PowerOnVmResult:
            attempted = [
                vim.cluster.AttemptedVmInfo(vm=machine.ref, task=machine.PowerOnVM_Task(call, host=None))
                for machine in machines
            ]
            return vim.cluster.PowerOnVmResult(attempted=attempted)

        return call.start_task(self, "PowerOnMultiVM_Task", power_on)
