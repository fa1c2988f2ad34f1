"""A lost catalog is distinguished from a first start, and its copies help."""

import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.catalog import Catalog, CatalogCopier, CatalogGuard
from app.catalog.errors import CatalogForeign, CatalogLost, CatalogUnavailable, NoCatalogCopy
from app.catalog.safety import COPIES_FOLDER, MOST_COPIES, Found, Verdict, verdict_on
from app.core.clock import SystemClock
from app.domain.catalogs import CatalogChoice
from app.domain.errors import OperationalError
from tests.support.waiting import wait_until

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


def use(file: Path, note: str = "") -> str | None:
    """Open a catalog as a start of the program does; return the note of the last use."""
    with Catalog.open(file, clock=SystemClock()) as catalog:
        before = catalog.settings.get("note")
        if note:
            catalog.settings.put("note", note)
        return before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    made = tmp_path / "data" / "catalog.db"
    use(made, "mine")
    return made


def remove(file: Path) -> None:
    for part in file.parent.glob("catalog.db*"):
        if part.suffix != ".mark":
            part.unlink()


def lose(file: Path, how: str) -> None:
    if how == "missing":
        remove(file)
    elif how == "empty":
        remove(file)
        file.touch()
    elif how == "empty, log left":
        file.write_bytes(b"")
        file.with_name("catalog.db-wal").write_bytes(b"x" * 100)
    else:
        remove(file)
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA user_version = 1")
        connection.close()


@pytest.mark.parametrize("how", ["missing", "empty", "empty, log left", "without tables"])
def test_a_lost_catalog_is_refused_and_nothing_is_changed(file: Path, how: str) -> None:
    lose(file, how)
    before = {path.name: path.stat().st_size for path in file.parent.iterdir()}
    for _ in range(2):
        with pytest.raises(CatalogLost) as caught:
            use(file)
    assert "--catalog restore" in caught.value.hint
    assert {path.name: path.stat().st_size for path in file.parent.iterdir()} == before


def test_an_empty_file_with_traces_of_an_earlier_start_is_refused_without_a_mark_too(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    file.touch()
    (tmp_path / "engine.lock").touch()
    with pytest.raises(CatalogLost):
        use(file)


@pytest.mark.parametrize("with_identity", [True, False])
def test_another_catalog_is_refused_until_it_is_accepted(
    file: Path, tmp_path: Path, *, with_identity: bool
) -> None:
    other = tmp_path / "other.db"
    use(other, "theirs")
    if not with_identity:  # as an earlier version of the program left it
        with sqlite3.connect(other) as connection:
            connection.execute("DELETE FROM settings WHERE name = 'catalog.identity'")
        connection.close()
    remove(file)
    shutil.copyfile(other, file)
    with pytest.raises(CatalogForeign, match="not the one"):
        use(file)
    CatalogGuard(file).settle(CatalogChoice.ACCEPT)
    assert use(file) == "theirs"
    assert use(file) == "theirs"


def test_a_first_start_and_one_after_an_earlier_version_are_no_loss(file: Path, tmp_path: Path) -> None:
    assert use(tmp_path / "fresh.db") is None
    file.with_name("catalog.db.mark").unlink()
    assert use(file) == "mine"
    assert file.with_name("catalog.db.mark").exists()


KILLED_AT_ITS_FIRST_START = """
import os, signal, sys
from pathlib import Path
from app.catalog import Catalog
from app.catalog import catalog
from app.core.clock import SystemClock

def dies(location, **_):
    location.touch()
    os.kill(os.getpid(), signal.SIGKILL)

catalog.Database.open = dies
Catalog.open(Path(sys.argv[1]), clock=SystemClock())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
def test_a_first_start_that_was_killed_begins_again_and_a_loss_afterwards_is_one(tmp_path: Path) -> None:
    file = tmp_path / "catalog.db"
    (tmp_path / "engine.lock").touch()
    for _ in range(2):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED_AT_ITS_FIRST_START, str(file)], check=False, timeout=60
        )
        assert killed.returncode == -signal.SIGKILL
        assert file.stat().st_size == 0
    assert use(file, "mine") is None
    lose(file, "empty")
    with pytest.raises(CatalogLost):
        use(file)


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"{"])
def test_a_mark_that_cannot_be_read_still_says_that_there_was_a_catalog(file: Path, content: bytes) -> None:
    mark = file.with_name("catalog.db.mark")
    mark.write_bytes(content)
    assert use(file) == "mine"
    mark.write_bytes(content)
    lose(file, "empty")
    with pytest.raises(CatalogLost):
        use(file)


def test_the_newest_whole_copy_is_restored_and_the_rest_set_aside(file: Path) -> None:
    guard = CatalogGuard(file)
    with pytest.raises(NoCatalogCopy):
        guard.settle(CatalogChoice.RESTORE)
    guard.copy(NOW)
    use(file, "later")
    torn = guard.copy(NOW + timedelta(days=1))
    torn.write_bytes(torn.read_bytes()[:5000])
    lose(file, "empty, log left")
    guard.settle(CatalogChoice.RESTORE)
    assert use(file) == "mine"
    assert {".db", ".db-wal"} <= {path.suffix for path in file.parent.glob("set-aside-*")}


def test_beginning_with_an_empty_one_sets_the_old_one_aside(file: Path) -> None:
    file.write_bytes(b"torn")
    CatalogGuard(file).settle(CatalogChoice.NEW)
    assert use(file) is None
    assert [path.read_bytes() for path in file.parent.glob("set-aside-*-catalog.db")] == [b"torn"]


def test_copies_are_made_while_the_catalog_is_used_once_a_day_and_the_oldest_go(file: Path) -> None:
    guard = CatalogGuard(file)
    with Catalog.open(file, clock=SystemClock()) as catalog:
        for day in range(MOST_COPIES + 2):
            catalog.settings.put("note", str(day))
            guard.copy(NOW + timedelta(days=day))
    assert len(guard.copies()) == MOST_COPIES
    assert guard.newest_copy_at() == "2026-03-05"
    assert not guard.is_copy_due(datetime.now(UTC) + timedelta(hours=1))
    assert guard.is_copy_due(datetime.now(UTC) + timedelta(days=1))
    assert guard.is_copy_due(datetime.now(UTC) - timedelta(days=400)), "a copy of the future counts as none"
    assert os.name == "nt" or all(copy.stat().st_mode & 0o077 == 0 for copy in guard.copies())


def test_the_copier_makes_one_by_itself(file: Path) -> None:
    guard = CatalogGuard(file)
    copier = CatalogCopier(guard, SystemClock(), first_look_s=0.01)
    copier.start()
    wait_until(lambda: guard.copies(), what="the copy")
    copier.close()


@pytest.mark.parametrize("choice", list(CatalogChoice))
def test_a_kill_between_any_two_steps_leaves_a_catalog_that_is_right_or_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, choice: CatalogChoice
) -> None:
    guard = CatalogGuard(file)
    guard.copy(NOW)
    lose(file, "empty, log left")
    steps = 0
    whole = file.parent.parent / "whole"
    shutil.copytree(file.parent, whole)

    class Killed(BaseException):
        pass

    while True:
        left = [steps]

        def step(*_: object, **__: object) -> None:
            if left[0] == 0:  # noqa: B023 - called within this turn only
                raise Killed
            left[0] -= 1  # noqa: B023 - same

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink"):
                original = getattr(Path, name)

                def counted(path: Path, *rest: object, _original: object = original, **more: object) -> object:
                    step()
                    return _original(path, *rest, **more)  # type: ignore[operator]

                patch.setattr(Path, name, counted)
            try:
                guard.settle(choice)
                killed = False
            except Killed:
                killed = True
        try:
            assert use(file) == ("mine" if choice is CatalogChoice.RESTORE else None) or not killed
        except OperationalError as error:
            assert isinstance(error, CatalogLost)  # noqa: PT017 - it may be refused, or right
            guard.settle(choice)
            use(file)
        if not killed:
            break
        shutil.rmtree(file.parent)
        shutil.copytree(whole, file.parent)
        steps += 1


def test_the_decision() -> None:
    nothing, mine, theirs, nameless = Found(False), Found(True, "a"), Found(True, "b"), Found(True)
    table = [
        (None, nothing, False, False, Verdict.RIGHT),
        (None, nothing, False, True, Verdict.LOST),
        (None, nothing, True, False, Verdict.LOST),
        ("a", nothing, True, False, Verdict.LOST),
        (None, mine, False, True, Verdict.RIGHT),
        (None, mine, True, False, Verdict.RIGHT),
        ("a", mine, True, True, Verdict.RIGHT),
        ("a", theirs, True, False, Verdict.FOREIGN),
        ("a", nameless, True, False, Verdict.FOREIGN),
    ]
    for marked, found, is_marked, has_traces, verdict in table:
        assert verdict_on(marked, found, is_marked=is_marked, has_traces=has_traces) is verdict


def test_a_copy_that_a_wrong_clock_dated_is_neither_the_newest_nor_kept_longest(tmp_path: Path) -> None:
    safety = CatalogGuard(tmp_path / "catalog.db")
    folder = tmp_path / COPIES_FOLDER
    folder.mkdir()
    for day in ("2035-01-01", "2026-01-02", "2026-01-03"):
        (folder / f"catalog-{day}.db").touch()
    assert [copy.stem[-10:] for copy in safety.copies()] == ["2026-01-03", "2026-01-02", "2035-01-01"]


# --- files that are not whole ------------------------------------------------------------------------------------

LEFT_BY_A_KILL = [
    "catalog-copies/.catalog.db.0123456789abcdef.part",
    "catalog-copies/.catalog.db.0123456789abcdef.part-journal",
    ".catalog.db.0123456789abcdef.restored",
]
OF_OTHERS = [
    f"catalog-copies/.catalog-{NOW:%Y-%m-%d}.db.part",
    "catalog-copies/.catalog.db.mine.part",
    ".catalog.db.restored",
    ".other.db.0123456789abcdef.restored",
]


def test_files_of_others_with_like_names_stay_and_what_a_kill_left_goes(file: Path) -> None:
    guard = CatalogGuard(file)
    guard.copy(NOW)
    for name in (*LEFT_BY_A_KILL, *OF_OTHERS):
        (file.parent / name).write_bytes(b"precious")
    guard.copy(NOW)
    guard.settle(CatalogChoice.RESTORE)
    assert use(file) == "mine"
    assert [name for name in LEFT_BY_A_KILL if (file.parent / name).exists()] == []
    assert [name for name in OF_OTHERS if (file.parent / name).read_bytes() != b"precious"] == []


def test_a_copy_that_fails_leaves_nothing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = CatalogGuard(file)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CatalogUnavailable):
        guard.copy(NOW)
    assert list((file.parent / "catalog-copies").iterdir()) == []


def test_a_file_system_that_does_not_know_its_space_gets_copies(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(0, 0, 0))
    assert CatalogGuard(file).copy(NOW).exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1 << 20, 1 << 20, 0))
    with pytest.raises(CatalogUnavailable, match="no room"):
        CatalogGuard(file).copy(NOW)
