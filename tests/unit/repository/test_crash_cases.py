"""Hundreds of seeded lives of a repository, struck at any step; ``./dev bench crash`` lives thousands."""

import errno
import os
import random
import shutil
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.progress import Progress
from app.domain.errors import StandbyFull, StandbyUnavailable
from app.repository import Passphrase, RecoveryKey, Repository
from app.repository.errors import KeyWrong
from app.repository.seals import Scrypt
from tests.support.crash_cases import FATES, HastyClock, bury_leases, files_in, run_cases
from tests.support.failing_storage import FailingStorage, PowerCut, cut_at, refuse
from tests.unit.repository.helpers import SMALL, MemoryDisk, back_up, open_repository, random_bytes, read_back

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the failing storage stands before POSIX calls")
CASES = 3_000 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 200


@pytest.mark.parametrize("part", range(2))
def test_whatever_strikes_a_repository_at_whatever_step_nothing_is_lost_and_nothing_leaks(
    tmp_path: Path, part: int
) -> None:
    each = CASES // 2
    tally = run_cases(range(part * each, (part + 1) * each), tmp_path)
    assert tally.cases == each
    assert sum(tally.struck.values()) > each / 3, "most were struck"
    assert set(tally.struck) == set(FATES)


def test_what_is_not_synced_is_lost_with_the_power(tmp_path: Path) -> None:
    """The failing storage itself: it forgets what no one made durable, and only that."""
    (tmp_path / "root").mkdir()
    lost: set[frozenset[str]] = set()
    for seed in range(60):
        root = tmp_path / "root"
        storage = FailingStorage(root, cut_at(1000), dice=random.Random(seed))
        with storage.watching():
            for name in ("durable", "nameless"):
                with (root / name).open("wb") as file:
                    file.write(b"x" * 100)
                    file.flush()
                    os.fsync(file.fileno())
                if name == "durable":
                    descriptor = os.open(root, os.O_RDONLY)
                    os.fsync(descriptor)
                    os.close(descriptor)
            (root / "nameless").rename(root / "renamed")
            (root / "loose").write_bytes(b"y" * 100)
            (root / "durable").rename(root / "moved")
            (root / "directory").mkdir()
        storage.lose_unsynced()
        left = {path.name: path for path in root.iterdir()}
        whole = left.get("durable") or left["moved"]
        assert whole.read_bytes() == b"x" * 100
        assert "loose" not in left or left["loose"].stat().st_size <= 100
        lost.add(frozenset(left))
        shutil.rmtree(root)
        root.mkdir()
    assert len(lost) == 6, "each number of the five latest changes was forgotten"


# --- keys --------------------------------------------------------------------------------------------------------


def _encrypted(folder: Path) -> Repository:
    folder.mkdir(exist_ok=True)
    return Repository.create(
        folder / "standby", SMALL, local_dir=folder / "local", clock=HastyClock(), passphrase="the first one"
    )


def _opens(folder: Path, key: Passphrase | RecoveryKey) -> bool:
    try:
        Repository.open(folder / "standby", local_dir=folder / "local", clock=SystemClock(), key=key).close()
    except KeyWrong:
        return False
    return True


@pytest.mark.parametrize("error", [None, errno.ENOSPC, errno.EIO], ids=["power cut", "full", "broken"])
def test_struck_while_keys_are_changed_the_old_or_the_new_one_opens(tmp_path: Path, error: int | None) -> None:
    with patch("app.repository.seals.COST", Scrypt(n=1024)):
        with _encrypted(tmp_path / "base") as repository:
            key = repository.access.master_key()
        for number in range(1, 60):
            case = tmp_path / "case"
            shutil.copytree(tmp_path / "base", case)
            strike = cut_at(number) if error is None else refuse(number, error, 2)
            storage = FailingStorage(case / "standby", strike, dice=random.Random(number))
            changed = False
            with storage.watching():
                try:
                    with Repository.open(
                        case / "standby", local_dir=case / "local", clock=HastyClock(), key=key
                    ) as repository:
                        repository.access.change_passphrase("the second one")
                        changed = True
                        repository.access.add_recovery_key()
                except PowerCut:
                    bury_leases()
                except (StandbyFull, StandbyUnavailable):
                    assert error is not None
            if storage.is_cut:
                storage.lose_unsynced()
            assert _opens(case, Passphrase("the second one")) or not changed
            assert _opens(case, Passphrase("the first one")) != changed or _opens(
                case, Passphrase("the second one")
            )
            with Repository.open(case / "standby", local_dir=case / "local", clock=HastyClock(), key=key) as again:
                again.access.change_passphrase("the third one")
                again.access.revoke_recovery_keys()
                _collect_garbage(again)
            assert _opens(case, Passphrase("the third one"))
            assert not _opens(case, Passphrase("the first one"))
            (left,) = (case / "standby" / "keys").iterdir()
            assert left.name.startswith("passphrase-")
            assert len(files_in(case / "standby")) == 2
            shutil.rmtree(case)
            shutil.rmtree(case / ".." / "case.grave", ignore_errors=True)
            shutil.rmtree(tmp_path / "case" / "standby.grave", ignore_errors=True)
            if changed and storage.count < number:
                return
    pytest.fail("it was struck to the very end")


def _collect_garbage(repository: Repository) -> None:

    assert repository.maintenance.collect_garbage(progress=Progress(), cancel=CancelToken()).finished


# --- a standby that is not what it was ---------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["packs", "points", "staging", "locks", "trash"])
def test_a_folder_without_permission_is_named_and_nothing_is_lost(tmp_path: Path, folder: str) -> None:
    with open_repository(tmp_path) as repository:
        first = back_up(repository, MemoryDisk(random_bytes(1_000_000)))

        def denied(_count: int, _name: str) -> None:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

        watched = tmp_path / "standby" / folder

        def add() -> None:
            back_up(repository, MemoryDisk(random_bytes(1_000_000, 2)), number=1)

        def prune() -> None:
            repository.delete_point(first.id)
            _collect_garbage(repository)

        for attempt in [prune] if folder == "trash" else [add, prune]:
            with (
                FailingStorage(watched, denied, dice=random.Random(1), gone=True).watching(),
                pytest.raises(StandbyUnavailable, match="Permission denied"),
            ):
                attempt()
    with open_repository(tmp_path) as repository:
        if repository.deleted_points():
            repository.take_back_point(first.id)
        assert read_back(repository, first.id) == random_bytes(1_000_000)
        back_up(repository, MemoryDisk(random_bytes(1_000_000, 2)), number=1)
        _collect_garbage(repository)


def test_keys_that_may_not_be_read_are_not_called_wrong(tmp_path: Path) -> None:
    with patch("app.repository.seals.COST", Scrypt(n=1024)):
        _encrypted(tmp_path).close()
    strike = refuse(1, errno.EACCES, 1000)
    with (
        FailingStorage(tmp_path / "standby" / "keys", strike, dice=random.Random(1), gone=True).watching(),
        pytest.raises(StandbyUnavailable, match="Permission denied"),
    ):
        _opens(tmp_path, Passphrase("the first one"))
