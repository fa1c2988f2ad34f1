"""Every page and every dialog of the console, each with the clicks that lead there."""

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QMessageBox, QTabWidget, QWidget

from app.contract.platforms import ListPlatforms
from app.core.secrets import SecretStoreUnavailable
from app.domain.ids import PointId, RuleId, VmId
from app.domain.policies import Plan, PolicyUnit, Weekday
from app.domain.standbys import EncryptionMode
from app.domain.states import BackupKind
from app.views.backup.deletion import DeletionDialog
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.backup.page import BackupPage
from app.views.backup.plan_dialog import PlanDialog
from app.views.backup.vm_picker import VmPicker
from app.views.frame.trouble import TroubleReporter
from app.views.log.page import LogsPage
from app.views.platforms.page import PlatformsPage
from app.views.restore.dialog import RestoreDialog
from app.views.restore.group_dialog import GroupRestoreDialog
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.offers import OfferPlace
from app.views.settings.page import SettingsPage
from app.views.settings.sinks import EmailDialog, WebhookDialog
from app.views.standbys.encryption import EncryptDialog
from app.views.standbys.encryption import PassphraseDialog as StandbyPassphraseDialog
from app.views.standbys.page import StandbysPage
from app.views.tasks.page import TasksPage
from app.views.widgets.directory_browser import DirectoryBrowser
from app.views.widgets.hooks import HooksDialog
from app.views.widgets.passphrase import PassphraseDialog
from tests.gui.backup import samples
from tests.gui.fit import instant_dialogs, migration_dialogs, moving_dialogs, proof_dialogs, world
from tests.gui.fit.machine_dialogs import (
    LOCKED_KEYS,
    OPEN_KEYS,
    encryption,
    ended_pin,
    known_platform,
    new_passphrase,
    no_pins,
    pins,
    platform,
    recovery_key,
    standby,
    transports,
    unlock,
    wrong_platform,
)
from tests.gui.fit.scene import Place, Scene
from tests.gui.restore.points import RULE

WEB, VM = RuleId("r-web"), VmId("vm-web-01")


def _page(*path: str) -> Place:
    return lambda scene: scene.page(*path)


def _welcome(scene: Scene) -> QWidget:
    scene.door.answer(ListPlatforms, ())
    return scene.page("overview")


def _help(scene: Scene) -> QWidget:
    window = scene.page("backup")
    scene.shell.window.help.open_panel()
    scene.settle()
    return window


def _deletion(scene: Scene) -> QWidget:
    scene.page("backup")
    page = scene.page_of(BackupPage)
    assert isinstance(page, BackupPage)
    page.rules.table.selectRow(0)
    page.rules.delete.click()
    dialog = scene.newest(DeletionDialog)
    scene.settle()
    return dialog


def _editor(mode: EditorMode, tab: int) -> Place:
    def show(scene: Scene) -> QWidget:
        details = None if mode is EditorMode.CREATE else samples.DETAILS
        editor = RuleEditor(scene.console, mode, details, scene.shell.window)
        scene.dialog(editor)
        editor.tabs.setCurrentIndex(tab)
        scene.settle()
        return editor

    return show


def _wrong_editor(scene: Scene) -> QWidget:
    editor = RuleEditor(scene.console, EditorMode.CREATE, None, scene.shell.window)
    scene.dialog(editor)
    editor.accept()
    scene.settle()
    return editor


def _plan(unit: PolicyUnit) -> Place:
    def show(scene: Scene) -> QWidget:
        plan = Plan(
            unit=unit,
            kind=BackupKind.DIFFERENTIAL,
            times=samples.POLICY.policy.plans[1].times,
            weekdays=frozenset(Weekday),
        )
        return scene.dialog(PlanDialog(scene.console, plan, scene.shell.window))

    return show


def _picker(scene: Scene) -> QWidget:
    chosen = [vm.id for vm in samples.INVENTORY[:4]]
    return scene.dialog(VmPicker(scene.console, samples.PLATFORM, "vc-1", chosen, scene.shell.window))


def _browser(scene: Scene) -> QWidget:
    browser = DirectoryBrowser.of_standby(scene.console, samples.STANDBY, "standby-a", scene.shell.window)
    scene.dialog(browser)
    browser.tree.expandAll()
    scene.settle()
    return browser


def _tabbed(make: Callable[[Scene], QDialog], tab: int) -> Place:
    def show(scene: Scene) -> QWidget:
        dialog = scene.dialog(make(scene))
        tabs = dialog.findChild(QTabWidget)
        assert isinstance(tabs, QTabWidget)
        for table in dialog.findChildren(QWidget, "table-restore-points"):
            table.selectRow(0)  # type: ignore[attr-defined]
        scene.settle()
        tabs.setCurrentIndex(tab)
        scene.settle()
        return dialog

    return show


def _restore(scene: Scene) -> QDialog:
    return RestoreDialog(scene.console, rule=RULE.id, vm=VM, parent=scene.shell.window)


def _offer(number: int) -> Place:
    def show(scene: Scene) -> QWidget:
        offer = world.OFFERS[number]
        place = OfferPlace.of_offer(offer)
        dialog = OfferDialog(scene.console, place, offer.vm_name, offer.point_at, scene.shell.window)
        scene.dialog(dialog)
        dialog.rows[2000].copy.click()
        scene.settle()
        return dialog

    return show


def _no_offer(scene: Scene) -> QWidget:
    offer = world.OFFERS[0]
    place = OfferPlace(offer.standby, offer.target_path, PointId("another"))
    return scene.dialog(OfferDialog(scene.console, place, offer.vm_name, offer.point_at, scene.shell.window))


def _group(scene: Scene) -> QWidget:
    return scene.dialog(GroupRestoreDialog(scene.console, RULE.id, scene.shell.window))


def _doctor(scene: Scene) -> QWidget:
    scene.page("platforms")
    page = scene.page_of(PlatformsPage)
    assert isinstance(page, PlatformsPage)
    page.examine.click()
    return scene.newest(QDialog)


def _confirmation(page_key: str, kind: type[QWidget], act: Callable[[QWidget], object]) -> Place:
    def show(scene: Scene) -> QWidget:
        scene.page(page_key)
        act(scene.page_of(kind))
        return scene.newest(QDialog)

    return show


def _delete_platform(page: QWidget) -> None:
    assert isinstance(page, PlatformsPage)
    page.table.select("vc-3")
    page.delete.click()


def _delete_standby(page: QWidget) -> None:
    assert isinstance(page, StandbysPage)
    page.on_delete()


def _stop_tasks(page: QWidget) -> None:
    assert isinstance(page, TasksPage)
    page.ask_to_stop(world.TASKS[:3])


def _clear_log(page: QWidget) -> None:
    assert isinstance(page, LogsPage)
    page.clear.click()


def _sink(kind: type[EmailDialog] | type[WebhookDialog]) -> Place:
    def show(scene: Scene) -> QWidget:
        scene.page("settings")
        page = scene.page_of(SettingsPage)
        assert isinstance(page, SettingsPage)
        dialog = kind(scene.console, world.NOTIFICATIONS, page)
        scene.dialog(dialog)
        dialog.enabled.setChecked(True)
        dialog.accept()
        scene.settle()
        return dialog

    return show


def _common_hooks(scene: Scene) -> QWidget:
    return scene.dialog(HooksDialog(scene.console, world.HOOKS, scene.page("settings")))


def _hooks_of_a_rule(*, is_wrong: bool) -> Place:
    def show(scene: Scene) -> QWidget:
        window = scene.page("backup")
        name = "branch offices of the north"
        rule = WEB if is_wrong else RuleId("r-databases")
        dialog = HooksDialog(scene.console, world.HOOKS, window, rule=rule, rule_name=name)
        scene.dialog(dialog)
        if is_wrong:
            for fields in (dialog.before, dialog.after):
                fields.enabled.click()
                fields.arguments.setPlainText("a\0b")
                fields.arguments.document().setModified(True)
                fields.limit.setValue(0)
                fields.retries.setValue(99)
            dialog.accept()
            scene.settle()
        return dialog

    return show


def _passphrase(*, is_new: bool) -> Place:
    def show(scene: Scene) -> QWidget:
        why = SecretStoreUnavailable(detail="no keyring answers on this machine")
        dialog = PassphraseDialog(why if is_new else None, is_new=is_new, shortest=12)
        scene.dialog(dialog)
        dialog.accept()
        scene.settle()
        return dialog

    return show


def _search(scene: Scene) -> QWidget:
    scene.page("overview")
    scene.shell.open_search()
    scene.shell.palette.field.setText("web")
    scene.opened.append(scene.shell.palette)
    scene.bot.wait(200)
    scene.settle()
    return scene.shell.palette


def _quit(scene: Scene) -> QWidget:
    scene.page("overview")
    scene.bot.waitUntil(lambda: scene.shell.feed.latest is not None)
    scene.shell.quit()
    return scene.newest(QMessageBox)


def _bug(scene: Scene) -> QWidget:
    reporter = TroubleReporter("/home/operator/.local/state/standfast/log", scene.shell)
    reporter.belong_to(scene.shell.window)
    reporter.report(ValueError("the answer has no rows"))
    return scene.newest(QMessageBox)


PLACES: dict[str, Place] = {
    "overview": _page("overview"),
    "welcome": _welcome,
    "rules": _page("backup"),
    "vms of a rule": _page("backup", "r-web"),
    "statistics": _page("backup", "r-web", "statistics"),
    "runs of a rule": _page("backup", "r-web", "tasks"),
    "failed runs": _page("backup", "failed"),
    "restores": _page("restore"),
    "migration": _page("migration"),
    **migration_dialogs.DIALOGS,
    "tasks": _page("tasks"),
    "a running task": _page("tasks", "a"),
    "a failed task": _page("tasks", "d"),
    "a restore": _page("tasks", "f"),
    "a move of an instant recovery": _page("tasks", "k"),
    "a running migration": _page("tasks", "o"),
    "a failed proof": _page("tasks", "p"),
    "platforms": _page("platforms"),
    "standbys": _page("standbys"),
    "log": _page("log"),
    "settings": _page("settings"),
    "help": _help,
    "editor, basic": _editor(EditorMode.ADD_VMS, 0),
    "editor, advanced": _editor(EditorMode.CREATE, 1),
    "editor, policy": _editor(EditorMode.CHANGE_POLICY, 2),
    "editor, everything missing": _wrong_editor,
    "plan of a week": _plan(PolicyUnit.WEEKLY),
    "plan of a quarter": _plan(PolicyUnit.QUARTERLY),
    "VM picker": _picker,
    "directory browser": _browser,
    "deletion": _deletion,
    "restore, basic": _tabbed(_restore, 0),
    "restore, advanced": _tabbed(_restore, 1),
    "group restore": _group,
    "instant recoveries": _page("restore", "instant"),
    **instant_dialogs.DIALOGS,
    "proofs of restore": _page("restore", "proofs"),
    **proof_dialogs.DIALOGS,
    "disks over NBD": _page("restore", "offers"),
    "offering disks": _no_offer,
    "offered disks": _offer(0),
    "offered disks over TCP": _offer(1),
    "platform": platform,
    "platform, much missing": wrong_platform,
    "known platform": known_platform,
    "transport modes": transports,
    "doctor": _doctor,
    "deletion of a platform": _confirmation("platforms", PlatformsPage, _delete_platform),
    "standby": standby,
    "unlock": unlock,
    "encrypt": new_passphrase(EncryptDialog),
    "change passphrase": new_passphrase(StandbyPassphraseDialog),
    "encryption, off": encryption(mode=EncryptionMode.OFF),
    "encryption, open": encryption(OPEN_KEYS, mode=EncryptionMode.CONTENTS),
    "encryption, locked": encryption(OPEN_KEYS, LOCKED_KEYS, mode=EncryptionMode.NAMES),
    "recovery key": recovery_key,
    "deletion of a standby": _confirmation("standbys", StandbysPage, _delete_standby),
    "pins": pins,
    "no pins": no_pins,
    "ending a pin": ended_pin(0),
    "ending a pin of this console": ended_pin(3),
    "ending an unreadable pin": ended_pin(4),
    "ending a pin of a newer version": ended_pin(5),
    **moving_dialogs.DIALOGS,
    "stopping tasks": _confirmation("tasks", TasksPage, _stop_tasks),
    "clearing the log": _confirmation("log", LogsPage, _clear_log),
    "e-mail": _sink(EmailDialog),
    "webhook": _sink(WebhookDialog),
    "common commands": _common_hooks,
    "commands of a rule": _hooks_of_a_rule(is_wrong=False),
    "commands of a rule, all wrong": _hooks_of_a_rule(is_wrong=True),
    "new passphrase": _passphrase(is_new=True),
    "passphrase": _passphrase(is_new=False),
    "search": _search,
    "quitting": _quit,
    "a mistake of ours": _bug,
}
