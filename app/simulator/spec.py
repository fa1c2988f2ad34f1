"""What a simulated vSphere consists of, as values: the whole inventory, its users and its license."""

import secrets
import uuid
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from app.simulator.nas.settings import NasSettings
from app.simulator.releases import Version

GIB = 1 << 30
MIB = 1 << 20

Firmware = Literal["bios", "efi"]
DiskKind = Literal["flat", "rdm_physical", "rdm_virtual", "pmem"]
DiskMode = Literal["persistent", "independent_persistent", "independent_nonpersistent"]
BusSharing = Literal["noSharing", "virtualSharing", "physicalSharing"]
DatastoreKind = Literal["VMFS", "NFS", "vsan"]
DiskController = Literal["pvscsi", "lsilogic", "lsisas1068", "buslogic", "sata", "nvme"]


class Flavour(Enum):
    """What answers at the address."""

    VCENTER = "vcenter"
    ESXI = "esxi"


class License(Enum):
    """The license of the hosts; the free one refuses every change through the API."""

    EVALUATION = "evaluation"
    ENTERPRISE = "enterprise"
    ESSENTIALS = "essentials"
    """Moves running VMs between hosts, but not between datastores."""
    FREE = "free"

    @property
    def moves_storage_live(self) -> bool:
        """Whether a running VM may be moved to another datastore (Storage vMotion)."""
        return self in (License.EVALUATION, License.ENTERPRISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastoreSpec:
    """A datastore, mounted on every host."""

    name: str
    capacity_bytes: int = 512 * GIB
    kind: DatastoreKind = "VMFS"
    remote: tuple[str, str] | None = None
    """Of one of the kind NFS: the server and the export that the hosts mount; None: names that lead nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSpec:
    """An account. ``privileges`` None means administrator, else exactly these and the System ones."""

    name: str
    password: str = field(default_factory=lambda: secrets.token_urlsafe(18), repr=False)
    """By default a random one, so that other users of this machine cannot log in."""
    privileges: frozenset[str] | None = None
    granted_at: frozenset[str] = frozenset()
    """Names of folders, VMs, datastores, pools and networks at and below which it has them; empty: everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskSpec:
    """A virtual disk of a VM."""

    capacity_bytes: int = 64 * MIB
    thin: bool = True
    mode: DiskMode = "persistent"
    kind: DiskKind = "flat"
    filesystem: bool = True
    """True gives it a partition table and a file system with files; False leaves it empty."""
    datastore: str | None = None
    """None: the VM's own."""
    controller: DiskController = "pvscsi"
    """What the disk hangs on; disks of one kind share a controller as long as there is room."""
    multi_writer: bool = False
    """True lets several VMs write to it, which shuts change tracking and snapshots out."""
    bus_sharing: BusSharing = "noSharing"
    """How its controller is shared with other VMs, which shuts them out too."""
    io_filters: tuple[str, ...] = ()
    """I/O filters that a storage policy has attached to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSpec:
    """A virtual machine as it is when the simulator starts."""

    name: str
    disks: tuple[DiskSpec, ...] = (DiskSpec(),)
    powered_on: bool = True
    workload_bytes_per_s: int = 0
    """Bytes that its guest writes each second while it is powered on; 0: only when a test says so."""
    datacenter: str | None = None
    """Path of its datacenter, such as ``B/Shanghai``; None: the first one."""
    folder: tuple[str, ...] = ()
    """Names of the folders below the datacenter's VM folder."""
    resource_pool: tuple[str, ...] = ()
    """Names of the resource pools and vApps from below the root pool down; a VM of a vApp is in no folder."""
    host: str | None = None
    """None: spread over the hosts."""
    datastore: str | None = None
    """None: the first one."""
    networks: tuple[str, ...] = ()
    """None named: the first network."""
    firmware: Firmware = "bios"
    guest_id: str = "debian12_64Guest"
    hostname: str | None = None
    """The host name that the guest tools report; None: they do not run."""
    cpus: int = 2
    memory_mb: int = 1024
    change_tracking: bool = False
    template: bool = False
    managed_by: tuple[str, str] | None = None
    """Key of the extension that manages it, and the type that the extension calls it; None: nothing does."""
    extra_config: tuple[tuple[str, str], ...] = ()
    """Further advanced settings."""
    encrypted: bool = False
    """True encrypts its home and its disks with a key that the hosts have."""
    this_machine: bool = False
    """True for the VM that the program under test takes itself to run in: disks that are attached to it appear
    below the simulator's folder ``machine``, which stands for the root of its file system."""
    disk_files: bool = True
    """False leaves the disks out of the datastore's directory, for inventories of thousands."""
    linked_to: str | None = None
    """Name of a template, or a VM that is off, further up in the spec: this VM's disks are deltas on its disks."""
    secondary_of: str | None = None
    """Name of a VM: this one is its secondary under fault tolerance, and that one becomes the primary."""
    needs_consolidation: bool = False
    """True begins with the delta files of a snapshot that was removed and could not be merged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatacenterSpec:
    """A further datacenter of a vCenter; its names may be those of another datacenter."""

    name: str
    folder: tuple[str, ...] = ()
    """Names of the folders above it."""
    hosts: tuple[str, ...] = ("esx11.lab",)
    datastores: tuple[DatastoreSpec, ...] = (DatastoreSpec(name="ds1"),)
    networks: tuple[str, ...] = ("VM Network",)
    distributed_networks: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Names of the folders and its own, joined by slashes."""
        return "/".join((*self.folder, self.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class VAppSpec:
    """A vApp of a vCenter."""

    path: tuple[str, ...]
    """Names of the resource pools and vApps from below the root pool down to it."""
    folder: tuple[str, ...] = ()
    """Names of the folders below the datacenter's VM folder; one inside of another vApp is in none."""
    datacenter: str | None = None
    """Path of its datacenter; None: the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSpec:
    """A whole simulated vSphere."""

    flavour: Flavour = Flavour.VCENTER
    version: Version = "8.0.3"
    datacenter: str = "Shanghai"
    """Name of the first datacenter; a bare ESXi always calls it ``ha-datacenter``."""
    datacenter_folder: tuple[str, ...] = ()
    """Names of the folders above the first datacenter."""
    more_datacenters: tuple[DatacenterSpec, ...] = ()
    resource_pools: tuple[tuple[str, ...], ...] = ()
    """Resource pools of the first datacenter: their names from below the root pool down, parents first."""
    vapps: tuple[VAppSpec, ...] = ()
    """Those above others first; only a vCenter has them."""
    abandoned_session_s: float = 0.0
    """How long an NFC session that was not closed keeps its disks locked; 1800 on real hosts."""
    address: str = "127.0.0.1"
    """Address of this machine that everything listens at; it may be ``::1``."""
    ticket_host: str | None = None
    """What tickets call the hosts, such as a name that only the hosts' own network knows; None: ``address``."""
    management_address: str | None = None
    """Address of the hosts' VMkernel adapter for management, from which they mount exports too; None: ``address``,
    which is what a server of this machine sees."""
    backup_address: str | None = None
    """Address of the hosts' VMkernel adapter that is tagged for backups; tickets name it."""
    is_backup_network_routed: bool = True
    """False: nothing answers at that address from here."""
    host_versions: tuple[tuple[str, Version], ...] = ()
    """Pairs (host, its ESXi version) of hosts that are older than the rest; they know older hardware only."""
    hosts: tuple[str, ...] = ("esx01.lab", "esx02.lab")
    """Names of the hosts; a bare ESXi has exactly one."""
    datastores: tuple[DatastoreSpec, ...] = (DatastoreSpec(name="ds1"), DatastoreSpec(name="ds2"))
    networks: tuple[str, ...] = ("VM Network", "Storage")
    distributed_networks: tuple[str, ...] = ()
    """Port groups of a distributed switch; only a vCenter has them. One that is named again is on a switch of its
    own, in a folder of its own."""
    users: tuple[UserSpec, ...] = field(default_factory=lambda: _users(Flavour.VCENTER))
    """The first one is offered as the simulator's ``user`` and ``password``."""
    license: License = License.EVALUATION
    nas: NasSettings = field(default_factory=NasSettings)
    """How hosts mount exports of NFS servers."""
    boot_s: float = 0.0
    """How long a guest takes from power on until its tools answer."""
    foreign_guests_have_tools: bool = False
    """Whether guest tools run in VMs that come with disks of elsewhere: registered, or created with such disks."""
    storage_policies: tuple[str, ...] = ()
    """Ids of the storage policies that a VM or disk can be given; no property shows which it has."""
    vms: tuple[VmSpec, ...] = ()
    seed: int = 1
    session_idle_s: float = 1800.0
    """Seconds without a call after which a session is forgotten."""
    most_sessions: int | None = None
    """How many sessions there may be (``config.vmacore.soap.maxSessionCount``); None: any number."""
    retrieve_limit: int = 2000
    """The most objects that one answer of RetrievePropertiesEx holds, whatever the client asks for."""

    @property
    def datacenters(self) -> tuple[DatacenterSpec, ...]:
        """All datacenters, the first one first."""
        first = DatacenterSpec(
            name=self.datacenter,
            folder=self.datacenter_folder,
            hosts=self.hosts,
            datastores=self.datastores,
            networks=self.networks,
            distributed_networks=self.distributed_networks,
        )
        return first, *(self.more_datacenters if self.is_vcenter else ())

    @property
    def is_vcenter(self) -> bool:
        """Return whether a vCenter answers."""
        return self.flavour is Flavour.VCENTER


def demo_spec(*, flavour: Flavour = Flavour.VCENTER, version: Version = "8.0.3", seed: int = 1) -> SimulatorSpec:
    """Return the inventory of the demo: two disks, a powered-off VM, and one that writes all the time."""
    return SimulatorSpec(
        flavour=flavour,
        version=version,
        hosts=("esx01.lab", "esx02.lab") if flavour is Flavour.VCENTER else ("esx01.lab",),
        users=_users(flavour),
        seed=seed,
        vms=(
            VmSpec(
                name="web-01",
                disks=(DiskSpec(capacity_bytes=256 * MIB), DiskSpec(capacity_bytes=128 * MIB, datastore="ds2")),
                folder=("Production",) if flavour is Flavour.VCENTER else (),
                hostname="web-01.example.com",
            ),
            VmSpec(
                name="db-01",
                disks=(DiskSpec(capacity_bytes=256 * MIB),),
                folder=("Production", "Databases") if flavour is Flavour.VCENTER else (),
                workload_bytes_per_s=4 * MIB,
                firmware="efi",
                guest_id="ubuntu64Guest",
                hostname="db-01.example.com",
            ),
            VmSpec(
                name="archive-01",
                disks=(DiskSpec(capacity_bytes=128 * MIB, thin=False),),
                powered_on=False,
                datastore="ds2",
                guest_id="windows2019srv_64Guest",
            ),
        ),
    )


def cluster_agent(number: int, *, embedded: bool = False) -> VmSpec:
    """Return a VM of vSphere Cluster Services, as vCenter makes them since 7.0 U1, and embedded ones since 8.0 U3.

    Source: knowledge base article 370219 of the vendor.
    """
    return VmSpec(
        name=f"vCLS-{uuid.uuid5(uuid.NAMESPACE_OID, str(number))}",
        disks=() if embedded else (DiskSpec(capacity_bytes=4 * MIB, filesystem=False),),
        folder=("vCLS",),
        guest_id="crxSys1Guest" if embedded else "other3xLinux64Guest",
        cpus=1,
        memory_mb=128,
        managed_by=("VirtualCenter", "vcls-entity") if embedded else ("com.vmware.vim.eam", "cluster-agent"),
        extra_config=(("HDCS.agent", "true"), *((("vCLSCRX.agent", "true"),) if embedded else ())),
    )


def large_spec(n_vms: int = 10_000, *, version: Version = "8.0.3", seed: int = 1) -> SimulatorSpec:
    """Return a vCenter with very many VMs whose disks are not on this machine's disk."""
    hosts = tuple(f"esx{number:02}.lab" for number in range(1, 33))
    datastores = tuple(DatastoreSpec(name=f"ds{number:02}", capacity_bytes=64 << 40) for number in range(1, 17))
    vms = tuple(
        VmSpec(
            name=f"vm-{number:05}",
            disks=(DiskSpec(capacity_bytes=(20 + number % 80) * GIB, filesystem=False),),
            powered_on=number % 10 != 0,
            folder=(f"Team {number % 50:02}",),
            datastore=datastores[number % len(datastores)].name,
            hostname=f"vm-{number:05}.example.com" if number % 10 else None,
            change_tracking=number % 3 == 0,
            disk_files=False,
        )
        for number in range(n_vms)
    )
    return SimulatorSpec(version=version, hosts=hosts, datastores=datastores, vms=vms, seed=seed)


def _users(flavour: Flavour) -> tuple[UserSpec, ...]:
    name = "administrator@vsphere.local" if flavour is Flavour.VCENTER else "root"
    return (UserSpec(name=name),)
