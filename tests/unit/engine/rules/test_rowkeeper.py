"""The list of rules is made anew only where something happened, and never tells what was."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from app.contract.rules import RuleRow
from app.core.bus import EventBus
from app.domain.console_events import ErrorsViewed, RuleChanged, StandbyRegistered
from app.domain.events import TaskStateChanged
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.policies import OneTimePolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import TaskState
from app.engine.rules.rowkeeper import MOST_AT_ONCE, ROLLING, SETTLING_S, RowKeeper
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

    def __call__(self, rules: Collection[BackupRule], *, are_all: bool) -> Iterable[RuleRow]:
        self.asked.append([one.id for one in rules])
        return [self._row(one) for one in rules]

    def _row(self, one: BackupRule) -> RuleRow:
        return RuleRow(
            id=one.id,
            name=one.name,
            state=TaskState.IDLE,
            fraction=None,
            platform=one.platform,
            platform_name="",
            standby=one.standby,
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
    """A keeper with rules."""

    def __init__(self, count: int = 3, *, rolling: int = 0) -> None:
        self.rules: Sequence[BackupRule] = [rule(number) for number in range(count)]
        self.clock = TurnableClock(NOW)
        self.bus = EventBus()
        self.make = Maker()
        self.keeper = RowKeeper(self.make, self.bus, self.clock, rolling=rolling)
        self.live: set[RuleId] = set()
        self.situation: object = "calm"

    def ask(self) -> list[RuleId]:
        """Ask for the rows; return for which rules they were made anew."""
        before = len(self.make.asked)
        rows = self.keeper.rows(lambda: self.rules, self.live, self.clock.now(), self.situation)
        assert [row.id for row in rows] == [one.id for one in self.rules]
        return [one for asked in self.make.asked[before:] for one in asked]

    def settle(self) -> None:
        """Ask first, and let what was told settle."""
        self.ask()
        self.clock.turn(SETTLING_S)
        self.ask()
        assert self.ask() == []


def test_nothing_is_made_anew_while_nothing_happens() -> None:
    lab = Lab()
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_a_task_makes_the_row_of_its_rule_anew_until_its_event_has_settled() -> None:
    lab = Lab()
    lab.settle()
    lab.bus.publish(TaskStateChanged(at=NOW, task=TaskId("t"), vm=VmId("vm-1"), state=TaskState.FAILED))
    assert lab.ask() == ["rule-001"]
    assert lab.ask() == ["rule-001"], "what the event tells may not have been written yet"
    lab.clock.turn(SETTLING_S)
    assert lab.ask() == ["rule-001"]
    assert lab.ask() == []


def test_a_running_rule_is_made_anew_every_time() -> None:
    lab = Lab()
    lab.settle()
    lab.live = {RuleId("rule-002")}
    assert lab.ask() == lab.ask() == ["rule-002"]


def test_a_changed_a_new_and_a_removed_rule_show_at_once() -> None:
    lab = Lab()
    lab.settle()
    lab.rules = [replace(lab.rules[0], name="another name"), lab.rules[1], rule(7)]
    assert lab.ask() == ["rule-000", "rule-007"]
    lab.bus.publish(RuleChanged(at=NOW, rule=RuleId("rule-001")))
    assert lab.ask() == ["rule-001"]


def test_a_run_that_began_is_not_the_next_one() -> None:
    lab = Lab()
    lab.make.next_run = NOW + timedelta(seconds=10)
    lab.settle()
    lab.make.next_run = NOW + timedelta(hours=10)
    lab.clock.turn(10)
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_everything_is_made_anew_for_another_situation_and_for_a_clock_set_back() -> None:
    lab = Lab()
    lab.settle()
    lab.situation = "another zone"
    assert len(lab.ask()) == 3
    lab.clock.turn(-3600)
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_everything_is_made_anew_for_a_standby_at_once_and_when_its_event_has_settled() -> None:
    lab = Lab()
    lab.settle()
    lab.bus.publish(StandbyRegistered(at=NOW, standby=StandbyId("s"), name="s"))
    assert len(lab.ask()) == 3
    assert lab.ask() == []
    lab.clock.turn(SETTLING_S)
    assert len(lab.ask()) == 3
    assert lab.ask() == []


def test_viewed_errors_are_those_of_a_rule_or_of_all() -> None:
    lab = Lab()
    lab.settle()
    lab.bus.publish(ErrorsViewed(at=NOW, rule=RuleId("rule-001"), vm=None))
    assert lab.ask() == ["rule-001"]
    lab.bus.publish(ErrorsViewed(at=NOW, rule=None, vm=None))
    assert len(lab.ask()) == 3


def test_a_few_rows_take_turns_whatever_happened() -> None:
    lab = Lab(7, rolling=3)
    lab.ask()
    places = [[one.removeprefix("rule-00") for one in lab.ask()] for _ in range(3)]
    assert places == [["3", "4", "5"], ["6"], ["0", "1", "2"]]
    assert ROLLING > 0


def test_when_much_changes_at_once_the_next_questions_show_the_rest_and_what_runs_goes_first() -> None:
    lab = Lab(MOST_AT_ONCE + 10)
    lab.settle()
    lab.situation = "another zone"
    lab.live = {lab.rules[-1].id}
    first, second = lab.ask(), lab.ask()
    assert len(first) == MOST_AT_ONCE
    assert first[0] == second[0] == lab.rules[-1].id
    assert len(second) == 11
    assert {*first, *second} == {one.id for one in lab.rules}
    assert lab.ask() == [lab.rules[-1].id]
