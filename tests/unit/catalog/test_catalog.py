"""What the catalog promises: values in, the same values out, whatever happens in between."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.catalog import Catalog
from app.catalog.database import CHECK_EVERY_S, Database, _url
from app.catalog.errors import CatalogDamaged, CatalogUnavailable
from app.core.clock import SystemClock
from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, MessageKind
from app.domain.platforms import Platform
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.standbys import Standby
from app.domain.states import BackupKind, TaskKind, TaskState
from app.domain.tasks import (
    RestorePhase,
    RestoreTrace,
    TaskRecord,
    TransferTotals,
    VerificationState,
)

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
STANDBY = Standby(id=StandbyId("s1"), name="vault", root_path="/mnt/vault", note="2nd floor", mark="m1")
PLATFORM = Platform(
    id=PlatformId("p1"), name="main", address="vc.test", port=443, user="backup", thumbprint_sha256="AA:BB"
)


def point(number: int = 1, *, vm: str = "vm-1") -> RestorePoint:
    disk = PointDisk(
        key=2000,
        label="Hard disk 1",
        uuid="u",
        capacity_bytes=1 << 40,
        path="[ds] a/a.vmdk",
        change_id="g/1",
        root="00" * 32,
        read_bytes=3 << 33,
        stored_bytes=5,
        read_whole=True,
    )
    facts = VmFacts(
        vm=VmId(vm),
        name="web 网站",
        platform_address="vc.test",
        instance_uuid=None,
        datacenter="dc",
        datastore="ds",
        host="esx1",
        hostname=None,
        guest="Debian",
    )
    return RestorePoint(
        id=PointId(f"chain/{number:03}"),
        chain="chain",
        rule_name="nightly",
        created_at=NOON + timedelta(hours=number),
        kind=BackupKind.FULL,
        parent=None,
        facts=facts,
        disks=(disk,),
        configuration_files=("config.json",),
        consistent=True,
        tool_version="0.1",
    )


def task(number: int = 1, **changes: object) -> TaskRecord:
    record = TaskRecord(
        id=TaskId(f"t{number}"),
        kind=TaskKind.BACKUP,
        state=TaskState.PENDING,
        vm=VmId("vm-1"),
        vm_name="web",
        platform=PlatformId("p1"),
        standby=StandbyId("s1"),
        rule_name="nightly",
        request="{}",
        created_at=NOON + timedelta(minutes=number),
    )
    return replace(record, **changes)  # type: ignore[arg-type]


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


# --- platforms and standbys ----------------------------------------------------------------------------------


def test_a_platform_is_kept_changed_and_forgotten(catalog: Catalog) -> None:
    catalog.platforms.put(PLATFORM)
    assert catalog.platforms.get(PLATFORM.id) == PLATFORM
    renamed = replace(PLATFORM, name="renamed", thumbprint_sha256=None)
    catalog.platforms.put(renamed)
    assert catalog.platforms.all() == (renamed,)
    catalog.platforms.remove(PLATFORM.id)
    assert catalog.platforms.get(PLATFORM.id) is None


def test_a_standby_takes_what_is_known_of_its_points_with_it(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    catalog.points.put(STANDBY.id, "", point())
    catalog.standbys.remove(STANDBY.id)
    assert catalog.standbys.all() == ()
    assert catalog.points.find() == ()


# --- points ----------------------------------------------------------------------------------------------------


def test_points_come_back_as_they_were_newest_first(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    for number in (2, 1, 3):
        catalog.points.put(STANDBY.id, "", point(number))
    catalog.points.put(STANDBY.id, "", point(4, vm="vm-2"))
    found = catalog.points.find(standby=STANDBY.id, vm=VmId("vm-1"), origin="at:vc.test")
    assert [known.point for known in found] == [point(3), point(2), point(1)]
    assert catalog.points.find(vm=VmId("vm-3")) == ()


def test_points_of_a_chain_are_in_their_sequence_whatever_their_times(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    made = [replace(point(number), sequence=place) for place, number in enumerate((3, 9, 1, 4), 1)]
    other = point(5, vm="vm-2")
    for added in (*made, other):
        catalog.points.put(STANDBY.id, "", replace(added, chain=f"of {added.facts.vm}"))
    listed = [known.point.id for known in catalog.points.find()]
    assert [listed_id for listed_id in listed if listed_id != other.id] == [known.id for known in reversed(made)]
    assert listed.index(other.id) == 1, "between chains the times tell"
    key = (made[0].rule_name, VmId("vm-1"))
    assert catalog.points.newest()[key] == made[-1].created_at


def test_points_that_have_no_number_are_older_than_those_that_have_one(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    made = [point(7), point(9), replace(point(1), sequence=1)]
    for added in made:
        catalog.points.put(STANDBY.id, "", added)
    assert [known.point for known in catalog.points.find()] == [made[2], made[1], made[0]]


def test_rebuilding_the_list_of_points_keeps_their_verification(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    catalog.points.put(STANDBY.id, "", point(1))
    catalog.points.put(STANDBY.id, "", point(2))
    catalog.points.set_verification(STANDBY.id, "", point(1).id, VerificationState.DAMAGED, NOON)
    catalog.points.remove(STANDBY.id, "", point(2).id)
    for found in (point(1), point(3)):
        catalog.points.put(STANDBY.id, "", found)
    assert [known.point.id for known in catalog.points.find()] == [point(3).id, point(1).id]
    kept = catalog.points.get(STANDBY.id, "", point(1).id)
    assert kept is not None
    assert (kept.verification, kept.verified_at) == (VerificationState.DAMAGED, NOON)


# --- tasks -----------------------------------------------------------------------------------------------------


def test_a_task_keeps_its_stages_start_end_figures_and_error(catalog: Catalog) -> None:
    catalog.tasks.add(task())
    moments = [NOON + timedelta(hours=hour) for hour in range(4)]
    for state, at in zip((TaskState.PREPARING, TaskState.RUNNING, TaskState.FAILED), moments[1:], strict=True):
        catalog.tasks.enter(TaskId("t1"), state, at)
    totals = TransferTotals(total_bytes=1 << 41, done_bytes=7, source_busy_s=1.5)
    catalog.tasks.set_totals(TaskId("t1"), totals)
    error = KeptError(code="standby.full", params=(("free_bytes", "0"), ("path", "/盘")))
    catalog.tasks.set_error(TaskId("t1"), error)
    catalog.tasks.set_point(TaskId("t1"), PointId("chain/1"))
    kept = catalog.tasks.get(TaskId("t1"))
    assert kept is not None
    assert [stage.state for stage in kept.stages] == [
        TaskState.PENDING,
        TaskState.PREPARING,
        TaskState.RUNNING,
        TaskState.FAILED,
    ]
    assert (kept.started_at, kept.ended_at) == (moments[1], moments[3])
    assert (kept.totals, kept.error, kept.point) == (totals, error, PointId("chain/1"))


def test_tasks_are_found_by_state_vm_and_platform_in_pages(catalog: Catalog) -> None:
    for number in range(1, 8):
        catalog.tasks.add(task(number, vm=VmId(f"vm-{number % 2}")))
    catalog.tasks.enter(TaskId("t3"), TaskState.RUNNING, NOON)
    assert [task.id for task in catalog.tasks.find(limit=2, offset=1)] == ["t6", "t5"]
    assert [task.id for task in catalog.tasks.find(states=[TaskState.RUNNING])] == ["t3"]
    assert [task.id for task in catalog.tasks.find(vm=VmId("vm-0"))] == ["t6", "t4", "t2"]
    assert catalog.tasks.find(platform=PlatformId("other")) == ()
    assert catalog.tasks.find(states=[]) == ()


def test_log_lines_are_kept_as_code_and_parameters_and_read_on_from_a_line(catalog: Catalog) -> None:
    catalog.tasks.add(task())
    kind = MessageKind("test.line", "line {number} of {vm}")
    for number, level in enumerate((LogLevel.NORMAL, LogLevel.WARNING, LogLevel.ERROR)):
        catalog.tasks.log(TaskId("t1"), NOON, level, kind.fill(number=number, vm="虚机"))
    first, second, third = catalog.tasks.read_log(TaskId("t1"))
    assert (first.code, first.params) == ("test.line", (("number", "0"), ("vm", "虚机")))
    assert catalog.tasks.read_log(TaskId("t1"), after=first.id) == (second, third)
    assert catalog.tasks.read_log(TaskId("t1"), at_least=LogLevel.ERROR) == (third,)
    assert catalog.tasks.read_log(TaskId("t1"), limit=1) == (first,)


def test_times_come_back_in_utc_whatever_zone_they_went_in_with(catalog: Catalog) -> None:
    local = NOON.astimezone(timezone(timedelta(hours=8)))
    catalog.tasks.add(task(created_at=local))
    kept = catalog.tasks.get(TaskId("t1"))
    assert kept is not None
    assert kept.created_at == NOON
    assert kept.created_at.utcoffset() == timedelta(0)


# --- journals --------------------------------------------------------------------------------------------------


def test_the_snapshot_journal_forgets_only_what_was_closed(catalog: Catalog) -> None:
    journal = catalog.snapshot_journal
    journal.opened(TaskId("t1"), PlatformId("p1"), VmId("vm-1"))
    journal.opened(TaskId("t2"), PlatformId("p1"), VmId("vm-2"))
    journal.opened(TaskId("t2"), PlatformId("p1"), VmId("vm-2"))
    journal.closed(TaskId("t1"))
    journal.closed(TaskId("never opened"))
    assert list(journal.open_entries()) == [("t2", "p1", "vm-2")]


def test_the_restore_journal_keeps_the_latest_of_each_task(catalog: Catalog) -> None:
    first = RestoreTrace(
        task=TaskId("t1"),
        platform=PlatformId("p1"),
        phase=RestorePhase.CREATING,
        name="web",
        created_as="web-standfast-1",
    )
    later = replace(first, phase=RestorePhase.SWAPPING, created=VmId("vm-9"), replaced=VmId("vm-1"))
    catalog.restore_journal.note(first)
    catalog.restore_journal.note(later)
    assert list(catalog.restore_journal.open_traces()) == [later]
    catalog.restore_journal.closed(TaskId("t1"))
    assert list(catalog.restore_journal.open_traces()) == []


_DIE_AFTER_THE_JOURNAL = """
import os, signal, sys
from pathlib import Path
from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.ids import PlatformId, TaskId, VmId
catalog = Catalog.open(Path(sys.argv[1]), clock=SystemClock())
catalog.snapshot_journal.opened(TaskId("t1"), PlatformId("p1"), VmId("vm-1"))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_journal_entry_survives_a_kill_right_after_it(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    died = subprocess.run(
        [sys.executable, "-c", _DIE_AFTER_THE_JOURNAL, str(path)], check=False, env=dict(os.environ)
    )
    assert died.returncode == -signal.SIGKILL
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert [entry[0] for entry in catalog.snapshot_journal.open_entries()] == ["t1"]


def test_journals_are_synchronous_full_and_everything_waits_for_other_writers(catalog: Catalog) -> None:
    durable = catalog.databases[1]
    with durable.read() as connection:
        assert connection.execute(sa.text("PRAGMA synchronous")).scalar_one() == 2  # FULL
        assert connection.execute(sa.text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert connection.execute(sa.text("PRAGMA busy_timeout")).scalar_one() == 20_000


# --- threads ---------------------------------------------------------------------------------------------------


def test_many_threads_write_and_read_at_once(catalog: Catalog) -> None:
    kind = MessageKind("test.line", "{number}")
    catalog.tasks.add(task())

    def work(number: int) -> None:
        for count in range(25):
            catalog.tasks.log(TaskId("t1"), NOON, LogLevel.NORMAL, kind.fill(number=count))
            catalog.snapshot_journal.opened(TaskId(f"{number}-{count}"), PlatformId("p"), VmId("v"))
            catalog.tasks.find()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert len(catalog.tasks.read_log(TaskId("t1"))) == 150
    assert len(catalog.snapshot_journal.open_entries()) == 150


# --- opening ---------------------------------------------------------------------------------------------------


def test_everything_is_there_after_closing_and_opening_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "folder" / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        catalog.platforms.put(PLATFORM)
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert catalog.platforms.all() == (PLATFORM,)


@pytest.mark.parametrize("content", [b"this is no database at all" * 400, b"SQLite format 3\0" + b"\xff" * 8000])
def test_a_damaged_database_says_so_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.db"
    path.write_bytes(content)
    with pytest.raises(CatalogDamaged, match="No backup data is lost") as caught:
        Catalog.open(path, clock=SystemClock())
    assert str(path) in caught.value.message


def test_a_page_damaged_in_the_middle_is_found_when_opening(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        for number in range(200):
            catalog.tasks.add(task(number))
    content = bytearray(path.read_bytes())
    content[8 * 4096 : 10 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(bytes(content))
    with pytest.raises(CatalogDamaged):
        Catalog.open(path, clock=SystemClock())


def test_a_large_file_is_looked_through_once_a_week(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        for number in range(200):
            catalog.tasks.add(task(number))
    Database.open(path, large_bytes=0).close()
    content = bytearray(path.read_bytes())
    content[-3 * 4096 : -2 * 4096] = os.urandom(4096)
    path.write_bytes(bytes(content))

    Database.open(path, large_bytes=0).close()
    (mark,) = tmp_path.glob("*.checked")
    long_ago = mark.stat().st_mtime - CHECK_EVERY_S - 1
    os.utime(mark, (long_ago, long_ago))
    with pytest.raises(CatalogDamaged):
        Database.open(path, large_bytes=0)
    with pytest.raises(CatalogDamaged):
        Database.open(path, large_bytes=0)


def test_a_place_that_cannot_hold_a_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CatalogUnavailable):
        Catalog.open(tmp_path / "file" / "catalog.db", clock=SystemClock())


def test_a_database_held_by_another_process_is_reported_as_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.catalog.database.BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CatalogUnavailable, match="locked"):
            catalog.platforms.put(PLATFORM)
        other.execute("ROLLBACK")
        other.close()
        catalog.platforms.put(PLATFORM)


def test_a_url_opens_another_place_and_never_shows_its_password(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{(tmp_path / 'by-url.db').as_posix()}", clock=SystemClock()) as catalog:
        catalog.platforms.put(PLATFORM)
    assert (tmp_path / "by-url.db").exists()
    assert _url("postgresql+psycopg://backup:sesame@db.test/x")[1] == "postgresql+psycopg://backup:***@db.test/x"
