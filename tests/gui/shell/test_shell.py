from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QMessageBox, QPushButton
from pytestqt.qtbot import QtBot

from app.contract.overview import HitKind, ReadStatus, Search, SearchHit
from app.domain.changes import Subject
from app.domain.engine_events import NotificationRaised, ProgramEndAsked, WindowRaiseAsked
from app.domain.errors import LoginRefused, OperationalError
from app.domain.ids import RuleId, TaskId, VmId
from app.views.frame.brand import TrayState
from app.views.frame.history import Address
from app.views.frame.shell import Shell
from app.views.frame.trouble import TroubleReporter
from app.views.style import Theme
from app.views.translation import Language, LanguageSwitch
from tests.gui.shell.conftest import BUSY, CALM, FAILED, NOW, MakeShell
from tests.support.scripted_door import ScriptedDoor

# --- the status bar ----------------------------------------------------------------------------------------------


def test_the_status_bar_counts_tasks_speed_errors_and_room(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, FAILED)
    items = make_shell().items
    qtbot.waitUntil(items.errors.isVisible)
    assert items.tasks.text() == "3 running · 5 pending"
    assert items.speed.text() == "640 MB/s"
    assert items.errors.text() == "Unviewed errors 2"
    assert items.room.text() == "Standbys 4.10 TB of 16.0 TB"


def test_the_status_bar_shows_offers_over_nbd_while_there_are_any(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    shell = make_shell()
    qtbot.waitUntil(shell.items.errors.isVisible)
    assert not shell.items.offers.isVisible()
    calm_door.answer(ReadStatus, replace(CALM, offers=2))
    calm_door.change(Subject.OFFERS)
    qtbot.waitUntil(shell.items.offers.isVisible)
    assert shell.items.offers.text() == "Over NBD 2"
    with qtbot.waitSignal(shell.window.console.address_wanted) as wanted:
        QTest.mouseClick(shell.items.offers, Qt.MouseButton.LeftButton)
    assert wanted.args == [Address("restore", ("offers",))]
    calm_door.answer(ReadStatus, CALM)
    calm_door.change(Subject.OFFERS)
    qtbot.waitUntil(lambda: not shell.items.offers.isVisible())


def test_every_item_of_the_status_bar_leads_somewhere(qtbot: QtBot, make_shell: MakeShell) -> None:
    shell = make_shell()
    qtbot.waitUntil(shell.items.errors.isVisible)
    wanted: list[Address] = []
    shell.window.console.address_wanted.connect(wanted.append)
    for item in (shell.items.tasks, shell.items.speed, shell.items.errors, shell.items.room):
        QTest.mouseClick(item, Qt.MouseButton.LeftButton)
    assert wanted == [Address("tasks"), Address("tasks"), Address("backup", ("failed",)), Address("standbys")]


def test_an_engine_that_cannot_be_reached_is_shown_and_found_again(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, OperationalError(detail="away"))
    shell = make_shell()
    qtbot.waitUntil(lambda: shell.items.tasks.text() == "The engine cannot be reached")
    calm_door.answer(ReadStatus, CALM)
    qtbot.waitUntil(lambda: shell.items.tasks.text() == "0 running · 0 pending")


# --- search ------------------------------------------------------------------------------------------------------

HITS = (
    SearchHit(kind=HitKind.RULE, title="prod", detail="3 VMs", rule=RuleId("r1")),
    SearchHit(kind=HitKind.VM, title="web-01", detail="prod", rule=RuleId("r1"), vm=VmId("vm-1")),
    SearchHit(kind=HitKind.TASK, title="web-01", detail="Backup", task=TaskId("t9")),
)


def test_search_is_driven_by_the_keyboard_alone(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(Search, HITS)
    shell = make_shell()
    wanted: list[Address] = []
    shell.window.console.address_wanted.connect(wanted.append)
    QTest.keyClick(shell.window, Qt.Key.Key_K, Qt.KeyboardModifier.ControlModifier)
    assert shell.palette.isVisible()
    QTest.keyClicks(shell.palette.field, "web")
    qtbot.waitUntil(lambda: shell.palette.list.count() == 3)
    QTest.keyClick(shell.palette.field, Qt.Key.Key_Down)
    QTest.keyClick(shell.palette.field, Qt.Key.Key_Return)
    assert not shell.palette.isVisible()
    assert wanted == [Address("backup", ("r1", "vm-1"))]


def test_search_finds_pages_even_when_the_engine_is_away(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(Search, OperationalError(detail="away"))
    shell = make_shell()
    shell.open_search()
    QTest.keyClicks(shell.palette.field, "sett")
    qtbot.waitUntil(lambda: shell.palette.list.count() == 1)
    QTest.keyClick(shell.palette.field, Qt.Key.Key_Return)
    assert shell.window.address == Address("settings")


# --- help, language ----------------------------------------------------------------------------------------------


def test_f1_opens_the_help_of_the_page_next_to_it_and_esc_closes_it(qtbot: QtBot, make_shell: MakeShell) -> None:
    window = make_shell().window
    QTest.keyClick(window, Qt.Key.Key_F1)
    assert window.help.isVisible()
    assert "Are we safe?" in window.help.text
    window.visit(Address("settings"))
    assert "32 MB" in window.help.text
    window.help.open_panel()
    QTest.keyClick(window.help, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not window.help.isVisible())


def test_another_language_rebuilds_the_window_at_the_same_place(
    qtbot: QtBot, make_shell: MakeShell, languages: LanguageSwitch
) -> None:
    shell = make_shell()
    shell.window.visit(Address("settings"))
    before = shell.window
    languages.choose(Language.CHINESE)
    assert shell.window is not before
    assert shell.window.isVisible()
    assert shell.window.address == Address("settings")
    assert "设置" in shell.window.windowTitle()
    qtbot.waitUntil(lambda: shell.items.tasks.text() == "0 运行 · 0 排队")
    shell.window.console.go("overview")
    assert shell.window.address == Address("overview")


def test_the_theme_changes_live(make_shell: MakeShell) -> None:
    shell = make_shell()
    theme = shell.window.console.theme
    theme.choose(Theme.DARK)
    dark = shell.window.grab().toImage().pixelColor(5, 400).lightness()
    theme.choose(Theme.LIGHT)
    assert dark < 60 < shell.window.grab().toImage().pixelColor(5, 400).lightness()


# --- leaving -----------------------------------------------------------------------------------------------------


def answer(box: QMessageBox | None, words: str) -> None:
    assert box is not None
    (button,) = [button for button in box.buttons() if button.text() == words]
    assert isinstance(button, QPushButton)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def test_quitting_with_nothing_running_just_ends(qtbot: QtBot, make_shell: MakeShell) -> None:
    shell = make_shell()
    qtbot.waitUntil(shell.items.errors.isVisible)
    with qtbot.waitSignal(shell.ended):
        QTest.keyClick(shell.window, Qt.Key.Key_Q, Qt.KeyboardModifier.ControlModifier)
    assert not shell.window.isVisible()


def test_quitting_with_tasks_running_asks_first(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, BUSY)
    shell = make_shell()
    qtbot.waitUntil(shell.items.errors.isVisible)
    shell.window.close()
    assert shell.question is not None
    assert shell.question.text() == "3 tasks are running."
    answer(shell.question, "Go on")
    assert shell.window.isVisible()
    shell.quit()
    with qtbot.waitSignal(shell.ended):
        answer(shell.question, "Stop the tasks and quit")


def test_quitting_while_vms_run_from_restore_points_asks_first(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, replace(CALM, instant=1))
    shell = make_shell()
    qtbot.waitUntil(shell.items.instant.isVisible)
    assert shell.items.instant.text() == "Instant 1"
    shell.quit()
    assert shell.question is not None
    assert shell.question.text() == "1 VM runs from restore points at this machine."
    assert "while this machine is on" in shell.question.informativeText()
    answer(shell.question, "Go on")
    calm_door.answer(ReadStatus, replace(BUSY, instant=2))
    shell.feed.ask()
    qtbot.waitUntil(lambda: shell.items.instant.text() == "Instant 2")
    shell.quit()
    assert shell.question is not None
    assert shell.question.text() == "3 tasks are running. 2 VMs run from restore points at this machine."
    with qtbot.waitSignal(shell.ended):
        answer(shell.question, "Stop the tasks and quit")


def test_quitting_asks_nothing_where_the_engine_goes_on_with_such_vms(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, replace(CALM, instant=1))
    shell = make_shell(engine_ends_too=False)
    qtbot.waitUntil(shell.items.instant.isVisible)
    with qtbot.waitSignal(shell.ended):
        shell.quit()


def test_with_a_tray_closing_the_window_leaves_the_program_there(qtbot: QtBot, make_shell: MakeShell) -> None:
    shell = make_shell(has_tray=True)
    ended: list[object] = []
    shell.ended.connect(lambda: ended.append(True))
    shell.window.close()
    assert not shell.window.isVisible()
    assert not ended
    assert shell.tray is not None
    shell.tray.open_action.trigger()
    assert shell.window.isVisible()
    with qtbot.waitSignal(shell.ended):
        shell.tray.quit_action.trigger()


def test_a_second_start_brings_the_window_to_the_front(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    shell = make_shell(has_tray=True)
    shell.window.close()
    calm_door.publish(WindowRaiseAsked(at=NOW))
    qtbot.waitUntil(shell.window.isVisible)


def test_an_installer_ends_the_program_without_a_question(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    shell = make_shell(has_tray=True)
    with qtbot.waitSignal(shell.ended):
        calm_door.publish(ProgramEndAsked(at=NOW))
    assert shell.question is None


def test_a_minimized_start_shows_no_window_where_there_is_a_tray(make_shell: MakeShell) -> None:
    shell = make_shell(has_tray=True)
    shell.window.hide()
    shell.show(minimized=True)
    assert not shell.window.isVisible()


# --- the tray ----------------------------------------------------------------------------------------------------


def tray_look(shell: Shell) -> tuple[TrayState, int]:
    assert shell.tray is not None
    return shell.tray.state, shell.tray.unviewed


def test_the_tray_shows_the_worst_of_error_running_and_idle(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, FAILED)
    shell = make_shell(has_tray=True)
    assert shell.tray is not None
    qtbot.waitUntil(lambda: tray_look(shell) == (TrayState.ERROR, 2))
    assert "Unviewed errors 2" in shell.tray.icon.toolTip()
    for status, look in ((BUSY, (TrayState.RUNNING, 0)), (CALM, (TrayState.IDLE, 0))):
        calm_door.answer(ReadStatus, status)
        calm_door.change(Subject.TASKS)
        qtbot.waitUntil(lambda look=look: tray_look(shell) == look)  # type: ignore[misc]
    calm_door.answer(ReadStatus, OperationalError(detail="away"))
    calm_door.change(Subject.TASKS)
    qtbot.waitUntil(lambda: tray_look(shell) == (TrayState.AWAY, 0))


def test_a_failed_task_raises_a_notification_that_names_vm_and_reason(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    shell = make_shell(has_tray=True)
    assert shell.tray is not None
    shown: list[tuple[str, str]] = []
    shell.tray.shown.connect(lambda title, text: shown.append((title, text)))
    event = NotificationRaised(
        at=NOW,
        title="db-01 failed",
        text="vc-1 did not accept the account backup.",
        task=TaskId("t1"),
        vm=VmId("vm-2"),
        vm_name="db-01",
        code=LoginRefused.code,
        template=LoginRefused.message_template,
        params=(("address", "vc-1"), ("user", "backup")),
    )
    calm_door.publish(event)
    qtbot.waitUntil(lambda: len(shown) == 1)
    assert shown == [("db-01: the task failed", "vc-1 did not accept the account backup.")]
    wanted: list[Address] = []
    shell.window.console.address_wanted.connect(wanted.append)
    shell.tray.icon.messageClicked.emit()
    assert wanted == [Address("backup", ("failed",))]


def test_a_click_on_the_tray_leaves_an_open_dialog_where_it_is(qtbot: QtBot, make_shell: MakeShell) -> None:
    shell = make_shell(has_tray=True)
    assert shell.tray is not None
    wanted: list[Address] = []
    shell.window.console.address_wanted.connect(wanted.append)
    dialog = QDialog(shell.window)
    dialog.open()
    shell.window.hide()
    shell.tray.failed_action.trigger()
    assert shell.window.isVisible()
    assert wanted == []
    dialog.close()
    shell.tray.failed_action.trigger()
    assert wanted == [Address("backup", ("failed",))]


def test_many_failures_at_once_are_one_notification(make_shell: MakeShell) -> None:
    tray = make_shell(has_tray=True).tray
    assert tray is not None
    title, text = tray.notification([(f"vm-{number}", "no space") for number in range(5)])
    assert title == "5 tasks failed"
    assert text.splitlines() == ["vm-0: no space", "vm-1: no space", "vm-2: no space", "and 2 more"]


def test_a_message_that_comes_with_failures_is_none_of_them(make_shell: MakeShell) -> None:
    tray = make_shell(has_tray=True).tray
    assert tray is not None
    title, text = tray.notification([("vm-1", "no space"), ("", "This is a test.")])
    assert title == "2 notifications"
    assert text.splitlines() == ["vm-1: no space", "This is a test."]


# --- mistakes of ours --------------------------------------------------------------------------------------------


def test_an_unexpected_error_is_shown_once_and_the_program_goes_on(qtbot: QtBot, make_shell: MakeShell) -> None:
    shell = make_shell()
    trouble = TroubleReporter("/var/log/standfast", shell)
    trouble.belong_to(shell.window)
    for _ in range(3):
        trouble.report(ValueError("<oops>"))
    qtbot.waitUntil(lambda: bool(shell.window.findChildren(QMessageBox)))
    (box,) = shell.window.findChildren(QMessageBox)
    assert "<oops>" in box.informativeText()
    assert "ValueError" in box.detailedText()
    box.reject()
    qtbot.waitUntil(lambda: not shell.window.findChildren(QMessageBox))
    assert shell.window.isVisible()
