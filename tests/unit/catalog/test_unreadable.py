"""Values of the wrong type in any column: the row is left out and named, the others are there."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.catalog import Catalog
from app.catalog.errors import CatalogRowInTheWay
from app.catalog.history_tables import log
from app.catalog.reading import MOST_NOTED
from app.catalog.tables import metadata, tasks
from app.core.access import Attachment
from app.core.clock import SystemClock
from app.domain.engines import EngineBeat
from app.domain.errors import KeptError
from app.domain.history import LogSearch, LogSubject, Moved
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, MessageKind
from app.domain.platforms import PlatformFacts, PlatformKind, PlatformSighting
from app.domain.policies import OneTimePolicy
from app.domain.retry import NextTry, PendingRetry
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import BackupKind, TaskKind, TaskState
from app.domain.tasks import RestorePhase, RestoreTrace
from tests.unit.catalog.test_catalog import NOON, PLATFORM, STANDBY, point, task
from tests.unit.catalog.test_instant import recovery
from tests.unit.catalog.test_migrated import migration
from tests.unit.catalog.test_proofs import PROOF

LINE = MessageKind("test.line", "{number}")
FACTS = PlatformFacts(
    kind=PlatformKind.ESXI, full_name="ESXi 8", version="8.0", api_version="8.0.0.0", build="1", instance_uuid=None
)
FIRST_S = int(NOON.timestamp()) - 7200
pytestmark = pytest.mark.allows_log("cannot be read")


def fill(catalog: Catalog, number: int) -> None:
    """Write one of everything whose keys end in a number."""
    platform, standby = PlatformId(f"p{number}"), StandbyId(f"s{number}")
    rule, vm, key = RuleId(f"r{number}"), VmId(f"vm-{number}"), TaskId(f"t{number}")
    catalog.platforms.put(replace(PLATFORM, id=platform, name=f"platform {number}", port=number))
    catalog.standbys.put(replace(STANDBY, id=standby, name=f"standby {number}", root_path=f"/mnt/{number}"))
    catalog.standbys.note_repository(standby, f"path {number}", f"repository {number}", is_encrypted=True)
    seen = PlatformSighting(platform=platform, checked_at=NOON, reachable=True, facts=FACTS, vm_count=1)
    catalog.sightings.put(seen)
    catalog.rules.add(
        BackupRule(
            id=rule,
            name=f"rule {number}",
            platform=platform,
            standby=standby,
            target_path="",
            vms=(ProtectedVm(vm=vm, name="web"),),
            policy=OneTimePolicy(start=NOON),
        ),
        NOON,
        NOON,
    )
    catalog.rules.succeed_all(platform, {VmId(f"old-{number}"): VmId(f"new-{number}")}, NOON)
    next_try = NextTry(number=1, of=3, at=NOON)
    catalog.retries.put(PendingRetry(rule=rule, vm=vm, kind=BackupKind.FULL, next=next_try, failed_task=key))
    beat = EngineBeat(id=f"e{number}", host="h", pid=number, started_at=NOON, beat_at=NOON)
    catalog.engines.begin(beat)
    catalog.points.put(standby, f"path {number}", point(number, vm=vm))
    catalog.proofs.put(standby, f"path {number}", point(number).id, PROOF, b"png", (rule, vm))
    catalog.tasks.add(task(number, rule=rule, vm=vm, standby=standby, point=point(number).id))
    catalog.tasks.log(key, NOON, LogLevel.WARNING, LINE.fill(number=number))
    catalog.tasks.set_error(key, KeptError(code="standby.full", params=(("path", "/mnt"),)))
    catalog.tasks.enter(key, TaskState.FAILED, NOON + timedelta(hours=number))
    subject = LogSubject(name=f"subject {number}", action="test", rule=rule, vm=vm)
    catalog.log.append(NOON, LogLevel.ERROR, LINE.fill(number=number), subject)
    catalog.settings.put(f"setting {number}", "{}")
    catalog.snapshot_journal.opened(key, platform, vm)
    catalog.attachment_journal.opened(key, platform, attachment(number))
    trace = RestoreTrace(
        task=key, platform=platform, phase=RestorePhase.CREATING, name=f"name {number}", created_as="n"
    )
    catalog.restore_journal.note(trace)
    catalog.instant.add(recovery(str(number)))
    catalog.migrations.add(migration(str(number)))
    catalog.traffic.add([Moved(at_s=FIRST_S + number, rule=rule, vm=vm, read_bytes=1, written_bytes=2)])
    catalog.traffic.roll_up(FIRST_S + 3600)
    catalog.traffic.add([Moved(at_s=FIRST_S + 3600 + number, rule=rule, vm=vm, read_bytes=1, written_bytes=2)])


def attachment(number: int) -> Attachment:
    return Attachment(
        machine=VmId(f"vm-{number}"),
        machine_uuid=f"instance {number}",
        machine_name="console",
        path="[ds1] web/web.vmdk",
        disk_uuid=f"disk {number}",
        bus=1,
        unit=number,
    )


LISTS: dict[str, Callable[[Catalog], Sequence[object]]] = {
    "platforms": lambda catalog: catalog.platforms.all(),
    "standbys": lambda catalog: catalog.standbys.all(),
    "sightings": lambda catalog: tuple(catalog.sightings.all().values()),
    "rules": lambda catalog: catalog.rules.all(),
    "considered": lambda catalog: tuple(catalog.rules.considered().items()),
    "retries": lambda catalog: catalog.retries.all(),
    "engines": lambda catalog: catalog.engines.all(),
    "points": lambda catalog: catalog.points.find(),
    "proven": lambda catalog: tuple(catalog.proofs.last_proven().items()),
    "tallies": lambda catalog: catalog.points.tallies(),
    "tasks": lambda catalog: catalog.tasks.find(),
    "failed tasks": lambda catalog: catalog.tasks.find(states=[TaskState.FAILED]),
    "backups": lambda catalog: catalog.tasks.find(kinds=[TaskKind.BACKUP]),
    "ended tasks": lambda catalog: catalog.tasks.ended(limit=10),
    "newest tasks": lambda catalog: catalog.tasks.newest_of_rules(),
    "log": lambda catalog: catalog.log.page(LogSearch(), limit=10).entries,
    "warnings": lambda catalog: catalog.log.page(LogSearch(at_least=LogLevel.WARNING), limit=10).entries,
    "snapshots": lambda catalog: tuple(catalog.snapshot_journal.open_entries()),
    "attachments": lambda catalog: tuple(catalog.attachment_journal.open_entries()),
    "instant recoveries": lambda catalog: catalog.instant.all(),
    "migrations": lambda catalog: catalog.migrations.all(),
    "restores": lambda catalog: tuple(catalog.restore_journal.open_traces()),
}
OTHERS: dict[str, Callable[[Catalog], object]] = {
    "one of each": lambda catalog: [
        read
        for number in (1, 2)
        for read in (
            catalog.platforms.get(PlatformId(f"p{number}")),
            catalog.standbys.get(StandbyId(f"s{number}")),
            catalog.standbys.repositories(StandbyId(f"s{number}")),
            catalog.standbys.encrypted_repositories(StandbyId(f"s{number}")),
            catalog.sightings.get(PlatformId(f"p{number}")),
            catalog.rules.get(RuleId(f"r{number}")),
            catalog.rules.successions(PlatformId(f"p{number}")),
            catalog.points.get(StandbyId(f"s{number}"), f"path {number}", point(number).id),
            catalog.tasks.get(TaskId(f"t{number}")),
            catalog.tasks.read_log(TaskId(f"t{number}")),
            catalog.settings.get(f"setting {number}"),
        )
    ],
    "by name": lambda catalog: (catalog.points.named(["web"], 10), catalog.tasks.named(["web"], 10)),
    "figures": lambda catalog: (catalog.figures.days(), catalog.figures.total(), catalog.figures.unviewed()),
    "errors": lambda catalog: (catalog.figures.unviewed_by_vm(), catalog.figures.last_failures(10)),
    "rules since": lambda catalog: catalog.figures.rules_since(),
    "traffic": lambda catalog: [catalog.traffic.read(slice_s, 0, 1 << 40) for slice_s in (1, 60, 3600)],
    "traffic of a rule": lambda catalog: catalog.traffic.read(3600, 0, 1 << 40, rule=RuleId("r1")),
    "rolling up": lambda catalog: catalog.traffic.roll_up(FIRST_S + 9000),
    "points newest": lambda catalog: (catalog.points.newest(), catalog.points.count()),
    "another retry": lambda catalog: catalog.retries.remove(RuleId("r2"), [VmId("vm-2")]),
    "a rule again": lambda catalog: catalog.rules.set_started(RuleId("r2"), [VmId("vm-2")], started=False),
    "a point again": lambda catalog: catalog.points.put(StandbyId("s2"), "path 2", point(2, vm=VmId("vm-2"))),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        for number in (1, 2):
            fill(catalog, number)
    return path


@pytest.fixture
def path(filled: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "catalog.db"
    copy.write_bytes(filled.read_bytes())
    return copy


def read_all(catalog: Catalog) -> dict[str, list[str]]:
    return {name: [repr(row) for row in read(catalog)] for name, read in LISTS.items()}


@pytest.fixture(scope="module")
def intact(filled: Path) -> dict[str, list[str]]:
    """What is read while nothing is damaged."""
    with Catalog.open(filled, clock=SystemClock()) as catalog:
        found = read_all(catalog)
        assert catalog.take_unreadable() == ()
    return found


CHOICES = {"kind", "state", "encryption", "verification", "phase", "policy", "advanced", "facts", "error_params"}
"""Columns of text in which not every text has a meaning."""


def damages() -> Iterator[tuple[str, str, object]]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if column.primary_key or column.foreign_keys or table.name == "settings":
                continue  # another key is another row; what is in settings is their owners' business
            yield table.name, column.name, b"\xff\x00"
            if not isinstance(column.type, sa.String) or column.name in CHOICES:
                yield table.name, column.name, "what?"
                yield table.name, column.name, 4.5


@pytest.mark.parametrize(("table", "column", "damage"), list(damages()))
def test_a_damaged_value_costs_at_most_its_row_and_is_named_then(
    path: Path, intact: dict[str, list[str]], table: str, column: str, damage: object
) -> None:
    _damage_first_row(path, table, column, damage)
    with Catalog.open(path, clock=SystemClock()) as catalog:
        after = read_all(catalog)
        for read in OTHERS.values():
            read(catalog)
        unreadable = catalog.take_unreadable()
    for name, rows in intact.items():
        lost = [row for row in rows if row not in after[name]]
        assert len(lost) <= 1, f"of {name}, {lost} are lost"
        assert len(after[name]) == len(rows) or unreadable, f"of {name}, {lost} is lost silently"


def _damage_first_row(path: Path, table: str, column: str, value: object) -> None:
    connection = sqlite3.connect(path)
    first = ", ".join(str(key.name) for key in metadata.tables[table].primary_key)
    query = f"SELECT {first} FROM {table} ORDER BY {first} LIMIT 1"
    key = connection.execute(query).fetchone()
    here = " AND ".join(f"{name} = ?" for name in first.split(", "))
    changed = connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {here}', (value, *key)).rowcount
    assert changed == 1
    connection.commit()
    connection.close()


# --- what is noted -----------------------------------------------------------------------------------------------


def test_a_row_is_named_once_with_its_key_name_and_what_is_wrong(path: Path) -> None:
    _damage_first_row(path, "tasks", "created_at", "never")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert [record.id for record in catalog.tasks.find()] == ["t2"]
        assert catalog.tasks.get(TaskId("t1")) is None
        assert catalog.tasks.is_known(TaskId("t1"))
        assert not catalog.tasks.is_known(TaskId("t9"))
        (row,) = catalog.take_unreadable()
        assert (row.table, row.key, row.name) == ("tasks", "t1", "web")
        assert {type(value) for value in (row.table, row.key, row.name, row.reason)} == {str}
        assert "created_at" in row.reason
        assert "never" in row.reason
        catalog.tasks.find()
        assert catalog.take_unreadable() == ()


def test_a_table_full_of_damage_is_not_named_without_end(tmp_path: Path) -> None:
    path = tmp_path / "catalog.db"
    with Catalog.open(path, clock=SystemClock()) as catalog:
        for number in range(MOST_NOTED + 10):
            catalog.tasks.add(task(number))
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {tasks.name} SET state = 'dreaming'")
    connection.commit()
    connection.close()
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert catalog.tasks.find() == ()
        assert len(catalog.take_unreadable()) == MOST_NOTED


def test_a_line_of_the_log_stays_when_only_its_parameters_are_damaged(path: Path) -> None:
    _damage_first_row(path, log.name, "params", '["not", "what", "it", "was"]')
    with Catalog.open(path, clock=SystemClock()) as catalog:
        entries = catalog.log.page(LogSearch(), limit=10).entries
        assert {entry.params for entry in entries if entry.id == 1} == {()}
        assert [row.key for row in catalog.take_unreadable()] == ["1"]


def test_text_of_which_a_byte_is_damaged_is_read_with_a_mark_in_its_place(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("UPDATE platforms SET name = CAST(x'6dff6e' AS TEXT) WHERE id = 'p1'")
    connection.commit()
    connection.close()
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert {platform.name for platform in catalog.platforms.all()} == {
            "m\N{REPLACEMENT CHARACTER}n",
            "platform 2",
        }


def test_a_repository_whose_mark_is_damaged_counts_as_encrypted(path: Path) -> None:
    _damage_first_row(path, "repositories", "is_encrypted", "perhaps")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert catalog.standbys.encrypted_repositories(StandbyId("s1")) == {"path 1"}
        assert catalog.standbys.repositories(StandbyId("s1")) == {"path 1": "repository 1"}


def test_a_snapshot_is_not_forgotten_for_the_damage_of_its_moment(path: Path) -> None:
    _damage_first_row(path, "snapshot_journal", "opened_at", "once")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert {entry[0] for entry in catalog.snapshot_journal.open_entries()} == {"t1", "t2"}


def test_a_disk_is_not_forgotten_for_the_damage_of_its_moment(path: Path) -> None:
    _damage_first_row(path, "attachment_journal", "opened_at", "once")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert {entry[0] for entry in catalog.attachment_journal.open_entries()} == {"t1", "t2"}


def test_a_point_that_is_put_again_is_whole_again(path: Path) -> None:
    _damage_first_row(path, "points", "verification", "dreamt")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert len(catalog.points.find()) == 1
        catalog.points.put(StandbyId("s1"), "path 1", point(1, vm=VmId("vm-1")))
        assert len(catalog.points.find()) == 2


def test_a_rule_that_cannot_be_read_gives_up_its_vms(path: Path) -> None:
    _damage_first_row(path, "rules", "policy", "{}")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        (other,) = catalog.rules.all()
        catalog.rules.add(
            replace(other, id=RuleId("r3"), name="rule 3", platform=PlatformId("p1"), vms=()), NOON, NOON
        )
        catalog.rules.add_vms(RuleId("r3"), [ProtectedVm(vm=VmId("vm-1"), name="web")])
        catalog.rules.remove(RuleId("r3"))
        again = replace(other, id=RuleId("r4"), name="rule 1", platform=PlatformId("p1"))
        catalog.rules.add(again, NOON, NOON)
        assert catalog.rules.all() == (again, other)


def test_a_platform_that_cannot_be_read_is_in_the_way_of_another_of_its_name(path: Path) -> None:
    _damage_first_row(path, "platforms", "port", "https")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        again = replace(PLATFORM, id=PlatformId("p3"), name="platform 1", port=9)
        with pytest.raises(CatalogRowInTheWay, match="--catalog restore"):
            catalog.platforms.put(again)
        assert catalog.platforms.get(again.id) is None
