"""The stores announce what they change: after the commit, with the keys, and not when nothing is committed."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.catalog import Catalog
from app.catalog.changing import changing
from app.catalog.database import Database
from app.core.changes import ChangeFeed, Keys
from app.core.clock import SystemClock
from app.domain.changes import Subject
from app.domain.errors import KeptError
from app.domain.history import LogSearch, LogSubject
from app.domain.ids import PointId, VmId
from app.domain.messages import LogLevel, MessageKind
from app.domain.platforms import PlatformSighting
from app.domain.policies import RetryPlan
from app.domain.retry import NextTry, PendingRetry
from app.domain.rules import ProtectedVm
from app.domain.states import BackupKind, TaskState
from app.domain.tasks import TransferTotals, VerificationState
from tests.unit.catalog.test_catalog import NOON, PLATFORM, STANDBY, point, task
from tests.unit.catalog.test_rules import RULE

TASK = task(rule=RULE.id, rule_name=RULE.name)
LINE = MessageKind("test.line", "A line.").fill()
RETRY = PendingRetry(
    rule=RULE.id,
    vm=VmId("vm-1"),
    kind=BackupKind.FULL,
    next=NextTry(number=1, of=3, at=NOON),
    failed_task=TASK.id,
)
SIGHTING = PlatformSighting(platform=PLATFORM.id, checked_at=NOON, reachable=True)
RULES, TASKS, PLATFORMS = Subject.RULES, Subject.TASKS, Subject.PLATFORMS
STANDBYS, NAMES, POINTS, FIGURES, LOG = (
    Subject.STANDBYS,
    Subject.NAMES,
    Subject.POINTS,
    Subject.FIGURES,
    Subject.LOG,
)
RULE_OF_POINTS = replace(RULE, name=point().rule_name)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        opened.platforms.put(PLATFORM)
        opened.standbys.put(STANDBY)
        opened.rules.add(RULE_OF_POINTS, NOON, NOON)
        opened.tasks.add(TASK)
        opened.retries.put(RETRY)
        opened.points.put(STANDBY.id, "", point())
        yield opened


def failed(catalog: Catalog) -> None:
    catalog.tasks.enter(TASK.id, TaskState.FAILED, NOON)


P, S, R, T = PLATFORM.id, STANDBY.id, RULE.id, TASK.id
WRITES: dict[str, tuple[Callable[[Catalog], object], dict[Subject, Keys]]] = {
    "rename a platform": (
        lambda c: c.platforms.put(replace(PLATFORM, name="other")),
        {PLATFORMS: frozenset({P}), NAMES: frozenset({P})},
    ),
    "remove a platform": (
        lambda c: c.platforms.remove(P),
        {PLATFORMS: frozenset({P}), NAMES: frozenset({P}), POINTS: None, RULES: None},
    ),
    "see a platform": (lambda c: c.sightings.put(SIGHTING), {PLATFORMS: frozenset({P})}),
    "rename a standby": (
        lambda c: c.standbys.put(replace(STANDBY, name="other")),
        {STANDBYS: frozenset({S}), NAMES: frozenset({S})},
    ),
    "remove a standby": (
        lambda c: c.standbys.remove(S),
        {STANDBYS: frozenset({S}), NAMES: frozenset({S}), POINTS: frozenset({S})},
    ),
    "find a repository": (
        lambda c: c.standbys.note_repository(S, "", "id"),
        {STANDBYS: frozenset({S}), POINTS: frozenset({S})},
    ),
    "set a policy": (lambda c: c.rules.set_policy(R, RULE.policy, NOON), {RULES: frozenset({R})}),
    "set a retry plan": (lambda c: c.rules.set_retry(R, RetryPlan(times=1)), {RULES: frozenset({R})}),
    "add VMs": (lambda c: c.rules.add_vms(R, [ProtectedVm(vm=VmId("n"), name="n")]), {RULES: frozenset({R})}),
    "identify a VM": (lambda c: c.rules.identify(P, RULE.vms[0]), {RULES: frozenset({R})}),
    "take VMs out": (lambda c: c.rules.remove_vms(R, [VmId("vm-1")]), {RULES: frozenset({R})}),
    "start VMs": (lambda c: c.rules.set_started(R, [VmId("vm-1")], started=True), {RULES: frozenset({R})}),
    "deal with runs": (lambda c: c.rules.consider(R, NOON), {RULES: frozenset({R})}),
    "remove a rule": (
        lambda c: c.rules.remove(R),
        {RULES: frozenset({R}), PLATFORMS: frozenset({P}), STANDBYS: frozenset({S})},
    ),
    "forget a rule": (
        lambda c: c.figures.forget_rule(R),
        {RULES: frozenset({R}), FIGURES: frozenset({R}), TASKS: None},
    ),
    "move a VM": (
        lambda c: c.rules.succeed_all(P, {VmId("vm-1"): VmId("vm-9")}, NOON),
        {RULES: frozenset({R}), FIGURES: frozenset({R}), TASKS: None, LOG: None, POINTS: None},
    ),
    "plan a retry": (lambda c: c.retries.put(RETRY), {RULES: frozenset({R})}),
    "drop a retry": (lambda c: c.retries.remove(R, [VmId("vm-1")]), {RULES: frozenset({R})}),
    "run a task": (
        lambda c: c.tasks.enter(T, TaskState.RUNNING, NOON),
        {TASKS: frozenset({T}), RULES: frozenset({R})},
    ),
    "fail a task": (failed, {TASKS: frozenset({T}), RULES: frozenset({R}), FIGURES: frozenset({R})}),
    "note an error": (
        lambda c: c.tasks.set_error(T, KeptError(code="x", params=())),
        {TASKS: frozenset({T}), RULES: frozenset({R})},
    ),
    "note totals": (
        lambda c: c.tasks.set_totals(T, TransferTotals(read_bytes=1)),
        {TASKS: frozenset({T}), RULES: frozenset({R})},
    ),
    "note a point": (lambda c: c.tasks.set_point(T, PointId("p")), {TASKS: frozenset({T}), RULES: frozenset({R})}),
    "note a VM": (lambda c: c.tasks.set_vm(T, VmId("v")), {TASKS: frozenset({T}), RULES: frozenset({R})}),
    "promote a task": (lambda c: c.tasks.set_priority(T, 9), {TASKS: frozenset({T}), RULES: frozenset({R})}),
    "log for a task": (lambda c: c.tasks.log(T, NOON, LogLevel.NORMAL, LINE), {LOG: frozenset({T})}),
    "log something else": (
        lambda c: c.log.append(NOON, LogLevel.NORMAL, LINE, LogSubject(name="", action="program.start")),
        {LOG: frozenset({""})},
    ),
    "list a point": (
        lambda c: c.points.put(S, "", point(2)),
        {POINTS: frozenset({S}), STANDBYS: frozenset({S}), RULES: frozenset({R})},
    ),
    "forget a point": (
        lambda c: c.points.remove(S, "", point().id),
        {POINTS: frozenset({S}), STANDBYS: frozenset({S}), RULES: frozenset({R})},
    ),
    "verify a point": (
        lambda c: c.points.set_verification(S, "", point().id, VerificationState.DAMAGED, NOON),
        {POINTS: frozenset({S})},
    ),
}


@pytest.mark.parametrize("name", WRITES)
def test_each_write_announces_whose_answers_it_changes(catalog: Catalog, name: str) -> None:
    write, expected = WRITES[name]
    noted: dict[Subject, Keys] = {}
    catalog.changes.watch(lambda subject, keys: noted.update({subject: keys}))
    write(catalog)
    assert noted == expected


def test_viewing_errors_announces_the_rules_that_had_some(catalog: Catalog) -> None:
    failed(catalog)
    noted: dict[Subject, Keys] = {}
    catalog.changes.watch(lambda subject, keys: noted.update({subject: keys}))
    assert catalog.figures.mark_viewed() == 1
    assert noted == {RULES: frozenset({R}), FIGURES: frozenset({R})}
    noted.clear()
    assert catalog.figures.mark_viewed() == 0
    assert noted == {}, "nothing was changed"


def test_clearing_the_log_announces_the_whole_of_it(catalog: Catalog) -> None:
    catalog.tasks.log(T, NOON, LogLevel.NORMAL, LINE)
    noted: list[tuple[Subject, Keys]] = []
    catalog.changes.watch(lambda subject, keys: noted.append((subject, keys)))
    assert catalog.log.clear(LogSearch()) == 1
    assert noted == [(LOG, None)]


def test_a_reader_that_asks_upon_a_note_sees_what_was_committed(catalog: Catalog) -> None:
    """Also where the store remembers what it read: it has forgotten before it tells."""
    catalog.rules.all(), catalog.points.tallies()
    seen: list[tuple[object, object]] = []
    catalog.changes.watch(lambda _subject, _keys: seen.append((catalog.rules.all(), catalog.points.count())))
    catalog.rules.set_started(R, [VmId("vm-1")], started=True)
    catalog.points.put(S, "", point(2))
    after = (catalog.rules.all(), 2)
    assert seen[0] == (catalog.rules.all(), 1)
    assert set(seen[1:]) == {after}


def test_what_is_rolled_back_is_not_announced(tmp_path: Path) -> None:
    changes, noted = ChangeFeed(), list[Subject]()
    changes.watch(lambda subject, _keys: noted.append(subject))
    database = Database.open(tmp_path / "catalog.db")
    forgotten: list[bool] = []

    def fails() -> None:
        with changing(database, changes, lambda: forgotten.append(True)) as transaction:
            transaction.note(Subject.TASKS, "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    database.close()
    assert noted == []
    assert forgotten == [True], "what was remembered may hold what was not committed"


def test_a_key_of_nobody_announces_nothing_and_none_at_all_the_whole_subject(tmp_path: Path) -> None:
    changes, noted = ChangeFeed(), dict[Subject, Keys]()
    changes.watch(lambda subject, keys: noted.update({subject: keys}))
    database = Database.open(tmp_path / "catalog.db")
    with changing(database, changes) as transaction:
        transaction.note(Subject.RULES, None)
        transaction.note(Subject.TASKS, "a", None)
        transaction.note(Subject.TASKS, "b")
        transaction.note(Subject.LOG, "a")
        transaction.note(Subject.LOG)
        transaction.note(Subject.LOG, "b")
    database.close()
    assert noted == {Subject.TASKS: frozenset({"a", "b"}), Subject.LOG: None}
