"""Finds the parts of the inventory by name and reference."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import VmomiSupport, vim, vmodl

from app.simulator.inventory.compute import ComputeResource, ResourcePool
from app.simulator.inventory.datacenter import Datacenter
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.folder import Folder
from app.simulator.inventory.host import HostSystem
from app.simulator.inventory.network import Network
from app.simulator.objects import SimObject
from app.simulator.storage import TWIN_MARK
from app.simulator.vm.machine import Machine, MakesMachines


@dataclass(slots=True, eq=False)
class DatacenterParts:
    """A datacenter with its folders, hosts and pools. Guarded by the world's lock.

    Attributes:
        path: as the wire writes it.
        datastore_keys: for each datastore that clients see here, the name under which the simulator keeps it.
        pools: resource pools by their names from below the root pool down.
    """

    path: str
    datacenter: Datacenter
    vm_folder: Folder
    datastore_folder: Folder
    network_folder: Folder
    compute: ComputeResource
    pool: ResourcePool
    hosts: list[HostSystem]
    datastore_keys: dict[str, str] = field(default_factory=dict)
    pools: dict[tuple[str, ...], ResourcePool] = field(default_factory=dict)

    def key_of(self, path: str) -> str:
        """Return a datastore path as the simulator keeps it, of one as a client of this datacenter writes it."""
        for name in sorted(self.datastore_keys, key=len, reverse=True):
            if path.startswith(f"[{name}]"):
                return f"[{self.datastore_keys[name]}]{path[len(name) + 2 :]}"
        return path

    def take_in(self, value: Any) -> None:
        """Change the datastore paths in what a client sent to those that the simulator keeps."""
        if all(name == key for name, key in self.datastore_keys.items()):
            return
        if isinstance(value, list):
            for item in value:
                self.take_in(item)
        elif isinstance(value, VmomiSupport.DataObject):
            for prop in value._GetPropertyList():
                held = getattr(value, prop.name)
                if isinstance(held, str) and held.startswith("["):
                    setattr(value, prop.name, self.key_of(held))
                elif isinstance(held, list | VmomiSupport.DataObject):
                    self.take_in(held)


@dataclass(slots=True, eq=False)
class Inventory:
    """What is in a simulator. Guarded by the world's lock.

    Attributes:
        root: the root folder.
        new_machine: makes the managed object of a new VM.
        datacenters: the first one of the spec first.
        datastores: by the names under which the simulator keeps them, in the order of the spec. A datastore whose
            name another datacenter has too carries a mark there, which never goes over the wire.
        networks: by managed object id.
        vms: every VM by its managed object id.
        nas_exports: directories that NFS servers export, by (server, path); what CreateNasDatastore can mount.
    """

    root: Folder
    new_machine: MakesMachines
    datacenters: list[DatacenterParts] = field(default_factory=list)
    datastores: dict[str, Datastore] = field(default_factory=dict)
    networks: dict[str, Network] = field(default_factory=dict)
    vms: dict[str, Machine] = field(default_factory=dict)
    nas_exports: dict[tuple[str, str], Any] = field(default_factory=dict)

    @property
    def first(self) -> DatacenterParts:
        """The first datacenter."""
        return self.datacenters[0]

    @property
    def hosts(self) -> list[HostSystem]:
        """All hosts."""
        return [host for parts in self.datacenters for host in parts.hosts]

    def parts_of(self, entity: SimObject | None) -> DatacenterParts:
        """Return the datacenter that an entity is in; the first one where it is in none."""
        found: SimObject | None = entity
        while found is not None:
            for parts in self.datacenters:
                if parts.datacenter is found:
                    return parts
            parent = found.properties.get("parent") or found.properties.get("parentVApp")
            found = None if parent is None else found.store.find(parent._moId)
        return self.first

    def parts_at(self, path: str) -> DatacenterParts | None:
        """Return the datacenter of an inventory path, or None."""
        return next((parts for parts in self.datacenters if parts.path == path.strip("/")), None)

    def datastores_in(self, parts: DatacenterParts) -> list[Datastore]:
        """Return the datastores of a datacenter."""
        return [self.datastores[key] for key in parts.datastore_keys.values() if key in self.datastores]

    def networks_in(self, parts: DatacenterParts) -> list[Network]:
        """Return the networks of a datacenter."""
        return [network for network in self.networks.values() if self.parts_of(network) is parts]

    def datastores_near(self, entity: SimObject) -> list[Datastore]:
        """Return the datastores of the datacenter that an entity is in."""
        return self.datastores_in(self.parts_of(entity))

    def networks_near(self, entity: SimObject) -> list[Network]:
        """Return the networks of the datacenter that an entity is in."""
        return self.networks_in(self.parts_of(entity))

    def datastore_key(self, path: str, name: str) -> str:
        """Return the name under which a datastore of the datacenter at a path is kept."""
        parts = self.parts_at(path)
        return name if parts is None else parts.datastore_keys.get(name, "")

    def kept_name(self, name: str) -> str:
        """Return the name under which a new datastore is kept; a mark distinguishes it from others of its name."""
        while name in self.datastores:
            name += TWIN_MARK
        return name

    def datastore_ref(self, name: str) -> vim.Datastore | None:
        """Return the reference of a datastore."""
        datastore = self.datastores.get(name)
        return None if datastore is None else datastore.ref

    def datastore_of(self, ref: vim.Datastore | None) -> Datastore | None:
        """Return the datastore that a reference names."""
        if ref is None:
            return None
        return next((datastore for datastore in self.datastores.values() if datastore.moid == ref._moId), None)

    def require_datastore(self, ref: vim.Datastore) -> Datastore:
        """Return the datastore that a reference names.

        Raises:
            vmodl.fault.ManagedObjectNotFound: there is none.
        """
        found = self.datastore_of(ref)
        if found is None:
            raise vmodl.fault.ManagedObjectNotFound(msg="The datastore does not exist.", obj=ref)
        return found

    def host_of(self, ref: vim.HostSystem | None) -> HostSystem | None:
        """Return the host that a reference names.

        Raises:
            vmodl.fault.ManagedObjectNotFound: there is none.
        """
        if ref is None:
            return None
        found = next((host for host in self.hosts if host.moid == ref._moId), None)
        if found is None:
            raise vmodl.fault.ManagedObjectNotFound(msg="The host does not exist.", obj=ref)
        return found

    def network_of(
        self, ref: vim.Network | None, name: str | None, near: SimObject | None = None
    ) -> Network | None:
        """Return a network by reference or, without one, by name in the datacenter of an entity."""
        if ref is not None:
            return self.networks.get(ref._moId)
        return self.network_named(name or "", self.networks_in(self.parts_of(near)))

    def network_at(self, name: str, near: SimObject) -> Network:
        """Return the network that a spec names: a name, or ``switch/name`` where several have it.

        Raises:
            KeyError: there is none.
        """
        parts = self.parts_of(near)
        for network in self.networks.values():
            names = (network.name, f"{getattr(network, 'switch_name', '')}/{network.name}")
            if name in names and self.parts_of(network) is parts:
                return network
        raise KeyError(name)

    @staticmethod
    def network_named(name: str, networks: Iterable[Network]) -> Network | None:
        """Return the first network of a name."""
        return next((network for network in networks if network.name == name), None)

    def portgroup_of(self, key: str | None) -> Network | None:
        """Return a distributed port group by its key."""
        return next(
            (network for network in self.networks.values() if network.properties.get("key") == key and key), None
        )
