"""Builds the whole inventory of a spec."""

import uuid
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pyVmomi import vim

from app.simulator.guests import Guests
from app.simulator.inventory.browser import DatastoreBrowser
from app.simulator.inventory.compute import (
    ClusterComputeResource,
    ComputeResource,
    EnvironmentBrowser,
    ResourcePool,
)
from app.simulator.inventory.datacenter import Datacenter
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.entity import adopt, children_of, stored_name
from app.simulator.inventory.files import FileManager, VirtualDiskManager
from app.simulator.inventory.folder import Folder
from app.simulator.inventory.host import HostSystem
from app.simulator.inventory.index import Inventory
from app.simulator.inventory.network import DistributedPortgroup, DistributedSwitch, Network
from app.simulator.nfc import TicketBook
from app.simulator.spec import DatastoreSpec, VmSpec
from app.simulator.storage import DatastorePath, DiskStore, SimDatastore
from app.simulator.vm.create import new_vm_moid, safe_name
from app.simulator.vm.from_spec import SpecPlace, vm_from_spec
from app.simulator.vm.guests_port import guest_started
from app.simulator.vm.machine import VirtualMachine
from app.simulator.vm.nfc_service import NfcService
from app.simulator.wellknown import WellKnown, well_known

if TYPE_CHECKING:
    from app.simulator.objects import SimObject
    from app.simulator.world import World


def build_inventory(world: "World") -> Inventory:
    """Make everything that the world's spec asks for; guests of running VMs begin to write.

    What the world does not have yet (disks, tickets, guests) is made too; whoever stops the world stops its guests
    and closes its disks.

    Raises:
        StorageError: the datastores cannot hold what the spec asks for.
        KeyError: a VM of the spec names a host, datastore or network that does not exist.
    """
    ids = well_known(world.spec.flavour)
    inventory = _skeleton(world, ids)
    world.inventory = inventory
    for datastore in world.spec.datastores:
        _add_datastore(world, datastore)
    if world.disks is None:
        world.disks = DiskStore(world.datastores, seed=world.spec.seed)
    if world.tickets is None:
        world.tickets = TicketBook(world.clock)
    if world.guests is None:
        world.guests = Guests(world.spec.seed)
    _add_networks(world)
    world.add(FileManager(world, ids.fileManager))
    world.add(VirtualDiskManager(world, ids.virtualDiskManager))
    world.add(NfcService(world))
    _add_vms(world)
    return inventory


# ---- the frame -----------------------------------------------------------------------------------------


def _skeleton(world: "World", ids: WellKnown) -> Inventory:
    is_vcenter = world.spec.is_vcenter
    root_kinds: tuple[type[object], ...] = (vim.Folder, vim.Datacenter) if is_vcenter else (vim.Datacenter,)
    root_name = "Datacenters" if is_vcenter else "ha-folder-root"
    root = world.add(Folder(world, ids.rootFolder, root_name, None, root_kinds))
    name = stored_name(world.spec.datacenter) if is_vcenter else "ha-datacenter"
    datacenter = world.add(Datacenter(world, _moid(world, "datacenter", "ha-datacenter"), name, root))
    adopt(root, datacenter)
    folders = _datacenter_folders(world, datacenter)
    compute = _compute(world, folders["host"])
    pool = world.add(ResourcePool(world, _moid(world, "resgroup", "ha-root-pool"), compute))
    browser = world.add(DatastoreBrowser(world, _moid(world, "datastoreBrowser", "ha-hostdatastorebrowser")))
    environment = world.add(EnvironmentBrowser(world, _moid(world, "envbrowser", "ha-env-browser")))
    environment.set(datastoreBrowser=browser.ref)
    compute.set(resourcePool=pool.ref, environmentBrowser=environment.ref)
    for host in compute.hosts:
        host.set(datastoreBrowser=browser.ref)
    return Inventory(
        root=root,
        datacenter=datacenter,
        vm_folder=folders["vm"],
        datastore_folder=folders["datastore"],
        network_folder=folders["network"],
        compute=compute,
        pool=pool,
        hosts=compute.hosts,
    )


def _moid(world: "World", prefix: str, fixed: str) -> str:
    """Return a new id on a vCenter, and on a bare ESXi the one that clients know."""
    return world.new_moid(prefix) if world.spec.is_vcenter else fixed


_FOLDERS: tuple[tuple[str, str, tuple[type[object], ...]], ...] = (
    ("vm", "v", (vim.VirtualMachine,)),
    ("host", "h", (vim.ComputeResource,)),
    ("datastore", "s", (vim.Datastore,)),
    ("network", "n", (vim.Network, vim.DistributedVirtualSwitch)),
)


def _datacenter_folders(world: "World", datacenter: Datacenter) -> dict[str, Folder]:
    folders: dict[str, Folder] = {}
    for name, letter, kinds in _FOLDERS:
        moid = f"group-{letter}{world.new_number()}" if world.spec.is_vcenter else f"ha-folder-{name}"
        allowed = (*kinds, vim.Folder) if world.spec.is_vcenter else kinds
        folders[name] = world.add(Folder(world, moid, name, datacenter, allowed))
        datacenter.set(**{f"{name}Folder": folders[name].ref})
    return folders


def _compute(world: "World", folder: Folder) -> ComputeResource:
    names = world.spec.hosts
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
        compute.hosts.append(world.add(HostSystem(world, moid, name, compute)))
    return compute


# ---- datastores and networks ---------------------------------------------------------------------------


def _add_datastore(world: "World", spec: DatastoreSpec) -> None:
    inventory: Inventory = world.inventory
    storage = world.datastores.get(spec.name)
    if storage is None:
        storage = world.datastores[spec.name] = SimDatastore(
            spec.name,
            world.directory / "datastores" / safe_name(spec.name),
            spec.capacity_bytes,
            spec.kind,
            is_full=lambda: world.faults.datastore_is_full(spec.name),
        )
    long_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{world.spec.seed}/{spec.name}"))
    moid = world.new_moid("datastore") if world.spec.is_vcenter else f"{long_id[:17]}-{long_id[-12:]}"
    datastore = world.add(Datastore(world, moid, inventory.datastore_folder, storage))
    adopt(inventory.datastore_folder, datastore)
    browser = world.add(DatastoreBrowser(world, f"datastoreBrowser-{moid}", only=datastore))
    datastore.set(browser=browser.ref)
    inventory.datastores[spec.name] = datastore
    for host in inventory.hosts:
        datastore.mount(host)


def _add_networks(world: "World") -> None:
    inventory: Inventory = world.inventory
    for name in world.spec.networks:
        moid = world.new_moid("network") if world.spec.is_vcenter else f"HaNetwork-{name}"
        network = world.add(Network(world, moid, stored_name(name), inventory.network_folder))
        _connect(inventory, network)
    if not world.spec.distributed_networks or not world.spec.is_vcenter:
        return
    switch_uuid = uuid.uuid5(uuid.NAMESPACE_OID, f"{world.spec.seed}/dvs").bytes.hex(" ")
    switch = world.add(
        DistributedSwitch(
            world,
            world.new_moid("dvs"),
            "DSwitch",
            inventory.network_folder,
            f"{switch_uuid[:23]}-{switch_uuid[24:]}",
        )
    )
    adopt(inventory.network_folder, switch)
    for name in world.spec.distributed_networks:
        moid = world.new_moid("dvportgroup")
        group = DistributedPortgroup(world, moid, stored_name(name), inventory.network_folder, switch)
        _connect(inventory, world.add(group))
        switch.set(portgroup=[*switch.properties["portgroup"], group.ref])


def _connect(inventory: Inventory, network: Network) -> None:
    adopt(inventory.network_folder, network)
    network.set(host=[host.ref for host in inventory.hosts])
    inventory.networks[network.name] = network


# ---- VMs -----------------------------------------------------------------------------------------------


def _add_vms(world: "World") -> None:
    """Add all VMs at once: one by one would take time that grows with the square of their number."""
    inventory: Inventory = world.inventory
    hosts = {host.name: host for host in inventory.hosts}
    folders: dict[tuple[str, ...], Folder] = {}
    homes: set[DatastorePath] = set()
    machines: list[VirtualMachine] = []
    for index, spec in enumerate(world.spec.vms):
        path = spec.folder if world.spec.is_vcenter else ()
        if path not in folders:
            folders[path] = _folder(inventory.vm_folder, path)
        host = inventory.hosts[index % len(inventory.hosts)] if spec.host is None else hosts[spec.host]
        place = SpecPlace(
            folder=folders[path],
            host=host,
            pool=inventory.pool,
            home=_home(world, spec, homes),
            moid=new_vm_moid(world),
        )
        machines.append(vm_from_spec(world, spec, place))
    _settle(world, machines)
    for machine in machines:
        if machine.is_running and machine.has_files:
            guest_started(machine)


def _folder(top: Folder, path: tuple[str, ...]) -> Folder:
    folder = top
    for name in path:
        folder = folder.subfolder(name)
    return folder


def _home(world: "World", spec: VmSpec, taken: set[DatastorePath]) -> DatastorePath:
    datastore = spec.datastore or next(iter(world.datastores))
    base = safe_name(spec.name)
    for number in range(10_000):
        directory = f"{base}_{number}" if number else base
        home = DatastorePath.of(datastore, f"{directory}/{directory}.vmx")
        if home not in taken:
            taken.add(home)
            return home
    raise ValueError(f"too many VMs are called {spec.name}")


def _settle(world: "World", machines: Iterable[VirtualMachine]) -> None:
    children: dict[SimObject, list[VirtualMachine]] = {}
    members: dict[SimObject, list[VirtualMachine]] = {}
    with world.lock:
        for machine in machines:
            parent = machine.parent_object()
            assert parent is not None
            world.add(machine)
            world.inventory.vms[machine.moid] = machine
            children.setdefault(parent, []).append(machine)
            members.setdefault(machine.host, []).append(machine)
            members.setdefault(machine.pool, []).append(machine)
        for parent, added in children.items():
            _refuse_twins(parent, added)
            parent.set(childEntity=[*parent.properties["childEntity"], *(one.ref for one in added)])
        for owner, added in members.items():
            owner.set(vm=[*owner.properties["vm"], *(one.ref for one in added)])


def _refuse_twins(parent: "SimObject", added: list[VirtualMachine]) -> None:
    names = [child.properties.get("name") for child in children_of(parent)] + [one.name for one in added]
    if len(names) != len(set(names)):
        raise ValueError(f"two entities of the folder {parent.properties['name']} have the same name")
