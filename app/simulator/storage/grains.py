"""Grains: the 64 KiB units in which deltas hold data and changes are tracked."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from app.domain.extents import Extent

GRAIN_BYTES = 64 << 10

Mask = npt.NDArray[np.bool_]


def grain_count(capacity_bytes: int) -> int:
    """Return how many grains a disk has; the last one may be short."""
    return -(-capacity_bytes // GRAIN_BYTES)


def grain_span(offset: int, length_bytes: int) -> tuple[int, int]:
    """Return the first grain that a range touches and the one behind the last."""
    return offset // GRAIN_BYTES, -(-(offset + length_bytes) // GRAIN_BYTES)


def runs(mask: Mask) -> Iterator[tuple[int, int, bool]]:
    """Cut a mask where its value changes: (first, behind the last, value), without gaps."""
    if not len(mask):
        return
    borders = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    value = bool(mask[0])
    start = 0
    for border in borders.tolist():
        yield start, border, value
        start, value = border, not value
    yield start, len(mask), value


def mask_extents(mask: Mask, capacity_bytes: int, first_grain: int = 0) -> list[Extent]:
    """Return the byte ranges of the grains that are set, joined and cut at the capacity."""
    extents: list[Extent] = []
    for start, end, value in runs(mask):
        if value:
            offset = (first_grain + start) * GRAIN_BYTES
            extents.append(Extent(offset, min((first_grain + end) * GRAIN_BYTES, capacity_bytes) - offset))
    return extents
