"""Which VM a restore over the original deletes: shown as the platform has it now, and confirmed by its name."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.restore import (
    ConfirmedVm,
    FindOriginals,
    GroupMember,
    OriginalRow,
    OverOriginal,
    StartGroupRestore,
    StartRestore,
)
from app.domain.identity import Verdict
from app.domain.ids import TaskId, VmId
from app.domain.vms import PowerState, VmSummary
from app.views.console import Console
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from tests.gui.operator import settle
from tests.gui.restore.points import RULE, point, script_points
from tests.gui.tasks.rows import PLATFORM
from tests.support.scripted_door import ScriptedDoor

UUID = "5010f3a2-7d21-4b0c-9a51-0c3f9a7be101"
RENAMED = VmSummary(
    id=VmId("vm-web-01"),
    name="web-01 (old)",
    power_state=PowerState.ON,
    instance_uuid=UUID,
    bios_uuid=None,
    guest="",
    hostname=None,
    host="esx07.lab",
    datacenter="Shanghai",
    folder=("prod", "web"),
    datastores=("ds1",),
    disk_bytes=0,
    change_tracking_supported=True,
    change_tracking_enabled=True,
    snapshot_count=0,
    is_template=False,
    booted_at=datetime(2026, 3, 1, 7, 30, tzinfo=UTC),
)
COPY = replace(RENAMED, id=VmId("vm-900"), name="web-01-copy", folder=("test",), power_state=PowerState.OFF)


def row(verdict: Verdict = Verdict.SAME, *choices: VmSummary, proven: bool = True) -> OriginalRow:
    return OriginalRow(
        point=point().point.id,
        platform=PLATFORM.id,
        address=PLATFORM.address,
        verdict=verdict,
        is_proven=proven,
        choices=choices,
    )


def open_dialog(qtbot: QtBot, console: Console, door: ScriptedDoor, found: OriginalRow) -> RestoreDialog:
    script_points(door)
    door.answer(StartRestore, TaskId("t9"))
    door.answer(FindOriginals, (found,))
    dialog = RestoreDialog(console, point=point().point.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.source.point is not None)
    dialog.tabs.setCurrentIndex(1)
    QTest.mouseClick(dialog.target.kind.button(True), Qt.MouseButton.LeftButton)
    settle(qtbot, console)
    return dialog


def started(qtbot: QtBot, dialog: RestoreDialog, door: ScriptedDoor) -> OverOriginal:
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    command = door.executed[-1]
    assert isinstance(command, StartRestore)
    assert isinstance(command.target, OverOriginal)
    return command.target


def test_the_vm_that_dies_is_named_as_the_platform_names_it_now(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door, row(Verdict.SAME, RENAMED))
    pane = dialog.target.original
    assert "web-01 (old)" in pane.warning.text()
    cells = {place: cell.text() for place, cell in pane.comparison.cells.items()}
    assert (cells[1, 1], cells[1, 2]) == ("web-01", "web-01 (old)")
    assert cells[2, 2] == "Shanghai / prod / web"
    assert cells[3, 2] == "esx07.lab"
    assert cells[4, 2] == "Powered on"
    assert "2026-03-01" in cells[5, 2]
    assert not pane.choice.isVisible()
    QTest.keyClicks(pane.typed_name, "web-01")
    assert list(dialog.problems().values()) == ["Type web-01 (old) to confirm."]
    pane.typed_name.clear()
    QTest.keyClicks(pane.typed_name, "web-01 (old)")
    assert started(qtbot, dialog, door).confirmed == ConfirmedVm(
        vm=RENAMED.id, name="web-01 (old)", instance_uuid=UUID
    )


def test_what_cannot_be_determined_is_chosen_by_the_operator(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door, row(Verdict.UNSURE, COPY, RENAMED, proven=False))
    pane = dialog.target.original
    assert pane.choice.isVisible()
    assert "cannot be determined" in pane.warning.text()
    QTest.keyClicks(pane.typed_name, "web-01")
    assert list(dialog.problems().values()) == ["Choose the VM to be replaced."]
    pane.choice.setCurrentIndex(1)
    assert "web-01 (old)" in pane.warning.text()
    assert pane.comparison.cells[2, 2].text() == "Shanghai / prod / web"
    QTest.keyClicks(pane.typed_name, "web-01 (old)")
    confirmed = started(qtbot, dialog, door).confirmed
    assert confirmed is not None
    assert confirmed.vm == RENAMED.id


def test_the_only_candidate_is_shown_next_to_the_point_at_once(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door, row(Verdict.UNSURE, COPY, proven=False))
    pane = dialog.target.original
    assert pane.comparison.cells[1, 2].text() == "web-01-copy"
    assert "cannot be determined" in pane.warning.text()
    assert list(dialog.problems().values()) == ["Type web-01-copy to confirm."]


def test_another_vm_with_its_uuid_is_never_replaced(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    found = replace(row(Verdict.ANOTHER, proven=False), other=COPY)
    dialog = open_dialog(qtbot, console, door, found)
    QTest.keyClicks(dialog.target.typed_name, "web-01-copy")
    (problem,) = dialog.problems().values()
    assert "web-01-copy has the UUID of the original" in problem


def test_a_vm_that_is_gone_is_created_again(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_dialog(qtbot, console, door, row(Verdict.GONE, proven=False))
    assert "created again" in dialog.target.original.warning.text()
    QTest.keyClicks(dialog.target.typed_name, "web-01")
    assert started(qtbot, dialog, door) == OverOriginal()


def test_disks_that_the_point_does_not_hold_are_listed_and_keep_it_from_starting(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    found = replace(row(Verdict.SAME, RENAMED), uncovered=((RENAMED.id, ("Hard disk 3 ([ds1] web/data.vmdk)",)),))
    dialog = open_dialog(qtbot, console, door, found)
    assert "Hard disk 3" in dialog.target.original.warning.text()
    QTest.keyClicks(dialog.target.typed_name, RENAMED.name)
    (problem,) = dialog.problems().values()
    assert "Hard disk 3 ([ds1] web/data.vmdk)" in problem
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == []


# --- group restore ---------------------------------------------------------------------------------------------


def open_group(qtbot: QtBot, console: Console, door: ScriptedDoor, *found: OriginalRow) -> GroupRestoreDialog:
    script_points(door)
    door.answer(StartGroupRestore, (TaskId("a"),))
    rows = {row.point: row for row in found}
    door.answer(FindOriginals, lambda query: tuple(rows[point] for point in query.points if point in rows))
    dialog = GroupRestoreDialog(console, RULE.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.members) == 3)
    return dialog


def test_each_row_of_a_group_shows_which_vm_dies(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_group(qtbot, console, door, row(Verdict.SAME, RENAMED))
    db, new, web = dialog.members
    assert "Deleted in its place: web-01 (old)" in web.original.text()
    assert "esx07.lab" in web.original.text()
    assert "cannot be asked" in db.original.text()
    assert new.original.text() == ""
    QTest.mouseClick(db.leave_out, Qt.MouseButton.LeftButton)
    QTest.keyClicks(dialog.typed_name, "Production")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    confirmed = ConfirmedVm(vm=RENAMED.id, name="web-01 (old)", instance_uuid=UUID)
    member = GroupMember(vm=VmId("vm-web-01"), point=point().point.id, confirmed=confirmed)
    assert door.executed == [StartGroupRestore(rule=RULE.id, members=(member,))]


@pytest.mark.parametrize("kind", ["unsure", "another", "disks"])
def test_a_group_does_not_start_before_every_vm_is_certain(
    qtbot: QtBot, console: Console, door: ScriptedDoor, kind: str
) -> None:
    found = {
        "unsure": row(Verdict.UNSURE, COPY, RENAMED, proven=False),
        "another": replace(row(Verdict.ANOTHER, proven=False), other=COPY),
        "disks": replace(row(Verdict.SAME, RENAMED), uncovered=((RENAMED.id, ("Hard disk 3",)),)),
    }[kind]
    dialog = open_group(qtbot, console, door, found)
    web = dialog.members[-1]
    QTest.keyClicks(dialog.typed_name, "Production")
    (problem,) = dialog.problems().values()
    assert "web-01" in problem
    assert web.original.property("role") == "problem"
    if kind == "unsure":
        web.choice.setCurrentIndex(1)
        assert dialog.problems() == {}
        (chosen,) = [choice.confirmed for choice in dialog.chosen() if choice.vm == web.row.vm]
        assert chosen is not None
        assert chosen.vm == RENAMED.id
