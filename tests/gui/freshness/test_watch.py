"""The window asks again only for what changed and is seen, and for quantities only while something runs."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pytestqt.qtbot import QtBot

from app.contract.rules import ListRules, RuleRow
from app.contract.tasks import SampleProgress, TaskProgress, TasksProgress
from app.domain.changes import Changed, Subject
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, TaskId
from app.domain.progress import ProgressSample
from app.domain.states import TaskState
from app.views.backup.list_rules import RuleList
from app.views.console import Console
from app.views.frame.freshness import EVERYTHING, Affected, Freshness, Interest, Keys, Pace, Watch
from tests.gui.backup import samples
from tests.gui.tasks.rows import sample
from tests.support.scripted_door import ScriptedDoor

NOTHING = TasksProgress(tasks=(), read_bytes_per_s=0.0)


class Rules:
    """Five hundred rules behind a scripted door, and the page that lists them."""

    def __init__(self, qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
        self.rows = {
            RuleId(f"r{n:03}"): replace(
                samples.RULES[0], id=RuleId(f"r{n:03}"), name=f"rule {n:03}", fraction=None
            )
            for n in range(500)
        }
        self.door = door
        door.answer(ListRules, self.rows_for)
        self.page = RuleList(console)
        qtbot.addWidget(self.page)
        self.page.resize(1200, 700)
        self.page.show()
        self.page.open(())
        qtbot.waitUntil(lambda: len(self.page.table.rows.rows) == 500)
        door.asked.clear()

    def rows_for(self, query: ListRules) -> tuple[RuleRow, ...]:
        return tuple(row for rule, row in self.rows.items() if query.ids is None or rule in query.ids)

    def rename(self, rule: str, standby_name: str) -> None:
        """Change a row as the engine would, and announce it."""
        self.rows[RuleId(rule)] = replace(self.rows[RuleId(rule)], standby_name=standby_name)
        self.door.change(Subject.RULES, rule)

    def shown(self, rule: str) -> RuleRow | None:
        """Return the row that is shown."""
        return self.page.table.rows.get(rule)

    def shows(self, rule: str, standby_name: str) -> bool:
        """Tell whether a rule is shown with a standby of this name."""
        row = self.shown(rule)
        return row is not None and row.standby_name == standby_name


@pytest.fixture
def rules(qtbot: QtBot, console: Console, door: ScriptedDoor) -> Rules:
    return Rules(qtbot, console, door)


# --- rows ------------------------------------------------------------------------------------------------------


def test_a_change_of_one_of_500_rules_asks_for_one_row(qtbot: QtBot, rules: Rules) -> None:
    rules.rename("r123", "other")
    qtbot.waitUntil(lambda: rules.shows("r123", "other"))
    assert rules.door.asked == [ListRules(ids=(RuleId("r123"),))]


def test_a_deleted_rule_goes_and_a_new_one_takes_its_place_in_the_order(qtbot: QtBot, rules: Rules) -> None:
    gone = rules.rows.pop(RuleId("r123"))
    rules.door.change(Subject.RULES, "r123")
    qtbot.waitUntil(lambda: rules.shown("r123") is None)
    assert rules.door.asked == [ListRules(ids=(RuleId("r123"),))]
    fresh = replace(gone, id=RuleId("new"), name="rule 122a")
    rules.rows = dict(sorted({**rules.rows, fresh.id: fresh}.items(), key=lambda item: item[1].name))
    rules.door.change(Subject.RULES, "new")
    qtbot.waitUntil(lambda: rules.shown("new") is not None)
    assert [row.id for row in rules.page.table.rows.rows] == list(rules.rows)


def test_the_last_row_that_goes_leaves_the_empty_page(qtbot: QtBot, rules: Rules) -> None:
    rules.rows = {RuleId("r000"): rules.rows[RuleId("r000")]}
    rules.door.change(Subject.RULES)
    qtbot.waitUntil(lambda: len(rules.page.table.rows.rows) == 1)
    rules.rows = {}
    rules.door.change(Subject.RULES, "r000")
    qtbot.waitUntil(lambda: rules.page.stages.currentIndex() == 2)


def test_a_change_while_an_answer_is_on_its_way_is_asked_for_afterwards(qtbot: QtBot, rules: Rules) -> None:
    """The late answer was made before the second change, and must not be what stays."""
    old = rules.rows[RuleId("r001")]
    answers = iter([old])
    rules.door.answer(ListRules, lambda query: tuple(answers) or rules.rows_for(query))
    gate = rules.door.hold(ListRules, lambda query: query.ids == ("r001",) and len(rules.door.asked) == 1)
    rules.rename("r001", "first")
    qtbot.waitUntil(lambda: len(rules.door.asked) == 1)
    rules.rename("r001", "second")
    rules.rename("r002", "another")
    gate.set()
    qtbot.waitUntil(lambda: rules.shows("r001", "second") and rules.shows("r002", "another"))
    assert len(rules.door.asked) in (2, 3), "the two changes are asked for together, unless they are heard apart"


@pytest.mark.parametrize("comes_meanwhile", [True, False])
def test_what_could_not_be_asked_for_is_asked_for_with_the_next_change(
    qtbot: QtBot, rules: Rules, comes_meanwhile: bool
) -> None:
    rules.door.answer(ListRules, OperationalError(detail="busy"))
    gate = rules.door.hold(ListRules) if comes_meanwhile else None
    rules.rename("r001", "unheard")
    qtbot.waitUntil(lambda: len(rules.door.asked) == 1)
    rules.door.answer(ListRules, rules.rows_for)
    if gate is None:
        qtbot.waitUntil(lambda: not rules.page.console.door.waiting_owners())
    rules.rename("r002", "heard")
    if gate is not None:
        gate.set()
    qtbot.waitUntil(lambda: rules.shows("r001", "unheard") and rules.shows("r002", "heard"))


def test_other_names_of_standbys_ask_for_all_rows_and_other_subjects_for_none(qtbot: QtBot, rules: Rules) -> None:
    for subject in set(Subject) - {Subject.RULES, Subject.NAMES}:
        rules.door.change(subject)
    rules.door.change(Subject.NAMES, "s1")
    qtbot.waitUntil(lambda: bool(rules.door.asked))
    assert rules.door.asked == [ListRules()]


def test_a_page_that_nobody_sees_asks_once_when_it_is_seen_again(qtbot: QtBot, rules: Rules) -> None:
    rules.page.hide()
    for number in range(20):
        rules.rename(f"r{number:03}", "unseen")
    qtbot.wait(50)
    assert rules.door.asked == []
    rules.page.show()
    qtbot.waitUntil(lambda: rules.shows("r019", "unseen"))
    assert rules.door.asked == [ListRules()]


def test_a_page_that_was_left_hears_nothing(qtbot: QtBot, rules: Rules) -> None:
    rules.page.leave()
    rules.rename("r001", "unheard")
    qtbot.wait(50)
    assert rules.door.asked == []


def test_what_nobody_announced_is_seen_by_the_slow_poll(qtbot: QtBot, console: Console) -> None:
    heard: list[Keys] = []
    fresh = Freshness(console.door, console, safety_ms=30)
    watch = Watch(fresh, console, Interest())
    watch.changed.connect(heard.append)
    qtbot.wait(80)
    assert heard == [], "nobody is looking"
    watch.begin()
    qtbot.waitUntil(lambda: len(heard) >= 2)
    assert set(heard) == {None}


def test_changes_that_take_work_to_answer_are_gathered_for_a_moment(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    heard: list[Keys] = []
    interest = Interest(rows=frozenset({Subject.TASKS}), calm_ms=100)
    watch = Watch(console.fresh, console, interest)
    watch.changed.connect(heard.append)
    watch.begin()
    for number in range(50):
        door.change(Subject.TASKS, f"t{number}")
    qtbot.waitUntil(lambda: len(heard) == 2)
    assert heard[0] == frozenset({"t0"}), "the first is passed on at once"
    assert heard[1] == frozenset(f"t{number}" for number in range(1, 50))


@pytest.mark.parametrize(
    ("interest", "keys", "expected"),
    [
        (Interest(rows=frozenset({Subject.TASKS})), ("a", "b"), Affected(frozenset({"a", "b"}))),
        (Interest(rows=frozenset({Subject.TASKS})), (), EVERYTHING),
        (Interest(whole=frozenset({Subject.TASKS})), ("a",), EVERYTHING),
        (Interest(only={Subject.TASKS: "a"}), ("a", "b"), EVERYTHING),
        (Interest(only={Subject.TASKS: "a"}), (), EVERYTHING),
        (Interest(only={Subject.TASKS: "a"}), ("b",), None),
        (Interest(rows=frozenset({Subject.RULES})), ("a",), None),
    ],
)
def test_an_interest_says_what_a_change_affects(
    interest: Interest, keys: tuple[str, ...], expected: Affected | None
) -> None:
    assert interest.affected_by(Changed(at=datetime.now(UTC), subject=Subject.TASKS, keys=keys)) == expected


# --- quantities ------------------------------------------------------------------------------------------------


class Runs:
    """What runs behind a scripted door, and how often it was asked for."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.now = NOTHING
        self.count = 0
        door.answer(SampleProgress, self.rows_for)

    def rows_for(self, _query: SampleProgress) -> TasksProgress:
        self.count += 1
        return self.now

    def begin(self, rule: str, done: int, total: int) -> None:
        """Let one backup of a rule run."""
        progress: ProgressSample = sample(done, total)
        vm = samples.VMS[0].vm
        task = TaskProgress(task=TaskId("t"), vm=vm, rule=RuleId(rule), progress=progress, read_bytes_per_s=5.0)
        self.now = TasksProgress(tasks=(task,), read_bytes_per_s=5.0)


def test_nothing_is_sampled_while_nothing_runs(qtbot: QtBot, door: ScriptedDoor, console: Console) -> None:
    runs = Runs(door)
    rules = Rules(qtbot, console, door)
    qtbot.waitUntil(lambda: runs.count >= 1)
    before = runs.count
    qtbot.wait(600)
    assert runs.count == before
    rules.page.leave()


def test_bars_move_four_times_a_second_while_something_runs_without_asking_for_rows(
    qtbot: QtBot, door: ScriptedDoor, console: Console
) -> None:
    runs = Runs(door)
    rules = Rules(qtbot, console, door)
    rules.rows[RuleId("r001")] = replace(rules.rows[RuleId("r001")], state=TaskState.RUNNING, fraction=0.0)
    door.change(Subject.RULES, "r001")
    qtbot.waitUntil(lambda: rules.shown("r001") == rules.rows[RuleId("r001")])
    door.asked.clear()
    for done in (10, 20, 30):
        runs.begin("r001", done, 100)
        if done == 10:
            door.change(Subject.TASKS, "t")
        qtbot.waitUntil(lambda: (rules.shown("r001") or rules.rows[RuleId("r001")]).fraction == runs_part(runs))
    assert door.asked == []
    runs.now = NOTHING
    qtbot.wait(400)
    before = runs.count
    qtbot.wait(600)
    assert runs.count == before, "nothing runs any more"


def runs_part(runs: Runs) -> float:
    """Return how far the one task is."""
    return runs.now.tasks[0].progress.fraction


def test_the_speed_of_everything_is_sampled_once_a_second_where_no_bar_is_shown(
    qtbot: QtBot, door: ScriptedDoor, console: Console
) -> None:
    runs = Runs(door)
    runs.begin("r001", 10, 100)
    told: list[TasksProgress] = []
    watch = Watch(console.fresh, console, Interest(pace=Pace.SECOND))
    watch.sampled.connect(told.append)
    watch.begin()
    qtbot.wait(1500)
    assert 1 <= len(told) <= 2
    watch.end()
