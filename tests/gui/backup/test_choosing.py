from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.domain.ids import VmId
from app.models.vm_tree import VmTreeModel
from app.views.backup.editor import EditorMode
from app.views.console import Console
from app.views.widgets.directory_browser import DirectoryBrowser
from tests.gui.backup import samples
from tests.gui.backup.steps import choose_vms, open_editor
from tests.gui.operator import problem_of
from tests.support.scripted_door import ScriptedDoor


def test_a_vm_that_a_rule_has_is_grey_and_names_the_rule(qtbot: QtBot) -> None:
    model = VmTreeModel()
    model.set_vms(samples.INVENTORY, {VmId("vm-web-01"): "web"})
    taken = next(vm for vm in samples.INVENTORY if vm.name == "web-01")
    model.choose(samples.INVENTORY, chosen=True)
    assert taken not in model.chosen
    assert len(model.chosen) == len(samples.INVENTORY) - 1
    assert model.refusal(taken) == "web"


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
