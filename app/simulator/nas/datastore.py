"""A datastore on a mounted export."""

import time
from typing import Final

from app.simulator.nas.files import NasFilling, NasPath, filling_of
from app.simulator.nas.mount import NasMount
from app.simulator.storage import SimDatastore
from app.simulator.storage.places import in_a_hurry

_KNOWN_FOR_S: Final = 1.0


class NasDatastore(SimDatastore):
    """A datastore on an export.

    Thread: any.

    Attributes:
        mount: the export.
    """

    def __init__(self, name: str, mount: NasMount) -> None:
        super().__init__(name, NasPath(mount), kind="NFS", space=_ServedSpace(mount))
        self.mount = mount


class _ServedSpace:
    """The space of an export, which only the server counts; what it said last counts while it is away."""

    def __init__(self, mount: NasMount) -> None:
        self._mount = mount
        self._root = NasPath(mount)
        self._last = NasFilling(0, 0)
        self._asked_at = float("-inf")
        self._taken: dict[str, int] = {}

    @property
    def capacity_bytes(self) -> int:
        """All of it."""
        return self._filling().capacity_bytes

    @property
    def used_bytes(self) -> int:
        """What is taken."""
        found = self._filling()
        return found.capacity_bytes - found.free_bytes

    @property
    def free_bytes(self) -> int:
        """What can still be taken."""
        return self._filling().free_bytes

    def book(self, relative: str, more_bytes: int) -> None:
        """Do nothing: the server refuses what it has no space for."""

    def set_booking(self, relative: str, size_bytes: int) -> None:
        """Do nothing: the server counts."""

    def release(self, relative: str) -> None:
        """Do nothing: the server counts."""

    def booked_bytes(self, relative: str) -> int:
        """Return the space that one file takes, as the server said last."""
        try:
            with in_a_hurry():
                self._taken[relative] = (self._root / relative).taken_bytes()
        except OSError:  # it is gone, or the server does not answer at once
            pass
        return self._taken.get(relative, 0)

    def _filling(self) -> NasFilling:
        now = time.monotonic()
        if now - self._asked_at > _KNOWN_FOR_S:
            self._asked_at = now
            try:
                with in_a_hurry():
                    self._last = filling_of(self._mount)
            except OSError:  # the server does not answer at once
                pass
        return self._last
