"""The list of rules is made again only where something changed, and never tells what was."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from app.catalog.errors import CatalogUnavailable
from app.contract.rules import RuleRow
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import OneTimePolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import TaskState
from app.engine.rules.rowcache import RowCache
from tests.support.fakes import TurnableClock

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def rule(number: int) -> BackupRule:
    return BackupRule(
        id=RuleId(f"rule-{number:03}"),
        name=f"rule {number:03}",
        platform=PlatformId("p"),
        standby=StandbyId("s"),
        target_path="t",
        vms=(ProtectedVm(vm=VmId(f"vm-{number}"), name=f"vm {number}"),),
        policy=OneTimePolicy(start=NOW),
    )


@dataclass
class Maker:
    """Makes rows that carry how often any was made, and notes for which rules it was asked."""

    asked: list[list[RuleId]] = field(default_factory=list)
    next_run: datetime | None = None
    meanwhile: Callable[[], object] = field(default=lambda: None)

    def __call__(self, rules: Collection[BackupRule], *, are_all: bool) -> Iterable[RuleRow]:
        self.asked.append([known.id for known in rules])
        self.meanwhile()
        return [self._row(known) for known in rules]

    def _row(self, known: BackupRule) -> RuleRow:
        return RuleRow(
            id=known.id,
            name=known.name,
            state=TaskState.IDLE,
            fraction=None,
            platform=known.platform,
            platform_name="",
            standby=known.standby,
            standby_name="",
            target_path="",
            vm_count=1,
            next_run=self.next_run,
            next_kind=None,
            last_run=None,
            last_result=None,
            unviewed_errors=len(self.asked),
        )


class Lab:
    """A cache with rules."""

    def __init__(self, count: int = 3) -> None:
        self.rules: Sequence[BackupRule] = [rule(number) for number in range(count)]
        self.clock = TurnableClock(NOW)
        self.changes = ChangeFeed()
        self.make = Maker()
        self.cache = RowCache(self.make, self.changes)

    def ask(self, only: Collection[RuleId] | None = None) -> list[RuleId]:
        """Ask for the rows; return for which rules they were made again."""
        before = len(self.make.asked)
        rows = self.cache.rows(lambda: self.rules, self.clock.now(), only)
        assert [row.id for row in rows] == [known.id for known in self.rules if only is None or known.id in only]
        return [rule_id for asked in self.make.asked[before:] for rule_id in asked]


def test_nothing_is_made_again_while_nothing_changes() -> None:
    lab = Lab()
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_a_change_of_a_rule_makes_its_row_again_once() -> None:
    lab = Lab()
    lab.ask()
    lab.changes.note(Subject.RULES, ["rule-001"])
    assert lab.ask() == ["rule-001"]
    assert lab.ask() == []


def test_a_changed_a_new_and_a_removed_rule_show_at_once() -> None:
    lab = Lab()
    lab.ask()
    lab.rules = [replace(lab.rules[0], name="another name"), lab.rules[1], rule(7)]
    assert lab.ask() == ["rule-000", "rule-007"]


def test_a_run_that_began_is_not_the_next_one() -> None:
    lab = Lab()
    lab.make.next_run = NOW + timedelta(seconds=10)
    lab.ask()
    lab.make.next_run = NOW + timedelta(hours=10)
    lab.clock.turn(10)
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_everything_is_made_again_when_all_rules_changed_and_for_a_clock_set_back() -> None:
    lab = Lab()
    lab.ask()
    lab.changes.note(Subject.RULES)
    assert len(lab.ask()) == 3
    lab.clock.turn(-3600)
    assert len(lab.ask()) == 3
    assert lab.ask() == []


@pytest.mark.parametrize("subject", [subject for subject in Subject if subject is not Subject.RULES])
def test_other_subjects_are_no_reason(subject: Subject) -> None:
    lab = Lab()
    lab.ask()
    lab.changes.note(subject)
    lab.changes.note(subject, ["rule-001"])
    assert lab.ask() == []


def test_who_asks_for_one_rule_waits_for_no_other() -> None:
    lab = Lab()
    assert lab.ask([RuleId("rule-001")]) == ["rule-001"]
    lab.changes.note(Subject.RULES)
    assert lab.ask([RuleId("rule-002")]) == ["rule-002"]
    assert lab.ask() == ["rule-000", "rule-001"]
    assert lab.ask([RuleId("of nobody")]) == []


def test_what_changes_while_rows_are_made_is_made_again_at_the_next_question() -> None:
    lab = Lab()
    lab.make.meanwhile = lambda: lab.changes.note(Subject.RULES, ["rule-002"])
    lab.ask()
    lab.make.meanwhile = lambda: None
    assert lab.ask() == ["rule-002"]


def test_rows_that_could_not_be_made_are_made_at_the_next_question() -> None:
    lab = Lab()
    lab.ask()

    def fail() -> None:
        raise CatalogUnavailable(location="catalog.db", detail="busy")

    lab.changes.note(Subject.RULES, ["rule-001"])
    lab.make.meanwhile = fail
    with pytest.raises(CatalogUnavailable):
        lab.ask()
    lab.make.meanwhile = lambda: None
    assert lab.ask() == ["rule-001"]


def test_rows_are_never_older_than_what_was_noted_before_the_question() -> None:
    """While threads change rules and note it, each answer holds at least what was noted when it was asked for."""
    lab = Lab(10)
    version = dict.fromkeys([known.id for known in lab.rules], 0)

    def make(rules: Collection[BackupRule], *, are_all: bool) -> Iterable[RuleRow]:
        rows = lab.make(rules, are_all=are_all)
        return [replace(row, unviewed_errors=version[row.id]) for row in rows]

    cache = RowCache(make, lab.changes)
    ending = threading.Event()

    def change() -> None:
        number = 0
        while not ending.is_set():
            number += 1
            chosen = lab.rules[number % 10].id
            version[chosen] = number
            lab.changes.note(Subject.RULES, [chosen])

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            noted = {rule: max(0, count - 10) for rule, count in version.items()}
            rows = cache.rows(lambda: lab.rules, NOW)
            assert all(row.unviewed_errors >= noted[row.id] for row in rows)
    finally:
        ending.set()
        thread.join()
    assert {row.id: row.unviewed_errors for row in cache.rows(lambda: lab.rules, NOW)} == version
