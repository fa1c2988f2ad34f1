"""A restore by clicks: the window, the engine and the simulated vSphere, nothing scripted."""

import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.cli.demo.stage import Stage, open_stage
from app.contract.offers import ListOffers
from app.contract.rules import CreateRule, ListRuleVms, ListVmPoints, OneTime, RuleDraft, VmChoice
from app.contract.tasks import ListTasks
from app.core.clock import SystemClock
from app.domain.policies import OneTimePolicy
from app.domain.states import BackupKind, TaskKind, TaskState
from app.simulator.vm.virtual_machine import VirtualMachine
from app.views.console import Console
from app.views.log.page import LogsPage
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.page import RestorePage
from app.views.tasks.page import TasksPage
from tests.gui.keys import press_menu_key
from tests.gui.operator import console_on
from tests.support.stage import Made, back_up, small_spec, vm_named
from tests.support.waiting import wait_until

LONG_MS = 60_000


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A simulated vCenter and an engine."""
    with open_stage(tmp_path, small_spec()) as opened:
        yield opened


@pytest.fixture
def console(qapp: QApplication, tmp_path: Path, stage: Stage) -> Iterator[Console]:
    """A console on the engine itself."""
    with console_on(qapp, tmp_path, stage.engine) as opened:
        yield opened


@pytest.fixture
def made(stage: Stage) -> Made:
    """A restore point of the only VM."""
    return back_up(stage, vm_named(stage, "web-01"), BackupKind.FULL)


def machine(stage: Stage, name: str) -> VirtualMachine | None:
    """Return a VM of the simulator by its name."""
    world = stage.simulator.world
    with world.lock:
        return next((vm for vm in world.all(VirtualMachine) if vm.get("name") == name), None)


def test_a_vm_is_brought_back_resized_by_clicks(qtbot: QtBot, console: Console, stage: Stage, made: Made) -> None:
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open((made.point.id,))
    (dialog,) = page.findChildren(RestoreDialog)
    qtbot.waitUntil(lambda: dialog.source.point is not None, timeout=LONG_MS)
    target = dialog.target
    qtbot.waitUntil(lambda: target.host.count() > 1 and bool(target.adapters.networks() == ()), timeout=LONG_MS)
    qtbot.waitUntil(lambda: any(sign.isdigit() for sign in target.processors.cpus.text()), timeout=LONG_MS)
    dialog.tabs.setCurrentIndex(1)
    target.vm_name.selectAll()
    QTest.keyClicks(target.vm_name, "web-back")
    target.host.setCurrentIndex(1)
    target.datastore.setCurrentIndex(1)
    target.processors.cpus.setValue(3)
    target.processors.cores.setValue(1)
    target.processors.memory.setValue(1536)
    with qtbot.waitSignal(dialog.succeeded, timeout=LONG_MS):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)

    def state() -> TaskState | None:
        rows = page.table.shown_rows()
        return rows[0].task.state if rows else None

    qtbot.waitUntil(lambda: state() is TaskState.COMPLETED, timeout=LONG_MS)
    page.leave()
    back = machine(stage, "web-back")
    assert back is not None
    hardware = back.get("config.hardware")
    assert (hardware.numCPU, hardware.numCoresPerSocket, hardware.memoryMB) == (3, 1, 1536)
    (row,) = stage.engine.ask(ListTasks(kinds=(TaskKind.RESTORE,)))
    assert (row.name, row.target_name) == ("Restore of web-01", "web-back")


def test_a_rule_goes_back_as_a_group_and_its_points_stay_in_reach(
    qtbot: QtBot, console: Console, stage: Stage
) -> None:
    engine, vm = stage.engine, vm_named(stage, "web-01")
    now = OneTime(policy=OneTimePolicy(start=SystemClock().now()))
    rule = engine.execute(
        CreateRule(
            draft=RuleDraft(
                name="nightly",
                platform=stage.platform,
                standby=stage.standby,
                target_path="group",
                vms=(VmChoice(vm=vm.id, name=vm.name),),
                policy=now,
            )
        )
    )
    wait_until(
        lambda: len(engine.ask(ListVmPoints(rule=rule, vm=vm.id))) == 1, what="the first point", deadline_s=60
    )
    assert engine.wait_until_idle(60)
    dialog = GroupRestoreDialog(console, rule)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.members) == 1, timeout=LONG_MS)
    QTest.keyClicks(dialog.typed_name, "nightly")
    with qtbot.waitSignal(dialog.succeeded, timeout=LONG_MS):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert engine.wait_until_idle(60)
    (row,) = engine.ask(ListTasks(kinds=(TaskKind.RESTORE,)))
    assert row.state is TaskState.COMPLETED
    successor = vm_named(stage, "web-01").id
    assert successor != vm.id
    wait_until(
        lambda: [row.vm for row in engine.ask(ListRuleVms(rule=rule))] == [successor],
        what="the rule to follow its VM",
        deadline_s=60,
    )
    again = RestoreDialog(console, rule=rule, vm=successor)
    qtbot.addWidget(again)
    again.open()
    qtbot.waitUntil(lambda: len(again.source.points.rows.rows) == 1, timeout=LONG_MS)


def test_the_backup_can_be_looked_at_and_run_again(
    qtbot: QtBot, console: Console, stage: Stage, made: Made
) -> None:
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open((made.task,))
    qtbot.waitUntil(lambda: len(page.details.log.rows.rows) > 3, timeout=LONG_MS)
    assert dict(page.details.steps.texts).keys() >= {"Pending", "Preparing", "Running", "Completed"}
    assert len(page.details.busy.texts) == 3
    with qtbot.waitSignal(console.address_wanted, timeout=LONG_MS) as wanted:
        QTest.mouseClick(page.again, Qt.MouseButton.LeftButton)
    (again,) = wanted.args[0].path
    assert again != made.task
    page.open((again,))

    def ended() -> bool:
        row = page.details.row
        return row is not None and row.id == again and row.state is TaskState.COMPLETED

    qtbot.waitUntil(ended, timeout=LONG_MS)
    page.leave()


def test_the_log_of_the_task_reads_as_the_operator_wants(
    qtbot: QtBot, console: Console, stage: Stage, made: Made, tmp_path: Path
) -> None:
    page = LogsPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(("task", made.task))
    qtbot.waitUntil(lambda: len(page.table.rows.rows) > 3, timeout=LONG_MS)
    everything = len(page.table.rows.rows)
    QTest.keyClicks(page.toolbar.filter, "snapshot created")
    qtbot.waitUntil(lambda: 0 < len(page.table.rows.rows) < everything, timeout=LONG_MS)
    file = tmp_path / "log.csv"
    page.exporter.write_to(str(file))
    qtbot.waitUntil(page.exporter.strip.folder.isVisible, timeout=LONG_MS)
    assert len(file.read_text(encoding="utf-8-sig").splitlines()) == len(page.table.rows.rows) + 1
    page.leave()


@pytest.mark.skipif(sys.platform == "win32", reason="no Unix sockets")
def test_disks_are_offered_read_and_stopped_by_clicks(
    qtbot: QtBot, console: Console, stage: Stage, made: Made
) -> None:
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open((made.point.id,))
    (restore,) = page.findChildren(RestoreDialog)
    qtbot.waitUntil(lambda: restore.source.point is not None, timeout=LONG_MS)
    restore.source.points.setFocus()
    press_menu_key(restore.source.points)
    (menu,) = restore.source.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    (entry,) = (action for action in menu.actions() if action.text() == "Offer disks over NBD…")
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    (dialog,) = restore.source.findChildren(OfferDialog)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.disks.isVisible, timeout=LONG_MS)
    QTest.mouseClick(dialog.rows[made.point.disks[0].key].copy, Qt.MouseButton.LeftButton)
    address = QGuiApplication.clipboard().text()
    dialog.close()
    restore.close()
    page.open(("offers",))
    qtbot.waitUntil(lambda: len(page.offers.table.rows.rows) == 1, timeout=LONG_MS)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(unquote(address.partition("?socket=")[2]))
        assert client.recv(8) == b"NBDMAGIC"
    QTest.mouseClick(page.stop, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: not page.offers.table.rows.rows, timeout=LONG_MS)
    assert stage.engine.ask(ListOffers()) == ()
    page.leave()
