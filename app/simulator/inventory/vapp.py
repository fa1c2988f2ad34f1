"""vApps: resource pools that hold VMs and further vApps as one unit, and start them in an order.

Source: ``VirtualApp``, ``VAppEntityConfigInfo`` and ``ResourcePool`` of the vSphere Web Services reference. A VM
of a vApp is in no folder; only the highest of nested vApps is in one.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.folder import Folder
from app.simulator.progress import TaskProgress
from app.simulator.vm import lifecycle
from app.simulator.vm.create import create_child_vm
from app.simulator.vm.machine import Machine
from app.simulator.world import World


def _of_vms(vapp: "VirtualApp", name: str) -> list[Any]:
    found: dict[str, Any] = {}
    for vm in _machines(vapp):
        found.update((ref._moId, ref) for ref in vm.read(name))
    return list(found.values())


class VirtualApp(ResourcePool):
    """A vApp.

    Attributes:
        folder: where it is in the tree of VMs; None for one inside of another.
    """

    vim_type = vim.VirtualApp
    is_vapp = True
    volatile: ClassVar[frozenset[str]] = frozenset({*ResourcePool.volatile, "datastore", "network", "vAppConfig"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        **ResourcePool.builders,
        "datastore": lambda vapp: _of_vms(vapp, "datastore"),
        "network": lambda vapp: _of_vms(vapp, "network"),
        "childLink": lambda _: [],
        "vAppConfig": lambda vapp: vim.vApp.VAppConfigInfo(
            entityConfig=vapp.order(), annotation="", installBootRequired=False, installBootStopDelay=0
        ),
    }

    def __init__(self, world: World, moid: str, name: str, above: ResourcePool, folder: Folder) -> None:
        super().__init__(world, moid, above.owner, name=name, above=above)
        self._order: dict[str, vim.vApp.EntityConfigInfo] = {}
        outer = above.vapp
        self.folder = folder if outer is None else None
        if self.folder is None:
            self.properties["parentVApp"] = None if outer is None else outer.ref
        else:
            self.properties["parentFolder"] = folder.ref
            folder.set(childEntity=[*folder.properties["childEntity"], self.ref])

    def order(self) -> list[vim.vApp.EntityConfigInfo]:
        """Return how the VMs in here are started and stopped: as it was set, else one after the other."""
        vms = _machines(self)
        return [self._order.get(vm.moid) or _by_default(vm, place) for place, vm in enumerate(vms, start=1)]

    def UpdateVAppConfig(self, call: Call, *, spec: vim.vApp.VAppConfigSpec) -> None:
        """Set how VMs in here are started and stopped; those that are not named stay as they are."""
        call.require("VApp.ApplicationConfig", self)
        known = {vm.moid for vm in _machines(self)}
        named = {entry.key._moId: entry for entry in spec.entityConfig or () if entry.key is not None}
        if not known.issuperset(named):
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: spec.entityConfig", invalidProperty="spec.entityConfig"
            )
        self._order.update(named)

    def create_in(
        self, pool: ResourcePool, call: Call, config: vim.vm.ConfigSpec, host: vim.HostSystem | None
    ) -> vim.Task:
        """Create a VM in here, or in a pool of this vApp."""
        parts = self.world.inventory.parts_of(self)
        parts.take_in(config)
        return create_child_vm(pool, parts.vm_folder, call, config, host)

    def Destroy_Task(self, call: Call) -> vim.Task:
        """Delete the vApp with its VMs, which must be off, and the vApps in it."""
        call.require("VApp.Delete", self)

        def destroy(_: TaskProgress) -> None:
            _empty(self)
            with self.world.lock:
                if self.folder is not None:
                    kept = [ref for ref in self.folder.properties["childEntity"] if ref != self.ref]
                    self.folder.set(childEntity=kept)
                above = self.parent_object()
                if isinstance(above, ResourcePool):
                    above.pools.remove(self)
                    above.refresh("resourcePool")
                self.world.remove(self)

        return call.start_task(self, "Destroy_Task", destroy)


def _by_default(vm: Machine, place: int) -> vim.vApp.EntityConfigInfo:
    return vim.vApp.EntityConfigInfo(
        key=vm.ref,
        tag=vm.name,
        startOrder=place,
        startDelay=120,
        waitingForGuest=False,
        startAction="powerOn",
        stopDelay=120,
        stopAction="powerOff",
        destroyWithParent=False,
    )


def _machines(pool: ResourcePool) -> list[Machine]:
    vms = pool.world.inventory.vms
    return [vms[ref._moId] for ref in pool.properties["vm"] if ref._moId in vms]


def _empty(pool: ResourcePool) -> None:
    """Delete the VMs of a pool, and what is below it."""
    for vm in _machines(pool):
        lifecycle.remove(vm)
    for inner in pool.pools:
        _empty(inner)
        pool.world.remove(inner)
    pool.pools.clear()
