"""Disks whose files the platform moves while a task needs them: storage vMotion, Storage DRS, a renamed datastore.

The VM and its snapshot stay, their disks get new paths: what is not found where it was is asked for again, and the
task goes on there.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeVar

from app.core.access import DiskAddress
from app.core.disks import DiskReader, ReadRequest
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed, NoTransportAvailable, OperationalError, SnapshotGone, VmNotFound
from app.domain.extents import Extent
from app.domain.ids import SnapshotId, VmId
from app.domain.states import TransportMode
from app.domain.vms import VirtualDisk
from app.engine import messages

MOST_MOVES = 5
"""Moves in a row without a byte read in between before the platform is not believed any more."""

D = TypeVar("D")
_Disk = tuple[VmId, SnapshotId | None, int]


class DiskPlaces:
    """Knows where the disks of a task are now, frozen or not. Thread: one."""

    def __init__(self, hypervisor: Hypervisor, patience: Patience, log: TaskLog) -> None:
        self._hypervisor = hypervisor
        self._patience = patience
        self._log = log
        self._moved: dict[_Disk, str] = {}

    def now(self, address: DiskAddress) -> DiskAddress:
        """Return the address with the path that was last heard of."""
        disk = (address.vm, address.snapshot, address.disk_key)
        here = replace(address, path=self._moved.get(disk, address.path))
        return replace(here, has_moved=lambda: self._has_moved(here))

    def ask_again(self, address: DiskAddress) -> DiskAddress | None:
        """Ask where a disk is that could not be read; None when it should be where it was.

        Raises:
            SnapshotGone: it is frozen no more.
            VmNotFound: the VM is gone.
            TaskCancelled: cancelled meanwhile.
        """
        if not self._has_moved(address):
            return None
        moved = self.now(address)
        self._log.info(messages.DISK_MOVED, old=address.path, new=moved.path)
        return moved

    def _has_moved(self, address: DiskAddress) -> bool:
        try:
            disks = self._patience.through(lambda: self._disks(address.vm, address.snapshot))
        except (SnapshotGone, VmNotFound):
            raise
        except OperationalError:
            return False  # the reason why the disk could not be read says more
        self._moved.update({(address.vm, address.snapshot, disk.key): disk.path for disk in disks})
        return self.now(address).path != address.path

    def opened(self, opener: Callable[[DiskAddress], D], address: DiskAddress) -> tuple[D, DiskAddress]:
        """Open a disk where it is now; return it, and where that was.

        Raises:
            NoTransportAvailable, DiskAccessFailed: it cannot be opened where it is.
            SnapshotGone, VmNotFound: there is nothing to open any more.
            TaskCancelled: cancelled meanwhile.
        """
        address = self.now(address)
        for _ in range(MOST_MOVES):
            try:
                return opener(address), address
            except (DiskAccessFailed, NoTransportAvailable) as failure:
                address = self.after(failure, address)
        return opener(address), address

    def after(self, failure: OperationalError, address: DiskAddress) -> DiskAddress:
        """Return where to go on after a failure; raise it when the disk is where it was.

        Raises:
            OperationalError: the failure, or that there is nothing any more.
            TaskCancelled: cancelled meanwhile.
        """
        try:
            moved = self.ask_again(address)
        except (SnapshotGone, VmNotFound) as gone:
            raise gone from failure
        if moved is None:
            raise failure
        return moved

    def _disks(self, vm: VmId, snapshot: SnapshotId | None) -> Sequence[VirtualDisk]:
        if snapshot is None:
            return self._hypervisor.vm_details(vm).disks
        return self._hypervisor.frozen_disks(vm, snapshot)


class FollowingReader:
    """A disk that is opened again where the platform moved it; fulfils :class:`app.core.disks.DiskReader`.

    Thread: one at a time, not necessarily the one that opened it.
    """

    def __init__(
        self, opener: Callable[[DiskAddress], DiskReader], places: DiskPlaces, address: DiskAddress
    ) -> None:
        """Open the disk.

        Raises:
            NoTransportAvailable: no mode reaches it where it is now.
            SnapshotGone, VmNotFound: there is nothing to read any more.
            TaskCancelled: cancelled meanwhile.
        """
        self._opener = opener
        self._places = places
        self._moves = 0
        self._reader, self._address = places.opened(opener, address)
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
        """Return the ranges that hold data, or None when this transport does not know.

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

    def _follow(self, failure: DiskAccessFailed) -> None:
        self._moves += 1
        if self._moves > MOST_MOVES:
            raise failure
        moved = self._places.after(failure, self._address)
        self._reader.close()
        self._reader, self._address = self._places.opened(self._opener, moved)


def _pulled(asked: deque[ReadRequest], source: Iterator[ReadRequest]) -> Iterator[ReadRequest]:
    """Yield what was asked and not answered, then what follows, remembering it as asked."""
    yield from tuple(asked)
    for request in source:
        asked.append(request)
        yield request
