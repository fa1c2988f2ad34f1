"""Builds the whole inventory of a spec."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pyVmomi import vim

from app.simulator.inventory.browser import DatastoreBrowser
from app.simulator.inventory.compute import (
    ClusterComputeResource,
    ComputeResource,
    EnvironmentBrowser,
    ResourcePool,
)
from app.simulator.inventory.datacenter import Datacenter
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.datastore_system import DatastoreSystem
from app.simulator.inventory.entity import adopt, children_of, stored_name
from app.simulator.inventory.files import FileManager, VirtualDiskManager
from app.simulator.inventory.folder import Folder
from app.simulator.inventory.host import HostSystem
from app.simulator.inventory.index import DatacenterParts, Inventory
from app.simulator.inventory.network import DistributedPortgroup, DistributedSwitch, Network
from app.simulator.inventory.vapp import VirtualApp
from app.simulator.inventory.vm_folder import VmFolder
from app.simulator.objects import SimObject
from app.simulator.spec import DatacenterSpec, DatastoreSpec, VAppSpec, VmSpec
from app.simulator.storage import DatastorePath, SimDatastore
from app.simulator.vm.create import new_vm_moid, safe_name
from app.simulator.vm.fault_tolerance import protect
from app.simulator.vm.from_spec import SpecPlace, vm_from_spec
from app.simulator.vm.nfc_service import NfcService
from app.simulator.vm.virtual_machine import VirtualMachine
from app.simulator.wellknown import WellKnown, well_known
from app.simulator.world import World


def build_inventory(world: World) -> Inventory:
    """Make everything that the world's spec asks for; guests of running VMs begin to write.

    The caller stops the world's guests and closes its disks in the end.

    Raises:
        StorageError: the datastores cannot hold what the spec asks for.
        KeyError: a VM of the spec names a host, datastore or network that does not exist.
    """
    ids = well_known(world.spec.flavour)
    root = _root(world, ids)
    inventory = Inventory(root=root, new_machine=VirtualMachine)
    world.inventory = inventory
    for spec in world.spec.datacenters:
        parts = _datacenter(world, root, spec)
        inventory.datacenters.append(parts)
        for datastore in spec.datastores:
            _add_datastore(world, parts, datastore)
    _add_pools(world)
    for parts, spec in zip(inventory.datacenters, world.spec.datacenters, strict=True):
        _add_networks(world, parts, spec)
    world.add(FileManager(world, ids.fileManager))
    world.add(VirtualDiskManager(world, ids.virtualDiskManager))
    world.add(NfcService(world))
    _add_vms(world)
    return inventory


# ---- the frame -----------------------------------------------------------------------------------------


def _root(world: World, ids: WellKnown) -> Folder:
    is_vcenter = world.spec.is_vcenter
    kinds: tuple[type[object], ...] = (vim.Folder, vim.Datacenter) if is_vcenter else (vim.Datacenter,)
    name = "Datacenters" if is_vcenter else "ha-folder-root"
    return world.add(Folder(world, ids.rootFolder, name, None, kinds))


def _datacenter(world: World, root: Folder, spec: DatacenterSpec) -> DatacenterParts:
    is_vcenter = world.spec.is_vcenter
    folder = _folder(root, spec.folder if is_vcenter else ())
    name = stored_name(spec.name) if is_vcenter else "ha-datacenter"
    datacenter = world.add(Datacenter(world, _moid(world, "datacenter", "ha-datacenter"), name, folder))
    adopt(folder, datacenter)
    folders = _datacenter_folders(world, datacenter)
    compute = _compute(world, folders["host"], spec.hosts)
    pool = world.add(ResourcePool(world, _moid(world, "resgroup", "ha-root-pool"), compute))
    browser = world.add(
        DatastoreBrowser(world, _moid(world, "datastoreBrowser", "ha-hostdatastorebrowser"), compute=compute)
    )
    environment = world.add(EnvironmentBrowser(world, _moid(world, "envbrowser", "ha-env-browser"), compute))
    environment.set(datastoreBrowser=browser.ref)
    compute.set(resourcePool=pool.ref, environmentBrowser=environment.ref)
    for host in compute.hosts:
        host.set(datastoreBrowser=browser.ref)
    return DatacenterParts(
        path="/".join((*(stored_name(above) for above in spec.folder), name)) if is_vcenter else name,
        datacenter=datacenter,
        vm_folder=folders["vm"],
        datastore_folder=folders["datastore"],
        network_folder=folders["network"],
        compute=compute,
        pool=pool,
        pools={(): pool},
        hosts=compute.hosts,
    )


def _add_pools(world: World) -> None:
    if not world.spec.is_vcenter:
        return
    pools = [VAppSpec(path=path) for path in world.spec.resource_pools]
    for spec in sorted([*pools, *world.spec.vapps], key=lambda spec: len(spec.path)):
        parts = world.inventory.first
        if spec.datacenter is not None:
            known = zip(world.spec.datacenters, world.inventory.datacenters, strict=True)
            parts = next(found for asked, found in known if asked.path == spec.datacenter)
        parts.pools[spec.path] = world.add(_pool(world, parts, spec, is_vapp=spec not in pools))


def _pool(world: World, parts: DatacenterParts, spec: VAppSpec, *, is_vapp: bool) -> ResourcePool:
    above, name = parts.pools[spec.path[:-1]], stored_name(spec.path[-1])
    if is_vapp:
        return VirtualApp(world, world.new_moid("resgroup-v"), name, above, _folder(parts.vm_folder, spec.folder))
    return ResourcePool(world, world.new_moid("resgroup"), parts.compute, name=name, above=above)


def _moid(world: World, prefix: str, fixed: str) -> str:
    """Return a new id on a vCenter, and on a bare ESXi the one that clients know."""
    return world.new_moid(prefix) if world.spec.is_vcenter else fixed


_FOLDERS: tuple[tuple[str, str, type[Folder], tuple[type[object], ...]], ...] = (
    ("vm", "v", VmFolder, (vim.VirtualMachine,)),
    ("host", "h", Folder, (vim.ComputeResource,)),
    ("datastore", "s", Folder, (vim.Datastore,)),
    ("network", "n", Folder, (vim.Network, vim.DistributedVirtualSwitch)),
)


def _datacenter_folders(world: World, datacenter: Datacenter) -> dict[str, Folder]:
    folders: dict[str, Folder] = {}
    for name, letter, made_as, kinds in _FOLDERS:
        moid = f"group-{letter}{world.new_number()}" if world.spec.is_vcenter else f"ha-folder-{name}"
        more: tuple[type[object], ...] = (vim.Folder, *((vim.VirtualApp,) if name == "vm" else ()))
        allowed = (*kinds, *more) if world.spec.is_vcenter else kinds
        folders[name] = world.add(made_as(world, moid, name, datacenter, allowed))
        datacenter.set(**{f"{name}Folder": folders[name].ref})
    return folders


def _compute(world: World, folder: Folder, names: tuple[str, ...]) -> ComputeResource:
    if world.spec.is_vcenter:
        cluster_id = world.new_moid("domain-c").replace("c-", "c")
        compute: ComputeResource = ClusterComputeResource(world, cluster_id, "Cluster", folder)
    else:
        names = names[:1]
        compute = ComputeResource(world, "ha-compute-res", names[0], folder)
    world.add(compute)
    adopt(folder, compute)
    for name in names:
        moid = world.new_moid("host") if world.spec.is_vcenter else "ha-host"
        host = world.add(HostSystem(world, moid, name, compute))
        world.add(DatastoreSystem(world, host))
        compute.hosts.append(host)
    return compute


# ---- datastores and networks ---------------------------------------------------------------------------


def _add_datastore(world: World, parts: DatacenterParts, spec: DatastoreSpec) -> None:
    inventory: Inventory = world.inventory
    key = parts.datastore_keys[spec.name] = inventory.kept_name(spec.name)
    storage = world.datastores.get(key)
    if storage is None:
        storage = world.datastores[key] = SimDatastore(
            key,
            world.directory / "datastores" / safe_name(key),
            spec.capacity_bytes,
            spec.kind,
            is_full=lambda: world.faults.datastore_is_full(key),
        )
    long_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{world.spec.seed}/{key}"))
    moid = world.new_moid("datastore") if world.spec.is_vcenter else f"{long_id[:17]}-{long_id[-12:]}"
    datastore = world.add(Datastore(world, moid, parts.datastore_folder, storage, remote=spec.remote))
    adopt(parts.datastore_folder, datastore)
    browser = world.add(DatastoreBrowser(world, f"datastoreBrowser-{moid}", only=datastore))
    datastore.set(browser=browser.ref)
    inventory.datastores[key] = datastore
    for host in parts.hosts:
        datastore.mount(host)


def _add_networks(world: World, parts: DatacenterParts, spec: DatacenterSpec) -> None:
    for name in spec.networks:
        moid = world.new_moid("network") if world.spec.is_vcenter else f"HaNetwork-{name}"
        _connect(parts, world.add(Network(world, moid, stored_name(name), parts.network_folder)))
    waiting = list(spec.distributed_networks) if world.spec.is_vcenter else []
    number = 1
    while waiting:
        names = list(dict.fromkeys(waiting))
        for name in names:
            waiting.remove(name)
        _add_switch(world, parts, names, number)
        number += 1


def _add_switch(world: World, parts: DatacenterParts, names: list[str], number: int) -> None:
    """Add a distributed switch; all but a datacenter's first have a folder of their own for their port groups."""
    name = "DSwitch" if number == 1 else f"DSwitch {number}"
    folder = parts.network_folder if number == 1 else parts.network_folder.subfolder(f"Networks of {name}")
    seed = f"{world.spec.seed}/dvs" if number == 1 else f"{world.spec.seed}/dvs/{number}"
    seed = seed if parts is world.inventory.first else f"{seed}/{parts.path}"
    switch_uuid = uuid.uuid5(uuid.NAMESPACE_OID, seed).bytes.hex(" ")
    switch = world.add(
        DistributedSwitch(world, world.new_moid("dvs"), name, folder, f"{switch_uuid[:23]}-{switch_uuid[24:]}")
    )
    adopt(folder, switch)
    for group_name in names:
        moid = world.new_moid("dvportgroup")
        group = DistributedPortgroup(world, moid, stored_name(group_name), folder, switch)
        _connect(parts, world.add(group), folder)
        switch.set(portgroup=[*switch.properties["portgroup"], group.ref])


def _connect(parts: DatacenterParts, network: Network, folder: Folder | None = None) -> None:
    adopt(folder or parts.network_folder, network)
    network.set(host=[host.ref for host in parts.hosts])
    network.world.inventory.networks[network.moid] = network


# ---- VMs -----------------------------------------------------------------------------------------------


def _add_vms(world: World) -> None:
    """Add all VMs at once: one by one would take time that grows with the square of their number."""
    inventory: Inventory = world.inventory
    offers = [_Offer.of(inventory, parts) for parts in inventory.datacenters]
    by_path = {path.path: offer for path, offer in zip(world.spec.datacenters, offers, strict=True)}
    homes: set[DatastorePath] = set()
    machines: list[VirtualMachine] = []
    for index, spec in enumerate(world.spec.vms):
        offer = offers[0] if spec.datacenter is None else by_path[spec.datacenter]
        kept = _as_kept(offer, spec)
        linked_to = next((vm for vm in machines if vm.name == spec.linked_to), None)
        machines.append(vm_from_spec(world, kept, _place(world, offer, kept, homes, index), linked_to))
    _settle(world, machines)
    _pair_up(world, machines)
    for machine in machines:
        if machine.is_running and machine.has_files:
            world.guests.started(machine)


def _pair_up(world: World, machines: Sequence[VirtualMachine]) -> None:
    """Make pairs of the VMs that are under fault tolerance."""
    by_name = {spec.name: machine for spec, machine in zip(world.spec.vms, machines, strict=True)}
    for spec in world.spec.vms:
        if spec.secondary_of is not None:
            protect(by_name[spec.secondary_of], by_name[spec.name])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer:
    """What a datacenter has for VMs, found once for all of them."""

    parts: DatacenterParts
    hosts: Mapping[str, HostSystem]
    first_datastore: str
    first_network: tuple[str, ...]
    """Name of the network of VMs that name none; empty without networks."""

    @classmethod
    def of(cls, inventory: Inventory, parts: DatacenterParts) -> "_Offer":
        networks = inventory.networks_in(parts)
        return cls(
            parts=parts,
            hosts={host.name: host for host in parts.hosts},
            first_datastore=next(iter(parts.datastore_keys)),
            first_network=tuple(network.name for network in networks[:1]),
        )


def _as_kept(offer: _Offer, spec: VmSpec) -> VmSpec:
    """Return a VM's spec with its networks, and its datastores as the simulator keeps them."""
    keys = offer.parts.datastore_keys
    return replace(
        spec,
        datastore=keys[spec.datastore or offer.first_datastore],
        networks=spec.networks or offer.first_network,
        disks=tuple(
            disk if disk.datastore is None else replace(disk, datastore=keys[disk.datastore])
            for disk in spec.disks
        ),
    )


def _place(world: World, offer: _Offer, spec: VmSpec, homes: set[DatastorePath], index: int) -> SpecPlace:
    parts = offer.parts
    return SpecPlace(
        folder=_folder(parts.vm_folder, spec.folder if world.spec.is_vcenter else ()),
        host=parts.hosts[index % len(parts.hosts)] if spec.host is None else offer.hosts[spec.host],
        pool=parts.pools[spec.resource_pool],
        home=_home(spec, homes),
        moid=new_vm_moid(world),
    )


def _folder(top: Folder, path: tuple[str, ...]) -> Folder:
    folder = top
    for name in path:
        folder = folder.subfolder(name)
    return folder


def _home(spec: VmSpec, taken: set[DatastorePath]) -> DatastorePath:
    datastore = spec.datastore or ""
    base = safe_name(spec.name)
    for number in range(10_000):
        directory = f"{base}_{number}" if number else base
        home = DatastorePath.of(datastore, f"{directory}/{directory}.{'vmtx' if spec.template else 'vmx'}")
        if home not in taken:
            taken.add(home)
            return home
    raise ValueError(f"too many VMs are called {spec.name}")


def _settle(world: World, machines: Iterable[VirtualMachine]) -> None:
    children: dict[SimObject, list[VirtualMachine]] = {}
    members: dict[SimObject, list[VirtualMachine]] = {}
    with world.lock:
        for machine in machines:
            parent = machine.parent_object()
            world.add(machine)
            world.inventory.vms[machine.moid] = machine
            if parent is not None:
                children.setdefault(parent, []).append(machine)
            members.setdefault(machine.host, []).append(machine)
            members.setdefault(machine.pool, []).append(machine)
        for parent, added in children.items():
            _refuse_twins(parent, added)
            parent.set(childEntity=[*parent.properties["childEntity"], *(newcomer.ref for newcomer in added)])
        for owner, added in members.items():
            owner.set(vm=[*owner.properties["vm"], *(newcomer.ref for newcomer in added)])


def _refuse_twins(parent: SimObject, added: list[VirtualMachine]) -> None:
    names = [child.properties.get("name") for child in children_of(parent)] + [machine.name for machine in added]
    if len(names) != len(set(names)):
        raise ValueError(f"two entities of the folder {parent.properties['name']} have the same name")
