"""Tables of a sparse file, kept while they are needed."""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

_MOST_TABLES: Final = 256
"""At most 8 MiB of tables of 4,096 entries, which lead to at least half a GiB of disk."""


class TableCache:
    """Reads tables when they are first asked for, and forgets those that were not asked for longest.

    Thread: one at a time.
    """

    def __init__(self, read: Callable[[int], Sequence[int]]) -> None:
        self._read = read
        self._known: OrderedDict[int, Sequence[int]] = OrderedDict()

    def __getitem__(self, number: int) -> Sequence[int]:
        """Return a table; raises whatever reading it does."""
        table = self._known.get(number)
        if table is None:
            table = self._known[number] = self._read(number)
            if len(self._known) > _MOST_TABLES:
                self._known.popitem(last=False)
        self._known.move_to_end(number)
        return table
