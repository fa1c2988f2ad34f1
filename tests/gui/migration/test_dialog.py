"""新建迁移 by clicks: which VMs, where to, how, and what the engine is asked for."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.migration import DescribeSource, MigrationMember, PlanMigration, StartMigration
from app.contract.platforms import DescribeVm
from app.contract.restore import ListPlaces
from app.domain.errors import PlatformUnreachable
from app.domain.ids import MigrationId, VmId
from app.domain.migration import MIB, MigrationCheck, MigrationOptions, MigrationState
from app.domain.places import PlannedVm
from app.domain.vms import VmPlacement
from app.engine.errors import VmNameTaken
from app.engine.migration.errors import MigrationExists
from app.engine.migration.messages import SNAPSHOTS_STAY
from app.views.console import Console
from app.views.migration.dialog import MigrationDialog
from app.views.migration.page import MigrationPage
from app.views.migration.picker import MigrationRemarks
from app.vsphere.deviations import FOLDER_MISSING
from tests.gui.migration.migrations import DB, GB, PLAN, TARGET, WEB, migration
from tests.gui.migration.steps import Migrations, chosen, click, opened, sent
from tests.gui.operator import problem_of, settle
from tests.gui.tasks.rows import PLATFORM
from tests.support.scripted_door import ScriptedDoor

AWAY = PlatformUnreachable(address="vc-1", port=443, detail="timed out")


@pytest.fixture(autouse=True)
def scripted(migrations: Migrations) -> Migrations:
    return migrations


def member(name: str = "web-01", **placement: object) -> MigrationMember:
    wanted = VmPlacement(name=name, **placement)  # type: ignore[arg-type]
    return MigrationMember(vm=VmId(f"vm-{name}"), vm_name=name, placement=wanted)


def start(qtbot: QtBot, dialog: MigrationDialog) -> None:
    with qtbot.waitSignal(dialog.succeeded):
        click(dialog.primary)


# --- what is sent ----------------------------------------------------------------------------------------------


def test_a_vm_goes_to_another_platform_as_it_is(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = chosen(qtbot, console)
    with qtbot.waitSignal(dialog.queued) as queued:
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    assert queued.args == [(MigrationId("migration-web-01"),)]
    assert sent(door) == StartMigration(
        platform=PLATFORM.id, target=TARGET.id, members=(member(),), options=MigrationOptions()
    )


def test_place_datastores_networks_and_name_are_as_chosen(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console)
    target = dialog.target
    (row,) = dialog.source.members.members
    row.name.setText("web-new")
    target.datacenter.setCurrentIndex(target.datacenter.findData("Shanghai"))
    target.host.setCurrentIndex(target.host.findData("esx01.lab"))
    target.folder.setCurrentIndex(1)
    target.datastore.setCurrentIndex(target.datastore.findData("ds1"))
    click(target.disks.each.button(True))
    click(target.networks.others.button(True))
    settle(qtbot, console)
    second = target.disks.rows[WEB.id].boxes[2001]
    second.setCurrentIndex(second.findData("ds2"))
    network = target.networks.rows.boxes["VM Network"]
    network.setCurrentIndex(network.findData("Production"))
    start(qtbot, dialog)
    wanted = VmPlacement(
        name="web-new",
        datacenter="Shanghai",
        host="esx01.lab",
        folder=(),
        datastore="ds1",
        disk_datastores=((2001, "ds2"),),
        networks=(("VM Network", "Production"),),
    )
    assert sent(door).members == (replace(member(), placement=wanted),)


def test_several_vms_go_together_each_with_its_disks(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = chosen(qtbot, console, WEB, DB)
    click(dialog.target.disks.each.button(True))
    click(dialog.target.networks.others.button(True))
    settle(qtbot, console)
    box = dialog.target.disks.rows[DB.id].boxes[2000]
    box.setCurrentIndex(box.findData("vsan1"))
    networks = dialog.target.networks.rows.boxes
    assert list(networks) == ["Production", "VM Network"]
    networks["Production"].setCurrentIndex(networks["Production"].findData("Branch"))
    start(qtbot, dialog)
    mapped = (("Production", "Branch"),)
    assert sent(door).members == (
        member("web-01", networks=mapped),
        member("db-01", networks=mapped, disk_datastores=((2000, "vsan1"),)),
    )


def test_what_was_chosen_and_is_hidden_again_does_not_count(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = chosen(qtbot, console)
    target = dialog.target
    for choice in (target.disks.each, target.networks.others):
        click(choice.button(True))
    settle(qtbot, console)
    for box in (target.disks.rows[WEB.id].boxes[2000], target.networks.rows.boxes["VM Network"]):
        box.setCurrentIndex(1)
    for choice in (target.disks.each, target.networks.others):
        click(choice.button(False))
    start(qtbot, dialog)
    assert sent(door).members == (member(),)


def test_the_options_are_as_chosen(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = chosen(qtbot, console)
    dialog.tabs.setCurrentIndex(2)
    advanced = dialog.advanced
    boxes = (advanced.quick, advanced.lan_free, advanced.quiesce, advanced.automatic, advanced.shut_down_source)
    for box in (*boxes, advanced.prove_start):
        box.click()
    click(advanced.check.button(MigrationCheck.SAMPLE))
    advanced.below.setValue(64)
    advanced.within.setValue(5)
    start(qtbot, dialog)
    assert sent(door).options == MigrationOptions(
        quick=False,
        lan_free=True,
        quiesce=True,
        automatic=False,
        shut_down_source=False,
        prove_start=True,
        check=MigrationCheck.SAMPLE,
        ready_below_bytes=64 * MIB,
        ready_within_s=5.0,
    )


def test_no_start_is_proven_of_a_target_that_is_not_started(qtbot: QtBot, console: Console) -> None:
    dialog = opened(qtbot, console)
    dialog.advanced.prove_start.setChecked(True)
    dialog.advanced.power_on.setChecked(False)
    assert not dialog.advanced.prove_start.isEnabled()
    assert not dialog.advanced.options.prove_start


# --- what is missing -------------------------------------------------------------------------------------------


def test_what_is_missing_is_said_where_it_is_missing(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = opened(qtbot, console)
    dialog.tabs.setCurrentIndex(2)
    click(dialog.primary)
    assert dialog.tabs.currentIndex() == 0
    assert [not dialog.tabs.tabIcon(at).isNull() for at in range(3)] == [True, True, False]
    assert problem_of(dialog.source.choose.parentWidget() or dialog) == "Choose at least one VM."
    dialog.source.show_vms((WEB,))
    click(dialog.primary)
    assert dialog.tabs.currentIndex() == 1
    assert problem_of(dialog.target.platform) == "Choose the platform."
    assert door.executed == []


def test_names_are_checked_one_by_one(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = chosen(qtbot, console, WEB, DB)
    first, second = dialog.source.members.members
    second.name.setText("WEB-01")
    click(dialog.primary)
    assert second.problem_text.text() == "Another of these VMs gets this name."
    second.name.clear()
    click(dialog.primary)
    assert second.problem_text.text() == "Enter the VM's name."
    assert first.problem_text.text() == ""
    assert door.executed == []


def test_nothing_is_lost_when_the_engine_refuses(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartMigration, MigrationExists(vm="web-01"))
    dialog = chosen(qtbot, console)
    click(dialog.primary)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.isVisible()
    assert dialog.target.members() == (member(),)


def test_what_cannot_be_read_keeps_nothing_from_being_started(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    for query in (DescribeVm, DescribeSource, ListPlaces):
        door.answer(query, AWAY)
    dialog = chosen(qtbot, console)
    assert "cannot be listed now" in problem_of(dialog.target.platform)
    click(dialog.target.disks.each.button(True))
    click(dialog.target.networks.others.button(True))
    settle(qtbot, console)
    assert "cannot be read now" in dialog.target.disks.note.text()
    assert "can be read now" in dialog.target.networks.note.text()
    start(qtbot, dialog)
    assert sent(door).members == (member(),)


def test_a_datastore_that_may_be_too_small_is_said(qtbot: QtBot, console: Console) -> None:
    dialog = chosen(qtbot, console, replace(WEB, disk_bytes=5_000 * GB))
    dialog.tabs.setCurrentIndex(1)
    dialog.target.datastore.setCurrentIndex(dialog.target.datastore.findData("ds1"))
    assert dialog.target.room.isVisible()
    assert "5.00 TB" in dialog.target.room.text()
    click(dialog.target.disks.each.button(True))
    assert not dialog.target.room.isVisible()
    settle(qtbot, console)


# --- the plan --------------------------------------------------------------------------------------------------


def test_the_plan_says_what_is_good_to_know(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    planned = PlannedVm(datacenter="Shanghai", folder=(), host="esx01.lab", datastore="ds1", name_taken=False)
    missing = FOLDER_MISSING.fill(folder="Production", where="Shanghai")
    snapshots = SNAPSHOTS_STAY.fill(vm="web-01", count=2)
    plan = replace(PLAN, planned=replace(planned, warnings=(missing,)), warnings=(snapshots,))
    door.answer(PlanMigration, plan)
    dialog = chosen(qtbot, console)
    dialog.tabs.setCurrentIndex(1)
    qtbot.waitUntil(dialog.target.plan_note.isVisible)
    heading, *lines = dialog.target.plan_note.text().splitlines()
    assert heading == "Good to know before:"
    assert "Production" in lines[0]
    assert "2 snapshots" in lines[1]
    asked = [query for query in door.asked if isinstance(query, PlanMigration)]
    assert asked[-1] == PlanMigration(
        platform=PLATFORM.id, target=TARGET.id, member=member(), options=MigrationOptions()
    )


def test_each_vm_of_several_is_planned_and_named(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    def plan(query: PlanMigration) -> object:
        if query.member.vm_name == "db-01":
            raise VmNameTaken(name="db-01", address="vc-2")
        return PLAN

    door.answer(PlanMigration, plan)
    dialog = chosen(qtbot, console, WEB, DB)
    dialog.tabs.setCurrentIndex(1)
    qtbot.waitUntil(dialog.target.plan_note.isVisible)
    heading, line = dialog.target.plan_note.text().splitlines()
    assert heading == "This cannot be migrated so:"
    assert line.startswith("• db-01: ")


# --- choosing VMs ----------------------------------------------------------------------------------------------


def test_vms_are_chosen_in_the_tree_of_the_platform(
    qtbot: QtBot, console: Console, migrations: Migrations
) -> None:
    migrations.rows = [migration("db-01", MigrationState.STOPPED)]
    dialog = opened(qtbot, console)
    click(dialog.source.choose)
    settle(qtbot, console)
    picker = dialog.source.picker
    assert picker.model.refusal(DB) == "vc-2"
    picker.model.choose((WEB, DB), chosen=True)
    with qtbot.waitSignal(picker.succeeded):
        click(picker.primary)
    assert [vm.name for vm in dialog.source.vms] == ["web-01"]
    assert dialog.source.sum.text() == "1 chosen, 40.0 GB in all"
    (row,) = dialog.source.members.members
    click(row.leave_out)
    assert not dialog.source.vms


def test_the_vms_of_a_platform_are_kept_while_another_one_is_looked_at(qtbot: QtBot, console: Console) -> None:
    dialog = chosen(qtbot, console)
    dialog.source.members.members[0].name.setText("typed")
    dialog.source.platform.setCurrentIndex(1)
    assert dialog.source.vms == ()
    dialog.source.platform.setCurrentIndex(0)
    assert dialog.source.chosen() == ((WEB, "typed"),)


def test_the_tree_says_what_counts_for_a_migration() -> None:
    remarks = MigrationRemarks()
    assert remarks.note(WEB, "") == "2 snapshots · 40.0 GB"
    assert remarks.note(WEB, "vc-2") == "being migrated to vc-2"
    assert remarks.notes(WEB) == ("The target VM will not have its snapshots, but all of their data.",)
    assert remarks.notes(DB) == ()
    left_out = replace(DB, unsupported_reason=SNAPSHOTS_STAY.fill(vm="db-01", count=1))
    assert remarks.sign(left_out) == "not migrated"
    assert remarks.notes(left_out)[0].startswith("The VM is not migrated: ")


# --- the way to it ---------------------------------------------------------------------------------------------


def test_new_opens_the_dialog_and_the_migration_is_selected(
    qtbot: QtBot, console: Console, page: MigrationPage, migrations: Migrations
) -> None:
    click(page.new)
    (dialog,) = page.findChildren(MigrationDialog)
    settle(qtbot, console)
    dialog.source.show_vms((WEB,))
    dialog.target.platform.setCurrentIndex(2)
    migrations.rows = [*migrations.rows, migration("web-01", MigrationState.STOPPED)]
    start(qtbot, dialog)
    qtbot.waitUntil(lambda: [row.id for row in page.chosen_rows()] == ["migration-web-01"])
    assert page.banner.isVisible()
