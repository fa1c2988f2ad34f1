"""What the formats of disk files have in common: files that are read, and runs that a layer consists of."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from app.domain.messages import Message, Sayable


class ChainUnreadable(Exception):
    """The files of a disk are not what a reader understands; the reason is a message."""

    def __init__(self, reason: Sayable) -> None:
        self._reason = reason.said()
        super().__init__(str(self._reason))

    def said(self) -> Message:
        """Return the reason as a message."""
        return self._reason


class DataFile(Protocol):
    """A file of a disk, open for reading. Thread: one at a time."""

    @property
    def name(self) -> str:
        """Its name, for messages."""
        ...

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        ...

    def read(self, offset: int, length_bytes: int) -> bytes:
        """Return exactly so many bytes; meant for small pieces.

        Raises:
            OperationalError: they cannot be had.
            TaskCancelled: cancelled meanwhile.
        """
        ...


class Holds(Enum):
    """What a layer says of a run of the disk."""

    DATA = "data"
    ZEROS = "zeros"
    PARENT = "parent"


@dataclass(frozen=True, slots=True)
class Run:
    """Some bytes in a row of which a layer says the same."""

    holds: Holds
    length_bytes: int
    file: DataFile | None = None
    """Where data lies."""
    file_offset: int = 0

    def goes_on_in(self, other: "Run") -> bool:
        """Return whether another run continues this one."""
        if self.holds is not other.holds or self.file is not other.file:
            return False
        return self.holds is not Holds.DATA or other.file_offset == self.file_offset + self.length_bytes


class Layer(Protocol):
    """One file, or several, that hold a disk or what has changed since its parent. Thread: one at a time."""

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        ...

    def runs(self, start: int, end: int) -> Iterator[Run]:
        """Yield what the layer holds of a range; the lengths add up to it.

        Raises:
            ChainUnreadable: its tables make no sense.
            OperationalError: they cannot be read.
            TaskCancelled: cancelled meanwhile.
        """
        ...


def joined(runs: Iterator[Run]) -> Iterator[Run]:
    """Yield runs with those made one that continue each other."""
    current: Run | None = None
    for run in runs:
        if current is None:
            current = run
        elif current.goes_on_in(run):
            current = Run(
                current.holds, current.length_bytes + run.length_bytes, current.file, current.file_offset
            )
        else:
            yield current
            current = run
    if current is not None:
        yield current
