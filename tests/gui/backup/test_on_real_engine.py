"""The story of a rule on the real engine and the simulated vSphere, by clicks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.cli.demo.stage import Stage, open_stage
from app.contract.points import ListPoints
from app.contract.rules import ListRules
from app.domain.states import TaskState
from app.views.backup.deletion import DeletionDialog
from app.views.backup.editor import RuleEditor
from app.views.backup.list_vms import VmList
from app.views.backup.page import BackupPage
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.statistics import StatisticsView
from app.views.backup.vm_picker import VmPicker
from app.views.console import Console, ThemeSwitch
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.frame.memory import Memory
from tests.gui.backup.steps import click_icon
from tests.support.local_line import LocalClient
from tests.support.stage import small_spec

LONG_MS = 60_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A simulated vCenter with one VM, and an engine on it."""
    with open_stage(tmp_path, small_spec()) as stage:
        yield stage


@pytest.fixture
def window(qtbot: QtBot, qapp: QApplication, tmp_path: Path, stage: Stage) -> Iterator[MainWindow]:
    """The console's window with the backup page on the engine."""
    memory = Memory(tmp_path / "window.ini")
    client = LocalClient(stage.engine)
    console = Console(client, memory, ThemeSwitch(qapp, memory))
    page = BackupPage(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    yield window
    page.leave()
    assert client.close()


def make_rule(qtbot: QtBot, page: BackupPage) -> None:
    """Make the rule "web" for the VM web-01 in the editor."""
    page.rules.on_create()
    editor = page.rules.findChild(RuleEditor)
    assert isinstance(editor, RuleEditor)
    qtbot.waitUntil(lambda: editor.basic.platform_id is not None and editor.basic.standby_id is not None)
    QTest.keyClicks(editor.basic.name, "web")
    QTest.mouseClick(editor.basic.choose_vms, Qt.MouseButton.LeftButton)
    picker = editor.basic.findChild(VmPicker)
    assert isinstance(picker, VmPicker)
    qtbot.waitUntil(lambda: picker.model.shown_count == 1, timeout=LONG_MS)
    picker.tree.setCurrentIndex(picker.model.index(0, 0))
    QTest.keyClick(picker.tree, Qt.Key.Key_Space)
    assert [vm.name for vm in picker.chosen] == ["web-01"]
    QTest.mouseClick(picker.primary, Qt.MouseButton.LeftButton)
    QTest.keyClicks(editor.basic.path, "backup/web")
    editor.tabs.setCurrentWidget(editor.policy)
    QTest.mouseClick(editor.policy.add, Qt.MouseButton.LeftButton)
    plan = editor.policy.findChild(PlanDialog)
    assert isinstance(plan, PlanDialog)
    QTest.mouseClick(plan.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(editor.policy.calendar.grid.days) > 80, timeout=LONG_MS)
    with qtbot.waitSignal(editor.succeeded, timeout=LONG_MS):
        QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)


def test_a_rule_is_made_run_now_looked_at_and_deleted_with_its_data(
    qtbot: QtBot, window: MainWindow, stage: Stage
) -> None:
    page = window.findChild(BackupPage)
    assert isinstance(page, BackupPage)
    make_rule(qtbot, page)
    qtbot.waitUntil(lambda: len(page.rules.table.shown_rows()) == 1)
    (row,) = page.rules.table.shown_rows()
    assert (row.name, row.vm_count, row.target_path) == ("web", 1, "backup/web")

    click_icon(page.rules, 0, "Rule list")
    vms = page.part
    assert isinstance(vms, VmList)
    qtbot.waitUntil(lambda: len(vms.table.shown_rows()) == 1)
    click_icon(vms, 0, "Run now")
    menu = vms.table.findChild(QMenu)
    assert isinstance(menu, QMenu)
    menu.setActiveAction(menu.actions()[0])
    QTest.keyClick(menu, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: vms.table.shown_rows()[0].point_count == 1, timeout=LONG_MS)
    qtbot.waitUntil(lambda: vms.table.shown_rows()[0].ended_at is not None, timeout=LONG_MS)
    assert vms.table.shown_rows()[0].error is None
    qtbot.waitUntil(lambda: len(vms.panel.points) > 0, timeout=LONG_MS)

    click_icon(vms, 0, "Show statistics")
    statistics = page.part
    assert isinstance(statistics, StatisticsView)
    qtbot.waitUntil(lambda: "1" in statistics.ring.accessibleName(), timeout=LONG_MS)

    window.visit(Address("backup"))
    qtbot.waitUntil(lambda: page.rules.table.shown_rows()[0].last_result is TaskState.COMPLETED)
    click_icon(page.rules, 0, "Delete rule")
    dialog = page.rules.findChild(DeletionDialog)
    assert isinstance(dialog, DeletionDialog)
    qtbot.waitUntil(lambda: dialog.is_known, timeout=LONG_MS)
    dialog.data.click()
    assert "go to the trash: 1." in dialog.points.text()
    QTest.keyClicks(dialog.name, "web")
    with qtbot.waitSignal(dialog.succeeded, timeout=LONG_MS):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert stage.engine.ask(ListRules()) == ()
    assert stage.engine.ask(ListPoints(standby=stage.standby)) == ()
