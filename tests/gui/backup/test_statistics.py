from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.rules import MarkErrorsViewed
from app.domain.ids import RuleId, TaskId
from app.views.backup.list_runs import RunList
from app.views.backup.list_vms import VmList
from app.views.backup.statistics import StatisticsView
from app.views.frame.history import Address
from tests.gui.backup import samples
from tests.gui.backup.conftest import Visits
from tests.gui.backup.steps import WEB, headings, open_vms
from tests.support.scripted_door import ScriptedDoor


def test_the_statistics_lead_to_the_task_list_and_that_marks_the_errors_viewed(
    qtbot: QtBot, visits: Visits, door: ScriptedDoor
) -> None:
    visits.window.visit(Address("backup", (WEB, "statistics")))
    view = visits.page.part
    assert isinstance(view, StatisticsView)
    qtbot.waitUntil(lambda: view.unviewed.text() == "2")
    assert view.read.text() == "18.4 TB"
    assert not any(isinstance(command, MarkErrorsViewed) for command in door.executed)
    QTest.mouseClick(view.tasks, Qt.MouseButton.LeftButton)
    runs = visits.page.part
    assert isinstance(runs, RunList)
    qtbot.waitUntil(lambda: len(runs.table.shown_rows()) == len(samples.RUNS))
    assert door.executed == [MarkErrorsViewed(rule=WEB)]
    assert headings(runs)[:10] == [
        "Name", "Result", "Task type", "VM name", "Source type", "Source (GB)", "Written (GB)", "Rate (MB/s)",
        "Start time", "End time",
    ]  # fmt: skip
    assert runs.table.model().index(0, 1).data() == "Failed"
    qtbot.waitUntil(runs.banner.isVisible)
    assert "web-02: " in runs.banner.title


def test_the_failed_tasks_of_all_rules_have_an_address(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    visits.window.visit(Address("backup", ("failed",)))
    runs = visits.page.part
    assert isinstance(runs, RunList)
    qtbot.waitUntil(lambda: door.executed == [MarkErrorsViewed()])
    runs.on_activated(samples.RUNS[0])
    assert visits.wanted[-1] == Address("tasks", (TaskId("task-web-02-19"),))


def test_a_part_of_another_rule_is_another_part(qtbot: QtBot, visits: Visits) -> None:
    first = open_vms(qtbot, visits)
    visits.window.visit(Address("backup", ("r-databases",)))
    second = visits.page.part
    assert isinstance(second, VmList)
    assert second is not first
    assert second.rule == RuleId("r-databases")
