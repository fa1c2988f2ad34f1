from datetime import UTC, datetime, time, timedelta

import pytest
from PySide6.QtCore import QDateTime, QModelIndex, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox
from pytestqt.qtbot import QtBot

from app.domain.errors import OperationalError
from app.domain.ids import RuleId, VmId
from app.domain.policies import Plan, PolicyUnit, Weekday
from app.domain.states import BackupKind
from app.engine.api import (
    AddVmsToRule,
    ChangeRulePolicy,
    CheckRule,
    CreateRule,
    OneTime,
    Periodic,
    PreviewRetention,
    RuleProblemRow,
    VmChoice,
)
from app.models.vm_tree import VmTreeModel
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.policy_words import plan_words, retention_label
from app.views.backup.vm_picker import VmPicker
from app.views.console import Console
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.directory_browser import DirectoryBrowser
from tests.gui.backup import samples
from tests.support.scripted_door import ScriptedDoor


def open_editor(qtbot: QtBot, console: Console, door: ScriptedDoor, mode: EditorMode) -> RuleEditor:
    samples.fill(door)
    editor = RuleEditor(console, mode, None if mode is EditorMode.CREATE else samples.DETAILS)
    qtbot.addWidget(editor)
    editor.open()
    qtbot.waitUntil(lambda: editor.basic.platform_id is not None and editor.basic.standby_id is not None)
    return editor


def press(button: QCheckBox) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=QPoint(8, button.height() // 2))


def only_leaf(model: VmTreeModel) -> QModelIndex:
    index = model.index(0, 0)
    while model.rowCount(index):
        index = model.index(0, 0, index)
    return index


def choose_vms(qtbot: QtBot, editor: RuleEditor, *names: str) -> None:
    """Check VMs in the tree with the keyboard, and use them."""
    QTest.mouseClick(editor.basic.choose_vms, Qt.MouseButton.LeftButton)
    picker = editor.basic.findChildren(VmPicker)[-1]
    qtbot.waitUntil(lambda: picker.model.shown_count == len(samples.INVENTORY))
    for name in names:
        picker.filter.setText(name)
        qtbot.waitUntil(
            lambda: only_leaf(picker.model).data() == name  # noqa: B023 - called before the next round
        )
        picker.tree.setCurrentIndex(only_leaf(picker.model))
        QTest.keyClick(picker.tree, Qt.Key.Key_Space)
    with qtbot.waitSignal(picker.succeeded):
        QTest.mouseClick(picker.primary, Qt.MouseButton.LeftButton)


def add_plan(editor: RuleEditor) -> None:
    """Add the plan that the dialog offers at first."""
    editor.tabs.setCurrentWidget(editor.policy)
    QTest.mouseClick(editor.policy.add, Qt.MouseButton.LeftButton)
    dialog = editor.policy.findChildren(PlanDialog)[-1]
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)


# --- creating --------------------------------------------------------------------------------------------------


def test_a_rule_is_made_by_clicks_and_keys(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    door.answer(CreateRule, RuleId("r-new"))
    editor.basic.name.setFocus()
    QTest.keyClicks(editor.basic.name, "mail")
    assert "vc-1.example.com  ·  API 8.0.3.0  ·  vCenter" in editor.basic.facts.text()
    choose_vms(qtbot, editor, "mail-01", "db-01")
    assert [tag.text for tag in editor.basic.tags.tags] == ["mail-01", "db-01"]
    assert editor.basic.sum.text() == "2 chosen, 80.0 GB in all"
    QTest.keyClicks(editor.basic.path, "backup/mail")
    editor.tabs.setCurrentWidget(editor.advanced)
    press(editor.advanced.quiesce)
    add_plan(editor)
    editor.policy.period.setFocus()
    editor.policy.period.selectAll()
    QTest.keyClicks(editor.policy.period, "14")
    with qtbot.waitSignal(editor.succeeded):
        QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    (command,) = door.executed
    assert isinstance(command, CreateRule)
    draft = command.draft
    assert (draft.name, draft.platform, draft.standby, draft.target_path) == (
        "mail", samples.PLATFORM, samples.STANDBY, "backup/mail",
    )  # fmt: skip
    assert [one.name for one in draft.vms] == ["mail-01", "db-01"]
    assert (draft.advanced.automatic_change_tracking, draft.advanced.quiesce) == (True, True)
    assert isinstance(draft.policy, Periodic)
    (plan,) = draft.policy.policy.plans
    assert (plan.unit, plan.kind, plan.times) == (PolicyUnit.DAILY, BackupKind.INCREMENTAL, (time(22, 0),))
    assert draft.policy.policy.retention.period == 14


def test_an_empty_editor_names_every_missing_field_and_marks_their_tabs(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    problems = {key: field.problem for key, field in {**editor.basic.fields, **editor.policy.fields}.items()}
    assert problems == {
        "name": "Enter a name for the rule.",
        "platform": "",
        "vms": "Choose at least one VM.",
        "standby": "",
        "target_path": "Choose the target path.",
        "plans": "Add at least one plan.",
        "retention": "",
        "start": "",
    }
    assert [not editor.tabs.tabIcon(place).isNull() for place in range(3)] == [True, False, True]
    assert editor.isVisible()
    assert not door.executed


def test_a_wrong_field_on_another_tab_is_gone_to(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    QTest.keyClicks(editor.basic.name, "mail")
    choose_vms(qtbot, editor, "mail-01")
    QTest.keyClicks(editor.basic.path, "backup/mail")
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    assert editor.tabs.currentWidget() is editor.policy
    assert editor.policy.fields["plans"].problem == "Add at least one plan."


def test_the_engine_is_asked_when_typing_stops_and_its_answer_stands_beside_the_field(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    door.answer(CheckRule, (RuleProblemRow(field="name", code="name_taken", value="web"),))
    QTest.keyClicks(editor.basic.name, "web")
    field = editor.basic.fields["name"]
    qtbot.waitUntil(lambda: field.problem == "Another rule has the name web.")
    assert editor.basic.fields["target_path"].problem == "", "what was not touched yet is not complained about"
    assert not editor.tabs.tabIcon(0).isNull()
    door.answer(CheckRule, ())
    QTest.keyClicks(editor.basic.name, "-2")
    qtbot.waitUntil(lambda: not field.problem)
    assert editor.tabs.tabIcon(0).isNull()


@pytest.mark.parametrize(("typed", "problem"), [("0", True), ("65", True), ("1", False), ("64", False)])
def test_retention_is_a_whole_number_from_1_to_64(
    qtbot: QtBot, console: Console, door: ScriptedDoor, typed: str, problem: bool
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    add_plan(editor)
    editor.policy.period.setFocus()
    editor.policy.period.selectAll()
    QTest.keyClicks(editor.policy.period, typed)
    field = editor.policy.fields["retention"]
    if problem:
        qtbot.waitUntil(lambda: field.problem == "Enter a whole number from 1 to 64.")
    else:
        asked = len(door.asked)
        qtbot.waitUntil(lambda: any(isinstance(query, CheckRule) for query in door.asked[asked:]))
        assert field.problem == ""


def test_an_error_keeps_everything_typed(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    door.answer(CreateRule, OperationalError(detail="the catalog is locked."))
    QTest.keyClicks(editor.basic.name, "mail")
    choose_vms(qtbot, editor, "mail-01")
    QTest.keyClicks(editor.basic.path, "backup/mail")
    add_plan(editor)
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(editor.banner.isVisible)
    assert editor.isVisible()
    assert editor.primary.isEnabled()
    assert (editor.basic.name.text(), len(editor.basic.vms), len(editor.policy.plans)) == ("mail", 1, 1)


def test_fast_backup_has_a_box_of_its_own_only_without_the_automatic_one(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    editor.tabs.setCurrentWidget(editor.advanced)
    tab = editor.advanced
    assert not tab.fast.isVisible()
    press(tab.automatic)
    assert tab.fast.isVisible()
    assert tab.whole.isVisible(), "with neither, every backup reads the whole disks"
    press(tab.fast)
    assert not tab.whole.isVisible()
    assert (tab.settings.automatic_change_tracking, tab.settings.use_change_tracking) == (False, True)


def test_a_one_time_task_starts_today_at_the_earliest(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    editor.tabs.setCurrentWidget(editor.policy)
    editor.policy.once.click()
    earlier = datetime.now(UTC) - timedelta(days=1)
    editor.policy.start.setDateTime(QDateTime.fromSecsSinceEpoch(int(earlier.timestamp())))
    assert "start" in editor.policy.problems()
    later = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(days=1)
    editor.policy.start.setDateTime(QDateTime.fromSecsSinceEpoch(int(later.timestamp())))
    assert editor.policy.problems() == {}
    policy = editor.policy.policy
    assert isinstance(policy, OneTime)
    assert policy.policy.start == later


# --- modes -----------------------------------------------------------------------------------------------------


def test_an_existing_rule_changes_its_policy_only(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    door.answer(ChangeRulePolicy, None)
    assert editor.tabs.currentWidget() is editor.policy
    assert editor.basic.name.isReadOnly()
    assert not editor.basic.platform.isEnabled()
    assert not editor.advanced.quiesce.isEnabled()
    assert editor.basic.choose_vms.isHidden()
    assert editor.policy.period.value() == 5
    editor.policy.period.setValue(7)
    with qtbot.waitSignal(editor.succeeded):
        QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    (command,) = door.executed
    assert isinstance(command, ChangeRulePolicy)
    assert isinstance(command.policy, Periodic)
    assert command.policy.policy.plans == samples.POLICY.policy.plans
    assert command.policy.policy.retention.period == 7


def test_adding_vms_leaves_everything_else_as_it_is(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.ADD_VMS)
    door.answer(AddVmsToRule, None)
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    assert "not in the rule yet" in editor.basic.fields["vms"].problem
    assert not editor.policy.period.isEnabled()
    assert editor.policy.add.isHidden()
    choose_vms(qtbot, editor, "mail-01")
    with qtbot.waitSignal(editor.succeeded):
        QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)
    added = VmChoice(vm=VmId("vm-mail-01"), name="mail-01")
    assert door.executed == [AddVmsToRule(rule=RuleId("r-web"), vms=(added,))]


# --- plans and preview -----------------------------------------------------------------------------------------


def test_a_weekly_plan_takes_several_times_and_all_days(qtbot: QtBot, console: Console) -> None:
    dialog = PlanDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    dialog.unit.setFocus()
    QTest.keyClick(dialog.unit, Qt.Key.Key_Down)
    assert dialog.all_days.isVisible()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog._weekdays.problem == "Check at least one weekday."
    press(dialog.all_days)
    press(dialog.weekdays[Weekday.SUNDAY])
    assert not dialog.all_days.isChecked()
    for clock in (time(12, 0), time(2, 30)):
        dialog.time.setTime(dialog.time.time().fromMSecsSinceStartOfDay((clock.hour * 60 + clock.minute) * 60_000))
        QTest.mouseClick(dialog.add_time, Qt.MouseButton.LeftButton)
    QTest.mouseClick(dialog.add_time, Qt.MouseButton.LeftButton)
    assert dialog._times_field.problem == "The same run time is there twice."
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
def test_a_plan_is_told_as_words(console: Console, plan: Plan, english: str, chinese: str) -> None:
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
    assert editor.policy._label.text() == "Retention (weeks) *"
    model = editor.policy.table.model()
    cell = editor.policy.table.visualRect(model.index(1, 2))
    place = editor.policy.delegate.place_of("Remove", cell)
    QTest.mouseClick(editor.policy.table.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert [plan.unit for plan in editor.policy.plans] == [PolicyUnit.DAILY]
    assert editor.policy._label.text() == "Retention (days) *"


def test_the_calendar_tells_what_will_exist_on_the_chosen_day(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CHANGE_POLICY)
    grid = editor.policy.calendar.grid
    qtbot.waitUntil(lambda: len(grid.days) == 92)
    query = next(query for query in door.asked if isinstance(query, PreviewRetention))
    assert (query.rule, query.vm) == (RuleId("r-web"), VmId("vm-web-01"))
    last = grid.days[-1]
    assert f"On {last.day} there are {len(last.points)} restore points" in editor.policy.calendar.summary.text()
    QTest.keyClick(grid, Qt.Key.Key_Left)
    week_before = grid.days[-8]
    assert f"On {week_before.day} there are" in editor.policy.calendar.summary.text()
    QTest.mouseClick(grid, Qt.MouseButton.LeftButton, pos=grid._box(3).center().toPoint())
    assert f"On {grid.days[3].day}" in editor.policy.calendar.summary.text()


# --- choosing VMs and directories ------------------------------------------------------------------------------


def test_a_vm_that_a_rule_has_is_grey_and_names_the_rule(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms(samples.INVENTORY, {VmId("vm-web-01"): "web"})
    taken = next(vm for vm in samples.INVENTORY if vm.name == "web-01")
    model.choose(samples.INVENTORY, chosen=True)
    assert taken not in model.chosen
    assert len(model.chosen) == len(samples.INVENTORY) - 1
    assert model.refusal(taken) == "web"


def test_a_group_checks_what_passes_the_filter_and_shows_what_is_checked(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms(samples.INVENTORY, {})
    model.set_filter("db")
    berlin = model.index(0, 0)
    assert model.setData(berlin, Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert sorted(vm.name for vm in model.chosen) == ["db-01", "db-02"]
    model.set_filter("")
    states = {
        model.index(row, 0, model.index(0, 0)).data(): model.index(row, 0, model.index(0, 0)).data(
            Qt.ItemDataRole.CheckStateRole
        )
        for row in range(3)
    }
    assert states == {"Production": 0, "Databases": 2, "Office": 0}
    assert model.index(0, 0).data(Qt.ItemDataRole.CheckStateRole) == 1
    model.group_by_host(by_host=True)
    hosts = [model.index(row, 0, model.index(0, 0)).data() for row in range(2)]
    assert hosts == ["esx-01", "esx-02"]


def test_a_tag_is_removed_with_its_cross(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    choose_vms(qtbot, editor, "mail-01", "db-01")
    editor.basic.tags.removed.emit("vm-mail-01")
    assert [one.name for one in editor.basic.vms] == ["db-01"]


def test_directories_load_as_they_are_opened_and_a_new_one_can_be_typed(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    samples.fill(door)
    browser = DirectoryBrowser.of_standby(console, samples.STANDBY, "standby-a")
    qtbot.addWidget(browser)
    browser.open()
    qtbot.waitUntil(lambda: browser.tree.topLevelItemCount() == 2)
    top = browser.tree.topLevelItem(0)
    assert top is not None
    browser.tree.setCurrentItem(top)
    assert browser.path.text() == "backup"
    QTest.keyClick(browser.tree, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: top.childCount() == 2)
    below = top.child(1)
    assert below is not None
    assert (below.text(0), below.text(1)) == ("web", "holds backups")
    QTest.keyClick(browser.tree, Qt.Key.Key_Down)
    assert browser.chosen == "backup/databases"
    browser.path.setFocus()
    QTest.keyClicks(browser.path, "/new one")
    assert browser.chosen == "backup/databases/new one"
    with qtbot.waitSignal(browser.succeeded):
        QTest.mouseClick(browser.primary, Qt.MouseButton.LeftButton)


def test_a_path_that_leads_out_of_the_standby_is_refused(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    samples.fill(door)
    browser = DirectoryBrowser.of_standby(console, samples.STANDBY, "standby-a")
    qtbot.addWidget(browser)
    browser.open()
    QTest.keyClicks(browser.path, "../etc")
    QTest.mouseClick(browser.primary, Qt.MouseButton.LeftButton)
    assert "it leads upwards" in browser._path.problem
    assert browser.isVisible()
