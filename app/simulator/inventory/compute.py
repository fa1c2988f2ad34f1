"""Clusters, stand-alone compute resources, resource pools, and what an environment can run."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.entity import Entity
from app.simulator.objects import Call, SimObject

if TYPE_CHECKING:
    from app.simulator.inventory.host import HostSystem
    from app.simulator.inventory.index import Inventory
    from app.simulator.world import World

GIB = 1 << 30
HOST_MEMORY_BYTES = 256 * GIB
HOST_CORES = 32
CORE_MHZ = 2600


def _summary(compute: "ComputeResource") -> vim.ComputeResource.Summary:
    n_hosts = len(compute.hosts)
    kind: Any = vim.ClusterComputeResource.Summary if compute.is_cluster else vim.ComputeResource.Summary
    fields: dict[str, Any] = {
        "totalCpu": n_hosts * HOST_CORES * CORE_MHZ,
        "totalMemory": n_hosts * HOST_MEMORY_BYTES,
        "numCpuCores": n_hosts * HOST_CORES,
        "numCpuThreads": n_hosts * HOST_CORES * 2,
        "effectiveCpu": n_hosts * HOST_CORES * CORE_MHZ,
        "effectiveMemory": n_hosts * HOST_MEMORY_BYTES >> 20,
        "numHosts": n_hosts,
        "numEffectiveHosts": n_hosts,
        "overallStatus": "green",
    }
    if compute.is_cluster:
        fields |= {"currentFailoverLevel": 0, "numVmotions": 0, "targetBalance": 0, "currentBalance": 0}
    summary: vim.ComputeResource.Summary = kind(**fields)
    return summary


class ComputeResource(Entity):
    """A host that stands alone.

    Attributes:
        hosts: its hosts.
    """

    vim_type: ClassVar[type[Any]] = vim.ComputeResource
    is_cluster: ClassVar[bool] = False
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "summary": _summary,
        "host": lambda compute: [host.ref for host in compute.hosts],
        "datastore": lambda compute: [one.ref for one in compute.inventory.datastores.values()],
        "network": lambda compute: [one.ref for one in compute.inventory.networks.values()],
        "configurationEx": lambda _: vim.ComputeResource.ConfigInfo(vmSwapPlacement="vmDirectory"),
    }

    def __init__(self, world: "World", moid: str, name: str, parent: SimObject) -> None:
        super().__init__(world, moid, name, parent)
        self.hosts: list[HostSystem] = []

    @property
    def inventory(self) -> "Inventory":
        """What it belongs to."""
        inventory: Inventory = self.world.inventory
        return inventory


class ClusterComputeResource(ComputeResource):
    """A cluster without HA and DRS."""

    vim_type = vim.ClusterComputeResource
    is_cluster = True
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        **ComputeResource.builders,
        "summaryEx": _summary,
        "configuration": lambda _: vim.cluster.ConfigInfo(
            dasConfig=vim.cluster.DasConfigInfo(enabled=False), drsConfig=vim.cluster.DrsConfigInfo(enabled=False)
        ),
        "configurationEx": lambda _: vim.cluster.ConfigInfoEx(
            vmSwapPlacement="vmDirectory",
            dasConfig=vim.cluster.DasConfigInfo(enabled=False),
            drsConfig=vim.cluster.DrsConfigInfo(enabled=False),
        ),
    }


def _allocation(limit: int) -> vim.ResourceAllocationInfo:
    return vim.ResourceAllocationInfo(
        reservation=limit,
        expandableReservation=False,
        limit=limit,
        shares=vim.SharesInfo(shares=4000, level="normal"),
    )


def _pool_config(pool: "ResourcePool") -> vim.ResourceConfigSpec:
    n_hosts = len(pool.owner.hosts)
    return vim.ResourceConfigSpec(
        entity=pool.ref,
        cpuAllocation=_allocation(n_hosts * HOST_CORES * CORE_MHZ),
        memoryAllocation=_allocation(n_hosts * HOST_MEMORY_BYTES >> 20),
    )


def _pool_runtime(pool: "ResourcePool") -> vim.ResourcePool.RuntimeInfo:
    n_hosts = len(pool.owner.hosts)

    def usage(most: int) -> vim.ResourcePool.ResourceUsage:
        return vim.ResourcePool.ResourceUsage(
            reservationUsed=0,
            reservationUsedForVm=0,
            unreservedForPool=most,
            unreservedForVm=most,
            overallUsage=0,
            maxUsage=most,
        )

    return vim.ResourcePool.RuntimeInfo(
        memory=usage(n_hosts * HOST_MEMORY_BYTES),
        cpu=usage(n_hosts * HOST_CORES * CORE_MHZ),
        overallStatus="green",
    )


class ResourcePool(Entity):
    """The root pool of a compute resource."""

    vim_type = vim.ResourcePool
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "owner": lambda pool: pool.owner.ref,
        "config": _pool_config,
        "runtime": _pool_runtime,
        "summary": lambda pool: vim.ResourcePool.Summary(
            name=pool.name, config=_pool_config(pool), runtime=_pool_runtime(pool), configuredMemoryMB=0
        ),
        "resourcePool": lambda _: [],
    }

    def __init__(self, world: "World", moid: str, owner: ComputeResource) -> None:
        super().__init__(world, moid, "Resources", owner, vm=[])
        self.owner = owner


class EnvironmentBrowser(SimObject):
    """Tells what a VM may look like here."""

    vim_type = vim.EnvironmentBrowser

    def QueryConfigOptionDescriptor(self, call: Call) -> list[vim.vm.ConfigOptionDescriptor]:
        """Return the hardware versions that VMs can have."""
        hosts = [host.ref for host in self.world.inventory.hosts]
        newest = "vmx-21" if self.world.spec.version == "8.0.3" else "vmx-19"
        return [
            vim.vm.ConfigOptionDescriptor(
                key=key,
                description=f"hardware version {key.removeprefix('vmx-')}",
                host=hosts,
                createSupported=True,
                defaultConfigOption=key == newest,
                runSupported=True,
                upgradeSupported=True,
            )
            for key in ("vmx-11", "vmx-13", "vmx-14", "vmx-15", "vmx-17", "vmx-18", "vmx-19", "vmx-20", "vmx-21")
            if key <= newest
        ]
