"""What garbage collection may do, would do and did: values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from app.domain.ids import PointId
from app.repository.trash import TrashedPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollectionPolicy:
    """What garbage collection may do."""

    grace: timedelta = timedelta(days=7)
    """How long deleted points can be taken back."""
    keep_deleted: bool = False
    """True leaves every deleted point where it is: the clock is doubted."""
    garbage_share: float = 0.25
    """A pack is rewritten when at least this part of it is garbage."""
    small_share: float = 0.25
    """A pack below this part of the usual size is joined with others."""


class RewriteReason(Enum):
    """Why a pack is rewritten."""

    GARBAGE = "garbage"
    SMALL = "small"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRewrite:
    """A pack whose records are copied into a new one."""

    pack_id: str
    size_bytes: int
    live_bytes: int
    reason: RewriteReason


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollectionPlan:
    """What garbage collection would do now."""

    purged: tuple[TrashedPoint, ...]
    """Deleted points whose grace time is over."""
    deleted_packs: tuple[tuple[str, int], ...]
    """Packs that nothing reaches, with their sizes."""
    rewritten_packs: tuple[PackRewrite, ...]
    total_bytes: int
    live_bytes: int

    @property
    def freed_bytes(self) -> int:
        """Bytes that garbage collection gives back."""
        deleted = sum(size for _, size in self.deleted_packs)
        return deleted + sum(pack.size_bytes - pack.live_bytes for pack in self.rewritten_packs)

    @property
    def copied_bytes(self) -> int:
        """Bytes that garbage collection copies to get there."""
        return sum(pack.live_bytes for pack in self.rewritten_packs)


@dataclass(frozen=True, slots=True, kw_only=True)
class GarbageCollectionReport:
    """What garbage collection did."""

    purged_points: tuple[PointId, ...]
    deleted_packs: int
    rewritten_packs: int
    set_aside: tuple[str, ...]
    """Packs with a damaged record: moved to ``damaged/``, their whole records were kept."""
    freed_bytes: int
    finished: bool
    """False when the time was used up or another process waited; the next run goes on."""
