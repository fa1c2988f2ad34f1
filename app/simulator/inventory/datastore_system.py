"""Mounts datastores on hosts and unmounts them."""

from typing import Any, ClassVar

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.inventory.browser import DatastoreBrowser
from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.entity import adopt, release
from app.simulator.inventory.host import HostSystem, datastore_capabilities
from app.simulator.inventory.index import Inventory
from app.simulator.inventory.nas_faults import mount_fault, refuse_senseless, too_many_volumes
from app.simulator.nas import MountRefused, NasDatastore, NasMount
from app.simulator.storage import SimDatastore
from app.simulator.world import World, WorldObject

_NAS_CAPACITY_BYTES = 1 << 40
NasSpec = vim.host.NasVolume.Specification


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

    def CreateNasDatastore(self, call: Call, *, spec: NasSpec) -> vim.Datastore:
        """Mount an export of an NFS server as a datastore.

        Raises:
            vmodl.fault.InvalidArgument: the specification makes no sense.
            vim.fault.HostConfigFault: it cannot be mounted.
            vim.fault.DuplicateName: another datastore has the name.
            vim.fault.AlreadyExists: this host mounts the export already.
        """
        refuse_senseless(spec)
        with self.world.lock:
            datastore = self._existing(spec)
        if datastore is None:
            storage = self._mount(spec)
            try:
                with self.world.lock:
                    datastore = self._existing(spec) or self._add(spec, storage)
            finally:
                if datastore is None or datastore.storage is not storage:
                    self._unmount(storage)
        with self.world.lock:
            datastore.mount(self.host, spec.accessMode)
            self.host.refresh("datastore")
        ref: vim.Datastore = datastore.ref
        return ref

    def _existing(self, spec: NasSpec) -> Datastore | None:
        """Return the datastore when another host has mounted it, refusing what this host cannot mount."""
        inventory, remote = self._inventory, (spec.remoteHost, spec.remotePath)
        keys = inventory.parts_of(self.host).datastore_keys
        existing = inventory.datastores.get(keys.get(spec.localPath, ""))
        if existing is not None and existing.remote != remote:
            raise vim.fault.DuplicateName(
                msg=f"The name '{spec.localPath}' already exists.", name=spec.localPath, object=existing.ref
            )
        mounted = self.host.datastores()
        if any(datastore.remote == remote for datastore in mounted):
            raise vim.fault.AlreadyExists(
                msg=f"The specified key, name, or identifier '{spec.localPath}' already exists.",
                name=spec.localPath,
            )
        if sum(datastore.storage.kind == "NFS" for datastore in mounted) >= self.world.nas.most_volumes:
            raise too_many_volumes(spec.localPath)
        return existing

    def _mount(self, spec: NasSpec) -> SimDatastore:
        """Mount an export: a folder of this machine that stands for one, or one of a real server."""
        inventory, remote = self._inventory, (spec.remoteHost, spec.remotePath)
        with self.world.lock:
            name = inventory.kept_name(spec.localPath)
        folder = inventory.nas_exports.get(remote)
        if folder is not None:
            return SimDatastore(name, folder, _NAS_CAPACITY_BYTES, "NFS")
        try:
            mount = NasMount(name, remote, self.world.nas)
        except MountRefused as refused:
            raise mount_fault(spec, refused) from refused
        except OSError as error:  # there is no libnfs here
            raise vmodl.fault.NotSupported(msg=f"This machine mounts no exports: {error}") from error
        self.world.nas_mounts.add(mount)
        return NasDatastore(name, mount)

    def _add(self, spec: NasSpec, storage: SimDatastore) -> Datastore:
        inventory = self._inventory
        parts = inventory.parts_of(self.host)
        key = parts.datastore_keys[spec.localPath] = storage.name
        self.world.datastores[key] = storage
        moid = self.world.new_moid("datastore")
        remote = (spec.remoteHost, spec.remotePath)
        datastore = Datastore(self.world, moid, parts.datastore_folder, storage, remote=remote)
        self.world.add(datastore)
        browser = DatastoreBrowser(self.world, f"datastoreBrowser-{moid}", only=datastore)
        datastore.set(browser=self.world.add(browser).ref)
        adopt(parts.datastore_folder, datastore)
        inventory.datastores[key] = datastore
        parts.datacenter.refresh("datastore")
        parts.compute.refresh("datastore")
        if isinstance(storage, NasDatastore):
            storage.mount.announce = datastore.show_presence
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
            is_last = not entity.properties["host"]
            if is_last:
                self._drop(entity)
        if is_last:
            self._unmount(entity.storage)

    def _drop(self, entity: Datastore) -> None:
        inventory = self._inventory
        parts = inventory.parts_of(self.host)
        release(parts.datastore_folder, entity)
        del inventory.datastores[entity.name]
        for name in [name for name, key in parts.datastore_keys.items() if key == entity.name]:
            del parts.datastore_keys[name]
        self.world.datastores.pop(entity.name, None)
        self.world.remove(self.world.get(entity.properties["browser"]))
        self.world.remove(entity)
        parts.datacenter.refresh("datastore")
        parts.compute.refresh("datastore")

    def _unmount(self, storage: SimDatastore) -> None:
        """Let go of an export, whether its server is there or not."""
        if isinstance(storage, NasDatastore):
            storage.mount.close()
            self.world.nas_mounts.discard(storage.mount)
        self.world.disks.close(storage.name)
