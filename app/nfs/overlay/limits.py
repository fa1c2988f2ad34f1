"""How large the parts of an overlay may become."""

from dataclasses import dataclass

from app.nfs.overlay.format import GRAIN_BYTES

_MIB = 1024 * 1024
_FEWEST_PAGES = 16
"""A write needs the pages of its grains in memory, and a few more are read meanwhile."""
_SMALLEST_SEGMENT_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayLimits:
    """Sizes and numbers, with defaults for disks up to 8 TiB and more.

    Raises:
        ValueError: parts do not fit into each other.
    """

    segment_bytes: int = 64 * _MIB
    """Length of a segment file that is being written."""
    record_bytes: int = 4 * _MIB
    """Most payload of one record; after a crash a longer write may be there in part, in whole records."""
    pages_in_memory: int = 4096
    """Pages of the map that are kept in memory, 8 KiB each; one covers 4 MiB of the disk."""
    open_segments: int = 128
    """Segment files that are kept open for reading."""
    spare_segments: int = 4
    """The log may be so many segments longer than twice what is alive before it is compacted."""
    compaction_bytes_per_s: int | None = 32 * _MIB
    """How fast the background thread copies; without one it is not started, and only writers compact, when the log
    is far too long."""

    def __post_init__(self) -> None:
        if self.record_bytes < GRAIN_BYTES or self.record_bytes % GRAIN_BYTES:
            raise ValueError(f"a record holds whole grains of {GRAIN_BYTES} bytes: {self.record_bytes}")
        if self.record_bytes > 16 * _MIB:
            raise ValueError(f"a record is too long: {self.record_bytes}")
        if not max(_SMALLEST_SEGMENT_BYTES, 2 * self.record_bytes) <= self.segment_bytes < 1 << 31:
            raise ValueError(f"a segment holds several records and is shorter than 2 GiB: {self.segment_bytes}")
        if self.pages_in_memory < _FEWEST_PAGES or self.open_segments < 1 or self.spare_segments < 1:
            raise ValueError("too few pages or segments in memory")
