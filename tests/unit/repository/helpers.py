"""Disks in memory and small factories for the repository's tests."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId, VmId
from app.domain.restore_point import RestorePoint, VmFacts
from app.domain.states import BackupKind, TransportMode
from app.repository import (
    DiskDraft,
    GarbageCollectionPolicy,
    GarbageCollectionReport,
    PointDraft,
    Repository,
    RepositorySettings,
)
from app.repository.values import KIB, MIB

SMALL = RepositorySettings(chunk_bytes=256 * KIB, frame_bytes=64 * KIB, pack_bytes=MIB)
FACTS = VmFacts(
    vm=VmId("vm-42"),
    name="网站 web-01",
    platform_address="vcenter.example",
    instance_uuid="5024a1c2-0000-1111-2222-333344445555",
    datacenter="dc1",
    datastore="ds1",
    host="esx1",
    hostname="web-01",
    guest="Debian GNU/Linux 12 (64-bit)",
)
AT_ONCE = GarbageCollectionPolicy(grace=timedelta(0))
"""Collects the data of deleted points without waiting."""
MORNING = datetime(2026, 11, 22, 9, 0, 0, tzinfo=UTC)


class MemoryDisk:
    """A disk in memory that notes what was read of it and what was written to it."""

    def __init__(self, content: bytes | bytearray, *, window: int = 4) -> None:
        self.content = bytearray(content)
        self.reads: list[Extent] = []
        self.writes: list[Extent] = []
        self._window = window
        self.closed = False

    @property
    def capacity_bytes(self) -> int:
        return len(self.content)

    @property
    def mode(self) -> TransportMode:
        return TransportMode.LOCAL

    @property
    def window(self) -> int:
        return self._window

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        ahead: list[ReadRequest] = []
        for request in requests:
            ahead.append(request)
            if len(ahead) > self._window:
                yield self._fill(ahead.pop(0))
        for request in ahead:
            yield self._fill(request)

    def _fill(self, request: ReadRequest) -> ReadRequest:
        end = request.offset + len(request.buffer)
        if end > len(self.content):
            raise ValueError("read beyond the disk")
        request.buffer[:] = self.content[request.offset : end]
        self.reads.append(Extent(request.offset, len(request.buffer)))
        return request

    def allocated_extents(self) -> list[Extent] | None:
        return None

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        assert offset + len(data) <= len(self.content)
        self.content[offset : offset + len(data)] = data
        self.writes.append(Extent(offset, len(data)))

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True


def random_bytes(length: int, seed: int = 1) -> bytes:
    return np.random.default_rng(seed).bytes(length)


def text_bytes(length: int, seed: int = 1) -> bytes:
    """Compressible bytes that do not repeat as a whole."""
    line = b"seed %d line %%08d: the quick brown fox jumps over the lazy dog\n" % seed
    size = len(line % 0)
    return b"".join(line % number for number in range(length // size + 1))[:length]


def open_repository(tmp_path: Path, settings: RepositorySettings = SMALL, local: str = "local") -> Repository:
    tmp_path.mkdir(exist_ok=True)
    return Repository.open_or_create(
        tmp_path / "standby", settings, local_dir=tmp_path / local, clock=SystemClock()
    )


def point_draft(
    number: int = 0, *, kind: BackupKind = BackupKind.FULL, parent: PointId | None = None, rule_name: str = "每日"
) -> PointDraft:
    return PointDraft(
        rule_name=rule_name,
        facts=FACTS,
        kind=kind,
        parent=parent,
        consistent=True,
        created_at=MORNING + timedelta(hours=number),
    )


def disk_draft(capacity_bytes: int, key: int = 2000, *, read_whole: bool = True) -> DiskDraft:
    return DiskDraft(
        key=key,
        label=f"Hard disk {key - 1999}",
        uuid=f"6000C29{key}",
        capacity_bytes=capacity_bytes,
        path=f"[ds1] web-01/web-01-{key}.vmdk",
        change_id="52 de/1",
        read_whole=read_whole,
    )


def back_up(
    repository: Repository,
    disk: MemoryDisk,
    extents: Sequence[Extent] | None = None,
    *,
    number: int = 0,
    parent: PointId | None = None,
    key: int = 2000,
    rule_name: str = "每日",
) -> RestorePoint:
    """Back one disk up, whole or only the extents with a parent."""
    kind = BackupKind.FULL if parent is None else BackupKind.INCREMENTAL
    with repository.begin_point(point_draft(number, kind=kind, parent=parent, rule_name=rule_name)) as writer:
        writer.write_disk(
            disk_draft(disk.capacity_bytes, key, read_whole=parent is None),
            disk,
            [Extent(0, disk.capacity_bytes)] if extents is None else extents,
            parent=None if parent is None else (parent, key),
            progress=Progress(),
            cancel=CancelToken(),
        )
        return writer.commit()


def collect_garbage(repository: Repository, policy: GarbageCollectionPolicy = AT_ONCE) -> GarbageCollectionReport:
    """Collect garbage in a repository that no one else uses."""
    return repository.maintenance.collect_garbage(policy, progress=Progress(), cancel=CancelToken(), wait_s=0)


def read_back(repository: Repository, point: PointId, key: int = 2000) -> bytes:
    """Restore a disk of a point into memory."""
    with repository.open_point(point) as reader:
        disk = reader.point.disk(key)
        assert disk is not None
        target = MemoryDisk(bytes(disk.capacity_bytes))
        reader.copy_disk(key, target, write_zeros=False, progress=Progress(), cancel=CancelToken())
        return bytes(target.content)


def read_range(repository: Repository, point: PointId, start: int, length: int, key: int = 2000) -> bytes:
    """Read some bytes of a point's disk through its random-access reader."""
    with repository.open_point(point) as reader:
        disk = reader.open_disk(key)
        buffer = bytearray(length)
        for _ in disk.read_many([ReadRequest(start, memoryview(buffer))]):
            pass
        disk.close()
        return bytes(buffer)


def damage_record(folder: Path, repository: Repository, digest: bytes) -> Path:
    """Change a byte of a record's last frame; return its pack."""
    place = repository.parts.locator.find(digest)
    assert place is not None
    path = folder / "standby" / "packs" / place.pack_id[:2] / f"{place.pack_id}.pack"
    broken = bytearray(path.read_bytes())
    broken[place.offset + place.length_bytes - 1] ^= 1
    path.write_bytes(broken)
    return path
