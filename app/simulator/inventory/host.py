"""ESXi hosts and what can be configured on them."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.inventory.datastore import Datastore
from app.simulator.inventory.hardware import CORE_MHZ, HOST_CORES, HOST_MEMORY_BYTES
from app.simulator.inventory.maintenance import Maintainable, Maintenance
from app.simulator.inventory.surroundings import Surroundings
from app.simulator.objects import SimObject
from app.simulator.releases import RELEASES
from app.simulator.world import World

_CPU = "Intel(R) Xeon(R) Gold 6426Y"


def product(version: str) -> vim.AboutInfo:
    """Return what an ESXi host says of itself."""
    build = RELEASES[version].esxi_build
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
        apiVersion=RELEASES[version].api_version,
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
        managementServerIp=host.world.spec.address if host.world.spec.is_vcenter else None,
    )


def _runtime(host: "HostSystem") -> vim.host.RuntimeInfo:
    return vim.host.RuntimeInfo(
        connectionState=host.connection,
        powerState="poweredOn",
        standbyMode="none",
        inMaintenanceMode=host.maintenance is Maintenance.ENTERED,
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
        datastoreCapabilities=datastore_capabilities(),
        lockdownMode="lockdownDisabled",
        virtualNicManagerInfo=vim.host.VirtualNicManagerInfo(netConfig=_nic_uses(host)),
        network=vim.host.NetworkInfo(vnic=[use.candidateVnic[0] for use in _nic_uses(host)]),
    )


def _nic_uses(host: "HostSystem") -> list[vim.host.VirtualNicManager.NetConfig]:
    """Return what the VMkernel adapters are tagged for."""
    spec = host.world.spec
    uses = [_nic_use("management", "vmk0", "Management Network", spec.management_address or spec.address)]
    if spec.backup_address is not None:
        uses.append(_nic_use("vSphereBackupNFC", "vmk1", "Backup", spec.backup_address))
    return uses


def _nic_use(use: str, device: str, portgroup: str, address: str) -> vim.host.VirtualNicManager.NetConfig:
    if ":" in address:
        listed = vim.host.IpConfig.IpV6Address(ipAddress=address, prefixLength=64, origin="manual")
        addresses = vim.host.IpConfig.IpV6AddressConfiguration(ipV6Address=[listed])
        ip = vim.host.IpConfig(dhcp=False, ipV6Config=addresses)
    else:
        ip = vim.host.IpConfig(dhcp=False, ipAddress=address, subnetMask="255.0.0.0")
    nic = vim.host.VirtualNic(
        device=device,
        key=f"{use}.key-vim.host.VirtualNic-{device}",
        portgroup=portgroup,
        spec=vim.host.VirtualNic.Specification(ip=ip),
    )
    return vim.host.VirtualNicManager.NetConfig(
        nicType=use, multiSelectAllowed=True, candidateVnic=[nic], selectedVnic=[nic.key]
    )


def datastore_capabilities() -> vim.host.DatastoreSystem.Capabilities:
    """Return what can be done with datastores on a host."""
    return vim.host.DatastoreSystem.Capabilities(
        nfsMountCreationRequired=True,
        nfsMountCreationSupported=True,
        localDatastoreSupported=False,
        vmfsExtentExpansionSupported=True,
    )


def _capability(host: "HostSystem") -> vim.host.Capability:
    return vim.host.Capability(
        vmotionSupported=True,
        nfsSupported=True,
        iscsiSupported=True,
        sanSupported=True,
        maintenanceModeSupported=True,
        storageVMotionSupported=host.world.spec.license.moves_storage_live,
        cloneFromSnapshotSupported=True,
        deltaDiskBackingsSupported=True,
        backgroundSnapshotsSupported=True,
        vmCreateDateSupported=True,
    )


class HostSystem(Maintainable):
    """An ESXi host.

    Attributes:
        uuid: of its hardware.
        boot_time: since when it runs.
        esxi_version: such as ``8.0.3``.
        datastore_system_moid: id of the managed object that mounts its datastores.
    """

    vim_type = vim.HostSystem
    volatile: ClassVar[frozenset[str]] = frozenset({"recentTask", "summary"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "summary": _summary,
        "runtime": _runtime,
        "hardware": _hardware,
        "config": _config,
        "capability": _capability,
        "datastore": lambda host: [datastore.ref for datastore in host.datastores()],
        "network": lambda host: [network.ref for network in host.surroundings.networks_near(host)],
        "licensableResource": lambda _: vim.LicenseManager.LicensableResourceInfo(),
        "configManager": lambda host: vim.host.ConfigManager(
            datastoreSystem=vim.host.DatastoreSystem(host.datastore_system_moid)
        ),
    }

    def __init__(self, world: World, moid: str, name: str, parent: SimObject) -> None:
        super().__init__(world, moid, name, parent)
        self.uuid = str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{world.spec.seed}/{name}"))
        self.boot_time = world.now()
        self.esxi_version = dict(world.spec.host_versions).get(name, world.spec.version)
        number = moid.rpartition("-")[2]
        self.datastore_system_moid = "ha-datastoresystem" if moid == "ha-host" else f"datastoreSystem-{number}"

    @property
    def surroundings(self) -> Surroundings:
        """The inventory that it is part of."""
        surroundings: Surroundings = self.world.inventory
        return surroundings

    @property
    def newest_hardware(self) -> int:
        """Number of the newest virtual hardware version that it knows."""
        return RELEASES[self.esxi_version].newest_hardware

    def datastores(self) -> list[Datastore]:
        """Return the datastores that this host mounts."""
        return [
            datastore
            for datastore in self.surroundings.datastores.values()
            if any(mount.key == self.ref for mount in datastore.properties["host"])
        ]
