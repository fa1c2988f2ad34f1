"""Mounts datastores on hosts and unmounts them."""

from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.entity import adopt, release
from app.simulator.inventory.host import HostSystem, datastore_capabilities
from app.simulator.inventory.index import Inventory
from app.simulator.storage import SimDatastore
from app.simulator.world import World, WorldObject

_NAS_CAPACITY_BYTES = 1 << 40


class DatastoreSystem(WorldObject):
    """Mounts and unmounts datastores of one host."""

    vim_type = vim.host.DatastoreSystem
    volatile: ClassVar[frozenset[str]] = frozenset({"datastore"})

    def __init__(self, world: World, host: HostSystem) -> None:
        super().__init__(world, host.datastore_system_moid, capabilities=datastore_capabilities())
        self.host = host

    @property
    def _inventory(self) -> Inventory:
        inventory: Inventory = self.world.inventory
        return inventory

    def read(self, name: str, session: Any = None) -> Any:
        """Return a property; the datastores are the host's."""
        if name == "datastore":
            return [datastore.ref for datastore in self.host.datastores()]
        return super().read(name, session)

    def CreateNasDatastore(self, call: Call, *, spec: vim.host.NasVolume.Specification) -> vim.Datastore:
        """Mount an export of an NFS server as a datastore.

        Raises:
            vim.fault.HostConfigFault: the server does not export that path.
            vim.fault.DuplicateName: another datastore has the name.
            vim.fault.AlreadyExists: this host mounts the export already.
        """
        inventory = self._inventory
        parts = inventory.parts_of(self.host)
        remote = (spec.remoteHost, spec.remotePath)
        with self.world.lock:
            existing = inventory.datastores.get(parts.datastore_keys.get(spec.localPath, ""))
            if existing is not None and existing.remote != remote:
                raise vim.fault.DuplicateName(
                    msg=f"The name '{spec.localPath}' already exists.", name=spec.localPath, object=existing.ref
                )
            if any(mounted.remote == remote for mounted in self.host.datastores()):
                raise vim.fault.AlreadyExists(msg="The export is mounted already.", name=spec.localPath)
            datastore = existing or self._new_datastore(spec, remote)
            datastore.mount(self.host)
            self.host.refresh("datastore")
        ref: vim.Datastore = datastore.ref
        return ref

    def _new_datastore(self, spec: vim.host.NasVolume.Specification, remote: tuple[str, str]) -> Datastore:
        inventory = self._inventory
        parts = inventory.parts_of(self.host)
        root = inventory.nas_exports.get(remote)
        if root is None:
            raise vim.fault.PlatformConfigFault(
                msg=f"An error occurred during host configuration: unable to mount {remote[0]}:{remote[1]}.",
                text="Unable to get Console path for Mount",
            )
        key = parts.datastore_keys[spec.localPath] = inventory.kept_name(spec.localPath)
        storage = SimDatastore(key, root, _NAS_CAPACITY_BYTES, "NFS")
        self.world.datastores[key] = storage
        moid = self.world.new_moid("datastore")
        datastore = Datastore(self.world, moid, parts.datastore_folder, storage, remote=remote)
        self.world.add(datastore)
        adopt(parts.datastore_folder, datastore)
        inventory.datastores[key] = datastore
        parts.datacenter.refresh("datastore")
        parts.compute.refresh("datastore")
        return datastore

    def RemoveDatastore(self, call: Call, *, datastore: vim.Datastore) -> None:
        """Unmount a datastore; the last host that does removes it.

        Raises:
            vim.fault.ResourceInUse: a VM is stored on it.
            vim.fault.NotFound: this host does not mount it.
        """
        inventory = self._inventory
        with self.world.lock:
            entity = inventory.require_datastore(datastore)
            if entity not in self.host.datastores():
                raise vim.fault.NotFound(msg="The host does not mount the datastore.")
            users = [vm for vm in inventory.vms.values() if entity.name in vm.datastore_names]
            if any(user.host is self.host for user in users):
                raise vim.fault.ResourceInUse(msg="The resource is in use.", type=vim.Datastore, name=entity.name)
            entity.unmount(self.host)
            self.host.refresh("datastore")
            if not entity.properties["host"]:
                parts = inventory.parts_of(self.host)
                release(parts.datastore_folder, entity)
                del inventory.datastores[entity.name]
                for name in [name for name, key in parts.datastore_keys.items() if key == entity.name]:
                    del parts.datastore_keys[name]
                self.world.datastores.pop(entity.name, None)
                self.world.remove(entity)
                parts.datacenter.refresh("datastore")
                parts.compute.refresh("datastore")
