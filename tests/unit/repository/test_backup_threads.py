"""The threads of a backup: they end with it, whatever ends it, and leave each other alone."""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.core.progress import Progress
from app.domain.errors import DiskAccessFailed, TaskCancelled
from app.domain.extents import Extent
from app.repository.values import KIB, MIB
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)


class BreakingDisk(MemoryDisk):
    """Fails after some bytes."""

    def __init__(self, content: bytes, after_bytes: int) -> None:
        super().__init__(content)
        self._after = after_bytes

    def _fill(self, request: ReadRequest) -> ReadRequest:
        if request.offset >= self._after:
            raise DiskAccessFailed(path="[ds1] a.vmdk", operation="read", mode="nfc", detail="connection reset")
        return super()._fill(request)


def test_an_error_of_the_reader_comes_through_once_and_ends_all_threads(tmp_path: Path) -> None:
    threads = threading.active_count()
    with open_repository(tmp_path) as repository:
        with (
            pytest.raises(DiskAccessFailed, match="connection reset"),
            repository.begin_point(point_draft()) as writer,
        ):
            writer.write_disk(
                disk_draft(8 * MIB),
                BreakingDisk(random_bytes(8 * MIB), 4 * MIB),
                [Extent(0, 8 * MIB)],
                parent=None,
                progress=Progress(),
                cancel=CancelToken(),
            )
        assert threading.active_count() == threads
        assert repository.points().points == ()


def test_a_disk_that_failed_can_be_written_again_by_the_same_writer(tmp_path: Path) -> None:
    content = random_bytes(8 * MIB)
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            for disk in (BreakingDisk(content, 4 * MIB), BreakingDisk(content, 6 * MIB), MemoryDisk(content)):
                with suppress(DiskAccessFailed):
                    writer.write_disk(
                        disk_draft(8 * MIB),
                        disk,
                        [Extent(0, 8 * MIB)],
                        parent=None,
                        progress=Progress(),
                        cancel=CancelToken(),
                    )
            point = writer.commit()
        assert read_back(repository, point.id) == content


class CancellingDisk(MemoryDisk):
    """Cancels after its first megabyte."""

    def __init__(self, content: bytes, token: CancelToken) -> None:
        super().__init__(content, window=2)
        self._token = token

    def read_many(self, requests: Iterable[ReadRequest]) -> Iterator[ReadRequest]:
        for request in super().read_many(requests):
            if request.offset >= MIB:
                self._token.cancel()
            yield request


def test_cancel_stops_within_a_few_chunks(tmp_path: Path) -> None:
    token = CancelToken()
    disk = CancellingDisk(random_bytes(16 * MIB), token)
    with open_repository(tmp_path) as repository:
        with pytest.raises(TaskCancelled), repository.begin_point(point_draft()) as writer:
            writer.write_disk(
                disk_draft(16 * MIB), disk, [Extent(0, 16 * MIB)], parent=None, progress=Progress(), cancel=token
            )
        assert sum(read.length_bytes for read in disk.reads) < 4 * MIB
        assert repository.points().points == ()


def test_a_wide_window_never_runs_out_of_buffers(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(16 * MIB), window=40)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk)
        assert read_back(repository, point.id) == disk.content


def test_two_writers_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    left, right = MemoryDisk(random_bytes(6 * MIB, 1)), MemoryDisk(random_bytes(6 * MIB, 2))
    points = {}

    with open_repository(tmp_path) as repository:

        def run(name: str, disk: MemoryDisk) -> None:
            points[name] = back_up(repository, disk, rule_name=name)

        threads = [threading.Thread(target=run, args=pair) for pair in (("left", left), ("right", right))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert read_back(repository, points["left"].id) == left.content
        assert read_back(repository, points["right"].id) == right.content


class EndlessDisk(MemoryDisk):
    """A disk of any size whose bytes show where they are."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(b"")
        self._capacity = capacity_bytes

    @property
    def capacity_bytes(self) -> int:
        return self._capacity

    def _fill(self, request: ReadRequest) -> ReadRequest:
        request.buffer[:] = request.offset.to_bytes(len(request.buffer), "big")
        return request


def test_many_threads_may_read_one_index_at_once(tmp_path: Path) -> None:
    page = 256 * MIB
    disk = EndlessDisk(40 * page)
    pieces = [
        Extent(start + 256 * KIB * slot, 512) for start in range(0, 40 * page, page) for slot in range(0, 600, 60)
    ]
    with open_repository(tmp_path) as repository:
        point = back_up(repository, disk, pieces)
        for _ in range(20):
            tree = repository.parts.tree(point.disks[0])
            with ThreadPoolExecutor(8) as pool:
                found = list(pool.map(tree.digest, [piece.start // (256 * KIB) for piece in reversed(pieces)]))
            assert len(set(found)) == len(pieces)
