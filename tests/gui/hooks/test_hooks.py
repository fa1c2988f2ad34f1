"""Backup hooks are set by keys and clicks, for all rules and for one."""

from collections.abc import Sequence

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QSpinBox, QWidget
from pytestqt.qtbot import QtBot

from app.contract.hooks import ReadHooks, SetHooks
from app.domain.hooks import AllHooks, HookCommand, Hooks
from app.domain.ids import RuleId
from app.engine.errors import RequestRefused
from app.views.console import Console
from app.views.settings.hooks import HooksCard
from app.views.widgets.hooks import HooksDialog
from tests.gui.backup.conftest import Visits
from tests.gui.backup.conftest import visits as visits
from tests.gui.backup.steps import WEB
from tests.gui.keys import press_menu_key
from tests.support.scripted_door import ScriptedDoor

FREEZE = HookCommand(
    arguments=(r"C:\Program Files\db.exe", "-o", " a b ", "", "two\nlines", ""),
    time_limit_s=12.5,
    retries=2,
    veto=False,
)
THAW = HookCommand(arguments=("thaw",), enabled=False)
COMMON = AllHooks(common=Hooks(before=FREEZE, after=THAW))


@pytest.fixture
def holder(qtbot: QtBot) -> QWidget:
    widget = QWidget()
    qtbot.addWidget(widget)
    return widget


def opened(
    qtbot: QtBot, console: Console, holder: QWidget, book: AllHooks, *, rule: RuleId | None = None
) -> HooksDialog:
    dialog = HooksDialog(console, book, holder, rule=rule, rule_name="web" if rule else "")
    dialog.open()
    qtbot.waitUntil(dialog.isActiveWindow)
    return dialog


def type_number(spin: QSpinBox, text: str) -> None:
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, text)


def type_lines(dialog: HooksDialog, lines: Sequence[str]) -> None:
    edit = dialog.before.arguments
    edit.setFocus()
    for number, line in enumerate(lines):
        if number:
            QTest.keyClick(edit, Qt.Key.Key_Return)
        QTest.keyClicks(edit, line)


def saved(qtbot: QtBot, dialog: HooksDialog, door: ScriptedDoor) -> SetHooks:
    """Press Enter in a field and return what the engine was sent."""
    door.answer(SetHooks, None)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog.before.program, Qt.Key.Key_Return)
    (command,) = door.executed
    assert isinstance(command, SetHooks)
    return command


# --- the dialog ------------------------------------------------------------------------------------------------


def test_a_command_is_typed_and_saved_by_keys(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, AllHooks())
    dialog.before.program.setFocus()
    QTest.keyClicks(dialog.before.program, "/opt/freeze db")
    assert dialog.before.enabled.isChecked(), "who types a program wants it run"
    QTest.keyClick(dialog.before.program, Qt.Key.Key_Tab)
    assert dialog.before.arguments.hasFocus()
    type_lines(dialog, ["-o", 'Batch Mode="yes" $HOME'])
    QTest.keyClick(dialog.before.arguments, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClicks(dialog.before.arguments, "second line")
    QTest.keyClick(dialog.before.arguments, Qt.Key.Key_Tab)
    assert dialog.before.limit.hasFocus()
    type_number(dialog.before.limit, "90.5")
    type_number(dialog.before.retries, "3")
    QTest.keyClick(dialog.before.veto, Qt.Key.Key_Space)
    command = saved(qtbot, dialog, door)
    expected = HookCommand(
        arguments=("/opt/freeze db", "-o", 'Batch Mode="yes" $HOME\nsecond line'),
        time_limit_s=90.5,
        retries=3,
        veto=False,
    )
    assert command == SetHooks(rule=None, hooks=Hooks(before=expected))
    qtbot.waitUntil(lambda: not dialog.isVisible())


def test_what_is_kept_is_shown_and_kept_exactly(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, COMMON)
    assert dialog.before.limit.text() == "12.5"
    assert dialog.before.arguments.blockCount() == 6, "an empty argument at the end has a line of its own"
    assert not dialog.after.enabled.isChecked()
    assert dialog.after.program.text() == "thaw"
    assert saved(qtbot, dialog, door).hooks == COMMON.common


def test_arguments_stay_exact_when_one_is_added(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, COMMON)
    QTest.keyClick(dialog.before.arguments, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    QTest.keyClicks(dialog.before.arguments, "-v")
    QTest.keyClick(dialog.before.arguments, Qt.Key.Key_Return)
    hooks = saved(qtbot, dialog, door).hooks
    assert hooks is not None
    assert hooks.before is not None
    assert hooks.before.arguments == (FREEZE.arguments[0], "-v", *FREEZE.arguments[1:])


def test_a_command_is_switched_off_and_removed(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, COMMON)
    QTest.keyClick(dialog.before.enabled, Qt.Key.Key_Space)
    dialog.after.program.setFocus()
    dialog.after.program.selectAll()
    QTest.keyClick(dialog.after.program, Qt.Key.Key_Delete)
    hooks = saved(qtbot, dialog, door).hooks
    assert hooks is not None
    assert hooks.after is None
    assert hooks.before is not None
    assert (hooks.before.enabled, hooks.before.arguments) == (False, FREEZE.arguments)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("", "Enter the program"),
        (" ", "Enter the program"),
        ("freeze ", "blank"),
        ('"C:\\Program Files\\db.exe"', "without quotation marks"),
        ("fre\x07eze", "cannot be shown"),
    ],
)
def test_a_wrong_program_is_shown_below_it(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor, program: str, words: str
) -> None:
    dialog = opened(qtbot, console, holder, AllHooks())
    QTest.keyClick(dialog.before.enabled, Qt.Key.Key_Space)
    assert dialog.before.program.hasFocus()
    QGuiApplication.clipboard().setText(program)
    QTest.keyClick(dialog.before.program, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert words in dialog.before.program_field.problem
    assert words in dialog.before.program.accessibleDescription()
    assert dialog.before.program.hasFocus()
    assert dialog.before.program.text() == program
    assert door.executed == []


@pytest.mark.parametrize(
    ("limit", "retries", "words"),
    [("0", "1", "more than 0"), ("86400.5", "1", "at most 86400"), ("9", "11", "0 to 10")],
)
def test_wrong_numbers_are_shown_and_stay(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor, limit: str, retries: str, words: str
) -> None:
    dialog = opened(qtbot, console, holder, COMMON)
    type_number(dialog.before.limit, limit)
    type_number(dialog.before.retries, retries)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    reported = dialog.before.limit_field.problem + dialog.before.retries_field.problem
    assert words in reported
    assert (dialog.before.limit.text(), dialog.before.retries.text()) == (limit, retries)
    assert door.executed == []


def test_a_refusal_loses_nothing_and_escape_changes_nothing(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, AllHooks(), rule=WEB)
    door.answer(SetHooks, RequestRefused(detail="there is no rule r-web"))
    dialog.whose.setFocus()
    QTest.keyClick(dialog.whose, Qt.Key.Key_Down)
    QTest.keyClicks(dialog.before.program, "freeze")
    QTest.keyClick(dialog.before.program, Qt.Key.Key_Return)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.before.program.text() == "freeze"
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert len(door.executed) == 1


def test_every_field_has_a_name_that_says_which_command_it_is_of(
    qtbot: QtBot, console: Console, holder: QWidget
) -> None:
    dialog = opened(qtbot, console, holder, AllHooks())
    names = [
        widget.accessibleName()
        for fields in (dialog.before, dialog.after)
        for widget in (fields.program, fields.arguments, fields.limit, fields.retries)
    ]
    assert names[0] == "Run a command before each backup: Program"
    assert len(set(names)) == 8
    assert dialog.after.veto.isHidden()
    dialog.reject()


# --- of a rule -------------------------------------------------------------------------------------------------


def choose(dialog: HooksDialog, key: Qt.Key) -> None:
    dialog.whose.setFocus()
    QTest.keyClick(dialog.whose, key)


def test_a_rules_own_commands_begin_as_the_common_ones(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    dialog = opened(qtbot, console, holder, COMMON, rule=WEB)
    assert dialog.whose.currentText() == "The common commands"
    assert not dialog.before.program.isEnabled()
    assert dialog.before.program.text() == FREEZE.arguments[0]
    choose(dialog, Qt.Key.Key_Down)
    assert dialog.before.program.isEnabled()
    dialog.before.program.setFocus()
    dialog.before.program.selectAll()
    QTest.keyClicks(dialog.before.program, "freeze-web")
    choose(dialog, Qt.Key.Key_Up)
    assert dialog.before.program.text() == FREEZE.arguments[0], "the common ones are shown again"
    choose(dialog, Qt.Key.Key_Down)
    assert dialog.before.program.text() == "freeze-web", "what was typed is still there"
    command = saved(qtbot, dialog, door)
    assert command.rule == WEB
    assert command.hooks is not None
    assert command.hooks.before is not None
    assert command.hooks.before.arguments == ("freeze-web", *FREEZE.arguments[1:])
    assert command.hooks.after == THAW


def test_a_rule_goes_back_to_the_common_commands_whatever_its_own_are(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    book = AllHooks(common=COMMON.common, rules={WEB: Hooks(before=HookCommand(arguments=("own",)))})
    dialog = opened(qtbot, console, holder, book, rule=WEB)
    assert dialog.before.program.text() == "own"
    type_number(dialog.before.limit, "0")
    choose(dialog, Qt.Key.Key_Up)
    door.answer(SetHooks, None)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [SetHooks(rule=WEB, hooks=None)]


def test_commands_are_in_the_menu_of_a_rule(qtbot: QtBot, visits: Visits, door: ScriptedDoor) -> None:
    door.answer(ReadHooks, COMMON)
    rules = visits.page.rules
    visits.window.activateWindow()
    qtbot.waitUntil(visits.window.isActiveWindow)
    rules.table.selectRow(0)
    rules.table.setFocus()
    press_menu_key(rules.table)
    menu = next(menu for menu in rules.findChildren(QMenu) if menu.isVisible())
    entry = next(action for action in menu.actions() if action.text() == "Commands…")
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: rules.findChild(HooksDialog) is not None)
    dialog = rules.findChild(HooksDialog)
    assert isinstance(dialog, HooksDialog)
    assert dialog.windowTitle() == "Set the commands of the rule web"
    qtbot.waitUntil(dialog.isActiveWindow)
    QTest.keyClick(dialog, Qt.Key.Key_F1)
    qtbot.waitUntil(lambda: any(widget.inherits("QWhatsThat") for widget in QApplication.topLevelWidgets()))
    next(widget for widget in QApplication.topLevelWidgets() if widget.inherits("QWhatsThat")).close()
    dialog.reject()


# --- the settings page -----------------------------------------------------------------------------------------


def test_the_settings_say_what_is_set_and_change_it(
    qtbot: QtBot, console: Console, holder: QWidget, door: ScriptedDoor
) -> None:
    book = [AllHooks(common=Hooks(after=THAW), rules={WEB: Hooks()})]
    door.answer(ReadHooks, lambda _: book[0])
    card = HooksCard(console, holder)
    holder.show()
    card.show()
    card.refresh()
    qtbot.waitUntil(card.change.isEnabled)
    assert card.words.text().splitlines() == [
        "Before each backup: nothing is run",
        "After each backup: thaw (off)",
        "Rules with commands of their own, in the menu of the rule: 1",
    ]
    QTest.mouseClick(card.change, Qt.MouseButton.LeftButton)
    dialog = card.findChild(HooksDialog)
    assert isinstance(dialog, HooksDialog)
    assert dialog.whose.isHidden()
    qtbot.waitUntil(dialog.isActiveWindow)
    dialog.before.program.setFocus()
    QTest.keyClicks(dialog.before.program, "freeze")
    book[0] = AllHooks(common=Hooks(before=HookCommand(arguments=("freeze", "a b"))))
    saved(qtbot, dialog, door)
    qtbot.waitUntil(lambda: card.words.text().startswith('Before each backup: freeze "a b"'))
    assert "Rules" not in card.words.text()
