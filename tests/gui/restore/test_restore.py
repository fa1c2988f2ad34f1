from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.contract.points import ListRecoverableVms
from app.contract.restore import (
    GroupMember,
    ListPlaces,
    NewVm,
    OverOriginal,
    PlanRestore,
    StartGroupRestore,
    StartRestore,
)
from app.contract.rules import ListVmPoints
from app.contract.tasks import ListTasks
from app.domain.errors import PlatformUnreachable
from app.domain.ids import TaskId, VmId
from app.domain.places import PlatformPlaces
from app.domain.states import TaskKind
from app.domain.vms import VmPlacement
from app.engine.errors import VmNameTaken
from app.views.console import Console
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.page import RestorePage
from tests.gui.operator import problem_of
from tests.gui.restore.points import RULE, point, script_points
from tests.gui.tasks.rows import PLATFORM, STANDBY, task
from tests.support.scripted_door import ScriptedDoor

WEB = VmId("vm-web-01")


def open_dialog(qtbot: QtBot, console: Console, door: ScriptedDoor) -> RestoreDialog:
    script_points(door)
    dialog = RestoreDialog(console, rule=RULE.id, vm=WEB)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.source.points.rows.rows) == 3)
    return dialog


def choose_point(qtbot: QtBot, dialog: RestoreDialog, number: int = 0) -> None:
    dialog.source.points.setFocus()
    dialog.source.points.selectRow(number)
    qtbot.waitUntil(lambda: dialog.source.point == point("web-01", number))
    qtbot.waitUntil(lambda: bool(dialog.target.adapters.isEnabled() and dialog.target.host.count() == 3))
    qtbot.waitUntil(lambda: "4" in dialog.target.processors.cpus.text())


def open_page(qtbot: QtBot, console: Console, door: ScriptedDoor, path: tuple[str, ...] = ()) -> RestorePage:
    script_points(door)
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(path)
    return page


# --- the dialog ------------------------------------------------------------------------------------------------


def test_point_information_is_shown_once_a_point_is_selected(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    assert dialog.source.source.currentText().startswith("web-01")
    assert dialog.source.facts.toPlainText() == ""
    assert "restore point is selected" in dialog.source.facts.placeholderText()
    choose_point(qtbot, dialog, 1)
    text = dialog.source.facts.toPlainText().replace("\u200b", "")
    for wanted in ("vp_uuid", "Shanghai", "ds1", "web-01.example.com", "Hard disk 2 (100 GB)", "Debian", "/p2"):
        assert wanted in text
    columns = range(4)
    model = dialog.source.points.model()
    texts = [str(model.index(1, place).data()) for place in columns]
    assert texts[1:] == ["140 GB", "Incremental", "Verified"]


def test_a_new_vm_is_placed_and_sized_as_chosen(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartRestore, TaskId("t9"))
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    target = dialog.target
    dialog.tabs.setCurrentIndex(1)
    target.datacenter.setCurrentIndex(target.datacenter.findData("Shanghai"))
    assert target.host.count() == 2  # the other datacenter's host is not offered any more
    target.host.setCurrentIndex(target.host.findData("esx01.lab"))
    assert "4.40 TB / 9.00 TB" in target.datastore.itemText(target.datastore.findData("ds2"))
    target.datastore.setCurrentIndex(target.datastore.findData("ds2"))
    target.processors.cpus.setValue(6)
    target.processors.cores.setValue(3)
    target.processors.memory.setValue(4096)
    network, address = target.adapters.row(4000)
    network.setCurrentIndex(network.findData("Production"))
    address.clear()
    disks = target.disks.boxes
    disks[2001].setCurrentIndex(disks[2001].findData("ds1"))
    QTest.mouseClick(target.power_on, Qt.MouseButton.LeftButton)
    target.lan_free.setChecked(True)
    with qtbot.waitSignal(dialog.queued) as queued:
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert queued.args == [TaskId("t9")]
    placement = VmPlacement(
        name="web-01-restored",
        datacenter="Shanghai",
        host="esx01.lab",
        datastore="ds2",
        disk_datastores=((2001, "ds1"),),
        adapter_networks=((4000, "Production"),),
        adapter_addresses=((4000, ""),),
        cpus=6,
        cores_per_socket=3,
        memory_mib=4096,
    )
    assert door.executed == [
        StartRestore(
            standby=STANDBY.id,
            target_path="prod",
            point=point().point.id,
            platform=PLATFORM.id,
            name="Restore of web-01",
            target=NewVm(placement=placement),
            power_on=True,
            lan_free=True,
        )
    ]


def test_what_is_not_chosen_stays_as_it_was_backed_up(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartRestore, TaskId("t9"))
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.keyClick(dialog, Qt.Key.Key_Return)
    (command,) = door.executed
    assert isinstance(command, StartRestore)
    assert command.target == NewVm(placement=VmPlacement(name="web-01-restored"))
    assert command.transports == ()


def test_missing_entries_are_named_and_their_tab_is_shown(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    dialog.source.name.clear()
    dialog.tabs.setCurrentIndex(1)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog.tabs.currentIndex() == 0
    assert not dialog.tabs.tabIcon(0).isNull()
    assert dialog.source.points_problem.text() == "Select a restore point."
    assert list(dialog.source.problems().values()) == ["Enter a name."]
    line = dialog.source.source.lineEdit()
    assert line is not None
    QTest.keyClicks(line, "nonsense")
    assert "Choose a VM that has restore points." in dialog.source.problems().values()
    assert door.executed == []


def test_bad_hardware_is_refused_below_its_field(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    target = dialog.target
    target.vm_name.clear()
    target.processors.cores.setValue(3)
    target.processors.memory.setValue(1023)
    _, address = target.adapters.row(4000)
    address.setText("00:50:56:zz")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog.tabs.currentIndex() == 1
    assert set(target.problems().values()) == {
        "Enter the VM's name.",
        "4 CPUs cannot be shared out to sockets of 3 cores.",
        "Memory comes in steps of 4 MB.",
        "Correct the MAC addresses.",
    }
    assert door.executed == []


def test_overwriting_needs_the_vms_name_typed(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartRestore, TaskId("t9"))
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    dialog.tabs.setCurrentIndex(1)
    QTest.mouseClick(dialog.target.kind.button(True), Qt.MouseButton.LeftButton)
    assert not dialog.target.vm_name.isVisible()
    QTest.keyClicks(dialog.target.typed_name, "web-02")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert list(dialog.problems().values()) == ["Type web-01 to confirm."]
    dialog.target.typed_name.clear()
    QTest.keyClicks(dialog.target.typed_name, "web-01")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    (command,) = door.executed
    assert isinstance(command, StartRestore)
    assert command.target == OverOriginal()
    assert command.platform == PLATFORM.id


def test_nothing_typed_is_lost_when_the_engine_refuses(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartRestore, VmNameTaken(name="web-01-restored", address="vc-1"))
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    dialog.source.name.setText("my restore")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert dialog.isVisible()
    assert dialog.source.name.text() == "my restore"
    assert dialog.source.point is not None


def test_a_platform_that_cannot_be_asked_leaves_the_choice_open(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_points(door)
    door.answer(ListPlaces, PlatformUnreachable(address="vc-1", port=443, detail="timed out"))
    dialog = RestoreDialog(console, rule=RULE.id, vm=WEB)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: "cannot be listed now" in problem_of(dialog.target.platform))
    assert dialog.target.host.count() == 1


def test_a_point_of_a_search_is_selected_at_once(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    wanted = point("web-01", 2)
    dialog = RestoreDialog(console, point=wanted.point.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.source.point == wanted)


def test_points_under_former_ids_belong_to_the_vm(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    old = tuple(point("web-01", number) for number in range(3))
    door.answer(ListVmPoints, old)  # the VM was restored over itself since, and has another id
    dialog = RestoreDialog(console, rule=RULE.id, vm=VmId("vm-web-01-new"))
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: tuple(dialog.source.points.rows.rows) == old)
    assert dialog.source.source.count() == 2
    assert dialog.source.source.currentText().startswith("web-01")


def test_without_points_the_dialog_says_so(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    door.answer(ListRecoverableVms, ())
    door.answer(ListPlaces, PlatformPlaces(datacenters=(), hosts=()))
    dialog = RestoreDialog(console)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.source.stages.currentIndex() == 2)
    assert dialog.source.problems()


def test_the_plan_follows_every_choice_that_decides_where_the_vm_goes(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog = open_dialog(qtbot, console, door)
    choose_point(qtbot, dialog)
    target = dialog.target

    def planned() -> NewVm | OverOriginal | None:
        return next((query.target for query in reversed(door.asked) if isinstance(query, PlanRestore)), None)

    for box in (target.disks.boxes[2001], target.adapters.row(4000)[0]):
        box.setCurrentIndex(1)
        qtbot.waitUntil(lambda: planned() == target.target())
    target.processors.cores.setValue(4)
    qtbot.waitUntil(lambda: planned() == target.target())


# --- group restore ---------------------------------------------------------------------------------------------


def test_a_group_goes_back_to_the_newest_whole_points(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    door.answer(StartGroupRestore, (TaskId("a"), TaskId("b")))
    dialog = GroupRestoreDialog(console, RULE.id)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.members) == 3)
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert list(dialog.problems().values()) == ["Type Production to confirm."]
    QTest.keyClicks(dialog.typed_name, "Production")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    members = (  # the newest point of db-01 is damaged, and new-01 has none
        GroupMember(vm=VmId("vm-db-01"), point=point("db-01", 1).point.id),
        GroupMember(vm=WEB, point=point("web-01", 0).point.id),
    )
    assert door.executed == [StartGroupRestore(rule=RULE.id, members=members)]


def test_vms_can_be_left_out_of_a_group(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_points(door)
    dialog = GroupRestoreDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: dialog.rule.count() == 1)
    assert list(dialog.problems().values()) == ["Choose a rule."]
    QTest.keyClick(dialog.rule, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: len(dialog.members) == 3)
    for member in dialog.members:
        if member.row.name != "new-01":
            QTest.mouseClick(member.leave_out, Qt.MouseButton.LeftButton)
    assert [member.row.name for member in dialog.members] == ["new-01"]
    assert list(dialog.problems().values()) == ["None of its VMs has a restore point to go back to."]


# --- the page --------------------------------------------------------------------------------------------------


def test_the_list_holds_restores_only(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListTasks, (task("t1", kind=TaskKind.RESTORE),))
    page = open_page(qtbot, console, door)
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 1)
    asked = [query for query in door.asked if isinstance(query, ListTasks)]
    assert {query.kinds for query in asked} == {(TaskKind.RESTORE,)}
    assert page.table.model().index(0, 1).data() == "Restoring 62.5%"
    assert page.table.model().index(0, 3).data() == "web-01-restored"
    page.leave()


def test_the_menu_of_new_offers_the_three_ways(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListTasks, ())
    page = open_page(qtbot, console, door)
    actions = page.new_menu().actions()
    assert [action.text() for action in actions] == ["Restore…", "Group restore…", "Instant recovery…"]
    for action in actions:
        action.trigger()
    for kind in (RestoreDialog, GroupRestoreDialog, InstantDialog):
        assert len(page.findChildren(kind)) == 1
    page.leave()


def test_a_begun_restore_is_shown_and_selected(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(StartRestore, TaskId("t2"))
    rows = tuple(task(name, kind=TaskKind.RESTORE) for name in ("t1", "t2"))
    door.answer(ListTasks, rows)
    page = open_page(qtbot, console, door, ("new", RULE.id, WEB))
    (dialog,) = page.findChildren(RestoreDialog)
    qtbot.waitUntil(lambda: len(dialog.source.points.rows.rows) == 3)
    choose_point(qtbot, dialog)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.banner.isVisible)

    def selected() -> str:
        row = page.table.current_row()
        return row.task.id if row is not None else ""

    qtbot.waitUntil(lambda: selected() == "t2")
    page.leave()
