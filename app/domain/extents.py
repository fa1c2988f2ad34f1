"""Byte ranges of a disk and their algebra.

A *normalized* sequence is sorted by start, without empty extents, overlaps or adjacent neighbours. Every
function here accepts any sequence and returns a normalized list, unless it says otherwise.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Extent:
    """A range of bytes: ``start`` inclusive, ``length_bytes`` long.

    Raises:
        ValueError: the start or the length is negative.
    """

    start: int
    length_bytes: int

    def __post_init__(self) -> None:
        if self.start < 0 or self.length_bytes < 0:
            raise ValueError(f"negative extent: start={self.start} length={self.length_bytes}")

    @property
    def end(self) -> int:
        """First byte behind the range."""
        return self.start + self.length_bytes


def normalize(extents: Iterable[Extent]) -> list[Extent]:
    """Sort, drop empty extents, and join those that overlap or touch."""
    joined: list[Extent] = []
    for extent in sorted(extent for extent in extents if extent.length_bytes):
        if joined and extent.start <= joined[-1].end:
            last = joined[-1]
            if extent.end > last.end:
                joined[-1] = Extent(last.start, extent.end - last.start)
        else:
            joined.append(extent)
    return joined


def total_bytes(extents: Iterable[Extent]) -> int:
    """Count the bytes that the extents cover, each byte once."""
    return sum(extent.length_bytes for extent in normalize(extents))


def union(left: Iterable[Extent], right: Iterable[Extent]) -> list[Extent]:
    """Cover every byte that either side covers."""
    return normalize([*left, *right])


def intersect(left: Iterable[Extent], right: Iterable[Extent]) -> list[Extent]:
    """Cover the bytes that both sides cover."""
    first, second = normalize(left), normalize(right)
    common: list[Extent] = []
    i = j = 0
    while i < len(first) and j < len(second):
        start = max(first[i].start, second[j].start)
        end = min(first[i].end, second[j].end)
        if start < end:
            common.append(Extent(start, end - start))
        if first[i].end < second[j].end:
            i += 1
        else:
            j += 1
    return common


def subtract(left: Iterable[Extent], right: Iterable[Extent]) -> list[Extent]:
    """Cover the bytes of ``left`` that ``right`` does not cover."""
    holes = normalize(right)
    rest: list[Extent] = []
    j = 0
    for extent in normalize(left):
        position = extent.start
        while j < len(holes) and holes[j].end <= position:
            j += 1
        k = j
        while k < len(holes) and holes[k].start < extent.end:
            if holes[k].start > position:
                rest.append(Extent(position, holes[k].start - position))
            position = max(position, holes[k].end)
            k += 1
        if position < extent.end:
            rest.append(Extent(position, extent.end - position))
    return rest


def complement(extents: Iterable[Extent], capacity_bytes: int) -> list[Extent]:
    """Cover the bytes of a disk of ``capacity_bytes`` that the extents leave out."""
    return subtract([Extent(0, capacity_bytes)], extents)


def clip(extents: Iterable[Extent], capacity_bytes: int) -> list[Extent]:
    """Cut everything at or beyond ``capacity_bytes`` off."""
    return intersect(extents, [Extent(0, capacity_bytes)])


def align_outward(extents: Iterable[Extent], unit_bytes: int, capacity_bytes: int) -> list[Extent]:
    """Widen each extent to whole units, but not beyond ``capacity_bytes``.

    Raises:
        ValueError: the unit is not positive.
    """
    if unit_bytes <= 0:
        raise ValueError(f"unit must be positive: {unit_bytes}")
    widened = (
        Extent(start, -(-extent.end // unit_bytes) * unit_bytes - start)
        for extent in extents
        if extent.length_bytes
        for start in (extent.start // unit_bytes * unit_bytes,)
    )
    return clip(widened, capacity_bytes)


def split(extents: Sequence[Extent], unit_bytes: int) -> Iterator[Extent]:
    """Cut the extents at every multiple of ``unit_bytes``; the pieces come in order and are not joined.

    Raises:
        ValueError: the unit is not positive.
    """
    if unit_bytes <= 0:
        raise ValueError(f"unit must be positive: {unit_bytes}")
    for extent in extents:
        position = extent.start
        while position < extent.end:
            border = min(extent.end, (position // unit_bytes + 1) * unit_bytes)
            yield Extent(position, border - position)
            position = border
