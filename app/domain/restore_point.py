"""Restore points: our recoverable states of a VM."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PointId, VmId
from app.domain.platforms import PlatformIdentity
from app.domain.states import PLAIN_MODES, BackupKind, TransportMode


@dataclass(frozen=True, slots=True, kw_only=True)
class VmFacts:
    """What the point information on the screen shows (dc, ds, hostname, vmname, guest …)."""

    vm: VmId
    name: str
    platform_address: str
    instance_uuid: str | None
    datacenter: str
    datastore: str
    host: str
    hostname: str | None
    guest: str
    bios_uuid: str | None = None
    """None in points of versions that did not keep it."""
    folder: tuple[str, ...] | None = None
    """Names of the inventory folders from the datacenter down to the VM; None as for ``bios_uuid``."""
    platform_uuid: str | None = None
    """The platform's own instance UUID; None as for ``bios_uuid``."""

    @property
    def platform(self) -> PlatformIdentity:
        """What is on record of the platform."""
        return PlatformIdentity(address=self.platform_address, instance_uuid=self.platform_uuid)


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDisk:
    """One disk inside a restore point."""

    key: int
    label: str
    uuid: str | None
    capacity_bytes: int
    path: str
    change_id: str | None
    """CBT change id of the moment the point holds; None when the disk was not tracked."""
    root: str
    """Digest of the disk's index root page, hex."""
    read_bytes: int
    """Bytes read from the production host for this point."""
    stored_bytes: int
    """Bytes newly written to the repository for this point, after deduplication and compression."""
    read_whole: bool
    """True when the disk was read without a parent: full backup, or a fall-back to one."""
    transport: TransportMode | None = None
    """How its data travelled; None where earlier versions did not note it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryMark:
    """A place in a platform's own history: whatever this machine's clock shows, it stays where it is."""

    at: datetime
    """Aware UTC, by the platform's own clock."""
    platform: str | None = None
    """The platform's own identity; None where it has none, as a single host."""
    event_key: int | None = None
    """Key of the platform's newest event then; None when it reports none."""
    event_at: datetime | None = None
    """When that event happened, by the platform's own clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePoint:
    """A committed restore point; every one restores on its own."""

    id: PointId
    chain: str
    """Directory that holds all points of this VM in this rule."""
    rule_name: str
    created_at: datetime
    kind: BackupKind
    """What was really done; a fall-back to full says so here."""
    parent: PointId | None
    facts: VmFacts
    disks: tuple[PointDisk, ...]
    configuration_files: tuple[str, ...]
    consistent: bool
    """True when the guest was quiesced or powered off."""
    tool_version: str
    sequence: int = 0
    """Counts the points of a chain: the newest has the highest, whatever any clock showed. 0 for those of versions
    that did not count; they are older than all that have one, and their times give their order."""
    history: HistoryMark | None = None
    """Where the platform's history was shortly before the freeze; None where the platform keeps none."""

    @property
    def order(self) -> tuple[int, datetime, str]:
        """What the points of one chain are sorted by, oldest first."""
        return self.sequence, self.created_at, self.id

    @property
    def travelled_plain(self) -> bool:
        """Return whether data of it travelled between the host and this machine without encryption."""
        return any(disk.transport in PLAIN_MODES and disk.read_bytes for disk in self.disks)

    @property
    def capacity_bytes(self) -> int:
        """Sum of the capacities of the disks."""
        return sum(disk.capacity_bytes for disk in self.disks)

    @property
    def stored_bytes(self) -> int:
        """Bytes this point added to the repository."""
        return sum(disk.stored_bytes for disk in self.disks)

    @property
    def read_bytes(self) -> int:
        """Bytes read from the production host for this point."""
        return sum(disk.read_bytes for disk in self.disks)

    def disk(self, key: int) -> PointDisk | None:
        """Return the disk with this device key, or None."""
        return next((disk for disk in self.disks if disk.key == key), None)
