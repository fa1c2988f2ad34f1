"""瞬时恢复 by clicks: which VMs run, from which points, where, and what the engine is asked for."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.instant import (
    ListServingAddresses,
    PlanInstantRecovery,
    StartInstantRecovery,
)
from app.contract.platforms import ListPlatforms
from app.contract.restore import DescribeSavedVm
from app.domain.errors import PlatformUnreachable
from app.domain.ids import PlatformId, RecoveryId, TaskId
from app.domain.places import PlannedVm
from app.engine.errors import VmNameTaken
from app.views.console import Console
from app.views.restore.dialog import RestoreDialog
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.instant.networks import NetworkKind
from app.vsphere.deviations import FOLDER_MISSING
from tests.gui.keys import press_menu_key
from tests.gui.operator import problem_of, settle
from tests.gui.restore.instant.dialog_steps import chosen, member, opened, sent
from tests.gui.restore.instant.recoveries import recovery, script_recoveries
from tests.gui.restore.instant.steps import click
from tests.gui.restore.points import RULE, point
from tests.gui.restore.test_offers import choose
from tests.gui.restore.test_restore import WEB, open_page
from tests.gui.shell.conftest import ProgramStub
from tests.gui.tasks.rows import PLATFORM
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture(autouse=True)
def scripted(door: ScriptedDoor) -> None:
    script_recoveries(door)
    door.answer(StartInstantRecovery, (TaskId("t1"),))


# --- one VM ----------------------------------------------------------------------------------------------------


def test_a_vm_runs_as_it_was_backed_up_where_nothing_is_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console)
    assert dialog.target.platform_id == PLATFORM.id
    assert dialog.target.address.currentText() == "10.0.0.5  (eth0)"
    with qtbot.waitSignal(dialog.queued) as queued:
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert queued.args == [(TaskId("t1"),)]
    assert sent(door) == StartInstantRecovery(
        platform=PLATFORM.id, members=(member("web-01-instant"),), address="10.0.0.5", rule=RULE.id
    )


def test_place_networks_power_and_address_are_as_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console, 1)
    target = dialog.target
    dialog.tabs.setCurrentIndex(1)
    target.vm_name.selectAll()
    QTest.keyClicks(target.vm_name, "web-now")
    target.datacenter.setCurrentIndex(target.datacenter.findData("Shanghai"))
    target.host.setCurrentIndex(target.host.findData("esx01.lab"))
    texts = [target.folder.itemText(at) for at in range(target.folder.count())]
    assert texts == ["As backed up", "Top folder of the datacenter", "Production", "Production/Web"]
    target.folder.setCurrentIndex(3)
    click(target.network.kind.button(NetworkKind.OTHERS))
    settle(qtbot, console)
    network, address = target.network.adapters.row(4000)
    network.setCurrentIndex(network.findData("Production"))
    address.clear()
    click(target.power_on)
    target.address.setCurrentIndex(1)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    wanted = member(
        "web-now",
        datacenter="Shanghai",
        host="esx01.lab",
        folder=("Production", "Web"),
        adapter_networks=((4000, "Production"),),
        adapter_addresses=((4000, ""),),
    )
    wanted = replace(wanted, point=point("web-01", 1).point.id, power_on=False)
    assert sent(door).members == (wanted,)
    assert sent(door).address == "192.168.7.5"


def test_a_vm_can_be_connected_to_nothing(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = chosen(qtbot, console)
    click(dialog.target.network.kind.button(NetworkKind.OTHERS))
    settle(qtbot, console)
    network, _ = dialog.target.network.adapters.row(4000)
    network.setCurrentIndex(network.findData("Production"))
    click(dialog.target.network.kind.button(NetworkKind.NONE))
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert sent(door).members == (member("web-01-instant", is_isolated=True),)


def test_the_address_can_be_left_to_the_route_to_each_host(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console)
    dialog.target.address.setCurrentIndex(2)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert sent(door).address == ""


def test_addresses_that_cannot_be_listed_keep_nothing_from_being_started(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListServingAddresses, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    dialog = chosen(qtbot, console)
    assert "cannot be listed now" in problem_of(dialog.target.address)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert sent(door).address == ""


def test_adapters_that_cannot_be_read_stay_as_they_were(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(DescribeSavedVm, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    dialog = chosen(qtbot, console)
    click(dialog.target.network.kind.button(NetworkKind.OTHERS))
    settle(qtbot, console)
    assert "stay as backed up" in dialog.target.network.note.text()
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert sent(door).members == (member("web-01-instant"),)


def test_what_is_missing_is_said_where_it_is_missing(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = opened(qtbot, console)
    dialog.tabs.setCurrentIndex(1)
    click(dialog.primary)
    assert dialog.tabs.currentIndex() == 0
    assert not dialog.tabs.tabIcon(0).isNull()
    assert dialog.source.one.points_problem.text() == "Select a restore point."
    dialog.source.one.points.selectRow(0)
    dialog.target.vm_name.clear()
    click(dialog.primary)
    assert dialog.tabs.currentIndex() == 1
    assert problem_of(dialog.target.vm_name) == "Enter the VM's name."
    assert door.executed == []


def test_nothing_is_lost_when_the_engine_refuses(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartInstantRecovery, VmNameTaken(name="web-01-instant", address="vc-1"))
    dialog = chosen(qtbot, console)
    click(dialog.primary)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.isVisible()
    assert dialog.target.members() == (member("web-01-instant"),)


def test_the_rule_is_named_only_while_one_of_its_vms_is_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console)
    source = dialog.source.one.source
    tally = source.itemData(0)
    source.setItemData(0, replace(tally, rule_name="Another"))
    source.setCurrentIndex(0)
    settle(qtbot, console)
    assert dialog.source.rule is None


# --- the plan --------------------------------------------------------------------------------------------------


def test_the_plan_says_what_will_not_be_as_it_was(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    warning = FOLDER_MISSING.fill(folder="Production/Web", where="Shanghai")
    planned = PlannedVm(datacenter="Shanghai", folder=(), host="esx01.lab", datastore="", name_taken=False)
    door.answer(PlanInstantRecovery, replace(planned, warnings=(warning,)))
    dialog = chosen(qtbot, console)
    dialog.tabs.setCurrentIndex(1)
    qtbot.waitUntil(dialog.target.plan_note.isVisible)
    assert dialog.target.plan_note.text().splitlines()[0] == "This will not be as it was:"
    assert "Production/Web" in dialog.target.plan_note.text()
    asked = [query for query in door.asked if isinstance(query, PlanInstantRecovery)]
    assert asked[-1] == PlanInstantRecovery(platform=PLATFORM.id, member=member("web-01-instant"))


def test_each_vm_of_several_is_planned_and_named(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    def plan(query: PlanInstantRecovery) -> PlannedVm | None:
        if query.member.placement.name == "db-01-instant":
            raise VmNameTaken(name="db-01-instant", address="vc-1")
        return None

    door.answer(PlanInstantRecovery, plan)
    dialog = opened(qtbot, console, vm=None)
    dialog.tabs.setCurrentIndex(1)
    qtbot.waitUntil(dialog.target.plan_note.isVisible)
    heading, line = dialog.target.plan_note.text().splitlines()
    assert heading == "This cannot be restored so:"
    assert line.startswith("• db-01-instant: ")


def test_another_platform_has_its_own_places_and_addresses(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    second = replace(PLATFORM, id=PlatformId("p2"), name="vc-2")
    door.answer(ListPlatforms, (PLATFORM, second))
    dialog = chosen(qtbot, console)
    dialog.target.platform.setCurrentIndex(1)
    settle(qtbot, console)
    assert ListServingAddresses(platform=second.id) in door.asked
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    assert sent(door).platform == second.id


# --- this machine ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_service", [True, False])
def test_an_engine_that_is_no_service_is_offered_to_start_with_the_system(
    qtbot: QtBot, console: Console, door: ScriptedDoor, is_service: bool
) -> None:
    program = ProgramStub()
    program.engine_is_elsewhere = is_service
    page = open_page(qtbot, console, door, ("tasks",))
    dialog = InstantDialog(console, rule=RULE.id, vm=WEB, program=program, parent=page)
    dialog.open()
    settle(qtbot, console)
    dialog.source.one.points.selectRow(0)
    dialog.tabs.setCurrentIndex(1)
    assert dialog.target.background.isVisible() is not is_service
    if not is_service:
        dialog.target.background.starts.setChecked(True)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    settle(qtbot, console)
    assert program.autostart is not is_service
    page.leave()


# --- the ways to it --------------------------------------------------------------------------------------------


def test_a_row_of_a_rule_opens_the_dialog_over_the_list(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    task = TaskId("task-web-01")
    door.answer(StartInstantRecovery, (task,))
    page = open_page(qtbot, console, door, ("instant", RULE.id, WEB))
    script_recoveries(door, recovery("db-01"), replace(recovery("web-01"), task=task))
    door.answer(StartInstantRecovery, (task,))
    assert page.tabs.currentIndex() == 1
    (dialog,) = page.findChildren(InstantDialog)
    settle(qtbot, console)
    dialog.source.one.points.selectRow(0)
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)
    qtbot.waitUntil(page.instant.banner.isVisible)
    wanted = RecoveryId("recovery-web-01")
    qtbot.waitUntil(lambda: page.instant.chosen is not None and page.instant.chosen.id == wanted)
    page.leave()


def test_a_restore_point_can_be_run_from_instead(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    page = open_page(qtbot, console, door, ("new", RULE.id, WEB))
    (dialog,) = page.findChildren(RestoreDialog)
    settle(qtbot, console)
    dialog.source.points.setFocus()
    dialog.source.points.selectRow(1)
    press_menu_key(dialog.source.points)
    choose(dialog.source, "Instant recovery…")
    (instant,) = page.findChildren(InstantDialog)
    qtbot.waitUntil(lambda: instant.source.one.point == point("web-01", 1))
    qtbot.waitUntil(lambda: not page.findChildren(RestoreDialog))
    page.leave()
