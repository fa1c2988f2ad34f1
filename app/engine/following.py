"""Reading frozen disks whose files the platform moves meanwhile (storage vMotion, Storage DRS).

The snapshot stays, its disks get new paths: what is not found where it was is asked for anew, and reading goes on.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice

from app.core.access import DiskAddress
from app.core.disks import DiskReader, ReadRequest
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed, NoTransportAvailable, OperationalError, SnapshotGone, VmNotFound
from app.domain.extents import Extent
from app.domain.ids import SnapshotId
from app.domain.states import TransportMode
from app.engine import messages as m

_MOST_MOVES = 5
"""Moves in a row without a byte read in between before the platform is not believed any more."""

Opener = Callable[[DiskAddress], DiskReader]


class FrozenPlaces:
    """Knows where the disks of a task's snapshot are now. Thread: one."""

    def __init__(self, hypervisor: Hypervisor, patience: Patience, log: TaskLog) -> None:
        self._hypervisor = hypervisor
        self._patience = patience
        self._log = log
        self._moved: dict[tuple[SnapshotId, int], str] = {}

    def now(self, address: DiskAddress) -> DiskAddress:
        """Return the address with the path that was last heard of."""
        if address.snapshot is None:
            return address
        return replace(address, path=self._moved.get((address.snapshot, address.disk_key), address.path))

    def ask_anew(self, address: DiskAddress) -> DiskAddress | None:
        """Ask where a disk is that could not be read; None when it should be where it was.

        Raises:
            SnapshotGone: it is frozen no more.
            TaskCancelled: cancelled meanwhile.
        """
        snapshot = address.snapshot
        if snapshot is None:
            return None
        try:
            disks = self._patience.through(lambda: self._hypervisor.frozen_disks(address.vm, snapshot))
        except (SnapshotGone, VmNotFound):
            raise
        except OperationalError:
            return None  # the reason why the disk could not be read says more
        self._moved.update({(snapshot, disk.key): disk.path for disk in disks})
        moved = self.now(address)
        if moved.path == address.path:
            return None
        self._log.info(m.DISK_MOVED, old=address.path, new=moved.path)
        return moved


class FollowingReader:
    """A frozen disk that is opened again where the platform moved it; fulfils :class:`app.core.disks.DiskReader`.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(self, opener: Opener, places: FrozenPlaces, address: DiskAddress) -> None:
        """Open the disk.

        Raises:
            NoTransportAvailable: no mode reaches it where it is now.
            SnapshotGone, VmNotFound: there is nothing to read any more.
            TaskCancelled: cancelled meanwhile.
        """
        self._opener = opener
        self._places = places
        self._address = places.now(address)
        self._moves = 0
        self._reader = self._opened()
        self._window = self._reader.window

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._reader.capacity_bytes

    @property
    def mode(self) -> TransportMode:
        """How the bytes travel now."""
        return self._reader.mode

    @property
    def window(self) -> int:
        """The most requests that are pulled ahead of the one yielded next, before and after a move."""
        return self._window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the requests' buffers, several in flight, and yield each, in order, when it is filled.

        Raises:
            DiskAccessFailed: the disk cannot be read where it is now.
            SnapshotGone, VmNotFound: there is nothing to read any more.
            ValueError: a request reaches beyond the capacity.
            TaskCancelled: the task was cancelled.
        """
        source = iter(requests)
        asked: deque[ReadRequest] = deque()
        while True:
            count = 0
            # A caller has buffers for the window it was told: a reader that pulls more gets them bit by bit.
            most = None if self._reader.window <= self._window else self._window
            try:
                for request in self._reader.read_many(islice(_pulled(asked, source), most)):
                    asked.popleft()
                    self._moves = 0
                    count += 1
                    yield request
            except DiskAccessFailed as error:
                self._follow(error)
                continue
            if most is None or not count:
                return

    def allocated_extents(self) -> list[Extent] | None:
        """Return the ranges that hold data, or None when this transport cannot tell.

        Raises:
            DiskAccessFailed: the disk cannot be reached where it is now.
            SnapshotGone, VmNotFound: there is nothing to read any more.
            TaskCancelled: the task was cancelled.
        """
        while True:
            try:
                return self._reader.allocated_extents()
            except DiskAccessFailed as error:
                self._follow(error)

    def close(self) -> None:
        """Let go of the disk; never raises."""
        self._reader.close()

    def _opened(self) -> DiskReader:
        while True:
            try:
                return self._opener(self._address)
            except (DiskAccessFailed, NoTransportAvailable) as error:
                self._look_elsewhere(error)

    def _follow(self, failure: DiskAccessFailed) -> None:
        self._reader.close()
        self._look_elsewhere(failure)
        self._reader = self._opened()

    def _look_elsewhere(self, failure: OperationalError) -> None:
        self._moves += 1
        try:
            moved = self._places.ask_anew(self._address) if self._moves <= _MOST_MOVES else None
        except (SnapshotGone, VmNotFound) as gone:
            raise gone from failure
        if moved is None:
            raise failure
        self._address = moved


def _pulled(asked: deque[ReadRequest], source: Iterator[ReadRequest]) -> Iterator[ReadRequest]:
    """Yield what was asked and not answered, then what follows, remembering it as asked."""
    yield from tuple(asked)
    for request in source:
        asked.append(request)
        yield request
