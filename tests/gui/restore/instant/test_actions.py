"""What is done with a row of the list of instant recoveries, and its details."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.instant import (
    FinishInstantRecovery,
    InstantRow,
    KeepInstantRecovery,
    ResumeInstantRecovery,
    StopInstantRecovery,
)
from app.contract.restore import ListPlaces
from app.contract.tasks import CancelTask
from app.domain.errors import PlatformUnreachable
from app.domain.ids import RecoveryId
from app.domain.instant import FinishWay, InstantAction, InstantState
from app.views.console import Console
from app.views.frame.history import Address
from app.views.icons import Glyph
from app.views.restore.instant.details import InstantDetails
from app.views.restore.instant.finishing import FinishDialog
from app.views.restore.instant.resuming import ResumeDialog
from app.views.restore.instant.stopping import StopDialog
from app.views.restore.page import RestorePage
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.operator import problem_of, settle
from tests.gui.restore.instant.recoveries import recovery
from tests.gui.restore.instant.steps import RUNNING, SERVED, STOPPED, TASK, act, action_of, click, listed
from tests.support.scripted_door import ScriptedDoor

# --- what can be done ------------------------------------------------------------------------------------------


def test_actions_are_those_that_the_engine_allows(page: RestorePage) -> None:
    words = {
        InstantAction.FINISH: "Move…",
        InstantAction.STOP: "Stop…",
        InstantAction.RESUME: "Start…",
        InstantAction.KEEP: "Keep as restore point…",
        InstantAction.DISCARD: "Delete…",
    }
    for action, text in words.items():
        assert action_of(page, text).enabled(replace(RUNNING, actions=(action,)))
        assert not action_of(page, text).enabled(replace(RUNNING, actions=tuple(set(words) - {action})))
    for text in ("Cancel the task…", "View the log of the task"):
        assert action_of(page, text).enabled(replace(RUNNING, task=TASK))
        assert not action_of(page, text).enabled(RUNNING)


def test_the_tool_bar_follows_the_selection(page: RestorePage) -> None:
    page.instant.table.select(RUNNING.id)
    assert page.stop.isEnabled()
    page.instant.table.select(STOPPED.id)
    assert not page.stop.isEnabled()
    assert page.details.isEnabled()
    listed(page, replace(STOPPED, actions=(), task=TASK))
    assert page.stop.isEnabled()


def test_stopping_keeps_what_the_vm_wrote(qtbot: QtBot, page: RestorePage, door: ScriptedDoor) -> None:
    page.instant.table.select(RUNNING.id)
    click(page.stop)
    (dialog,) = page.findChildren(StopDialog)
    assert dialog.primary.isEnabled()
    assert not dialog.typed_name.isVisible()
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [StopInstantRecovery(recovery=RUNNING.id)]
    assert page.instant.banner.isVisible()


def test_stopping_deletes_what_the_vm_wrote_only_with_its_name_typed(
    qtbot: QtBot, page: RestorePage, door: ScriptedDoor
) -> None:
    dialog = act(page, "Stop…", RUNNING)
    assert isinstance(dialog, StopDialog)
    click(dialog.choice.button(True))
    assert not dialog.primary.isEnabled()
    QTest.keyClicks(dialog.typed_name, "web-01-instan")
    QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert door.executed == []
    click(dialog.choice.button(False))
    assert dialog.primary.isEnabled()
    click(dialog.choice.button(True))
    QTest.keyClicks(dialog.typed_name, "t")
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [StopInstantRecovery(recovery=RUNNING.id, discard=True)]


def test_the_delete_key_asks_for_the_name_of_a_stopped_one(
    qtbot: QtBot, page: RestorePage, door: ScriptedDoor
) -> None:
    page.instant.table.select(STOPPED.id)
    page.instant.table.setFocus()
    QTest.keyClick(page.instant.table, Qt.Key.Key_Delete)
    (dialog,) = page.findChildren(ConfirmDialog)
    assert not dialog.primary.isEnabled()
    assert "2.41 GB" in dialog.consequences[0]
    QTest.keyClicks(dialog.name, "files-01-instant")
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [StopInstantRecovery(recovery=STOPPED.id, discard=True)]


def test_the_delete_key_says_so_where_nothing_can_be_done(page: RestorePage) -> None:
    listed(page, replace(STOPPED, actions=()))
    QTest.keyClick(page.instant.table, Qt.Key.Key_Delete)
    assert page.instant.banner.title == "It can neither be stopped nor deleted now."


@pytest.mark.parametrize("power_on", [True, False])
def test_a_stopped_one_is_started_again(
    qtbot: QtBot, page: RestorePage, door: ScriptedDoor, power_on: bool
) -> None:
    dialog = act(page, "Start…", STOPPED)
    assert isinstance(dialog, ResumeDialog)
    dialog.power_on.setChecked(power_on)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [ResumeInstantRecovery(recovery=STOPPED.id, power_on=power_on)]


def test_a_stopped_one_is_kept_as_a_restore_point(qtbot: QtBot, page: RestorePage, door: ScriptedDoor) -> None:
    dialog = act(page, "Keep as restore point…", STOPPED)
    assert isinstance(dialog, ConfirmDialog)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [KeepInstantRecovery(recovery=STOPPED.id)]


def test_the_task_that_works_at_one_is_cancelled_and_its_log_shown(
    qtbot: QtBot, console: Console, page: RestorePage, door: ScriptedDoor
) -> None:
    busy = replace(recovery("erp-01", InstantState.CREATING_VM), task=TASK)
    dialog = act(page, "Cancel the task…", busy)
    assert isinstance(dialog, ConfirmDialog)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [CancelTask(task=TASK)]
    log = action_of(page, "View the log of the task")
    assert (log.glyph, log.run is not None) == (Glyph.LOG, True)
    with qtbot.waitSignal(console.address_wanted) as wanted:
        page.instant.actions_of_rows.show_log(busy)
    assert wanted.args == [Address("log", ("task", TASK))]


# --- the move --------------------------------------------------------------------------------------------------


def finishing(qtbot: QtBot, console: Console, page: RestorePage, row: InstantRow = RUNNING) -> FinishDialog:
    dialog = act(page, "Move…", row)
    assert isinstance(dialog, FinishDialog)
    settle(qtbot, console)
    return dialog


def test_a_vm_moves_while_it_runs(qtbot: QtBot, console: Console, page: RestorePage, door: ScriptedDoor) -> None:
    dialog = finishing(qtbot, console, page, replace(RUNNING, datastore="ds1"))
    offered = [dialog.datastore.itemData(at) for at in range(dialog.datastore.count())]
    assert offered == [None, "ds2"]  # of its host only, and not the one that it runs from
    click(dialog.primary)
    assert problem_of(dialog.datastore) == "Choose a datastore."
    dialog.datastore.setCurrentIndex(1)
    assert not dialog.power_on.isVisible()
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [
        FinishInstantRecovery(recovery=RUNNING.id, way=FinishWay.LIVE, datastore="ds2"),
    ]


def test_a_vm_moves_powered_off_with_a_datastore_for_each_disk(
    qtbot: QtBot, console: Console, page: RestorePage, door: ScriptedDoor
) -> None:
    dialog = finishing(qtbot, console, page)
    click(dialog.way.button(FinishWay.COLD))
    assert "powered off meanwhile" in dialog.about.text()
    dialog.datastore.setCurrentIndex(dialog.datastore.findData("ds1"))
    second = dialog.disks.boxes[2001]
    second.setCurrentIndex(second.findData("ds2"))
    click(dialog.power_on)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert door.executed == [
        FinishInstantRecovery(
            recovery=RUNNING.id,
            way=FinishWay.COLD,
            datastore="ds1",
            disk_datastores=((2001, "ds2"),),
            power_on=False,
        ),
    ]


def test_datastores_that_cannot_be_listed_are_said_to_be_missing(
    qtbot: QtBot, console: Console, page: RestorePage, door: ScriptedDoor
) -> None:
    door.answer(ListPlaces, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    dialog = finishing(qtbot, console, page)
    assert "cannot be listed now" in problem_of(dialog.datastore)


# --- details ---------------------------------------------------------------------------------------------------


def test_details_follow_the_list(qtbot: QtBot, page: RestorePage) -> None:
    page.instant.table.select(RUNNING.id)
    click(page.details)
    (dialog,) = page.findChildren(InstantDetails)
    listed(page, SERVED)
    assert dialog.texts["Reads"] == "820 IOPS · 31.0 MB/s"
    assert dialog.texts["Address of this machine"] == "10.0.0.5"
    assert not dialog.banner.isVisible()
    broken = replace(recovery("web-01", InstantState.UNKNOWN), id=RUNNING.id)
    listed(page, broken, STOPPED)
    assert (dialog.state.text, dialog.texts["Reads"]) == ("Unknown", "—")
    assert dialog.banner.title.startswith("vc-1.example.com cannot be reached")
    assert dialog.banner.hint == "Check the network."
    click(dialog.copy)
    text = QGuiApplication.clipboard().text()
    assert text.startswith("web-01-instant — Unknown\nrecovery-web-01\n")
    assert "platform.unreachable" in text
    listed(page, STOPPED)
    assert "has ended" in dialog.banner.title


def test_enter_shows_the_details_of_a_row(page: RestorePage) -> None:
    page.instant.table.select(STOPPED.id)
    page.instant.table.setFocus()
    QTest.keyClick(page.instant.table, Qt.Key.Key_Return)
    (dialog,) = page.findChildren(InstantDetails)
    assert dialog.texts["Overlay"] == "2.41 GB"
    assert RecoveryId("recovery-files-01") == STOPPED.id
