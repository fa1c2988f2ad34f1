"""Disks of the local hypervisor: raw files with change tracking, read and written through the core's ports."""

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from app.core.access import DiskAccess, DiskAddress
from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.tasklog import TaskLog
from app.domain.errors import DiskAccessFailed
from app.domain.extents import Extent, clip, normalize
from app.domain.states import TransportMode

BLOCK = 64 * 1024
"""Granularity of change tracking and of the allocated map."""


@dataclass
class Tracking:
    """Which block was last written in which sequence."""

    enabled: bool = False
    generation: str = ""
    sequence: int = 0
    blocks: dict[int, int] = field(default_factory=dict)

    def start(self) -> None:
        """Begin a new generation: ids of the old one mean nothing any more."""
        self.enabled, self.generation, self.sequence = True, str(uuid.uuid4()), 0
        self.blocks = {}

    def copy(self) -> "Tracking":
        """Return what is known now, for a snapshot to keep."""
        return Tracking(self.enabled, self.generation, self.sequence, dict(self.blocks))

    @property
    def change_id(self) -> str | None:
        """Name of this moment."""
        return f"{self.generation}/{self.sequence}" if self.enabled else None


@dataclass
class LocalDisk:
    """A disk: its file, its identity, and what was written when."""

    key: int
    label: str
    uuid: str
    capacity_bytes: int
    file: str
    unsupported_reason: str | None = None
    written: set[int] = field(default_factory=set)
    """Blocks that were ever written: the allocated map."""
    tracking: Tracking = field(default_factory=Tracking)

    def write(self, root: Path, offset: int, data: bytes) -> None:
        """Write as a guest does."""
        assert offset + len(data) <= self.capacity_bytes, "write beyond the disk"
        if not data:
            return
        with (root / self.file).open("r+b") as file:
            file.seek(offset)
            file.write(data)
        for block in range(offset // BLOCK, (offset + len(data) - 1) // BLOCK + 1):
            self.written.add(block)
            if self.tracking.enabled:
                self.tracking.blocks[block] = self.tracking.sequence

    def frozen_as(self, file: str) -> "LocalDisk":
        """Return this disk as a snapshot keeps it."""
        return LocalDisk(
            self.key,
            self.label,
            self.uuid,
            self.capacity_bytes,
            file,
            self.unsupported_reason,
            set(self.written),
            self.tracking.copy(),
        )

    def extents_of(self, blocks: Iterable[int]) -> list[Extent]:
        """Turn blocks into extents inside the capacity."""
        return clip(normalize(Extent(block * BLOCK, BLOCK) for block in blocks), self.capacity_bytes)


class LocalReader:
    """Fulfils :class:`app.core.disks.DiskReader` over a file.

    Like a network reader it pulls requests ahead and fills them late. Thread: one at a time.
    """

    window = 4
    mode = TransportMode.LOCAL

    def __init__(
        self,
        path: Path,
        disk: LocalDisk,
        on_read: Callable[[Extent], None],
        on_close: Callable[[], None],
        *,
        tells_allocated: bool,
    ) -> None:
        self._on_close = on_close
        self._disk = disk
        self._on_read = on_read
        self._tells_allocated = tells_allocated
        self._file = path.open("rb")

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        """Fill the buffers, in order, up to ``window`` requests behind the pull."""
        source = iter(requests)
        ahead = deque(islice(source, self.window))
        while ahead:
            request = ahead.popleft()
            self._fill(request)
            ahead.extend(islice(source, 1))
            yield request

    def _fill(self, request: ReadRequest) -> None:
        size = len(request.buffer)
        if request.offset + size > self.capacity_bytes:
            raise ValueError("read beyond the disk")
        self._on_read(Extent(request.offset, size))
        self._file.seek(request.offset)
        assert self._file.readinto(request.buffer) == size

    def allocated_extents(self) -> list[Extent] | None:
        """Return what was ever written, where this transport reports it."""
        return self._disk.extents_of(self._disk.written) if self._tells_allocated else None

    def close(self) -> None:
        """Close the file."""
        if not self._file.closed:
            self._file.close()
            self._on_close()


class LocalWriter:
    """Fulfils :class:`app.core.disks.DiskWriter` over a file.

    Data reaches the file at the flush only, as the port allows: a caller that reuses its buffers too early
    is found out. Thread: one at a time.
    """

    mode = TransportMode.LOCAL

    def __init__(self, disk: LocalDisk, put: Callable[[int, bytes], None]) -> None:
        self._disk = disk
        self._put = put
        self._waiting: list[tuple[int, bytes | bytearray | memoryview]] = []

    @property
    def capacity_bytes(self) -> int:
        """Size of the disk."""
        return self._disk.capacity_bytes

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Hold on to the data."""
        if offset + len(data) > self.capacity_bytes:
            raise ValueError("write beyond the disk")
        self._waiting.append((offset, data))

    def flush(self) -> None:
        """Write what was given."""
        for offset, data in self._waiting:
            self._put(offset, bytes(data))
        self._waiting.clear()

    def close(self) -> None:
        """Forget what was not flushed."""
        self._waiting.clear()


class DiskHost:
    """What the transports need of a host; see :class:`tests.support.local_host.LocalHost`."""

    def reader(self, address: DiskAddress) -> LocalReader:
        """Open a disk for reading."""
        raise NotImplementedError

    def writer(self, address: DiskAddress) -> LocalWriter:
        """Open a disk for writing."""
        raise NotImplementedError


class LocalTransports:
    """Fulfils :class:`app.core.access.DiskTransports` for a local host. Thread: any."""

    def __init__(self, host: DiskHost) -> None:
        self._host = host

    def open_reader(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> LocalReader:
        """Open a disk for reading."""
        assert tuple(preferred), "no transport mode was asked for"
        cancel.check()
        return self._host.reader(disk)

    def open_writer(
        self,
        access: DiskAccess,
        disk: DiskAddress,
        *,
        preferred: Iterable[TransportMode],
        log: TaskLog,
        cancel: CancelToken,
    ) -> LocalWriter:
        """Open a disk of a powered-off VM for writing."""
        assert tuple(preferred), "no transport mode was asked for"
        cancel.check()
        return self._host.writer(disk)


def access_failed(address: DiskAddress, operation: str, detail: str) -> DiskAccessFailed:
    """Make the error of a transport."""
    return DiskAccessFailed(path=address.path, operation=operation, mode=TransportMode.LOCAL.value, detail=detail)
