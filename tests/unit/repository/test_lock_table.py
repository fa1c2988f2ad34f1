"""The table in the package's docstring, pair by pair: who is there, who comes, and what happens."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.repository import Repository, facade
from app.repository.errors import RepositoryBusy
from app.repository.values import MIB
from tests.unit.repository.helpers import (
    AT_ONCE,
    MemoryDisk,
    back_up,
    collect_garbage,
    open_repository,
    point_draft,
    random_bytes,
    read_back,
)

ROOT = Path(__file__).parents[3]
Holder = Callable[[Repository], AbstractContextManager[object]]
CONTENT = random_bytes(MIB)


@contextmanager
def _exclusive(repository: Repository) -> Iterator[None]:
    with repository.maintenance.excluding("garbage collection", 0):
        yield


HOLDERS: dict[str, Holder] = {
    "backup": lambda repository: repository.begin_point(point_draft(7)),
    "restore": lambda repository: repository.open_point(repository.points().points[0].id),
    "garbage collection": _exclusive,
}
SHARED: dict[str, Callable[[Repository], object]] = {
    "backup": lambda repository: back_up(repository, MemoryDisk(CONTENT), number=3),
    "deletion": lambda repository: repository.delete_point(repository.points().points[0].id),
    "return": lambda repository: repository.take_back_point(repository.deleted_points()[0].id),
    "restore": lambda repository: read_back(repository, repository.points().points[0].id),
    "verification": lambda repository: repository.maintenance.verify_everything(
        progress=Progress(), cancel=CancelToken()
    ),
    "figures": lambda repository: repository.maintenance.space(cancel=CancelToken()),
    "plan": lambda repository: repository.maintenance.plan_garbage_collection(AT_ONCE, cancel=CancelToken()),
    "keys": lambda repository: repository.access.revoke_recovery_keys(),
}
EXCLUSIVE: dict[str, Callable[[Repository], object]] = {
    "garbage collection": collect_garbage,
    "repair": lambda repository: repository.maintenance.repair([], cancel=CancelToken(), wait_s=0),
}
LISTS: dict[str, Callable[[Repository], object]] = {
    "points": lambda repository: repository.points(),
    "trash": lambda repository: repository.deleted_points(),
}


@pytest.fixture
def consoles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Repository, Repository]]:
    """Two consoles with the same repository; no one waits long."""
    with open_repository(tmp_path) as here, open_repository(tmp_path, local="elsewhere") as there:
        back_up(here, MemoryDisk(CONTENT))
        back_up(here, MemoryDisk(CONTENT), number=1)
        here.delete_point(back_up(here, MemoryDisk(CONTENT), number=2).id)
        monkeypatch.setattr(facade, "SHARED_WAIT_S", 0.0)
        yield here, there


@pytest.mark.parametrize("comes", SHARED)
@pytest.mark.parametrize("holds", HOLDERS)
def test_sharers_go_together_and_wait_for_a_garbage_collection(
    consoles: tuple[Repository, Repository], holds: str, comes: str
) -> None:
    here, there = consoles
    with HOLDERS[holds](here):
        if holds == "garbage collection":
            with pytest.raises(RepositoryBusy, match="garbage collection"):
                SHARED[comes](there)
        else:
            SHARED[comes](there)
    if holds == "garbage collection":
        SHARED[comes](there)
    assert list((there.root / "locks").iterdir()) == []


@pytest.mark.parametrize("comes", EXCLUSIVE)
@pytest.mark.parametrize("holds", HOLDERS)
def test_a_garbage_collection_waits_for_everyone(
    consoles: tuple[Repository, Repository], holds: str, comes: str
) -> None:
    here, there = consoles
    with HOLDERS[holds](here), pytest.raises(RepositoryBusy):
        EXCLUSIVE[comes](there)
    EXCLUSIVE[comes](there)
    assert list((there.root / "locks").iterdir()) == []


@pytest.mark.parametrize("comes", LISTS)
@pytest.mark.parametrize("holds", HOLDERS)
def test_lists_wait_for_no_one(consoles: tuple[Repository, Repository], holds: str, comes: str) -> None:
    here, there = consoles
    with HOLDERS[holds](here):
        LISTS[comes](there)


def test_a_backup_that_arrives_during_a_garbage_collection_is_let_in(tmp_path: Path) -> None:
    """Another process begins a backup while garbage collection is kept slow; it need not wait for its end."""
    disk = MemoryDisk(random_bytes(12 * MIB, 1))
    with open_repository(tmp_path) as repository:
        first = back_up(repository, disk)
        for start in range(0, 12 * MIB, MIB):  # half of each pack becomes garbage
            disk.content[start : start + 512 * 1024] = random_bytes(512 * 1024, start + 9)
        second = back_up(repository, disk, number=1)
        repository.delete_point(first.id)
        code = (
            "import sys; from pathlib import Path\n"
            "from tests.unit.repository.helpers import *\n"
            "with open_repository(Path(sys.argv[1]), local='elsewhere') as repository:\n"
            "    sys.stdin.readline()\n"
            "    back_up(repository, MemoryDisk(b'x' * 1000), number=5)\n"
        )
        other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdin=subprocess.PIPE)
        assert other.stdin is not None
        progress = Progress()
        stdin = other.stdin

        def start_when_it_copies() -> None:
            while not progress.sample().done_bytes:
                threading.Event().wait(0.01)
            stdin.write(b"\n")
            stdin.close()

        starter = threading.Thread(target=start_when_it_copies)
        starter.start()
        report = repository.maintenance.collect_garbage(
            AT_ONCE, progress=progress, cancel=CancelToken(), bytes_per_s=MIB // 2
        )
        starter.join()
        assert other.wait(20) == 0
        assert not report.finished, "it ended early"
        assert report.purged_points == (first.id,)
        assert len(repository.points().points) == 2
        assert read_back(repository, second.id) == disk.content
        assert collect_garbage(repository).finished
        assert read_back(repository, second.id) == disk.content
        assert list((tmp_path / "standby" / "locks").iterdir()) == []


def test_marks_of_the_dead_stop_no_garbage_collection(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        mark = tmp_path / "standby" / "locks" / f"{'0' * 32}.waiting"
        mark.write_bytes(b"000000000001\n")
        assert collect_garbage(repository).finished
        assert not mark.exists()
