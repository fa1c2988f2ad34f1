"""恢复验证 in the rule editor: what is entered, what is sent, and what is wrong with it."""

from dataclasses import replace
from datetime import time

import pytest
from PySide6.QtCore import Qt, QTime
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from app.contract.platforms import ListPlatforms
from app.contract.restore import ListPlaces
from app.contract.rules import (
    ChangeRulePolicy,
    ChangeRuleProof,
    CheckRule,
    CreateRule,
    RuleDetails,
    RuleProblemRow,
)
from app.domain.errors import OperationalError
from app.domain.ids import PlatformId, RuleId
from app.domain.proofs import ProofPolicy, ProofProblem, ProofWhen, ProofWhich
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.console import Console
from tests.gui.backup import samples
from tests.gui.backup.steps import add_plan, choose_vms
from tests.gui.restore.points import PLACES
from tests.gui.tasks.rows import PLATFORM
from tests.support.scripted_door import ScriptedDoor

NIGHTLY = ProofPolicy(
    when=ProofWhen.EVERY_DAYS,
    every_days=3,
    at=time(4, 30),
    which=ProofWhich.EACH,
    limit_min=20,
    cpus=4,
    memory_mib=8192,
    platform=PLATFORM.id,
    host="esx01.lab",
    at_once=2,
    minutes_per_day=180,
    warn_after_days=14,
)
_TAB = 3


def details(proof: ProofPolicy) -> RuleDetails:
    return replace(samples.DETAILS, draft=replace(samples.DRAFT, proof=proof))


def opened(
    qtbot: QtBot,
    console: Console,
    door: ScriptedDoor,
    proof: ProofPolicy | None = None,
    mode: EditorMode = EditorMode.CHANGE_POLICY,
) -> RuleEditor:
    """The editor on its tab, with a platform that has two hosts."""
    samples.fill(door)
    door.answer(ListPlatforms, (samples.PLATFORM_ROW.platform, PLATFORM))
    door.answer(ListPlaces, PLACES)
    door.answer(ChangeRuleProof, None)
    door.answer(ChangeRulePolicy, None)
    editor = RuleEditor(console, mode, None if mode is EditorMode.CREATE else details(proof or ProofPolicy()))
    qtbot.addWidget(editor)
    editor.open()
    editor.tabs.setCurrentIndex(_TAB)
    qtbot.waitUntil(lambda: editor.proof.place.platform.count() == 3)
    return editor


def choose(box: QComboBox, value: object) -> None:
    """Choose an entry as an operator does, with the keyboard."""
    place = box.findData(value)
    assert place >= 0
    box.setFocus()
    while box.currentIndex() != place:
        before = box.currentIndex()
        QTest.keyClick(box, Qt.Key.Key_Down if box.currentIndex() < place else Qt.Key.Key_Up)
        assert box.currentIndex() != before
    box.activated.emit(place)


def save(editor: RuleEditor) -> None:
    QTest.mouseClick(editor.primary, Qt.MouseButton.LeftButton)


def test_what_a_rule_says_is_shown_and_saving_it_unchanged_sends_no_settings_of_proofs(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = opened(qtbot, console, door, NIGHTLY)
    qtbot.waitUntil(lambda: editor.proof.place.host.count() == 3)
    assert editor.proof.policy == NIGHTLY
    assert editor.proof.place.platform.currentText() == f"{PLATFORM.name}  ({PLATFORM.address})"
    assert editor.proof.place.host.currentText() == "esx01.lab"
    with qtbot.waitSignal(editor.succeeded):
        save(editor)
    assert [type(command) for command in door.executed] == [ChangeRulePolicy]


def test_proofs_are_set_by_clicks_and_keys(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = opened(qtbot, console, door)
    tab = editor.proof
    assert not tab.days.isVisible()
    assert not tab.which.isEnabled()
    choose(tab.when, ProofWhen.EVERY_DAYS)
    assert tab.days.isVisible()
    tab.days.setValue(3)
    tab.at.setTime(QTime(4, 30))
    choose(tab.which, ProofWhich.EACH)
    choose(tab.place.platform, PLATFORM.id)
    qtbot.waitUntil(lambda: tab.place.host.count() == 3)
    choose(tab.place.host, "esx01.lab")
    for box, number in (
        (tab.limits.minutes, 20),
        (tab.limits.cpus, 4),
        (tab.limits.memory, 8192),
        (tab.at_once, 2),
        (tab.minutes, 180),
        (tab.warning, 14),
    ):
        box.setValue(number)
    with qtbot.waitSignal(editor.succeeded):
        save(editor)
    assert door.executed == [
        ChangeRuleProof(rule=RuleId("r-web"), proof=NIGHTLY),
        ChangeRulePolicy(rule=RuleId("r-web"), policy=samples.POLICY),
    ]


def test_a_new_rule_is_made_with_its_proofs(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = opened(qtbot, console, door, mode=EditorMode.CREATE)
    door.answer(CreateRule, RuleId("r-new"))
    choose(editor.proof.when, ProofWhen.AFTER_BACKUP)
    editor.tabs.setCurrentIndex(0)
    QTest.keyClicks(editor.basic.name, "mail")
    choose_vms(qtbot, editor, "mail-01")
    QTest.keyClicks(editor.basic.path, "backup/mail")
    add_plan(editor)
    with qtbot.waitSignal(editor.succeeded):
        save(editor)
    (command,) = door.executed
    assert isinstance(command, CreateRule)
    assert command.draft.proof == ProofPolicy(when=ProofWhen.AFTER_BACKUP)


def test_the_hosts_are_those_of_the_platform_that_the_rule_backs_up_until_another_is_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    opened(qtbot, console, door)
    qtbot.waitUntil(lambda: ListPlaces(platform=samples.PLATFORM) in door.asked)
    assert ListPlaces(platform=PLATFORM.id) not in door.asked


def test_a_platform_and_a_host_that_are_not_listed_any_more_are_kept_and_shown(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    gone = replace(NIGHTLY, platform=PlatformId("p-gone"), host="host-12")
    samples.fill(door)
    door.answer(ListPlatforms, (PLATFORM,))
    door.answer(ListPlaces, OperationalError(detail="the platform is not registered any more"))
    editor = RuleEditor(console, EditorMode.CHANGE_POLICY, details(gone))
    qtbot.addWidget(editor)
    editor.open()
    qtbot.waitUntil(lambda: editor.proof.place.platform.count() == 3)
    assert editor.proof.place.platform.currentText() == "p-gone"
    assert editor.proof.place.host.currentText() == "host-12"
    assert not editor.proof.is_changed


@pytest.mark.parametrize(
    ("box", "number", "field", "words"),
    [
        ("days", 0, "when", "from 1 to 90"),
        ("cpus", 0, "limits", "from 1 to 64"),
        ("memory", 130, "limits", "multiple of 4 MB"),
        ("limit", 241, "limits", "from 1 to 240 minutes"),
        ("at_once", 17, "budget", "from 1 to 16"),
        ("minutes", 14, "budget", "from the time limit of one proof"),
        ("warning", 366, "warning", "0 switches the warning off"),
    ],
)
def test_a_number_out_of_its_range_is_named_below_its_field_and_nothing_is_sent(
    qtbot: QtBot, console: Console, door: ScriptedDoor, box: str, number: int, field: str, words: str
) -> None:
    editor = opened(qtbot, console, door, ProofPolicy(when=ProofWhen.EVERY_DAYS))
    tab = editor.proof
    boxes = {
        "days": tab.days,
        "cpus": tab.limits.cpus,
        "memory": tab.limits.memory,
        "limit": tab.limits.minutes,
        "at_once": tab.at_once,
        "minutes": tab.minutes,
        "warning": tab.warning,
    }
    boxes[box].setValue(number)
    if box == "limit":
        tab.minutes.setValue(1000)
    editor.tabs.setCurrentIndex(0)
    save(editor)
    assert words in tab.fields[field].problem
    assert editor.tabs.currentIndex() == _TAB
    assert not editor.tabs.tabIcon(_TAB).isNull()
    assert door.executed == []


def test_what_the_engine_finds_wrong_stands_below_its_field(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = opened(qtbot, console, door)
    problem = RuleProblemRow(field="proof", code=ProofProblem.BUDGET_OUT_OF_RANGE.value, value="")
    door.answer(CheckRule, (problem,))
    editor.proof.warning.setValue(30)
    qtbot.waitUntil(lambda: "The minutes per day" in editor.proof.fields["budget"].problem)


def test_when_the_second_of_two_requests_fails_all_stays_as_entered_and_can_be_saved_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    editor = opened(qtbot, console, door)
    door.answer(ChangeRulePolicy, OperationalError(detail="the catalog is busy"))
    editor.proof.warning.setValue(30)
    save(editor)
    qtbot.waitUntil(editor.banner.isVisible)
    assert editor.isVisible()
    assert editor.proof.policy.warn_after_days == 30
    door.answer(ChangeRulePolicy, None)
    with qtbot.waitSignal(editor.succeeded):
        save(editor)
    assert [type(command) for command in door.executed] == [ChangeRuleProof, ChangeRulePolicy] * 2


def test_it_can_only_be_looked_at_while_vms_are_added(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = opened(qtbot, console, door, NIGHTLY, EditorMode.ADD_VMS)
    assert not any(field.content.isEnabled() for field in editor.proof.fields.values())
