"""How much space there is on a datastore, and who has taken it."""

import threading
from collections.abc import Callable, Mapping
from typing import Protocol

from app.simulator.storage.errors import DatastoreFull


class Space(Protocol):
    """The space of one datastore. Thread: any."""

    @property
    def capacity_bytes(self) -> int:
        """All of it."""
        ...

    @property
    def used_bytes(self) -> int:
        """What is taken."""
        ...

    @property
    def free_bytes(self) -> int:
        """What can still be taken."""
        ...

    def book(self, relative: str, more_bytes: int) -> None:
        """Do :meth:`BookedSpace.book`."""
        ...

    def set_booking(self, relative: str, size_bytes: int) -> None:
        """Do :meth:`BookedSpace.set_booking`."""
        ...

    def release(self, relative: str) -> None:
        """Do :meth:`BookedSpace.release`."""
        ...

    def booked_bytes(self, relative: str) -> int:
        """Do :meth:`BookedSpace.booked_bytes`."""
        ...


class BookedSpace:
    """Space that is booked before it is written, not measured.

    Thread: any.
    """

    def __init__(
        self, name: str, capacity_bytes: int, booked: Mapping[str, int], is_full: Callable[[], bool] | None
    ) -> None:
        """Begin with what is there.

        Args:
            name: of the datastore.
            capacity_bytes: what can be booked in all.
            booked: what files have booked already.
            is_full: asked before each booking; True refuses it.
        """
        self.capacity_bytes = capacity_bytes
        self._name = name
        self._is_full = is_full
        self._lock = threading.Lock()
        self._booked = dict(booked)
        self._used = sum(self._booked.values())

    @property
    def used_bytes(self) -> int:
        """Booked space."""
        return self._used

    @property
    def free_bytes(self) -> int:
        """Space that can still be booked."""
        return 0 if self._is_full is not None and self._is_full() else max(0, self.capacity_bytes - self._used)

    def book(self, relative: str, more_bytes: int) -> None:
        """Book more space for a file, or with a negative number give some back.

        Raises:
            DatastoreFull: there is not that much left.
        """
        with self._lock:
            full = self._is_full is not None and self._is_full()
            if more_bytes > 0 and (full or self._used + more_bytes > self.capacity_bytes):
                raise DatastoreFull(self._name, more_bytes)
            self._booked[relative] = self._booked.get(relative, 0) + more_bytes
            self._used += more_bytes

    def set_booking(self, relative: str, size_bytes: int) -> None:
        """Correct what a file that exists has booked, whatever the capacity."""
        with self._lock:
            self._used += size_bytes - self._booked.get(relative, 0)
            self._booked[relative] = size_bytes

    def release(self, relative: str) -> None:
        """Release all space of a file."""
        with self._lock:
            self._used -= self._booked.pop(relative, 0)

    def booked_bytes(self, relative: str) -> int:
        """Return the space that one file has booked."""
        with self._lock:
            return self._booked.get(relative, 0)
