"""Datastores as clients see them."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.entity import Entity
from app.simulator.nas import NasDatastore, Presence
from app.simulator.objects import SimObject
from app.simulator.storage import SimDatastore
from app.simulator.world import World


def url_of(moid: str) -> str:
    """Return the URL of a datastore: where every host mounts it."""
    return f"ds:///vmfs/volumes/{moid}/"


def _summary(datastore: "Datastore") -> vim.Datastore.Summary:
    storage = datastore.storage
    return vim.Datastore.Summary(
        datastore=datastore.ref,
        name=datastore.name,
        url=datastore.url,
        capacity=storage.capacity_bytes,
        freeSpace=storage.free_bytes,
        uncommitted=0,
        accessible=datastore.presence is Presence.THERE,
        multipleHostAccess=len(datastore.properties["host"]) > 1,
        type=storage.kind,
        maintenanceMode="normal",
    )


def _info(datastore: "Datastore") -> vim.Datastore.Info:
    storage = datastore.storage
    common = {
        "name": datastore.name,
        "url": datastore.url,
        "freeSpace": storage.free_bytes,
        "maxFileSize": 70368744177664,
        "maxVirtualDiskCapacity": 68169720922112,
        "maxMemoryFileSize": 70368744177664,
        "timestamp": datastore.world.now(),
        "containerId": "",
    }
    if storage.kind == "NFS":
        remote = datastore.remote or ("nas.lab", f"/export/{datastore.name}")
        nas = vim.host.NasVolume(
            name=datastore.name,
            type="NFS",
            capacity=storage.capacity_bytes,
            remoteHost=remote[0],
            remotePath=remote[1],
            remoteHostNames=[remote[0]],
        )
        return vim.host.NasDatastoreInfo(**common, nas=nas)
    if storage.kind == "vsan":
        return vim.host.VsanDatastoreInfo(**common, membershipUuid="52" + datastore.moid.ljust(30, "0"))
    extent = vim.host.ScsiDisk.Partition(diskName=f"naa.6000c29{datastore.moid.encode().hex()}", partition=1)
    vmfs = vim.host.VmfsVolume(
        name=datastore.name,
        type="VMFS",
        capacity=storage.capacity_bytes,
        blockSizeMb=1,
        blockSize=1024,
        unmapGranularity=1024,
        unmapPriority="low",
        maxBlocks=63963136,
        majorVersion=6,
        version="6.82",
        uuid=datastore.moid,
        extent=[extent],
        vmfsUpgradable=False,
        ssd=True,
        local=False,
    )
    return vim.host.VmfsDatastoreInfo(**common, vmfs=vmfs)


def _vms(datastore: "Datastore") -> list[vim.VirtualMachine]:
    machines = datastore.world.inventory.vms.values()
    return [machine.ref for machine in machines if datastore.name in machine.datastore_names]


class Datastore(Entity):
    """A datastore, mounted by hosts.

    Attributes:
        storage: its directory.
        remote: server and path of one on an NFS server.
    """

    vim_type = vim.Datastore
    volatile: ClassVar[frozenset[str]] = frozenset({"recentTask", "summary", "info", "vm"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "summary": _summary,
        "info": _info,
        "vm": _vms,
        "capability": lambda datastore: vim.Datastore.Capability(
            directoryHierarchySupported=True,
            rawDiskMappingsSupported=datastore.storage.kind == "VMFS",
            perFileThinProvisioningSupported=True,
            storageIORMSupported=True,
            nativeSnapshotSupported=False,
            topLevelDirectoryCreateSupported=True,
            seSparseSupported=True,
        ),
        "iormConfiguration": lambda _: vim.StorageResourceManager.IORMConfigInfo(
            enabled=False, congestionThresholdMode="automatic", congestionThreshold=30
        ),
    }

    def __init__(
        self,
        world: World,
        moid: str,
        parent: SimObject,
        storage: SimDatastore,
        *,
        remote: tuple[str, str] | None = None,
    ) -> None:
        super().__init__(world, moid, storage.name, parent, host=[])
        self.storage = storage
        self.remote = remote

    @property
    def url(self) -> str:
        """The datastore's URL."""
        return url_of(self.moid)

    @property
    def presence(self) -> Presence:
        """Whether the server that keeps it is there."""
        storage = self.storage
        return storage.mount.presence if isinstance(storage, NasDatastore) else Presence.THERE

    def show_presence(self) -> None:
        """Announce that the server that keeps it went away, or came back."""
        with self.world.lock:
            mounts = [(mount.key, mount.mountInfo.accessMode) for mount in self.properties["host"]]
            self.set(host=[self._mounted(key, str(mode)) for key, mode in mounts])
            self.touch("summary", "info")

    def mount(self, host: SimObject, access_mode: str = "readWrite") -> None:
        """Mount the datastore on a host."""
        with self.world.lock:
            others = [mount for mount in self.properties["host"] if mount.key != host.ref]
            self.set(host=[*others, self._mounted(host.ref, access_mode)])

    def _mounted(self, host: vim.HostSystem, access_mode: str) -> vim.Datastore.HostMount:
        presence = self.presence
        return vim.Datastore.HostMount(
            key=host,
            mountInfo=vim.host.MountInfo(
                path=f"/vmfs/volumes/{self.moid}",
                accessMode=access_mode,
                mounted=True,
                accessible=presence is Presence.THERE,
                inaccessibleReason=presence.value or None,
            ),
        )

    def unmount(self, host: SimObject) -> None:
        """Unmount the datastore from a host."""
        with self.world.lock:
            self.set(host=[mount for mount in self.properties["host"] if mount.key != host.ref])

    def RefreshDatastore(self, call: Call) -> None:
        """Announce the space, which is always current here."""
        self.touch("summary", "info")

    def RefreshDatastoreStorageInfo(self, call: Call) -> None:
        """Announce the space, which is always current here."""
        self.touch("summary", "info")

    def rename(self, name: str) -> None:
        """Refuse: paths everywhere name the datastore.

        Raises:
            vim.fault.InvalidName: always.
        """
        raise vim.fault.InvalidName(msg="A datastore of the simulator keeps its name.", name=name)
