"""The segments of the log and how much is alive in each. Thread: the caller's lock excludes all others."""

from array import array
from bisect import bisect_left
from typing import Final

from app.nfs.overlay.format import GRAIN_BYTES, RECORD_HEADER_BYTES, SUMMARY_ENTRY_BYTES

_HEAD_BYTES: Final = RECORD_HEADER_BYTES + SUMMARY_ENTRY_BYTES
_GRAIN_COST: Final = GRAIN_BYTES + _HEAD_BYTES

_HALF: Final = 0.5


class SegmentTable:
    """Counts for every segment, in arrays: there may be hundreds of thousands of segments.

    A grain costs at most a record of its own; grains that are zero cost no more records than there were.

    Attributes:
        file_bytes: Length of all segments.
        live_bytes: What is alive in all segments would take at most so much if it was written again.
    """

    def __init__(self) -> None:
        self.file_bytes = 0
        self.live_bytes = 0
        self._numbers = array("I")
        self._sizes = array("I")
        self._data = array("I")
        """Live grains that have bytes."""
        self._zeros = array("I")
        """Live grains that are zero."""
        self._zero_records = array("I")
        self._columns = (self._numbers, self._sizes, self._data, self._zeros, self._zero_records)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._numbers, number)
        return at < len(self._numbers) and self._numbers[at] == number

    def __len__(self) -> int:
        return len(self._numbers)

    def _at(self, number: int) -> int:
        at = bisect_left(self._numbers, number)
        if at == len(self._numbers) or self._numbers[at] != number:
            raise KeyError(number)
        return at

    def add(self, number: int, size_bytes: int) -> None:
        """Begin a segment; its number is higher than that of all others."""
        assert not self._numbers or self._numbers[-1] < number
        for column, value in zip(self._columns, (number, size_bytes, 0, 0, 0), strict=True):
            column.append(value)
        self.file_bytes += size_bytes

    def remove(self, number: int) -> None:
        """Take a segment out in which nothing is alive."""
        at = self._at(number)
        assert self._data[at] == self._zeros[at] == 0, f"segment {number} is in use"
        self.file_bytes -= self._sizes[at]
        for column in self._columns:
            del column[at]

    def resize(self, number: int, size_bytes: int) -> None:
        """Note a segment's new length."""
        at = self._at(number)
        self.file_bytes += size_bytes - self._sizes[at]
        self._sizes[at] = size_bytes

    def add_data(self, number: int, grains: int) -> None:
        """Count live grains with bytes; a negative number takes some away."""
        self._data[self._at(number)] += grains
        self.live_bytes += grains * _GRAIN_COST

    def add_zeros(self, number: int, grains: int, records: int = 0) -> None:
        """Count live grains that are zero, and new records of such."""
        at = self._at(number)
        self.live_bytes -= self._zero_cost(at)
        self._zeros[at] += grains
        self._zero_records[at] += records
        self.live_bytes += self._zero_cost(at)

    def _zero_cost(self, at: int) -> int:
        return _HEAD_BYTES * min(self._zeros[at], self._zero_records[at])

    def is_dead(self, number: int) -> bool:
        """Return whether nothing is alive in a segment."""
        at = self._at(number)
        return not self._data[at] and not self._zeros[at]

    def ranges(self) -> list[tuple[int, int]]:
        """Return the numbers of all segments as ranges, each the first and the one behind."""
        found: list[tuple[int, int]] = []
        start = stop = 0
        for number in self._numbers:
            if number != stop:
                if stop:
                    found.append((start, stop))
                start = number
            stop = number + 1
        if stop:
            found.append((start, stop))
        return found

    def emptiest(self, *, below: int, spared: frozenset[int]) -> int | None:
        """Return the segment that is cheapest to empty for what it frees; None where all are half full or more.

        Args:
            below: only segments with lower numbers are looked at.
            spared: nor are these.
        """
        best, least = None, _HALF
        for at, number in enumerate(self._numbers):
            if number >= below:
                break
            share = (self._data[at] * _GRAIN_COST + self._zero_cost(at)) / self._sizes[at]
            if share < least and number not in spared:
                best, least = number, share
        return best

    def first_dead(self, *, below: int, spared: frozenset[int]) -> int | None:
        """Return a segment in which nothing is alive, looked for as in :meth:`emptiest`."""
        for at, number in enumerate(self._numbers):
            if number >= below:
                break
            if not self._data[at] and not self._zeros[at] and number not in spared:
                return number
        return None
