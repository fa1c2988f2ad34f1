"""Where a platform can take a new VM, and what a saved VM was made of: what a restore offers for choice."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastorePlace:
    """A datastore that a host can use."""

    name: str
    kind: str
    """``VMFS``, ``NFS``, ``vsan`` … as the platform calls it."""
    total_bytes: int | None
    free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPlace:
    """A host that can run VMs now."""

    name: str
    datacenter: str
    datastores: tuple[DatastorePlace, ...]
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformPlaces:
    """What a platform offers to a new VM, everything by name."""

    datacenters: tuple[str, ...]
    hosts: tuple[HostPlace, ...]


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
