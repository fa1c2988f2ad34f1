"""ESXi hosts and what can be configured on them."""

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.compute import CORE_MHZ, HOST_CORES, HOST_MEMORY_BYTES, NEWEST_HARDWARE
from app.simulator.inventory.entity import Entity, adopt, release
from app.simulator.objects import Call, SimObject
from app.simulator.storage import SimDatastore

if TYPE_CHECKING:
    from app.simulator.inventory.datastore import Datastore
    from app.simulator.inventory.index import Inventory
    from app.simulator.world import World

BUILDS = {"6.5.0": "4564106", "6.7.0": "8169922", "7.0.3": "18644231", "8.0.3": "24022510"}
NAS_CAPACITY_BYTES = 1 << 40
_CPU = "Intel(R) Xeon(R) Gold 6426Y"


def product(version: str) -> vim.AboutInfo:
    """Return what an ESXi host says of itself."""
    build = BUILDS[version]
    return vim.AboutInfo(
        name="VMware ESXi",
        fullName=f"VMware ESXi {version} build-{build}",
        vendor="VMware, Inc.",
        version=version,
        build=build,
        localeVersion="INTL",
        localeBuild="000",
        osType="vmnix-x86",
        productLineId="embeddedEsx",
        apiType="HostAgent",
        apiVersion=f"{version}.0",
        licenseProductName="VMware ESX Server",
        licenseProductVersion=version.split(".")[0] + ".0",
    )


def _summary(host: "HostSystem") -> vim.host.Summary:
    return vim.host.Summary(
        host=host.ref,
        hardware=vim.host.Summary.HardwareSummary(
            vendor="Dell Inc.",
            model="PowerEdge R760",
            uuid=host.uuid,
            memorySize=HOST_MEMORY_BYTES,
            cpuModel=_CPU,
            cpuMhz=CORE_MHZ,
            numCpuPkgs=2,
            numCpuCores=HOST_CORES,
            numCpuThreads=2 * HOST_CORES,
            numNics=4,
            numHBAs=3,
        ),
        runtime=_runtime(host),
        config=vim.host.Summary.ConfigSummary(
            name=host.name,
            port=443,
            sslThumbprint=host.world.host_thumbprint_sha1 or None,
            product=product(host.esxi_version),
            vmotionEnabled=True,
            faultToleranceEnabled=False,
        ),
        quickStats=vim.host.Summary.QuickStats(overallCpuUsage=900, overallMemoryUsage=16384, uptime=1_000_000),
        overallStatus="green",
        rebootRequired=False,
        managementServerIp="127.0.0.1" if host.world.spec.is_vcenter else None,
    )


def _runtime(host: "HostSystem") -> vim.host.RuntimeInfo:
    return vim.host.RuntimeInfo(
        connectionState="connected",
        powerState="poweredOn",
        standbyMode="none",
        inMaintenanceMode=False,
        inQuarantineMode=False,
        bootTime=host.boot_time,
        hostMaxVirtualDiskCapacity=68169720922112,
        cryptoState="incapable",
    )


def _hardware(host: "HostSystem") -> vim.host.HardwareInfo:
    return vim.host.HardwareInfo(
        systemInfo=vim.host.SystemInfo(vendor="Dell Inc.", model="PowerEdge R760", uuid=host.uuid),
        cpuInfo=vim.host.CpuInfo(
            numCpuPackages=2, numCpuCores=HOST_CORES, numCpuThreads=2 * HOST_CORES, hz=CORE_MHZ * 1_000_000
        ),
        cpuPkg=[
            vim.host.CpuPackage(
                index=index,
                vendor="intel",
                hz=CORE_MHZ * 1_000_000,
                busHz=100_000_000,
                description=_CPU,
                threadId=list(range(index * HOST_CORES, (index + 1) * HOST_CORES)),
            )
            for index in range(2)
        ],
        memorySize=HOST_MEMORY_BYTES,
        smcPresent=False,
    )


def _config(host: "HostSystem") -> vim.host.ConfigInfo:
    return vim.host.ConfigInfo(
        host=host.ref,
        product=product(host.esxi_version),
        datastoreCapabilities=_capabilities(),
        lockdownMode="lockdownDisabled",
    )


def _capabilities() -> vim.host.DatastoreSystem.Capabilities:
    return vim.host.DatastoreSystem.Capabilities(
        nfsMountCreationRequired=True,
        nfsMountCreationSupported=True,
        localDatastoreSupported=False,
        vmfsExtentExpansionSupported=True,
    )


def _capability(_: "HostSystem") -> vim.host.Capability:
    return vim.host.Capability(
        vmotionSupported=True,
        nfsSupported=True,
        iscsiSupported=True,
        sanSupported=True,
        maintenanceModeSupported=True,
        storageVMotionSupported=True,
        cloneFromSnapshotSupported=True,
        deltaDiskBackingsSupported=True,
        backgroundSnapshotsSupported=True,
        vmCreateDateSupported=True,
    )


class HostSystem(Entity):
    """An ESXi host."""

    vim_type = vim.HostSystem
    volatile: ClassVar[frozenset[str]] = frozenset({"recentTask", "summary"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "summary": _summary,
        "runtime": _runtime,
        "hardware": _hardware,
        "config": _config,
        "capability": _capability,
        "datastore": lambda host: [one.ref for one in host.datastores()],
        "network": lambda host: [one.ref for one in host.inventory.networks_in(host.inventory.parts_of(host))],
        "licensableResource": lambda _: vim.LicenseManager.LicensableResourceInfo(),
        "configManager": lambda host: vim.host.ConfigManager(datastoreSystem=host.datastore_system.ref),
    }

    def __init__(self, world: "World", moid: str, name: str, parent: SimObject) -> None:
        super().__init__(world, moid, name, parent, vm=[])
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{world.spec.seed}/{name}"))
        self.boot_time = world.now()
        self.esxi_version = dict(world.spec.host_versions).get(name, world.spec.version)
        number = moid.rpartition("-")[2]
        system = "ha-datastoresystem" if moid == "ha-host" else f"datastoreSystem-{number}"
        self.datastore_system = world.add(DatastoreSystem(world, system, self))

    @property
    def inventory(self) -> "Inventory":
        """What it belongs to."""
        inventory: Inventory = self.world.inventory
        return inventory

    @property
    def newest_hardware(self) -> int:
        """Number of the newest virtual hardware version that it knows."""
        return NEWEST_HARDWARE[self.esxi_version]

    def datastores(self) -> "list[Datastore]":
        """Return the datastores that this host mounts."""
        return [
            one
            for one in self.inventory.datastores.values()
            if any(mount.key == self.ref for mount in one.properties["host"])
        ]


class DatastoreSystem(SimObject):
    """Mounts and unmounts datastores of one host."""

    vim_type = vim.host.DatastoreSystem
    volatile: ClassVar[frozenset[str]] = frozenset({"datastore"})

    def __init__(self, world: "World", moid: str, host: HostSystem) -> None:
        super().__init__(world, moid, capabilities=_capabilities())
        self.host = host

    def read(self, name: str, session: Any = None) -> Any:
        """Return a property; the datastores are the host's."""
        if name == "datastore":
            return [one.ref for one in self.host.datastores()]
        return super().read(name, session)

    def CreateNasDatastore(self, call: Call, *, spec: vim.host.NasVolume.Specification) -> vim.Datastore:
        """Mount an export of an NFS server as a datastore.

        Raises:
            vim.fault.HostConfigFault: the server does not export that path.
            vim.fault.DuplicateName: another datastore has the name.
            vim.fault.AlreadyExists: this host mounts the export already.
        """
        inventory = self.host.inventory
        parts = inventory.parts_of(self.host)
        remote = (spec.remoteHost, spec.remotePath)
        with self.world.lock:
            existing = inventory.datastores.get(parts.datastore_keys.get(spec.localPath, ""))
            if existing is not None and existing.remote != remote:
                raise vim.fault.DuplicateName(
                    msg=f"The name '{spec.localPath}' already exists.", name=spec.localPath, object=existing.ref
                )
            if any(one.remote == remote for one in self.host.datastores()):
                raise vim.fault.AlreadyExists(msg="The export is mounted already.", name=spec.localPath)
            datastore = existing or self._new_datastore(spec, remote)
            datastore.mount(self.host)
            self.host.refresh("datastore")
        ref: vim.Datastore = datastore.ref
        return ref

    def _new_datastore(self, spec: vim.host.NasVolume.Specification, remote: tuple[str, str]) -> "Datastore":
        from app.simulator.inventory.datastore import Datastore

        inventory = self.host.inventory
        parts = inventory.parts_of(self.host)
        root = inventory.nas_exports.get(remote)
        if root is None:
            raise vim.fault.PlatformConfigFault(
                msg=f"An error occurred during host configuration: unable to mount {remote[0]}:{remote[1]}.",
                text="Unable to get Console path for Mount",
            )
        key = parts.datastore_keys[spec.localPath] = inventory.kept_name(spec.localPath)
        storage = SimDatastore(key, root, NAS_CAPACITY_BYTES, "NFS")
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
            vim.fault.ResourceInUse: a VM lies on it.
            vim.fault.NotFound: this host does not mount it.
        """
        inventory = self.host.inventory
        with self.world.lock:
            entity = inventory.require_datastore(datastore)
            if entity not in self.host.datastores():
                raise vim.fault.NotFound(msg="The host does not mount the datastore.")
            users = [one for one in inventory.vms.values() if entity.name in one.datastore_names]
            if any(one.host is self.host for one in users):
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
