"""Killed, or refused by the storage, between any two steps: nothing committed is lost, the next run goes on."""

import errno
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.errors import OperationalError, StandbyFull, StandbyUnavailable
from app.domain.extents import Extent
from app.domain.ids import PointId
from app.repository.values import KIB, MIB
from tests.support.storage_steps import STRIDE, WRITE_PARTS, fail_from, run_and_kill, storage_steps
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

ROOT = Path(__file__).parents[3]
BEFORE = random_bytes(MIB + 999, seed=1)
AFTER = random_bytes(2 * MIB + 500 * KIB, seed=2) + BEFORE[:1000]


def prepare(folder: Path) -> PointId:
    with open_repository(folder) as repository:
        return back_up(repository, MemoryDisk(BEFORE)).id


def copy_of_base(folder: Path, case: Path) -> None:
    shutil.copytree(folder / "base", case)
    with open_repository(
        case
    ):  # a copy at another place has a locator of its own, which is made here and not in a step
        pass


def work(folder: Path, parent: PointId) -> None:
    """What is interrupted: an incremental backup of three packs, then its parent goes to the trash."""
    with open_repository(folder) as repository:
        back_up(repository, MemoryDisk(AFTER), number=1, parent=parent)
        repository.delete_point(parent)


def check(folder: Path, parent: PointId, local: str = "local") -> None:
    """Everything visible is whole, and a new run leaves nothing of the interrupted one behind."""
    with open_repository(folder, local=local) as repository:
        listing = repository.points()
        assert not listing.damaged
        for point in listing.points:
            assert read_back(repository, point.id) == (BEFORE if point.id == parent else AFTER)
        assert parent in {point.id for point in listing.points} or trash_holds(folder, parent)
        stored_before = {point.id for point in listing.points}
        again = back_up(repository, MemoryDisk(AFTER), number=2)
        assert read_back(repository, again.id) == AFTER
        assert {point.id for point in repository.points().points} == stored_before | {again.id}
        for point in repository.points().points:
            with repository.open_point(point.id) as reader:
                assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
    assert list((folder / "standby" / "staging").iterdir()) == []
    assert list((folder / "standby" / "locks").glob("*.lease")) == []


def trash_holds(folder: Path, point: PointId) -> bool:
    return any((folder / "standby" / "trash").glob(f"{point}.*/point.json"))


def crash_everywhere(folder: Path) -> int:
    """Kill the work before each of its steps in turn; return how many steps there are."""
    parent = prepare(folder / "base")
    number = 0
    while True:
        number += STRIDE
        case = folder / "case"
        copy_of_base(folder, case)
        was_killed = run_and_kill(partial(work, case, parent), number)
        check(case, parent, local="local" if number // STRIDE % 2 else "another machine")
        shutil.rmtree(case)
        if not was_killed:
            return number


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_a_kill_before_any_step_loses_nothing(tmp_path: Path) -> None:
    # in a process of its own, because a process with threads must not fork
    code = f"import sys; from {__name__} import *; print(crash_everywhere(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) > 30


def step_count(folder: Path) -> int:
    parent = prepare(folder / "count")
    with storage_steps(lambda _count, _name: None) as steps:
        work(folder / "count", parent)
    return steps.count


@pytest.mark.parametrize(
    ("error", "expected"),
    [(errno.ENOSPC, StandbyFull), (errno.EIO, StandbyUnavailable), (errno.EROFS, StandbyUnavailable)],
    ids=["full", "broken", "read-only"],
)
def test_a_storage_that_refuses_from_any_step_on_is_named_and_loses_nothing(
    tmp_path: Path, error: int, expected: type[OperationalError]
) -> None:
    parent = prepare(tmp_path / "base")
    total = step_count(tmp_path)
    refused = 0
    for number in range(1, total + 1, STRIDE):
        case = tmp_path / "case"
        copy_of_base(tmp_path, case)
        with storage_steps(fail_from(number, error)):
            try:
                work(case, parent)
            except expected:
                refused += 1
        check(case, parent)
        shutil.rmtree(case)
    assert refused > total // 4


def test_a_full_standby_leaves_nothing_half_written(tmp_path: Path) -> None:
    parent = prepare(tmp_path)
    packs = sorted((tmp_path / "standby" / "packs").rglob("*.pack"))
    with open_repository(tmp_path) as repository:
        with pytest.raises(StandbyFull), storage_steps(fail_on_write(errno.ENOSPC, after=4)):
            back_up(repository, MemoryDisk(AFTER), number=1, parent=parent)
        assert sorted((tmp_path / "standby" / "packs").rglob("*.pack")) == packs
        assert not list((tmp_path / "standby" / "staging").rglob("*.pack"))


def fail_on_write(error: int, after: int) -> Callable[[int, str], None]:
    written = 0

    def at_step(_count: int, name: str) -> None:
        nonlocal written
        written += name == WRITE_PARTS
        if name == WRITE_PARTS and written > after:
            raise OSError(error, "no space")

    return at_step


@pytest.mark.parametrize("step", [WRITE_PARTS, "fsync", "rename"])
def test_nothing_is_committed_once_a_pack_could_not_be_stored(tmp_path: Path, step: str) -> None:
    """Not even when the caller goes on after the first error, and the storage works again."""
    failed = 0

    def fail_once(_count: int, name: str) -> None:
        nonlocal failed
        if name == step and not failed:
            failed += 1
            raise OSError(errno.ENOSPC, "no space")

    with open_repository(tmp_path) as repository, repository.begin_point(point_draft()) as writer:
        with storage_steps(fail_once):
            with suppress(StandbyFull):
                writer.write_disk(
                    disk_draft(len(AFTER)),
                    MemoryDisk(AFTER),
                    [Extent(0, len(AFTER))],
                    parent=None,
                    progress=Progress(),
                    cancel=CancelToken(),
                )
            for _ in range(2):
                with pytest.raises(StandbyFull):
                    writer.commit()
        assert failed
        assert repository.points().points == ()


def test_a_standby_that_vanished_is_named_and_comes_back(tmp_path: Path) -> None:
    parent = prepare(tmp_path)
    with open_repository(tmp_path) as repository:
        (tmp_path / "standby").rename(tmp_path / "unplugged")
        for attempt in (
            lambda: repository.points(),
            lambda: repository.open_point(parent),
            lambda: back_up(repository, MemoryDisk(AFTER), number=1),
        ):
            with pytest.raises(StandbyUnavailable, match="standby"):
                attempt()
        (tmp_path / "unplugged").rename(tmp_path / "standby")
        assert read_back(repository, parent) == BEFORE


def test_a_standby_that_vanishes_during_a_restore_is_not_called_damaged(tmp_path: Path) -> None:
    parent = prepare(tmp_path)
    with open_repository(tmp_path) as repository, repository.open_point(parent) as reader:
        (tmp_path / "standby").rename(tmp_path / "unplugged")
        with pytest.raises(StandbyUnavailable):
            reader.verify(progress=Progress(), cancel=CancelToken())
        (tmp_path / "unplugged").rename(tmp_path / "standby")
        assert reader.verify(progress=Progress(), cancel=CancelToken()).whole


def test_a_failed_run_keeps_its_finished_packs_for_the_next(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(4 * MIB, seed=5))
    with open_repository(tmp_path) as repository:
        with pytest.raises(StandbyFull), storage_steps(fail_on_write(errno.ENOSPC, after=12)):
            back_up(repository, disk)
        point = back_up(repository, disk)
        assert 0 < point.stored_bytes < 3 * MIB + 100 * KIB
        assert read_back(repository, point.id) == disk.content


def test_two_processes_back_up_into_one_repository(tmp_path: Path) -> None:
    prepare(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.unit.repository.helpers import *\n"
        "with open_repository(Path(sys.argv[1]), local=sys.argv[2]) as repository:\n"
        "    for number in range(3):\n"
        "        content = random_bytes(3 * MIB, 7 + number)\n"
        "        point = back_up(repository, MemoryDisk(content), number=number, rule_name=sys.argv[3])\n"
    )
    for locals_ in (("local", "local"), ("local", "elsewhere")):
        rules = [f"{locals_[1]}-{number}" for number in range(2)]
        running = [
            subprocess.Popen([sys.executable, "-c", code, str(tmp_path), local, rule], cwd=ROOT)
            for local, rule in zip(locals_, rules, strict=True)
        ]
        assert [process.wait(60) for process in running] == [0, 0]
        with open_repository(tmp_path) as repository:
            points = [point for point in repository.points().points if point.rule_name in rules]
            assert len(points) == 6
            for point in points:
                seed = 7 + int(point.created_at.hour - 9)
                assert read_back(repository, point.id) == random_bytes(3 * MIB, seed)
