"""What is done with a migration, and its details."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.migration import CutOver, DiscardMigration, MigrationRow, ResumeMigration, StopMigration
from app.contract.tasks import ListTasks
from app.domain.migration import MigrationAction, MigrationOptions, MigrationState
from app.domain.states import TaskKind
from app.views.console import Console
from app.views.frame.history import Address
from app.views.migration.details import MigrationDetails
from app.views.migration.page import MigrationPage
from app.views.migration.stopping import StopMigrationDialog
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.migration.migrations import migration
from tests.gui.migration.steps import DONE, READY, STOPPED, TASK, act, action_of, click, newest_dialog
from tests.gui.operator import settle
from tests.gui.tasks.rows import task
from tests.support.scripted_door import ScriptedDoor

WORDS = {
    MigrationAction.CUT_OVER: "Cut over…",
    MigrationAction.STOP: "Stop…",
    MigrationAction.RESUME: "Resume…",
    MigrationAction.DISCARD: "Delete…",
}


def confirm(qtbot: QtBot, dialog: ConfirmDialog | StopMigrationDialog) -> None:
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)


def asked_of(page: MigrationPage, text: str, row: MigrationRow) -> ConfirmDialog:
    dialog = act(page, text, row)
    assert isinstance(dialog, ConfirmDialog)
    return dialog


# --- what can be done ------------------------------------------------------------------------------------------


def test_actions_are_those_that_the_engine_allows(page: MigrationPage) -> None:
    for action, text in WORDS.items():
        assert action_of(page, text).enabled(replace(READY, actions=(action,)))
        assert not action_of(page, text).enabled(replace(READY, actions=tuple(set(WORDS) - {action})))


def test_the_tool_bar_follows_the_selection(page: MigrationPage) -> None:
    page.table.select(STOPPED.id)
    enabled = {action for action, button in page.tools.items() if button.isEnabled()}
    assert enabled == {MigrationAction.RESUME, MigrationAction.DISCARD}
    page.table.select(DONE.id)
    enabled = {action for action, button in page.tools.items() if button.isEnabled()}
    assert enabled == {MigrationAction.DISCARD}
    assert page.details.isEnabled()


def test_the_tool_bar_does_what_a_row_offers(qtbot: QtBot, page: MigrationPage, door: ScriptedDoor) -> None:
    page.table.select(STOPPED.id)
    click(page.tools[MigrationAction.RESUME])
    dialog = newest_dialog(page)
    assert isinstance(dialog, ConfirmDialog)
    confirm(qtbot, dialog)
    assert door.executed == [ResumeMigration(migration=STOPPED.id)]
    assert page.banner.isVisible()


# --- the cut-over ----------------------------------------------------------------------------------------------


def test_a_cut_over_says_what_happens_to_the_source(qtbot: QtBot, page: MigrationPage, door: ScriptedDoor) -> None:
    dialog = asked_of(page, "Cut over…", READY)
    source, length, target, undoing = dialog.consequences
    assert "web-01 is shut down on vc-1" in source
    assert "powered off and under another name" in source
    assert "52.0 MB" in length
    assert "3 min" in length
    assert "web-01 is started on vc-2" in target
    assert "undone" in undoing
    confirm(qtbot, dialog)
    assert door.executed == [CutOver(migration=READY.id)]


def test_a_cut_over_that_leaves_the_source_alone_says_so(page: MigrationPage) -> None:
    options = MigrationOptions(shut_down_source=False, power_on=False)
    dialog = asked_of(page, "Cut over…", replace(READY, options=options, cut_over_s=None))
    source, length, target = dialog.consequences
    assert source.startswith("web-01 is not shut down")
    assert "cannot be told" in length
    assert "start it yourself" in target


# --- stopping --------------------------------------------------------------------------------------------------


def test_stopping_keeps_what_was_copied(qtbot: QtBot, page: MigrationPage, door: ScriptedDoor) -> None:
    dialog = act(page, "Stop…", READY)
    assert isinstance(dialog, StopMigrationDialog)
    assert dialog.primary.isEnabled()
    assert not dialog.typed_name.isVisible()
    confirm(qtbot, dialog)
    assert door.executed == [StopMigration(migration=READY.id)]


def test_stopping_deletes_what_was_copied_only_with_the_name_typed(
    qtbot: QtBot, page: MigrationPage, door: ScriptedDoor
) -> None:
    dialog = act(page, "Stop…", READY)
    assert isinstance(dialog, StopMigrationDialog)
    click(dialog.choice.button(True))
    assert not dialog.primary.isEnabled()
    QTest.keyClicks(dialog.typed_name, "web-0")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == []
    QTest.keyClicks(dialog.typed_name, "1")
    confirm(qtbot, dialog)
    assert door.executed == [StopMigration(migration=READY.id, keep=False)]


def test_stopping_a_cut_over_says_that_it_is_undone(page: MigrationPage) -> None:
    dialog = act(page, "Stop…", migration("mail-01", MigrationState.CUTTING_OVER))
    assert isinstance(dialog, StopMigrationDialog)
    assert dialog.source_words.startswith("The cut-over is undone: mail-01")


# --- deleting --------------------------------------------------------------------------------------------------


def test_the_delete_key_asks_for_the_name_of_an_unfinished_one(
    qtbot: QtBot, page: MigrationPage, door: ScriptedDoor
) -> None:
    page.table.select(STOPPED.id)
    page.table.setFocus()
    QTest.keyClick(page.table, Qt.Key.Key_Delete)
    (dialog,) = page.findChildren(ConfirmDialog)
    assert not dialog.primary.isEnabled()
    assert "deleted from vc-2" in dialog.consequences[0]
    QTest.keyClicks(dialog.name, "files-01")
    confirm(qtbot, dialog)
    assert door.executed == [DiscardMigration(migration=STOPPED.id)]


def test_of_a_completed_one_only_the_row_goes(qtbot: QtBot, page: MigrationPage, door: ScriptedDoor) -> None:
    dialog = asked_of(page, "Delete…", DONE)
    assert dialog.consequences == ("Only the row goes. Neither the source nor the target is touched.",)
    confirm(qtbot, dialog)
    assert door.executed == [DiscardMigration(migration=DONE.id)]


def test_the_delete_key_says_so_where_a_task_works(page: MigrationPage) -> None:
    page.table.rows.set_rows([migration("db-01", MigrationState.MIGRATING)])
    page.table.selectRow(0)
    page.on_delete()
    assert page.banner.title == "It cannot be deleted while a task works at it; stop it first."


@pytest.mark.parametrize("automatic", [True, False])
def test_resuming_says_whether_the_cut_over_follows(page: MigrationPage, automatic: bool) -> None:
    row = replace(STOPPED, options=MigrationOptions(automatic=automatic))
    assert ("by itself" in asked_of(page, "Resume…", row).consequences[1]) is automatic


# --- log and details -------------------------------------------------------------------------------------------


def test_the_log_is_that_of_the_task_that_works_at_it(qtbot: QtBot, console: Console, page: MigrationPage) -> None:
    with qtbot.waitSignal(console.address_wanted) as wanted:
        page.acting.show_log(replace(READY, task=TASK))
    assert wanted.args == [Address("log", ("task", TASK))]


def test_without_a_task_the_log_is_that_of_the_last_one(
    qtbot: QtBot, console: Console, page: MigrationPage, door: ScriptedDoor
) -> None:
    door.answer(ListTasks, (task("t9", kind=TaskKind.MIGRATION),))
    with qtbot.waitSignal(console.address_wanted) as wanted:
        page.acting.show_log(DONE)
    assert wanted.args == [Address("log", ("task", "t9"))]
    query = ListTasks(kinds=(TaskKind.MIGRATION,), vm=DONE.vm, platform=DONE.platform, limit=1)
    assert query in door.asked


def test_a_log_that_is_not_there_any_more_is_said(qtbot: QtBot, console: Console, page: MigrationPage) -> None:
    page.acting.show_log(DONE)
    settle(qtbot, console)
    assert page.banner.title == "Its tasks are not listed any more."


def details_of(page: MigrationPage, row: MigrationRow) -> MigrationDetails:
    dialog = act(page, "Details", row)
    assert isinstance(dialog, MigrationDetails)
    return dialog


def test_details_show_facts_and_figures(page: MigrationPage) -> None:
    texts = details_of(page, DONE).texts
    assert texts["Source kept as"] == "web-03-migrated-1a2b3c4d"
    assert texts["Data left"] == "—"
    assert texts["Copy speed"] == "212 MB/s"
    assert texts["Source at the cut-over"] == "Is shut down"
    assert texts["Cut-over"] == "When it is asked for"


def test_details_show_an_error_with_what_to_do_and_can_be_copied(page: MigrationPage) -> None:
    dialog = details_of(page, migration("web-02", MigrationState.FAILED))
    assert dialog.banner.isVisible()
    assert "cannot be reached" in dialog.banner.title
    click(dialog.copy)
    copied = QGuiApplication.clipboard().text()
    assert "platform.unreachable" in copied
    assert "Source VM: web-02" in copied


def test_details_follow_the_list(page: MigrationPage) -> None:
    dialog = details_of(page, READY)
    page.listed.listed.emit((replace(READY, rest_bytes=7_000_000),))
    assert dialog.texts["Data left"] == "7.00 MB"
    page.listed.listed.emit(())
    assert "not in the list any more" in dialog.banner.title


def test_details_lead_to_the_log(qtbot: QtBot, console: Console, page: MigrationPage) -> None:
    dialog = details_of(page, replace(READY, task=TASK))
    with qtbot.waitSignal(console.address_wanted) as wanted:
        click(dialog.log)
    assert wanted.args == [Address("log", ("task", TASK))]
