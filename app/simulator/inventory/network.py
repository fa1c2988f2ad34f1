"""Networks: standard port groups, and distributed ones with their switch."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.entity import Entity
from app.simulator.objects import SimObject
from app.simulator.world import World


def _vms(network: "Network") -> list[vim.VirtualMachine]:
    machines = network.world.inventory.vms.values()
    return [machine.ref for machine in machines if network.ref in machine.read("network")]


def _summary(network: "Network") -> vim.Network.Summary:
    return vim.Network.Summary(network=network.ref, name=network.name, accessible=True, ipPoolName="")


class Network(Entity):
    """A standard port group, the same on all hosts."""

    vim_type: ClassVar[type[Any]] = vim.Network
    volatile: ClassVar[frozenset[str]] = frozenset({"recentTask", "vm"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"vm": _vms, "summary": _summary}


class DistributedPortgroup(Network):
    """A port group of a distributed switch."""

    vim_type = vim.dvs.DistributedVirtualPortgroup

    def __init__(self, world: World, moid: str, name: str, parent: SimObject, switch: "DistributedSwitch") -> None:
        config = vim.dvs.DistributedVirtualPortgroup.ConfigInfo(
            key=moid,
            name=name,
            numPorts=128,
            distributedVirtualSwitch=switch.ref,
            type="earlyBinding",
            policy=vim.dvs.DistributedVirtualPortgroup.PortgroupPolicy(),
            configVersion="0",
            autoExpand=True,
        )
        super().__init__(world, moid, name, parent, key=moid, config=config)
        self.switch_uuid = switch.uuid
        self.switch_name = switch.name


class DistributedSwitch(Entity):
    """A distributed switch."""

    vim_type = vim.DistributedVirtualSwitch

    def __init__(self, world: World, moid: str, name: str, parent: SimObject, uuid: str) -> None:
        super().__init__(world, moid, name, parent, uuid=uuid, portgroup=[])
        self.uuid = uuid
        self.properties["summary"] = vim.DistributedVirtualSwitch.Summary(name=name, uuid=uuid, numPorts=128)
        self.properties["capability"] = vim.DistributedVirtualSwitch.Capability(dvsOperationSupported=True)
        self.properties["config"] = vim.DistributedVirtualSwitch.ConfigInfo(
            uuid=uuid,
            name=name,
            numStandalonePorts=0,
            numPorts=128,
            maxPorts=8000,
            uplinkPortPolicy=vim.DistributedVirtualSwitch.NameArrayUplinkPortPolicy(uplinkPortName=["Uplink 1"]),
            defaultPortConfig=vim.dvs.DistributedVirtualPort.Setting(),
            policy=vim.DistributedVirtualSwitch.SwitchPolicy(),
            configVersion="1",
            productInfo=vim.dvs.ProductSpec(vendor="VMware, Inc.", version=world.spec.version),
            contact=vim.DistributedVirtualSwitch.ContactInfo(),
            createTime=world.now(),
            networkResourceManagementEnabled=False,
        )
