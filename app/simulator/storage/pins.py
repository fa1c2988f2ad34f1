"""Who has the files of a disk open, so that they stay as they are."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from app.simulator.storage.errors import DiskInUse


class Door(Enum):
    """Ways to a disk from outside, which exclude each other (protocols page *NFC*, section 4a.14)."""

    NFC = "NFC"
    FOLDER = "the datastore browser"


class Family:
    """What the disks of one chain (or tree) share: their lock, and the news that a reader went away."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.unpinned = threading.Condition(self.lock)


class Pins:
    """The pins of one disk. Thread: any; guarded by the lock of its family."""

    def __init__(self) -> None:
        self._count = 0
        self._through: Counter[Door] = Counter()

    def __bool__(self) -> bool:
        return self._count > 0

    @contextmanager
    def taken(self, family: Family, name: object, by: Door | None, against: Door | None) -> Iterator[None]:
        """Hold a pin inside the block; see :meth:`app.simulator.storage.disk.SimDisk.pinned`."""
        with family.lock:
            if against is not None and self._through[against]:
                raise DiskInUse(f"{name} is open through {against.value}")
            self._count += 1
            if by is not None:
                self._through[by] += 1
        try:
            yield
        finally:
            with family.unpinned:
                self._count -= 1
                if by is not None:
                    self._through[by] -= 1
                family.unpinned.notify_all()
