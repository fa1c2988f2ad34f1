import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import TaskCancelled
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.repository import GarbageCollectionPolicy, Repository
from app.repository.errors import PointExists, PointMissing, RepositoryBusy
from app.repository.garbageplan import RewriteReason
from app.repository.values import KIB, MIB
from tests.support.storage_steps import STRIDE, run_and_kill
from tests.unit.repository.helpers import (
    AT_ONCE,
    MemoryDisk,
    back_up,
    collect_garbage,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

ROOT = Path(__file__).parents[3]
NO_MERGING = GarbageCollectionPolicy(grace=timedelta(0), small_share=0.0)


def stored(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / "standby" / "packs").rglob("*.pack"))


def test_a_deleted_point_keeps_its_data_for_the_grace_time(tmp_path: Path) -> None:
    content = random_bytes(3 * MIB)
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(content))
        repository.delete_point(point.id)
        before = stored(tmp_path)
        report = collect_garbage(repository, GarbageCollectionPolicy(small_share=0.0))
        assert report.freed_bytes == 0
        assert stored(tmp_path) == before

        (deleted,) = repository.deleted_points()
        assert deleted.point == point
        assert repository.take_back_point(point.id) == point
        assert repository.deleted_points() == ()
        assert read_back(repository, point.id) == content


def test_after_the_grace_time_everything_of_the_point_goes(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(3 * MIB)))
        repository.delete_point(point.id)
        before = stored(tmp_path)
        report = collect_garbage(repository)

        assert report.purged_points == (point.id,)
        assert report.freed_bytes == before
        assert stored(tmp_path) == 0
        assert repository.deleted_points() == ()
        with pytest.raises(PointMissing):
            repository.take_back_point(point.id)


def test_shared_data_stays_and_mostly_dead_packs_are_rewritten(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(6 * MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        for start in range(0, 6 * MIB, MIB):  # three of the four chunks of every pack change
            disk.content[start : start + 768 * KIB] = random_bytes(768 * KIB, start + 5)
        second = back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        plan = repository.maintenance.plan_garbage_collection(AT_ONCE, cancel=CancelToken())

        assert {rewrite.reason for rewrite in plan.rewritten_packs} >= {RewriteReason.GARBAGE}
        before = stored(tmp_path)
        report = collect_garbage(repository)
        assert report.freed_bytes == plan.freed_bytes
        assert before - stored(tmp_path) > 4 * MIB
        assert stored(tmp_path) < 6.2 * MIB
        assert read_back(repository, second.id) == disk.content
        assert collect_garbage(repository).freed_bytes == 0, "and then there is nothing left to do"


def test_small_packs_are_joined(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(MIB))
    with open_repository(tmp_path) as repository:
        points = [back_up(repository, disk)]
        for number in range(1, 8):
            disk.content[number] ^= 0xFF
            points.append(back_up(repository, disk, [Extent(number, 1)], number=number, parent=points[-1].id))
        packs = len(list((tmp_path / "standby").glob("packs/*/*.pack")))
        last = bytes(disk.content)
        report = collect_garbage(repository, GarbageCollectionPolicy(small_share=0.5))

        assert report.rewritten_packs > 5
        assert len(list((tmp_path / "standby").glob("packs/*/*.pack"))) < packs / 2
        assert read_back(repository, points[-1].id) == last
        assert collect_garbage(repository, GarbageCollectionPolicy(small_share=0.5)).rewritten_packs == 0


def test_second_copies_are_dropped(tmp_path: Path) -> None:
    content = random_bytes(2 * MIB)
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="elsewhere") as there:
        with here.begin_point(point_draft()) as first, there.begin_point(point_draft(1)) as second:
            for writer in (first, second):  # neither has sealed its packs when the other begins
                writer.write_disk(
                    disk_draft(MIB // 2),
                    MemoryDisk(content[: MIB // 2]),
                    [Extent(0, MIB // 2)],
                    parent=None,
                    progress=Progress(),
                    cancel=CancelToken(),
                )
            points = [first.commit(), second.commit()]
        before = stored(tmp_path)
        report = collect_garbage(here, NO_MERGING)
        assert report.deleted_packs == 1
        assert stored(tmp_path) < before * 0.6
        for point in points:
            assert read_back(there, point.id) == content[: MIB // 2]
            assert read_back(here, point.id) == content[: MIB // 2]


def test_a_locator_elsewhere_finds_what_a_garbage_collection_moved(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(3 * MIB, 1))
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        first = back_up(repository, disk)
        # 5 of the 12 chunks stay, and packs take 4: in whatever order they came, some pack holds both.
        disk.content[: 7 * 256 * KIB] = random_bytes(7 * 256 * KIB, 2)
        second = back_up(repository, disk, number=1)
        assert read_back(other, second.id) == disk.content
        repository.delete_point(first.id)
        assert collect_garbage(repository).rewritten_packs
        assert read_back(other, second.id) == disk.content


def test_a_garbage_collection_waits_for_no_one_and_disturbs_no_one(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository, open_repository(tmp_path, local="elsewhere") as other:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        with other.open_point(point.id), pytest.raises(RepositoryBusy, match="backup or restore"):
            collect_garbage(repository)
        with repository.open_point(point.id), pytest.raises(RepositoryBusy):
            collect_garbage(repository)
        collect_garbage(repository)


def test_a_plan_changes_nothing_and_runs_during_a_backup(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(random_bytes(MIB)))
        repository.delete_point(point.id)
        with repository.begin_point(point_draft(1)):
            before = stored(tmp_path)
            plan = repository.maintenance.plan_garbage_collection(AT_ONCE, cancel=CancelToken())
            assert [entry.id for entry in plan.purged] == [point.id]
            assert plan.freed_bytes == plan.total_bytes == before
            assert plan.live_bytes == 0
            assert stored(tmp_path) == before


def test_a_point_is_not_taken_back_over_another(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        first = back_up(repository, MemoryDisk(random_bytes(MIB, 1)))
        repository.delete_point(first.id)
        again = back_up(repository, MemoryDisk(random_bytes(MIB, 2)))
        assert again.id == first.id
        with pytest.raises(PointExists):
            repository.take_back_point(first.id)
        assert read_back(repository, again.id) == random_bytes(MIB, 2)


def test_a_garbage_collection_can_be_cancelled_and_goes_on_later(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(4 * MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        for start in range(0, 4 * MIB, MIB):
            disk.content[start : start + 512 * KIB] = random_bytes(512 * KIB, start + 9)
        second = back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        token = CancelToken()
        token.cancel()
        with pytest.raises(TaskCancelled):
            repository.maintenance.collect_garbage(AT_ONCE, progress=Progress(), cancel=token)
        report = repository.maintenance.collect_garbage(
            AT_ONCE, progress=Progress(), cancel=CancelToken(), time_limit_s=0
        )
        assert not report.finished
        assert read_back(repository, second.id) == disk.content
        assert collect_garbage(repository).finished
        assert read_back(repository, second.id) == disk.content


def test_a_garbage_collection_can_be_slowed_down(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[: 512 * KIB] = random_bytes(512 * KIB, 2)
        back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        started = time.monotonic()
        progress = Progress()
        repository.maintenance.collect_garbage(
            AT_ONCE, progress=progress, cancel=CancelToken(), bytes_per_s=2 * MIB
        )
        sample = progress.sample()
        assert sample.done_bytes == sample.total_bytes > 0
        assert time.monotonic() - started >= 0.9 * sample.done_bytes / (2 * MIB)


# --- killed at every step ----------------------------------------------------------------------------------------


def _prepare(folder: Path) -> tuple[PointId, bytes]:
    disk = MemoryDisk(random_bytes(2 * MIB, 1))
    with open_repository(folder) as repository:
        first = back_up(repository, disk)
        disk.content[: 700 * KIB] = random_bytes(700 * KIB, 2)
        second = back_up(repository, disk, number=1)
        third = back_up(repository, MemoryDisk(random_bytes(MIB, 3)), number=2, rule_name="other")
        repository.delete_point(first.id)
        repository.delete_point(third.id)
    return second.id, bytes(disk.content)


def _work(folder: Path) -> None:
    with open_repository(folder) as repository:
        collect_garbage(repository)


def kill_a_garbage_collection_everywhere(folder: Path) -> int:
    point, content = _prepare(folder / "base")
    number = 0
    while True:
        number += STRIDE
        case = folder / "case"
        copytree(folder / "base", case)
        was_killed = run_and_kill(partial(_work, case), number)
        with open_repository(case, local="local" if number // STRIDE % 2 else "another machine") as repository:
            assert read_back(repository, point) == content
            collect_garbage(repository)
            assert read_back(repository, point) == content
            space = repository.maintenance.space(cancel=CancelToken())
            assert space.garbage_bytes < space.used_bytes / 3, "no space leaks"
            assert stored(case) < 2.5 * MIB
        assert list((case / "standby" / "staging").iterdir()) == []
        rmtree(case)
        if not was_killed:
            return number


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_kill_at_any_step_of_a_garbage_collection_loses_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    code = f"import sys; from {__name__} import *; print(kill_a_garbage_collection_everywhere(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 15


# --- space -------------------------------------------------------------------------------------------------------


def test_space_of_points_and_chains_is_exact(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(2 * MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        disk.content[: 256 * KIB] = random_bytes(256 * KIB, 2)
        second = back_up(repository, disk, [Extent(0, 256 * KIB)], number=1, parent=first.id)
        copy = back_up(repository, MemoryDisk(disk.content), rule_name="other")
        alone = back_up(repository, MemoryDisk(random_bytes(MIB, 9)), number=1, rule_name="other")
        report = repository.maintenance.space(cancel=CancelToken())

        lengths: Callable[[PointId], dict[bytes, int]] = partial(_record_lengths, repository)
        reached = {point.id: lengths(point.id) for point in (first, second, copy, alone)}
        for point, own in reached.items():
            others = {digest for other, held in reached.items() if other != point for digest in held}
            unique = sum(length for digest, length in own.items() if digest not in others)
            assert report.points[point].unique_bytes == unique
            assert report.points[point].unique_bytes + report.points[point].shared_bytes == sum(own.values())
        assert report.points[copy.id].unique_bytes == 0
        ours = reached[first.id] | reached[second.id]
        theirs = reached[copy.id] | reached[alone.id]
        assert report.chains[first.chain].unique_bytes == sum(
            length for digest, length in ours.items() if digest not in theirs
        )
        assert report.used_bytes == sum((ours | theirs).values())
        assert report.garbage_bytes == 0
        repository.delete_point(alone.id)
        assert (
            repository.maintenance.space(cancel=CancelToken()).garbage_bytes
            == report.points[alone.id].unique_bytes
        )


def _record_lengths(repository: Repository, point: PointId) -> dict[bytes, int]:
    described = next(listed for listed in repository.points().points if listed.id == point)
    tree = repository.parts.tree(described.disks[0])
    digests = {digest for _, digest in tree.stored()} | {digest for _, _, digest in tree.page_digests()}
    places = repository.parts.locator.find_many(digests)
    return {digest: places[digest].length_bytes for digest in digests}
