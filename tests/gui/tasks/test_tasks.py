from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.contract.tasks import CancelTask, ListTasks, RetryTask, TaskDetails, TaskLogLines, TaskReport, TaskRow
from app.domain.changes import Subject
from app.domain.ids import TaskId
from app.domain.states import TaskKind, TaskState
from app.engine.errors import TaskUnknown
from app.views.console import Console
from app.views.frame.history import Address
from app.views.tasks.figures import bottleneck_text, busy_of, steps_of
from app.views.tasks.lines import task_pill
from app.views.tasks.page import TasksPage
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.operator import settle
from tests.gui.tasks.rows import GB, START, UNREACHABLE, log_line, sample, script_names, task
from tests.support.scripted_door import ScriptedDoor


def open_page(qtbot: QtBot, console: Console, path: tuple[str, ...] = ()) -> TasksPage:
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(path)
    return page


def script_tasks(door: ScriptedDoor, *rows: TaskRow) -> None:
    script_names(door)

    def fitting(query: ListTasks) -> tuple[TaskRow, ...]:
        return tuple(
            row
            for row in rows
            if (query.ids is None or row.id in query.ids)
            and (query.states is None or row.state in query.states)
            and (query.kinds is None or row.kind in query.kinds)
        )[: query.limit]

    door.answer(ListTasks, fitting)
    door.answer(TaskDetails, lambda query: TaskReport(task=next(r for r in rows if r.id == query.task), log=()))
    door.answer(TaskLogLines, ())


def shown(page: TasksPage) -> list[str]:
    return [line.task.vm_name for line in page.table.shown_rows()]


# --- the list --------------------------------------------------------------------------------------------------


def test_the_list_shows_state_site_and_mean_speed(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_tasks(door, task("a", TaskState.COMPLETED, done_gb=48), task("b", TaskState.PENDING, vm="db-01"))
    page = open_page(qtbot, console)
    columns = {column.key: place for place, column in enumerate(page.table.rows.columns)}
    qtbot.waitUntil(lambda: [line.platform_name for line in page.table.rows.rows] == ["vc-1", "vc-1"])
    model = page.table.model()
    texts = [
        [model.index(place, columns[key]).data() for key in ("vm", "state", "kind", "platform", "speed")]
        for place in range(2)
    ]
    assert texts == [
        ["web-01", "Completed", "Backup", "vc-1", "100 MB/s"],
        ["db-01", "Pending", "Backup", "vc-1", "—"],
    ]
    page.leave()


def test_states_and_kinds_are_chosen_at_the_engine(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_tasks(
        door,
        task("a", TaskState.FAILED, vm="a"),
        task("b", TaskState.RUNNING, vm="b"),
        task("c", TaskState.FAILED, kind=TaskKind.RESTORE, vm="c"),
    )
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 3)
    QTest.keyClicks(page.states, "Failed")
    qtbot.waitUntil(lambda: shown(page) == ["a", "c"])
    QTest.keyClicks(page.kind, "Restore")
    qtbot.waitUntil(lambda: shown(page) == ["c"])
    page.kind.setCurrentIndex(page.kind.findText("Migration"))
    qtbot.waitUntil(lambda: not shown(page))
    page.on_create()  # the button of the empty state
    qtbot.waitUntil(lambda: len(shown(page)) == 3)
    page.leave()


@pytest.mark.parametrize("changed", [(), ("a",)], ids=["all rows", "some rows"])
def test_a_choice_while_an_answer_is_on_its_way_takes_one_more_query(
    qtbot: QtBot, console: Console, door: ScriptedDoor, changed: tuple[str, ...]
) -> None:
    script_tasks(door, task("a", TaskState.FAILED, vm="a"), task("b", TaskState.RUNNING, vm="b"))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 2)
    settle(qtbot, console)
    gate = door.hold(ListTasks)
    door.asked.clear()
    door.change(Subject.TASKS, *changed)
    qtbot.waitUntil(lambda: bool(door.asked))
    page.states.setCurrentIndex(page.states.findText("Failed"))
    gate.set()
    qtbot.waitUntil(lambda: shown(page) == ["a"])
    settle(qtbot, console)
    asked = [(query.ids, query.states) for query in door.asked if isinstance(query, ListTasks)]
    assert asked == [(changed or None, None), (None, (TaskState.FAILED,))]
    page.leave()


def test_scrolling_to_the_end_asks_for_more(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_tasks(door, *(task(str(n), TaskState.COMPLETED, vm=f"vm-{n}") for n in range(350)))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 300)
    QTest.keyClick(page.table, Qt.Key.Key_End, Qt.KeyboardModifier.ControlModifier)
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: len(shown(page)) == 350)
    page.leave()


def test_who_is_at_the_end_while_an_answer_is_on_its_way_gets_more(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_tasks(door, *(task(str(n), TaskState.COMPLETED, vm=f"vm-{n}") for n in range(350)))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 300)
    gate = door.hold(ListTasks)
    page.refresh()
    page.table.scrollToBottom()
    gate.set()
    qtbot.waitUntil(lambda: len(shown(page)) == 350)
    page.leave()


def test_of_tasks_beyond_the_loaded_ones_only_their_rows_are_asked_for(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    rows = [
        replace(task(str(n), TaskState.COMPLETED, vm=f"vm-{n}"), created_at=START - timedelta(seconds=n))
        for n in range(350)
    ]
    script_tasks(door, *rows)
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 300)
    settle(qtbot, console)
    door.asked.clear()
    door.change(Subject.TASKS, "349")
    qtbot.waitUntil(lambda: bool(door.asked))
    settle(qtbot, console)
    assert [query.ids for query in door.asked if isinstance(query, ListTasks)] == [("349",)]
    assert len(shown(page)) == 300
    fresh = replace(task("new", TaskState.PENDING, vm="vm-new"), created_at=START + timedelta(seconds=1))
    script_tasks(door, fresh, *rows)
    door.change(Subject.TASKS, "new")
    qtbot.waitUntil(lambda: shown(page)[0] == "vm-new")
    assert len(shown(page)) == 300
    page.leave()


def test_stopping_asks_first_and_leaves_ended_tasks_alone(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_tasks(door, task("a"), task("b", TaskState.COMPLETED))
    door.answer(CancelTask, None)
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 2)
    page.table.selectAll()
    qtbot.waitUntil(page.stop.isEnabled)
    QTest.mouseClick(page.stop, Qt.MouseButton.LeftButton)
    (dialog,) = page.findChildren(ConfirmDialog)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == [CancelTask(task=TaskId("a"))]
    page.leave()


def test_stopping_says_what_becomes_of_instant_recoveries(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    kinds = (TaskKind.INSTANT_START, TaskKind.INSTANT_FINISH)
    rows = [task(kind.value, kind=kind) for kind in kinds]
    script_tasks(door, *rows)
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 2)
    page.ask_to_stop(rows)
    (dialog,) = page.findChildren(ConfirmDialog)
    assert dialog.consequences == (
        "A start of an instant recovery removes what it has made on the platform.",
        "A VM that is moved goes on running from its restore point.",
        "What was stopped can be run again.",
    )
    page.leave()


def test_enter_opens_the_task(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_tasks(door, task("a"))
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(shown(page)) == 1)
    wanted: list[Address] = []
    console.address_wanted.connect(wanted.append)
    QTest.keyClick(page.table, Qt.Key.Key_Return)
    assert wanted == [Address("tasks", ("a",))]
    page.leave()


# --- one task --------------------------------------------------------------------------------------------------


def test_details_show_steps_bottleneck_and_log(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_tasks(door, task("a", TaskState.COMPLETED, done_gb=40))
    door.answer(TaskLogLines, lambda query: tuple(log_line(n) for n in (1, 2) if n > query.after))
    page = open_page(qtbot, console, ("a",))
    details = page.details
    qtbot.waitUntil(lambda: len(details.log.rows.rows) == 2)
    assert [name for name, _ in details.steps.texts] == [
        "Pending",
        "Preparing",
        "Saving VM config",
        "Reading changes",
        "Checking data",
        "Running",
        "Completed",
    ]
    assert dict(details.steps.texts)["Running"] == "7 min 15 s"
    assert [name for name, _ in details.busy.texts] == ["Platform and network", "Processing", "Standby machine"]
    assert details.log.rows.rows[1].text == "Snapshot snapshot-2 created"
    assert not page.stop.isEnabled()
    assert [crumb.text for crumb in page.crumbs()] == ["Tasks", "Backup · web-01"]
    page.leave()


def test_log_lines_arrive_while_the_task_runs(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    written = [log_line(1)]
    script_tasks(door, task("a"))
    door.answer(TaskLogLines, lambda query: tuple(line for line in written if line.id > query.after))
    page = open_page(qtbot, console, ("a",))
    qtbot.waitUntil(lambda: len(page.details.log.rows.rows) == 1)
    written.append(log_line(2))
    door.change(Subject.LOG, "a")
    qtbot.waitUntil(lambda: len(page.details.log.rows.rows) == 2)
    asked = [query.after for query in door.asked if isinstance(query, TaskLogLines)]
    assert asked[0] == 0
    assert asked[-1] >= 1
    page.leave()


def test_a_failed_task_shows_cause_and_remedy_and_can_be_run_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_tasks(door, task("a", TaskState.FAILED, error=UNREACHABLE))
    door.answer(RetryTask, TaskId("b"))
    page = open_page(qtbot, console, ("a",))
    qtbot.waitUntil(page.again.isEnabled)
    assert page.details.error.isVisible()
    QTest.mouseClick(page.copy, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert "platform.unreachable" in copied
    assert "Backup · web-01 — Failed" in copied
    with qtbot.waitSignal(console.address_wanted) as wanted:
        QTest.mouseClick(page.again, Qt.MouseButton.LeftButton)
    assert wanted.args == [Address("tasks", ("b",))]
    assert door.executed == [RetryTask(task=TaskId("a"))]
    page.leave()


def test_a_task_that_is_gone_is_shown(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_names(door)
    door.answer(TaskDetails, TaskUnknown(task="x"))
    page = open_page(qtbot, console, ("x",))
    qtbot.waitUntil(lambda: page.details.stages.currentIndex() == 3)
    page.leave()


def test_a_task_that_is_gone_does_not_hide_the_one_that_is_opened_next(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_tasks(door, task("a"))
    door.answer(TaskLogLines, ())
    report = door.ask(TaskDetails(task=TaskId("a"), log_lines=0))

    def details(query: TaskDetails) -> TaskReport:
        if query.task == "gone":
            raise TaskUnknown(task="gone")
        return report

    door.answer(TaskDetails, details)
    gate = door.hold(TaskDetails, lambda query: query.task == "gone")
    page = open_page(qtbot, console, ("gone",))
    qtbot.waitUntil(lambda: TaskDetails(task=TaskId("gone"), log_lines=0) in door.asked)
    page.open(("a",))
    gate.set()
    qtbot.waitUntil(lambda: page.details.row is not None, timeout=900)
    assert page.details.stages.currentIndex() != 3
    page.leave()


# --- figures ---------------------------------------------------------------------------------------------------


def test_the_current_step_lasts_until_now() -> None:
    steps = steps_of(task(), START + timedelta(seconds=100))
    assert (steps[-1].state, steps[-1].span, steps[-1].is_current) == (
        TaskState.RUNNING,
        timedelta(seconds=55),
        True,
    )


@pytest.mark.parametrize(
    ("busy_s", "kind", "words"),
    [
        ((54.0, 5.0, 5.0), TaskKind.BACKUP, "Platform and network, busy 98%"),
        ((54.0, 5.0, 5.0), TaskKind.RESTORE, "Standby machine, busy 98%"),
        ((54.0, 5.0, 5.0), TaskKind.INSTANT_FINISH, "Standby machine, busy 98%"),
        ((54.0, 5.0, 5.0), TaskKind.INSTANT_KEEP, "Overlay, busy 98%"),
        ((5.0, 54.0, 5.0), TaskKind.BACKUP, "Processing, busy 98%"),
        ((5.0, 5.0, 5.0), TaskKind.BACKUP, "No part is at its limit"),
        ((0.0, 0.0, 0.0), TaskKind.BACKUP, "No data has moved yet"),
    ],
)
def test_the_bottleneck_is_the_part_that_is_busy_most_of_the_time(
    qapp: QApplication, busy_s: tuple[float, float, float], kind: TaskKind, words: str
) -> None:
    source, processing, target = busy_s
    progress = replace(sample(GB, GB), source_busy_s=source, processing_busy_s=processing, target_busy_s=target)
    row = replace(task(), progress=progress)
    busy = busy_of(row, START + timedelta(seconds=100))
    assert words in bottleneck_text(kind, busy)


def test_restores_have_words_of_their_own(
    qapp: QApplication, console: Console, request: pytest.FixtureRequest
) -> None:
    language = LanguageSwitch(qapp, console.memory)
    undo: Callable[[], None] = lambda: language.choose(Language.ENGLISH)  # noqa: E731 - for the finalizer
    request.addfinalizer(undo)
    language.choose(Language.CHINESE)
    assert task_pill(task(kind=TaskKind.RESTORE, done_gb=10)).text == "恢复中 25.0%"
    assert task_pill(task(state=TaskState.PREPARING, kind=TaskKind.RESTORE)).text == "准备中"
    assert task_pill(task(state=TaskState.PREPARING)).text == "备份准备"
    for kind in (TaskKind.INSTANT_START, TaskKind.INSTANT_STOP, TaskKind.INSTANT_FINISH, TaskKind.INSTANT_KEEP):
        assert task_pill(task(state=TaskState.PREPARING, kind=kind)).text == "准备中"
    assert task_pill(task(state=TaskState.CREATING_VM, kind=TaskKind.INSTANT_START)).text == "创建虚机中"
    assert task_pill(task(kind=TaskKind.INSTANT_FINISH, done_gb=10)).text == "迁移中 25.0%"
    assert task_pill(task(done_gb=10)).text == "执行中 25.0%"


def test_a_snapshot_that_is_being_removed_shows_how_far_the_platform_is(qapp: QApplication) -> None:
    removing = task(state=TaskState.REMOVING_SNAPSHOT)
    assert task_pill(removing).text == "Removing snapshot"
    told = replace(removing, progress=replace(removing.progress, platform_percent=40))
    assert (task_pill(told).text, task_pill(told).fraction) == ("Removing snapshot 40.0%", 0.4)
