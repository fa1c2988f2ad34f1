"""Clusters, stand-alone compute resources, resource pools, and what an environment can run."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.entity import Entity
from app.simulator.inventory.hardware import CORE_MHZ, HARDWARE_NUMBERS, HOST_CORES, HOST_MEMORY_BYTES
from app.simulator.inventory.host import HostSystem
from app.simulator.inventory.surroundings import Surroundings
from app.simulator.objects import SimObject
from app.simulator.vm import guest_systems
from app.simulator.world import World, WorldObject


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
        "datastore": lambda compute: [
            datastore.ref for datastore in compute.surroundings.datastores_near(compute)
        ],
        "network": lambda compute: [network.ref for network in compute.surroundings.networks_near(compute)],
        "configurationEx": lambda _: vim.ComputeResource.ConfigInfo(vmSwapPlacement="vmDirectory"),
    }

    def __init__(self, world: World, moid: str, name: str, parent: SimObject) -> None:
        super().__init__(world, moid, name, parent)
        self.hosts: list[HostSystem] = []

    @property
    def surroundings(self) -> Surroundings:
        """The inventory that it is part of."""
        surroundings: Surroundings = self.world.inventory
        return surroundings


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
    """A resource pool; its parent is the compute resource where it is the root pool."""

    vim_type = vim.ResourcePool
    is_vapp: ClassVar[bool] = False
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "owner": lambda pool: pool.owner.ref,
        "config": _pool_config,
        "runtime": _pool_runtime,
        "summary": lambda pool: vim.ResourcePool.Summary(
            name=pool.name, config=_pool_config(pool), runtime=_pool_runtime(pool), configuredMemoryMB=0
        ),
        "resourcePool": lambda pool: [child.ref for child in pool.pools],
    }

    def __init__(
        self,
        world: World,
        moid: str,
        owner: ComputeResource,
        *,
        name: str = "Resources",
        above: "ResourcePool | None" = None,
    ) -> None:
        super().__init__(world, moid, name, above or owner, vm=[])
        self.owner = owner
        self.pools: list[ResourcePool] = []
        if above is not None:
            above.pools.append(self)

    @property
    def vapp(self) -> "ResourcePool | None":
        """The nearest vApp that this pool is or lies in, None outside of vApps."""
        pool: SimObject | None = self
        while isinstance(pool, ResourcePool):
            if pool.is_vapp:
                return pool
            pool = pool.parent_object()
        return None

    def create_in(
        self, pool: "ResourcePool", call: Call, config: vim.vm.ConfigSpec, host: vim.HostSystem | None
    ) -> vim.Task:
        """Create a VM in a pool of this vApp; ``VirtualApp`` implements it."""
        raise NotImplementedError

    def CreateChildVM_Task(
        self, call: Call, *, config: vim.vm.ConfigSpec, host: vim.HostSystem | None = None
    ) -> vim.Task:
        """Create a VM in here, where this is a vApp or a pool of one.

        Raises:
            vmodl.fault.NotSupported: it is neither.
        """
        vapp = self.vapp
        if vapp is None:
            raise vmodl.fault.NotSupported(msg="The resource pool is not a vApp, nor part of one.")
        return vapp.create_in(self, call, config, host)


class EnvironmentBrowser(WorldObject):
    """Reports what a VM may look like on the hosts of a compute resource."""

    vim_type = vim.EnvironmentBrowser

    def __init__(self, world: World, moid: str, compute: ComputeResource) -> None:
        super().__init__(world, moid)
        self.compute = compute

    def QueryConfigOptionDescriptor(self, call: Call) -> list[vim.vm.ConfigOptionDescriptor]:
        """Return the hardware versions that VMs can have, each with the hosts that know it."""
        newest = max(host.newest_hardware for host in self.compute.hosts)
        return [
            vim.vm.ConfigOptionDescriptor(
                key=f"vmx-{number:02}",
                description=f"hardware version {number}",
                host=[host.ref for host in self.compute.hosts if number <= host.newest_hardware],
                createSupported=True,
                defaultConfigOption=number == newest,
                runSupported=True,
                upgradeSupported=True,
            )
            for number in HARDWARE_NUMBERS
            if number <= newest
        ]

    def QueryConfigOption(
        self, call: Call, *, key: str | None = None, host: vim.HostSystem | None = None
    ) -> vim.vm.ConfigOption:
        """Return the guest systems that a hardware version knows; the other options are left out."""
        number = int((key or "vmx-21").removeprefix("vmx-"))
        return vim.vm.ConfigOption(
            version=f"vmx-{number:02}",
            description=f"hardware version {number}",
            guestOSDescriptor=[
                vim.vm.GuestOsDescriptor(
                    id=guest, family=guest_systems.family(guest), fullName=guest_systems.full_name(guest)
                )
                for guest in guest_systems.known_with(number)
            ],
            guestOSDefaultIndex=0,
        )
