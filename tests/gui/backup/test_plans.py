from datetime import time
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox
from pytestqt.qtbot import QtBot

from app.contract.rules import PreviewRetention
from app.domain.ids import RuleId, VmId
from app.domain.policies import Plan, PolicyUnit, Weekday
from app.domain.states import BackupKind
from app.views.backup.editor import EditorMode
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.policy_words import plan_words, retention_label
from app.views.console import Console
from app.views.translation import Language, LanguageSwitch
from tests.gui.backup.steps import open_editor, press
from tests.gui.export_steps import read_csv
from tests.gui.operator import label_of, problem_of
from tests.support.scripted_door import ScriptedDoor


def test_a_weekly_plan_takes_several_times_and_all_days(qtbot: QtBot, console: Console) -> None:
    dialog = PlanDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.unit.setFocus()
    QTest.keyClick(dialog.unit, Qt.Key.Key_Down)
    assert dialog.all_days.isVisible()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert problem_of(dialog.weekdays[Weekday.SUNDAY]) == "Check at least one weekday."
    press(dialog.all_days)
    press(dialog.weekdays[Weekday.SUNDAY])
    assert not dialog.all_days.isChecked()
    for clock in (time(12, 0), time(2, 30)):
        dialog.time.setTime(dialog.time.time().fromMSecsSinceStartOfDay((clock.hour * 60 + clock.minute) * 60_000))
        QTest.mouseClick(dialog.add_time, Qt.MouseButton.LeftButton)
    QTest.mouseClick(dialog.add_time, Qt.MouseButton.LeftButton)
    assert problem_of(dialog.add_time) == "The same run time is there twice."
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog.plan.times == (time(2, 30), time(12, 0))
    assert dialog.plan.weekdays == frozenset(Weekday) - {Weekday.SUNDAY}


@pytest.mark.parametrize(
    ("unit", "shown"),
    [
        (PolicyUnit.DAILY, (False, False, False)),
        (PolicyUnit.WEEKLY, (True, False, False)),
        (PolicyUnit.MONTHLY, (False, False, True)),
        (PolicyUnit.QUARTERLY, (False, True, True)),
    ],
)
def test_a_plan_asks_only_for_what_its_type_needs(
    qtbot: QtBot, console: Console, unit: PolicyUnit, shown: tuple[bool, bool, bool]
) -> None:
    dialog = PlanDialog(console, Plan(unit=unit, kind=BackupKind.FULL, times=(time(1, 0),), month_day=31))
    qtbot.addWidget(dialog)
    dialog.open()
    boxes: tuple[QCheckBox | QComboBox, ...] = (dialog.all_days, dialog.month, dialog.day)
    assert tuple(box.isVisible() for box in boxes) == shown
    assert dialog.day.currentText() == "the last day"
    assert dialog.plan.month_day == 31


@pytest.mark.parametrize(
    ("plan", "english", "chinese"),
    [
        (
            Plan(unit=PolicyUnit.DAILY, kind=BackupKind.FULL, times=(time(17, 51),)),
            "Every day at 17:51",
            "每天 17:51",
        ),
        (
            Plan(
                unit=PolicyUnit.WEEKLY,
                kind=BackupKind.FULL,
                times=(time(14, 0), time(2, 0)),
                weekdays=frozenset({Weekday.WEDNESDAY, Weekday.MONDAY}),
            ),
            "Every week on Mon, Wed at 02:00, 14:00",
            "每周一、周三 02:00、14:00",
        ),
        (
            Plan(unit=PolicyUnit.MONTHLY, kind=BackupKind.FULL, times=(time(3, 0),), month_day=31),
            "Every month on the last day at 03:00",
            "每月 最后一天 03:00",
        ),
        (
            Plan(
                unit=PolicyUnit.QUARTERLY, kind=BackupKind.FULL, times=(time(3, 0),), month_day=15, quarter_month=2
            ),
            "Every quarter in month 2 on day 15 at 03:00",
            "每季第 2 个月 15 日 03:00",
        ),
    ],
)
def test_a_plan_is_shown_as_words(console: Console, plan: Plan, english: str, chinese: str) -> None:
    assert plan_words(plan) == english
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    switch = LanguageSwitch(application, console.memory)
    switch.choose(Language.CHINESE)
    try:
        assert plan_words(plan) == chinese
        assert retention_label(PolicyUnit.QUARTERLY) == "数据保留期限（季）"
    finally:
        switch.choose(Language.ENGLISH)


def test_the_unit_of_retention_follows_the_plans(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    assert label_of(editor.policy.period).text() == "Retention (weeks) *"
    model = editor.policy.table.model()
    cell = editor.policy.table.visualRect(model.index(1, 2))
    place = editor.policy.delegate.place_of("Remove", cell)
    QTest.mouseClick(editor.policy.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [plan.unit for plan in editor.policy.plans] == [PolicyUnit.DAILY]
    assert label_of(editor.policy.period).text() == "Retention (days) *"


def test_plans_are_worked_by_keyboard(qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    table = editor.policy.table
    table.selectRow(0)
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Return)
    dialog = editor.policy.findChildren(PlanDialog)[-1]
    assert dialog.isVisible()
    dialog.reject()
    editor.policy.exporter.write_to(str(tmp_path / "plans.csv"))
    qtbot.waitUntil(editor.policy.exporter.strip.folder.isVisible)
    assert read_csv(tmp_path / "plans.csv")[1] == ["Incremental", "Every day at 17:51"]
    QTest.keyClick(table, Qt.Key.Key_Delete)
    assert len(editor.policy.plans) == 1


def test_the_calendar_shows_what_will_exist_on_the_chosen_day(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    grid = editor.policy.calendar.grid
    qtbot.waitUntil(lambda: len(grid.days) == 92)
    query = next(query for query in door.asked if isinstance(query, PreviewRetention))
    assert (query.rule, query.vm) == (RuleId("r-web"), VmId("vm-web-01"))
    last = grid.days[-1]
    assert f"on {last.day}: {len(last.points)}, the oldest" in editor.policy.calendar.summary.text()
    QTest.keyClick(grid, Qt.Key.Key_Left)
    week_before = grid.days[-8]
    assert f"on {week_before.day}: " in editor.policy.calendar.summary.text()
    QTest.mouseClick(grid, Qt.MouseButton.LeftButton, pos=grid.day_box(3).center().toPoint())
    assert f"on {grid.days[3].day}" in editor.policy.calendar.summary.text()
