"""Values that the repository takes and returns."""

from dataclasses import dataclass, field
from datetime import datetime

from app.domain.ids import PointId
from app.domain.messages import Param, Word
from app.domain.restore_point import HistoryMark, RestorePoint, VmFacts
from app.domain.states import BackupKind, TransportMode

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositorySettings:
    """What is chosen once, when a repository is created.

    Raises:
        ValueError: a value is out of its bounds.
    """

    chunk_bytes: int = 512 * KIB
    """Unit of deduplication: a power of two from 256 KiB to 4 MiB."""
    frame_bytes: int = 64 * KIB
    """Unit of compression and of random reads: a power of two from 16 KiB up to the chunk."""
    pack_bytes: int = 64 * MIB
    """A pack is closed once it is at least this large: 1 MiB to 1 GiB."""
    compression_level: int = 1
    """zstd's level, 1 to 19."""

    def __post_init__(self) -> None:
        _check_power(self.chunk_bytes, "chunk_bytes", 256 * KIB, 4 * MIB)
        _check_power(self.frame_bytes, "frame_bytes", 16 * KIB, self.chunk_bytes)
        if not MIB <= self.pack_bytes <= 1024 * MIB:
            raise ValueError(f"pack_bytes must be 1 MiB to 1 GiB: {self.pack_bytes}")
        if not 1 <= self.compression_level <= 19:
            raise ValueError(f"compression_level must be 1 to 19: {self.compression_level}")


def _check_power(value: int, name: str, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest or value & (value - 1):
        raise ValueError(f"{name} must be a power of two from {lowest} to {highest}: {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PointDraft:
    """What is known of a restore point when its backup begins."""

    rule_name: str
    facts: VmFacts
    kind: BackupKind
    parent: PointId | None
    consistent: bool
    created_at: datetime
    """Aware; the moment the point holds."""
    chain: str | None = None
    """Where its points are kept; None: in the chain of the VM's id, as the repository names it."""
    history: HistoryMark | None = None
    """Where the platform's history was shortly before that moment."""
    may_pack_harder: bool = True
    """Whether chunks may be packed harder than the repository says while the source holds the backup up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskDraft:
    """What is known of a disk when its data is about to be written."""

    key: int
    label: str
    uuid: str | None
    capacity_bytes: int
    path: str
    change_id: str | None
    read_whole: bool
    transport: TransportMode | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedPoint:
    """A point's directory that holds no readable description. It is shown and never deleted automatically."""

    id: PointId
    chain: str
    detail: Param
    newer: bool = False
    """Whether it is whole, and only a newer program reads it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointListing:
    """All restore points: chains in order of their names, the newest point of each chain first."""

    points: tuple[RestorePoint, ...]
    damaged: tuple[DamagedPoint, ...] = ()


class DamageKind(Word):
    """What kind of thing is damaged."""

    CHUNK = "chunk"
    PAGE = "page"
    PACK = "pack"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damaged thing, and which bytes of which disk it takes with it."""

    kind: DamageKind
    what: Param
    """The pack, page or file, for the operator."""
    detail: Param
    disk_key: int | None = None
    start: int = 0
    length_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What a verification read and found."""

    checked_chunks: int
    checked_bytes: int
    """Bytes of disk content that were decoded and compared with their digests."""
    damage: tuple[Damage, ...] = field(default=())
    damaged_packs: tuple[str, ...] = ()
    """Packs that hold a damaged record, for :meth:`app.repository.Repository.repair`."""

    @property
    def whole(self) -> bool:
        """Return whether nothing is damaged."""
        return not self.damage


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryFacts:
    """What a repository says of itself without a key."""

    id: str
    is_encrypted: bool
    hides_names: bool
