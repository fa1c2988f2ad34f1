"""Where each grain of the disk is in the log, in bounded memory. Thread: the caller's lock excludes all others.

The map is a table of pages with 1,024 positions each. A page of a region that was never written takes nothing but
its place in the array of slots; the pages used last are in memory, all others in a file. That file is a cache of
this process: it is made new with the map and removed with it, and no one else reads it.
"""

from array import array
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, TypeAlias

from app.core.positioned import PositionedFile
from app.nfs.overlay.format import GRAIN_BYTES
from app.nfs.overlay.table import SegmentTable

PAGE_GRAINS: Final = 1024
_PAGE_BYTES: Final = PAGE_GRAINS * 8
_SHIFT: Final = 10
_MASK: Final = PAGE_GRAINS - 1
IN_BASE: Final = 0
"""Position of a grain that was never written."""
_ZERO_FLAG: Final = 1
Positions: TypeAlias = "array[int]"
"""Where grains are that follow each other."""
_NO_PAGE: Final = array("Q", bytes(_PAGE_BYTES))


def position_of(segment: int, place: int) -> int:
    """Return the position of a grain whose bytes begin at ``place`` in a segment."""
    return segment << 32 | place


def zero_position_of(segment: int, place: int) -> int:
    """Return the position of a grain that a record at ``place`` in a segment says to be zero."""
    return segment << 32 | place | _ZERO_FLAG


def segment_of(position: int) -> int:
    """Return the segment of a position that is not :data:`IN_BASE`."""
    return position >> 32


def place_of(position: int) -> int:
    """Return where in its segment a grain's bytes begin."""
    return position & 0xFFFFFFFF


def is_zero(position: int) -> bool:
    """Return whether a position is that of a grain that is zero."""
    return bool(position & _ZERO_FLAG)


class GrainMap:
    """Positions by grain; keeps the counts of the segments right."""

    def __init__(self, grains: int, spill: PositionedFile, table: SegmentTable, pages_in_memory: int) -> None:
        """Begin with all grains in the base; ``spill`` is an empty file."""
        self._pages: OrderedDict[int, Positions] = OrderedDict()
        self._dirty: set[int] = set()
        self._pinned = range(0)
        self._most = pages_in_memory
        self._spill = spill
        self._table = table
        self._slots = array("I", bytes(4 * -(-grains // PAGE_GRAINS)))
        """Where each page is in the file, from 1 on; 0 where it never was there."""
        self._next_slot = 1

    @property
    def spill_bytes(self) -> int:
        """Length of the file of pages."""
        return (self._next_slot - 1) * _PAGE_BYTES

    # --- reading -------------------------------------------------------------------------------------------------

    def position(self, grain: int) -> int:
        """Return where a grain is.

        Raises:
            OSError: the file of pages failed.
        """
        page = self._page(grain >> _SHIFT)
        return IN_BASE if page is None else page[grain & _MASK]

    def positions(self, first: int, count: int) -> Positions:
        """Return where grains are that follow each other.

        Raises:
            OSError: the file of pages failed.
        """
        found = array("Q")
        stop = first + count
        while first < stop:
            begin = first & _MASK
            end = min(PAGE_GRAINS, begin + stop - first)
            page = self._page(first >> _SHIFT)
            found += (_NO_PAGE if page is None else page)[begin:end]
            first += end - begin
        return found

    def is_in_memory(self, first: int, count: int) -> bool:
        """Return whether :meth:`positions` needs no file."""
        pages = range(first >> _SHIFT, (first + count - 1 >> _SHIFT) + 1)
        return all(page_id in self._pages or not self._slots[page_id] for page_id in pages)

    def written(self) -> Iterator[tuple[int, int]]:
        """Yield the runs of grains that are not in the base, each the first and the one behind, in order.

        Between two the lock may be given away.

        Raises:
            OSError: the file of pages failed.
        """
        for page_id in range(len(self._slots)):
            if not self._slots[page_id] and page_id not in self._pages:
                continue
            page = self._page(page_id)
            assert page is not None
            first = page_id << _SHIFT
            if page.count(IN_BASE) == PAGE_GRAINS:
                continue
            start = -1
            for at, position in enumerate(page):
                if position and start < 0:
                    start = at
                elif not position and start >= 0:
                    yield first + start, first + at
                    start = -1
            if start >= 0:
                yield first + start, first + PAGE_GRAINS

    # --- changing ------------------------------------------------------------------------------------------------

    def pin(self, first: int, count: int) -> None:
        """Bring the pages of grains into memory, where they stay until the next call: :meth:`put` cannot fail.

        Raises:
            OSError: the file of pages failed; nothing has changed.
        """
        self._pinned = range(first >> _SHIFT, (first + count - 1 >> _SHIFT) + 1)
        for page_id in self._pinned:
            if self._page(page_id) is None:
                self._make_room()
                self._pages[page_id] = array("Q", bytes(_PAGE_BYTES))
                self._dirty.add(page_id)

    def put_data(self, first: int, count: int, position: int) -> None:
        """Let pinned grains be in the log, one behind the other from ``position`` on."""
        self._table.add_data(segment_of(position), count)
        if count == 1:
            page_id, at = first >> _SHIFT, first & _MASK
            page = self._pages[page_id]
            self._forget(page[at : at + 1])
            page[at] = position
            self._dirty.add(page_id)
            return
        self._put(first, array("Q", range(position, position + count * GRAIN_BYTES, GRAIN_BYTES)))

    def put_zeros(self, first: int, count: int, position: int) -> None:
        """Let pinned grains be zero; ``position`` is that of their record."""
        self._table.add_zeros(segment_of(position), count, 1)
        self._put(first, array("Q", [position]) * count)

    def _put(self, first: int, positions: Positions) -> None:
        done = 0
        while done < len(positions):
            page_id, begin = first + done >> _SHIFT, first + done & _MASK
            end = min(PAGE_GRAINS, begin + len(positions) - done)
            page = self._pages[page_id]
            self._forget(page[begin:end])
            page[begin:end] = positions[done : done + end - begin]
            self._dirty.add(page_id)
            done += end - begin

    def _forget(self, positions: Positions) -> None:
        """Take what is overwritten out of its segments' counts."""
        if not any(positions):
            return
        counts: dict[int, int] = {}
        for position in positions:
            if position:
                key = position >> 32 << 1 | position & _ZERO_FLAG
                counts[key] = counts.get(key, 0) - 1
        for key, change in counts.items():
            if key & _ZERO_FLAG:
                self._table.add_zeros(key >> 1, change)
            else:
                self._table.add_data(key >> 1, change)

    # --- pages ---------------------------------------------------------------------------------------------------

    def _page(self, page_id: int) -> "Positions | None":
        page = self._pages.get(page_id)
        if page is not None:
            self._pages.move_to_end(page_id)
            return page
        slot = self._slots[page_id]
        if not slot:
            return None
        self._make_room()
        page = array("Q", bytes(_PAGE_BYTES))
        if self._spill.read_into((slot - 1) * _PAGE_BYTES, [memoryview(page).cast("B")]) != _PAGE_BYTES:
            raise OSError(f"page {page_id} of the map is not in its file any more")
        self._pages[page_id] = page
        return page

    def _make_room(self) -> None:
        while len(self._pages) >= self._most:
            page_id = next(page_id for page_id in self._pages if page_id not in self._pinned)
            if page_id in self._dirty:
                slot = self._slots[page_id] or self._next_slot
                self._spill.write((slot - 1) * _PAGE_BYTES, [memoryview(self._pages[page_id]).cast("B")])
                if slot == self._next_slot:
                    self._slots[page_id] = slot
                    self._next_slot += 1
                self._dirty.discard(page_id)
            del self._pages[page_id]
