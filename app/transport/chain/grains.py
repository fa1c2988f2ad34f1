"""Walking the grains of a sparse file through its directory and its tables."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from app.transport.chain.layers import ChainUnreadable, DataFile, Holds, Run
from app.transport.chain.tables import TableCache
from app.transport.reasons import TABLES_DAMAGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Grains:
    """The grains of one file. Thread: one at a time."""

    grain_bytes: int
    directory: Sequence[int]
    """Where each table is; 0 where there is none."""
    entries: int
    """Grains of one table."""
    tables: TableCache
    run_of: Callable[[int, int, int], Run]
    """Returns what an entry of a table says of so many bytes from a place inside its grain on."""

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the file holds of a range; raises whatever reading a table does."""
        position = start
        while position < end:
            number, inside = divmod(position, self.grain_bytes)
            table, index = divmod(number, self.entries)
            if not self.directory[table]:
                length = min(end, (table + 1) * self.entries * self.grain_bytes) - position
                yield Run(Holds.PARENT, length)
            else:
                length = min(end - position, self.grain_bytes - inside)
                yield self.run_of(self.tables[table][index], inside, length)
            position += length


def damaged(file: DataFile) -> ChainUnreadable:
    """Return the error that says that a file's tables contradict themselves or the file."""
    return ChainUnreadable(TABLES_DAMAGED.fill(file=file.name))
