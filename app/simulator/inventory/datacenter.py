"""Datacenters: what is in them, and powering on several VMs at once."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.entity import Entity
from app.simulator.inventory.surroundings import Surroundings
from app.simulator.progress import TaskProgress
from app.simulator.vm import power
from app.simulator.vm.machine import Machine


class Datacenter(Entity):
    """A datacenter."""

    vim_type = vim.Datacenter
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "datastore": lambda datacenter: [
            datastore.ref for datastore in datacenter.surroundings.datastores_near(datacenter)
        ],
        "network": lambda datacenter: [
            network.ref for network in datacenter.surroundings.networks_near(datacenter)
        ],
        "configuration": lambda _: vim.Datacenter.ConfigInfo(),
    }

    @property
    def surroundings(self) -> Surroundings:
        """The inventory that it is part of."""
        surroundings: Surroundings = self.world.inventory
        return surroundings

    def PowerOnMultiVM_Task(
        self, call: Call, *, vm: list[vim.VirtualMachine], option: list[Any] | None = None
    ) -> vim.Task:
        """Power several VMs on, each in a task of its own."""
        machines: list[Machine] = []
        for ref in vm:
            machine = self.world.get(ref)
            assert isinstance(machine, Machine)
            call.require("VirtualMachine.Interact.PowerOn", machine)
            machines.append(machine)

        def power_on(_: TaskProgress) -> vim.cluster.PowerOnVmResult:
            attempted = [
                vim.cluster.AttemptedVmInfo(vm=machine.ref, task=power.power_on(machine, call, None))
                for machine in machines
            ]
            return vim.cluster.PowerOnVmResult(attempted=attempted)

        return call.start_task(self, "PowerOnMultiVM_Task", power_on)
