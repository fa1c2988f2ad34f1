from datetime import UTC, datetime, time, timedelta

import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    CheckRule,
    CreateRule,
    OneTime,
    Periodic,
    RuleProblemRow,
    VmChoice,
)
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, VmId
from app.domain.policies import PolicyUnit
from app.domain.states import BackupKind
from app.views.backup.editor import EditorMode
from app.views.console import Console
from tests.gui.backup import samples
from tests.gui.backup.steps import (
    add_plan,
    choose_vms,
    open_editor,
    press,
)
from tests.support.scripted_door import ScriptedDoor


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
    assert [vm.name for vm in draft.vms] == ["mail-01", "db-01"]
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
        "newest": "",
        "gfs": "",
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


def test_the_engine_is_asked_when_typing_stops_and_its_answer_stands_below_the_field(
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
