"""Random writes, backups, deletions and garbage collections: every point restores to what the disk was."""

import tempfile
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.repository import GarbageCollectionPolicy
from app.repository.values import KIB
from tests.unit.repository.helpers import MemoryDisk, back_up, open_repository, random_bytes, read_back, read_range

_CAPACITY = 1500 * KIB + 333
_write = st.tuples(
    st.just("write"),
    st.integers(0, _CAPACITY - 1),
    st.integers(1, 400 * KIB),
    st.sampled_from(["random", "text", "zero"]),
)
_backup = st.tuples(
    st.sampled_from(["full", "incremental", "differential", "sparse full"]), st.just(0), st.just(0), st.just("")
)
_delete = st.tuples(st.just("delete"), st.integers(0, 20), st.just(0), st.just(""))
_collect_garbage = st.tuples(st.just("garbage collection"), st.sampled_from([0, 25, 100]), st.just(0), st.just(""))
_grow = st.tuples(st.just("grow"), st.integers(1, 600 * KIB), st.just(0), st.just(""))


def content(kind: str, length: int, seed: int) -> bytes:
    if kind == "zero":
        return bytes(length)
    return random_bytes(length, seed) if kind == "random" else (b"%08d" % seed * (length // 8 + 1))[:length]


class Story:
    """A disk, the points made of it, and what each must restore to."""

    def __init__(self, folder: Path) -> None:
        self.repository = open_repository(folder)
        self.disk = MemoryDisk(random_bytes(_CAPACITY), window=2)
        self.written: list[Extent] = []
        self.since_full: list[Extent] = []
        self.points: list[tuple[PointId, bytes]] = []
        self.full: PointId | None = None
        self.number = 0

    def write(self, start: int, length: int, kind: str) -> None:
        length = min(length, len(self.disk.content) - start)
        self.disk.content[start : start + length] = content(kind, length, len(self.written))
        self.written.append(Extent(start, length))
        self.since_full.append(Extent(start, length))

    def back_up(self, kind: str) -> None:
        number = self.number
        self.number += 1
        if kind != "sparse full" and (kind == "full" or not self.points):
            point = back_up(self.repository, self.disk, number=number)
            self.full, self.since_full = point.id, []
        elif kind == "sparse full":
            used = [Extent(at, 64 * KIB) for at in range(0, len(self.disk.content), 64 * KIB)]
            used = [extent for extent in used if any(self.disk.content[extent.start : extent.end])]
            point = back_up(self.repository, self.disk, used, number=number)
            self.full, self.since_full = point.id, []
        elif kind == "differential" and self.full is not None:
            point = back_up(self.repository, self.disk, self.since_full, number=number, parent=self.full)
        else:
            point = back_up(self.repository, self.disk, self.written, number=number, parent=self.points[-1][0])
        self.written = []
        self.points.append((point.id, bytes(self.disk.content)))

    def delete(self, which: int) -> None:
        """Delete any point but the newest, which the next incremental needs."""
        if len(self.points) > 1:
            point, _ = self.points.pop(which % (len(self.points) - 1))
            self.repository.delete_point(point)
            if point == self.full:
                self.full = None

    def collect_garbage(self, garbage_percent: int) -> None:
        policy = GarbageCollectionPolicy(grace=timedelta(0), garbage_share=garbage_percent / 100)
        self.repository.maintenance.collect_garbage(policy, progress=Progress(), cancel=CancelToken())

    def check(self) -> None:
        for point, expected in self.points:
            assert read_back(self.repository, point) == expected
            middle = len(expected) // 2
            assert read_range(self.repository, point, middle, 70_000) == expected[middle : middle + 70_000]


@settings(max_examples=25)
@given(
    st.lists(
        st.one_of(_write, _write, _backup, _backup, _grow, _delete, _collect_garbage), min_size=2, max_size=14
    )
)
def test_every_point_restores_to_what_the_disk_was(steps: list[tuple[str, int, int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder))
        with story.repository:
            for step, start, length, kind in steps:
                if step == "write":
                    story.write(start, length, kind)
                elif step == "grow":
                    story.disk.content += bytes(start)
                elif step == "delete":
                    story.delete(start)
                elif step == "garbage collection":
                    story.collect_garbage(start)
                else:
                    story.back_up(step)
            story.back_up("incremental")
            story.check()
