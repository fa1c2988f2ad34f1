"""Virtual machines as a backup sees them, whatever the hypervisor."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from app.domain.errors import OperationalError
from app.domain.ids import SnapshotId, VmId
from app.domain.messages import Message
from app.domain.reach import HostConnection, SystemRole, VmConnection, why_unreached


class PowerState(Enum):
    """Whether the VM runs."""

    ON = "on"
    OFF = "off"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskLeftOut:
    """A disk that backups of its VM leave out."""

    label: str
    reason: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSummary:
    """One row of a platform's inventory."""

    id: VmId
    name: str
    power_state: PowerState
    instance_uuid: str | None
    bios_uuid: str | None
    guest: str
    """The guest system's name, such as ``Debian GNU/Linux 12 (64-bit)``."""
    hostname: str | None
    """The guest's own host name, when its tools report it."""
    host: str
    """Name of the ESXi host that runs it."""
    datacenter: str
    folder: tuple[str, ...]
    """Names of the inventory folders from the datacenter down to the VM."""
    datastores: tuple[str, ...]
    disk_bytes: int
    """Sum of the capacities of its disks."""
    change_tracking_supported: bool
    change_tracking_enabled: bool
    snapshot_count: int
    is_template: bool
    booted_at: datetime | None = None
    """When it was last started; None when it does not run or the platform does not say."""
    datacenter_id: str = ""
    """The platform's id of the datacenter: two may have one name."""
    datacenter_path: str = ""
    """Names of the folders above the datacenter and its own, joined by slashes."""
    folder_id: str = ""
    """The platform's id of the folder that the VM is in; empty for a VM of a vApp."""
    vapp_id: str = ""
    """The platform's id of the vApp that the VM is in; empty outside of vApps."""
    host_id: str = ""
    connection: VmConnection = VmConnection.CONNECTED
    host_connection: HostConnection = HostConnection.CONNECTED
    system_role: SystemRole | None = None
    """What it does for the platform itself; None for every VM of the platform's users."""
    disk_count: int = 0
    disks_left_out: tuple[DiskLeftOut, ...] = ()
    unsupported_reason: Message | None = None
    """Why no backup of it is made at all; None when one can be."""
    snapshot_doubt: Message | None = None
    """Why the platform will probably refuse to take a snapshot of it; None when nothing speaks against it."""
    needs_consolidation: bool = False
    """True when files of removed snapshots are left on its disks."""

    @property
    def unreached(self) -> OperationalError | None:
        """Why the platform does not reach it now, None when it does."""
        return why_unreached(self.name, self.host, self.connection, self.host_connection)


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualDisk:
    """One disk of a VM."""

    key: int
    """Device key; stays the same along a snapshot chain."""
    label: str
    uuid: str | None
    """Backing UUID; identifies the disk together with the key."""
    capacity_bytes: int
    path: str
    """Datastore path such as ``[ds1] web-01/web-01.vmdk``."""
    thin: bool
    unsupported_reason: Message | None = None
    """Why the disk cannot take part in snapshots (independent mode, physical RDM …); None when it can."""
    change_id: str | None = None
    """CBT change id; only ever filled for the disks of a snapshot."""
    is_delta: bool = False
    """True when ``path`` is a delta that has parents, so that the file alone is not the disk."""
    is_linked: bool = False
    """True when it stands on a disk in the folder of another VM: it is a linked clone."""
    is_encrypted: bool = False
    """True when its file holds encrypted data, which only its host can make plain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmDetails:
    """A VM with its disks, read right before a backup or a restore."""

    summary: VmSummary
    disks: tuple[VirtualDisk, ...]
    snapshots: tuple["SnapshotInfo", ...]
    version: str = ""
    """Changes whenever the VM's configuration or power state does; empty where the platform does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotInfo:
    """A snapshot that is on a VM."""

    id: SnapshotId
    vm: VmId
    name: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietVm:
    """A VM's disks that nobody writes on."""

    snapshot: SnapshotId | None = None
    """None for a template, which has none and needs none."""
    disks: tuple[VirtualDisk, ...]
    """Only the disks that can be read, and take part in the snapshot, with their frozen paths and change ids."""
    crash_consistent: bool
    """True when the guest was not quiesced, though perhaps it was asked for."""
    quiesce_failure: Message | None = None
    """Why quiescing was given up, when it was asked for and failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenVm(QuietVm):
    """A VM's disks as a fresh snapshot holds them still."""

    snapshot: SnapshotId


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedConfiguration:
    """All that is needed to create a VM again, as it is kept next to the disks of a restore point.

    ``files`` maps a file name to its content: always ``config.json`` (the hypervisor's own complete
    description), and ``vm.vmx`` and ``vm.nvram`` where they could be read.
    """

    files: dict[str, bytes]
    missing: tuple[Message, ...] = ()
    """Names of the files that could not be read, each with the reason: ``vm.nvram: …``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VmPlacement:
    """Where and how to create a VM from a saved configuration."""

    name: str
    datacenter: str | None = None
    """Id, path such as ``A/Shanghai``, or a name that only one has. None: the VM's own, or the only one."""
    folder: tuple[str, ...] | None = None
    """Names of the folders below the datacenter, ``()`` for its own. None: the one the VM came from."""
    folder_id: str | None = None
    """Id of the folder; before ``folder`` where the datacenter has it."""
    vapp_id: str | None = None
    """Id of the vApp; before both folders where the host has it."""
    host: str | None = None
    """Id, or a name that only one has."""
    datastore: str | None = None
    """Id or name. None: the one the VM came from, when it exists there."""
    disk_datastores: tuple[tuple[int, str], ...] = ()
    """Pairs (disk key in the saved configuration, datastore) that differ from ``datastore``."""
    keep_identity: bool = False
    """True keeps UUIDs and MAC addresses (the same VM again); False drops those already in use."""
    networks: tuple[tuple[str, str], ...] = ()
    """Pairs (network name in the saved configuration, network to connect instead: its id, or a name that only one
    has on the host)."""
    mark: str = ""
    """Written into the VM where the platform can keep such a thing, so that nothing else is taken for it."""
    adapter_networks: tuple[tuple[int, str], ...] = ()
    """Pairs (network adapter's key in the saved configuration, network to connect); before ``networks``."""
    adapter_addresses: tuple[tuple[int, str], ...] = ()
    """Pairs (network adapter's key in the saved configuration, MAC address); an empty one makes a new address."""
    cpus: int | None = None
    """Number of virtual CPUs; None as they were."""
    cores_per_socket: int | None = None
    memory_mib: int | None = None
    directory: str | None = None
    """Directory on the datastore, which exists, for the VM's files. None: the platform makes a new one."""
    present_disks: tuple[tuple[int, str], ...] = ()
    """Pairs (disk key in the saved configuration, path such as ``[ds1] web-01/web-01.vmdk``): disks that exist and
    are attached as they are; they stay where they are when the creation fails."""
    is_isolated: bool = False
    """Whether its network adapters are not connected to anything, also when it is started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedVm:
    """A VM that was just created, powered off, with empty disks."""

    id: VmId
    disks: tuple[tuple[int, VirtualDisk], ...]
    """Pairs (disk key in the saved configuration, the new disk)."""
    warnings: tuple[Message, ...] = ()
    """What could not be made as it was, such as a network that does not exist."""
    identity_warnings: tuple[Message, ...] = ()
    """What another VM has of its identity; it may be given to it once that VM is gone."""
    was_template: bool = False
    """True when the saved VM was a template, which the new one is not yet."""
