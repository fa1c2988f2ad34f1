"""Finds the parts of the inventory by name and reference."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

if TYPE_CHECKING:
    from app.simulator.inventory.compute import ComputeResource, ResourcePool
    from app.simulator.inventory.datacenter import Datacenter
    from app.simulator.inventory.datastore import Datastore
    from app.simulator.inventory.folder import Folder
    from app.simulator.inventory.host import HostSystem
    from app.simulator.inventory.network import Network
    from app.simulator.vm.machine import VirtualMachine


@dataclass(slots=True, eq=False)
class Inventory:
    """The one datacenter of a simulator and what is in it. Guarded by the world's lock.

    Attributes:
        datastores: by name, in the order of the spec.
        networks: by name.
        vms: every VM by its managed object id.
        nas_exports: directories that NFS servers export, by (server, path); what CreateNasDatastore can mount.
    """

    root: "Folder"
    datacenter: "Datacenter"
    vm_folder: "Folder"
    datastore_folder: "Folder"
    network_folder: "Folder"
    compute: "ComputeResource"
    pool: "ResourcePool"
    hosts: "list[HostSystem]"
    datastores: "dict[str, Datastore]" = field(default_factory=dict)
    networks: "dict[str, Network]" = field(default_factory=dict)
    vms: "dict[str, VirtualMachine]" = field(default_factory=dict)
    nas_exports: dict[tuple[str, str], Any] = field(default_factory=dict)

    def datastore_ref(self, name: str) -> vim.Datastore | None:
        """Return the reference of a datastore."""
        datastore = self.datastores.get(name)
        return None if datastore is None else datastore.ref

    def datastore_of(self, ref: vim.Datastore | None) -> "Datastore | None":
        """Return the datastore that a reference names."""
        if ref is None:
            return None
        return next((one for one in self.datastores.values() if one.moid == ref._moId), None)

    def require_datastore(self, ref: vim.Datastore) -> "Datastore":
        """Return the datastore that a reference names.

        Raises:
            vmodl.fault.ManagedObjectNotFound: there is none.
        """
        found = self.datastore_of(ref)
        if found is None:
            raise vmodl.fault.ManagedObjectNotFound(msg="The datastore does not exist.", obj=ref)
        return found

    def host_of(self, ref: vim.HostSystem | None) -> "HostSystem | None":
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

    def network_of(self, ref: vim.Network | None, name: str | None) -> "Network | None":
        """Return a network by reference or, without one, by name."""
        if ref is not None:
            return next((one for one in self.networks.values() if one.moid == ref._moId), None)
        return self.networks.get(name or "")

    def portgroup_of(self, key: str | None) -> "Network | None":
        """Return a distributed port group by its key."""
        return next((one for one in self.networks.values() if one.properties.get("key") == key and key), None)
