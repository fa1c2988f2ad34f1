"""What the pictures show: every page, and every dialog with the clicks that lead to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import time

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QApplication, QDialog, QTabWidget, QWidget

from app.contract.doctor import ExaminePlatform
from app.contract.proofs import ListProofs
from app.contract.rules import DescribeRule, ListVmPoints, RuleDetails
from app.contract.tasks import ListTasks
from app.domain.ids import RuleId, VmId
from app.domain.policies import Plan, PolicyUnit, Weekday
from app.domain.states import BackupKind
from app.views.backup.deletion import Deletion, DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.vm_picker import VmPicker
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.search import SearchPalette
from app.views.frame.shell import Shell
from app.views.platforms.dialog import PlatformDialog
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ProveDialog
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.instant.dialog import InstantDialog
from app.views.standbys.dialog import StandbyDialog
from app.views.widgets.directory_browser import DirectoryBrowser
from app.views.widgets.findings import FindingsDialog
from app.views.widgets.table import Table
from tools.stage import Stage, let_live

_PAGE_MS = 1600
"""Two looks at the running tasks, so that their speed is known."""
_DIALOG_MS = 700


@dataclass(frozen=True, slots=True)
class Set:
    """Where the pictures are taken: the stage, its rules, and the window."""

    stage: Stage
    rules: dict[str, RuleId]
    shell: Shell
    console: Console

    def details(self, rule: str) -> RuleDetails:
        """Return what is known of a rule."""
        return self.stage.engine.ask(DescribeRule(rule=self.rules[rule]))

    def vm(self, name: str) -> VmId:
        """Return a VM's id."""
        return self.stage.vms()[name].id


Scene = Callable[[Set], QWidget]


def scenes(on: Set) -> Iterator[tuple[str, Scene]]:
    """Return every picture's name and what leads to it."""
    office, web = on.rules["office"], on.rules["web"]
    last = on.stage.engine.ask(ListTasks(limit=1))[0].id
    yield "overview", _page("overview")
    yield "rules", _page("backup")
    yield "rule", _page("backup", web, on.vm("web-02"))
    yield "statistics", _page("backup", office, "statistics")
    yield "failed", _page("backup", office, "tasks")
    for page in ("restore", "migration", "tasks", "platforms", "standbys", "log", "settings"):
        yield page, _page(page)
    yield "task", _page("tasks", last)
    yield "help", _help
    yield "search", _search
    yield "rule-editor", _editor(EditorMode.CREATE, 0)
    yield "rule-editor-advanced", _editor(EditorMode.CREATE, 1)
    yield "rule-editor-policy", _editor(EditorMode.CHANGE_POLICY, 2)
    yield "rule-editor-proof", _editor(EditorMode.CHANGE_POLICY, 3)
    yield "plan", _plan
    yield "vm-picker", _picker
    yield "directory", _browser
    yield "deletion", _deletion
    yield "restore-basic", _tab(_restore, 0)
    yield "restore-advanced", _tab(_restore, 1)
    yield "group-restore", _group
    yield "instant", _tab(_instant, 0)
    yield "instant-advanced", _tab(_instant, 1)
    yield "instant-recoveries", _page("restore", "instant")
    yield "proofs", _page("restore", "proofs")
    yield "prove", _prove
    yield "proof", _proof
    yield "platform", _platform
    yield "standby", _standby
    yield "doctor", _doctor


# --- pages -------------------------------------------------------------------------------------------------------


def _page(*path: str) -> Scene:
    def show(on: Set) -> QWidget:
        on.shell.window.help.close_panel()
        on.shell.window.visit(Address(path[0], path[1:]))
        let_live(_PAGE_MS)
        return on.shell.window

    return show


def _help(on: Set) -> QWidget:
    window = _page("backup")(on)
    on.shell.window.help.open_panel()
    let_live(_DIALOG_MS)
    return window


def _search(on: Set) -> QWidget:
    on.shell.window.help.close_panel()
    on.shell.open_search()
    on.shell.palette.field.setText("web")
    let_live(_DIALOG_MS)
    return on.shell.palette


# --- dialogs -----------------------------------------------------------------------------------------------------


def _open(dialog: QDialog) -> QDialog:
    dialog.open()
    let_live(_DIALOG_MS)
    return dialog


def close_dialogs() -> None:
    """Close whatever is open over the window."""
    for widget in QApplication.topLevelWidgets():
        if isinstance(widget, QDialog) and widget.isVisible():
            widget.done(0)
            if not isinstance(widget, SearchPalette):  # it belongs to the window and is used again
                widget.deleteLater()
    let_live(50)


def _editor(mode: EditorMode, tab: int) -> Scene:
    def show(on: Set) -> QWidget:
        details = None if mode is EditorMode.CREATE else on.details("databases")
        editor = RuleEditor(on.console, mode, details, on.shell.window)
        _open(editor)
        if details is None:
            editor.basic.name.setText("lab")
            editor.basic.path.setText("lab")
            vms = [vm for name, vm in on.stage.vms().items() if name in ("test-01", "build-01")]
            editor.basic.take_vms(on.stage.platform, vms)
        editor.tabs.setCurrentIndex(tab)
        let_live(_DIALOG_MS)
        return editor

    return show


def _plan(on: Set) -> QWidget:
    plan = Plan(
        unit=PolicyUnit.WEEKLY,
        kind=BackupKind.FULL,
        times=(time(2, 0), time(14, 30)),
        weekdays=frozenset({Weekday.WEDNESDAY, Weekday.SUNDAY}),
    )
    return _open(PlanDialog(on.console, plan, on.shell.window))


def _picker(on: Set) -> QWidget:
    chosen = [on.vm("test-01"), on.vm("build-01")]
    return _open(VmPicker(on.console, on.stage.platform, "vcenter-01", chosen, on.shell.window))


def _browser(on: Set) -> QWidget:
    browser = DirectoryBrowser.of_standby(on.console, on.stage.standby, "standby-01", on.shell.window)
    _open(browser)
    first = browser.tree.topLevelItem(0)
    if first is not None:
        browser.tree.setCurrentItem(first)
    let_live(_DIALOG_MS)
    return browser


def _deletion(on: Set) -> QWidget:
    title = QCoreApplication.translate("RuleList", "Delete the rule {name}").format(name="office")
    action = QCoreApplication.translate("RuleList", "Delete rule")
    doomed = [Deletion(rule=on.rules["office"])]
    dialog = DeletionDialog(on.console, title, action, doomed, "office", on.shell.window)
    _open(dialog)
    dialog.data.setChecked(True)
    let_live(_DIALOG_MS)
    return dialog


def _tab(make: Callable[[Set], QDialog], tab: int) -> Scene:
    def show(on: Set) -> QWidget:
        dialog = _open(make(on))
        for points in dialog.findChildren(Table):
            if points.objectName() == "table-restore-points":
                points.selectRow(0)
        let_live(_DIALOG_MS)
        for tabs in dialog.findChildren(QTabWidget):
            tabs.setCurrentIndex(tab)
        let_live(_DIALOG_MS)
        return dialog

    return show


def _restore(on: Set) -> QDialog:
    return RestoreDialog(on.console, rule=on.rules["databases"], vm=on.vm("db-01"), parent=on.shell.window)


def _instant(on: Set) -> QDialog:
    return InstantDialog(on.console, rule=on.rules["databases"], vm=on.vm("db-01"), parent=on.shell.window)


def _prove(on: Set) -> QWidget:
    points = on.stage.engine.ask(ListVmPoints(rule=on.rules["databases"], vm=on.vm("db-01")))
    return _open(ProveDialog(on.console, points, on.shell.window))


def _proof(on: Set) -> QWidget:
    row = on.stage.engine.ask(ListProofs())[0]
    return _open(ProofDialog(on.console, row, on.shell.window))


def _group(on: Set) -> QWidget:
    return _open(GroupRestoreDialog(on.console, on.rules["databases"], on.shell.window))


def _platform(on: Set) -> QWidget:
    dialog = PlatformDialog(on.console, None, on.shell.window)
    _open(dialog)
    simulator = on.stage.simulator
    dialog.name.setText("vcenter-02")
    dialog.port.setValue(simulator.port)
    dialog.address.setText(simulator.host)
    dialog.user.setText(simulator.user)
    dialog.password.setText(simulator.password)
    dialog.address.editingFinished.emit()
    let_live(2 * _DIALOG_MS)
    return dialog


def _standby(on: Set) -> QWidget:
    dialog = StandbyDialog(on.console, None, on.shell.window)
    _open(dialog)
    dialog.name.setText("nas-01")
    dialog.root_path.setText("/mnt/nas-01/backups")
    let_live(_DIALOG_MS)
    return dialog


def _doctor(on: Set) -> QWidget:
    query = ExaminePlatform(platform=on.stage.platform)
    title = QCoreApplication.translate("PlatformsPage", "Examine {name}").format(name="vcenter-01")
    dialog = FindingsDialog(on.console, title, query, on.shell.window)
    _open(dialog)
    let_live(3 * _DIALOG_MS)
    return dialog
