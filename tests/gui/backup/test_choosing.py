from dataclasses import replace

from PySide6.QtCore import QEvent, QModelIndex, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QToolTip
from pytestqt.qtbot import QtBot

from app.contract.platforms import ListVms
from app.contract.rules import VmsInRules
from app.domain.ids import VmId
from app.domain.reach import HostConnection, VmConnection
from app.domain.vms import DiskLeftOut
from app.models.vm_tree import VmTreeModel
from app.views.backup.editor import EditorMode
from app.views.backup.vm_notes import vm_sign
from app.views.backup.vm_picker import VmPicker, VmRemarks
from app.views.console import Console
from app.views.widgets.directory_browser import DirectoryBrowser
from app.vsphere.reasons import INDEPENDENT
from tests.gui.backup import samples
from tests.gui.backup.steps import choose_vms, only_leaf, open_editor
from tests.gui.operator import problem_of
from tests.support.said import said
from tests.support.scripted_door import ScriptedDoor


def test_a_vm_that_a_rule_has_is_grey_and_names_the_rule(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms(samples.INVENTORY, {VmId("vm-web-01"): "web"})
    taken = next(vm for vm in samples.INVENTORY if vm.name == "web-01")
    model.choose(samples.INVENTORY, chosen=True)
    assert taken not in model.chosen
    assert len(model.chosen) == len(samples.INVENTORY) - 1
    assert model.refusal(taken) == "web"


SECONDARY = replace(samples.inventory_vm("shadow-01"), unsupported_reason=said("it is a secondary"))
ODD = replace(
    samples.inventory_vm("odd-01"),
    disk_count=3,
    disks_left_out=(DiskLeftOut(label="Hard disk 2", reason=INDEPENDENT.fill(mode="independent_persistent")),),
    needs_consolidation=True,
)


def leaf(model: VmTreeModel, name: str) -> QModelIndex:
    group = model.index(0, 0, model.index(0, 0))
    return next(
        model.index(row, 0, group)
        for row in range(model.rowCount(group))
        if model.index(row, 0, group).data() == name
    )


def test_a_vm_of_which_no_backup_is_made_cannot_be_chosen(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms((samples.INVENTORY[0], SECONDARY), {})
    assert model.setData(model.index(0, 0), Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert model.chosen == (samples.INVENTORY[0],)
    assert model.index(0, 0).data(Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked.value
    assert leaf(model, "shadow-01").data(Qt.ItemDataRole.CheckStateRole) is None
    assert not model.flags(leaf(model, "shadow-01")) & Qt.ItemFlag.ItemIsUserCheckable


def test_what_was_chosen_before_it_became_a_secondary_stays_until_it_is_removed(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms((SECONDARY,), {})
    model.keep((SECONDARY,))
    assert model.chosen == (SECONDARY,)
    model.choose((SECONDARY,), chosen=False)
    assert not model.chosen


def test_a_vm_with_disks_that_are_left_out_has_a_sign_and_the_reason_in_its_tooltip(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(VmsInRules, {})
    door.answer(ListVms, (samples.INVENTORY[0], ODD, SECONDARY))
    picker = VmPicker(console, samples.PLATFORM, "vc-1", ())
    qtbot.addWidget(picker)
    picker.open()
    qtbot.waitUntil(lambda: picker.model.shown_count == 3)
    assert vm_sign(samples.INVENTORY[0]) == ""
    assert leaf(picker.model, "app-01").data(Qt.ItemDataRole.AccessibleDescriptionRole) is None
    assert vm_sign(ODD) == "1 of 3 disks left out"
    assert VmRemarks().note(ODD, "").startswith("1 of 3 disks left out · ")
    tip = leaf(picker.model, "odd-01").data(Qt.ItemDataRole.AccessibleDescriptionRole)
    assert "Hard disk 2 is left out of backups: its mode is independent_persistent" in tip
    assert "need consolidation" in tip
    place = picker.tree.visualRect(leaf(picker.model, "odd-01")).center()
    viewport = picker.tree.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, place, viewport.mapToGlobal(place)))
    assert QToolTip.text().splitlines() == [f"odd-01: {VmRemarks().note(ODD, '')}", *tip.splitlines()]
    assert vm_sign(SECONDARY) == "not backed up"
    assert "it is a secondary" in leaf(picker.model, "shadow-01").data(Qt.ItemDataRole.AccessibleDescriptionRole)


def test_a_group_checks_what_passes_the_filter_and_shows_what_is_checked(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms(samples.INVENTORY, {})
    model.set_filter("db")
    berlin = model.index(0, 0)
    assert model.setData(berlin, Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert sorted(vm.name for vm in model.chosen) == ["db-01", "db-02"]
    model.set_filter("")
    states = {
        model.index(row, 0, model.index(0, 0)).data(): model.index(row, 0, model.index(0, 0)).data(
            Qt.ItemDataRole.CheckStateRole
        )
        for row in range(3)
    }
    assert states == {"Production": 0, "Databases": 2, "Office": 0}
    assert model.index(0, 0).data(Qt.ItemDataRole.CheckStateRole) == 1
    model.group_by_host(by_host=True)
    hosts = [model.index(row, 0, model.index(0, 0)).data() for row in range(2)]
    assert hosts == ["esx-01", "esx-02"]


def test_a_tag_is_removed_with_its_cross(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    choose_vms(qtbot, editor, "mail-01", "db-01")
    editor.basic.tags.removed.emit("vm-mail-01")
    assert [vm.name for vm in editor.basic.vms] == ["db-01"]


def test_directories_load_as_they_are_opened_and_a_new_one_can_be_typed(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    samples.fill(door)
    browser = DirectoryBrowser.of_standby(console, samples.STANDBY, "standby-a")
    qtbot.addWidget(browser)
    browser.open()
    qtbot.waitUntil(lambda: browser.tree.topLevelItemCount() == 2)
    top = browser.tree.topLevelItem(0)
    assert top is not None
    browser.tree.setCurrentItem(top)
    assert browser.path.text() == "backup"
    QTest.keyClick(browser.tree, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: top.childCount() == 2)
    below = top.child(1)
    assert below is not None
    assert (below.text(0), below.text(1)) == ("web", "holds backups")
    QTest.keyClick(browser.tree, Qt.Key.Key_Down)
    assert browser.chosen == "backup/databases"
    browser.path.setFocus()
    QTest.keyClicks(browser.path, "/new one")
    assert browser.chosen == "backup/databases/new one"
    with qtbot.waitSignal(browser.succeeded):
        QTest.mouseClick(browser.primary, Qt.MouseButton.LeftButton)


def test_a_path_that_leads_out_of_the_standby_is_refused(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    samples.fill(door)
    browser = DirectoryBrowser.of_standby(console, samples.STANDBY, "standby-a")
    qtbot.addWidget(browser)
    browser.open()
    QTest.keyClicks(browser.path, "../etc")
    QTest.mouseClick(browser.primary, Qt.MouseButton.LeftButton)
    assert "it leads upwards" in problem_of(browser.path)
    assert browser.isVisible()


def test_a_vm_says_what_it_is_and_why_it_cannot_be_backed_up_now() -> None:
    web = samples.inventory_vm("web-01")
    assert VmRemarks().note(web, "") == VmRemarks().note(replace(web, snapshot_count=1), "")
    assert VmRemarks().note(web, "nightly") == "in rule nightly"
    assert VmRemarks().note(replace(web, is_template=True), "").startswith("template · ")
    words = {
        replace(web, connection=VmConnection.DISCONNECTED): "host disconnected",
        replace(web, host_connection=HostConnection.NOT_RESPONDING): "host does not answer",
        replace(web, connection=VmConnection.INACCESSIBLE): "files inaccessible",
        replace(web, connection=VmConnection.INVALID): "configuration invalid",
        replace(web, connection=VmConnection.ORPHANED): "orphaned",
    }
    for vm, expected in words.items():
        assert VmRemarks().note(vm, "") == expected
        assert vm.unreached is not None


def test_templates_and_vms_that_are_not_reached_are_offered(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    golden = replace(samples.inventory_vm("golden"), is_template=True)
    lost = replace(samples.inventory_vm("lost"), connection=VmConnection.ORPHANED)
    samples.fill(door)
    door.answer(ListVms, (golden, lost))
    picker = VmPicker(console, samples.PLATFORM, "Berlin", [golden.id, lost.id])
    qtbot.addWidget(picker)
    picker.open()
    qtbot.waitUntil(lambda: picker.model.shown_count == 2)
    assert [vm.name for vm in picker.chosen] == ["golden", "lost"]


def test_a_long_name_says_under_the_pointer_what_has_no_room_behind_it(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    lost = replace(samples.inventory_vm("a" * 60), connection=VmConnection.ORPHANED)
    samples.fill(door)
    door.answer(ListVms, (lost,))
    picker = VmPicker(console, samples.PLATFORM, "Berlin", [])
    qtbot.addWidget(picker)
    picker.open()
    qtbot.waitUntil(lambda: picker.model.shown_count == 1)
    picker.tree.expandAll()
    place = picker.tree.visualRect(only_leaf(picker.model)).center()
    viewport = picker.tree.viewport()
    QApplication.sendEvent(viewport, QHelpEvent(QEvent.Type.ToolTip, place, viewport.mapToGlobal(place)))
    assert QToolTip.text() == f"{lost.name}: orphaned"
