"""Grains: the 64 KiB units in which deltas hold data and changes are tracked."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from app.domain.extents import Extent, normalize

GRAIN_BYTES = 64 << 10

_GRAINS_PER_PAGE = 1 << 16

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
        offset = (first_grain + start) * GRAIN_BYTES
        if value and offset < capacity_bytes:
            extents.append(Extent(offset, min((first_grain + end) * GRAIN_BYTES, capacity_bytes) - offset))
    return extents


_FULL: Mask = np.ones(_GRAINS_PER_PAGE, dtype=np.bool_)
_FULL.flags.writeable = False


class GrainSet:
    """A set of grains of one disk; it takes memory for where grains are, not for the size of the disk.

    Pages that were added whole are one and the same.

    Thread: guarded by its owner.
    """

    def __init__(self) -> None:
        self._pages: dict[int, Mask] = {}

    def add(self, first: int, end: int) -> None:
        """Add the grains from ``first`` to before ``end``."""
        for number, left, right in _by_page(first, end):
            page = self._pages.get(number)
            if right - left == _GRAINS_PER_PAGE:
                page = self._pages[number] = _FULL
            elif page is None:
                page = self._pages[number] = np.zeros(_GRAINS_PER_PAGE, dtype=np.bool_)
            if page is not _FULL:
                page[left:right] = True

    def mask(self, first: int, end: int) -> Mask:
        """Return for each grain of a short range whether it is in the set; the array is the caller's."""
        mask: Mask = np.zeros(end - first, dtype=np.bool_)
        for number, left, right in _by_page(first, end):
            page = self._pages.get(number)
            if page is not None:
                start = number * _GRAINS_PER_PAGE + left - first
                mask[start : start + right - left] = page[left:right]
        return mask

    def extents(self, capacity_bytes: int) -> list[Extent]:
        """Return the byte ranges of its grains, joined and cut at the capacity."""
        found = [
            extent
            for number in sorted(self._pages)
            for extent in mask_extents(self._pages[number], capacity_bytes, number * _GRAINS_PER_PAGE)
        ]
        return normalize(found)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield its grains as (first, behind the last), in order; a span may end where another begins."""
        for number in sorted(self._pages):
            for start, end, value in runs(self._pages[number]):
                if value:
                    yield number * _GRAINS_PER_PAGE + start, number * _GRAINS_PER_PAGE + end

    def __len__(self) -> int:
        return sum(int(page.sum()) for page in self._pages.values())

    def __or__(self, other: "GrainSet") -> "GrainSet":
        joined = GrainSet()
        joined._pages = {number: _own(page) for number, page in self._pages.items()}
        for number, page in other._pages.items():
            mine = joined._pages.get(number)
            if mine is None or page is _FULL:
                joined._pages[number] = _own(page)
            elif mine is not _FULL:
                joined._pages[number] = mine | page
        return joined

    def __sub__(self, other: "GrainSet") -> "GrainSet":
        rest = GrainSet()
        for number, page in self._pages.items():
            theirs = other._pages.get(number)
            rest._pages[number] = _own(page) if theirs is None else page & ~theirs
        return rest


def _own(page: Mask) -> Mask:
    """Return a page that may be changed apart from this one; the whole one never is."""
    return page if page is _FULL else page.copy()


def _by_page(first: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Cut a range of grains into (page, first inside it, behind the last inside it)."""
    while first < end:
        number, left = divmod(first, _GRAINS_PER_PAGE)
        right = min(_GRAINS_PER_PAGE, left + end - first)
        yield number, left, right
        first += right - left
