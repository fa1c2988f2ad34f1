"""Where a platform can take a new VM, and what a saved VM was made of: what a restore offers for choice."""

from dataclasses import dataclass

from app.domain.messages import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastorePlace:
    """A datastore that a host can use."""

    name: str
    id: str = ""
    """The platform's id; two datacenters may have datastores of one name. Empty where a name is enough."""
    kind: str
    """``VMFS``, ``NFS``, ``vsan`` … as the platform calls it."""
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatacenterPlace:
    """A datacenter of a platform."""

    id: str
    name: str
    path: str
    """Names of the folders above it and its own, joined by slashes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPlace:
    """A network that a host offers."""

    id: str
    name: str
    path: str
    """Name with what distinguishes it from others of that name: its distributed switch, else its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlace:
    """A host that can run VMs now."""

    name: str
    datacenter: str
    """Name of its datacenter."""
    datastores: tuple[DatastorePlace, ...]
    networks: tuple[str, ...]
    """Names of its networks, each once."""
    id: str = ""
    datacenter_id: str = ""
    """The platform's id of its datacenter: two may have one name. Empty where a name is enough."""
    network_places: tuple[NetworkPlace, ...] = ()
    """Its networks one by one; empty where a name is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPlaces:
    """What a platform offers to a new VM."""

    datacenters: tuple[str, ...]
    """Names of the datacenters, each once."""
    hosts: tuple[HostPlace, ...]
    datacenter_places: tuple[DatacenterPlace, ...] = ()
    """The datacenters one by one; empty where a name is enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedVm:
    """What would come of creating a VM: decided, and nothing done."""

    datacenter: str
    """Path of the datacenter."""
    folder: tuple[str, ...]
    host: str
    datastore: str
    name_taken: bool
    """Whether the folder has a VM or a folder of the name already."""
    warnings: tuple[Message, ...] = ()
    """What would not be as it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedAdapter:
    """A network adapter of a saved VM."""

    key: int
    label: str
    network: str
    mac_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedHardware:
    """What a saved VM was made of, besides its disks."""

    cpus: int
    cores_per_socket: int
    memory_mib: int
    adapters: tuple[SavedAdapter, ...]
