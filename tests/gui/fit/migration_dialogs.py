"""The dialogs about migrations, each with the clicks that lead there."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from PySide6.QtWidgets import QDialog, QWidget

from app.contract.migration import PlanMigration
from app.domain.places import PlannedVm
from app.domain.vms import VmSummary
from app.engine.migration.messages import SNAPSHOTS_STAY
from app.views.migration.acting import MigrationActions
from app.views.migration.dialog import MigrationDialog
from app.views.migration.page import MigrationPage
from app.views.migration.picker import MigrationVmPicker
from app.views.migration.stopping import StopMigrationDialog
from app.vsphere.deviations import FOLDER_MISSING
from tests.gui.backup import samples
from tests.gui.fit import world
from tests.gui.fit.scene import Place, Scene
from tests.gui.migration.migrations import DB, PLAN, WEB

LONG = replace(WEB, name=world.LONG_NAME, disk_bytes=62_000_000_000_000)


def starting(tab: int, vms: Sequence[VmSummary] = (LONG,), *, opens: bool = False) -> Place:
    """The dialog with VMs chosen, on a tab; ``opens`` the choices per disk and network."""

    def show(scene: Scene) -> QWidget:
        planned = PlannedVm(datacenter="Shanghai", folder=(), host="", datastore="ds1", name_taken=False)
        missing = FOLDER_MISSING.fill(folder="Production of the north/Web servers", where="Shanghai")
        snapshots = SNAPSHOTS_STAY.fill(vm=world.LONG_NAME, count=2)
        plan = replace(PLAN, planned=replace(planned, warnings=(missing,)), warnings=(snapshots,))
        scene.door.answer(PlanMigration, plan)
        dialog = MigrationDialog(scene.console, scene.shell.window)
        scene.dialog(dialog)
        dialog.source.show_vms(vms)
        dialog.target.platform.setCurrentIndex(2)
        dialog.tabs.setCurrentIndex(tab)
        scene.settle()
        dialog.target.datastore.setCurrentIndex(1)
        for choice in (dialog.target.disks.each, dialog.target.networks.others):
            choice.button(opens).click()
        dialog.target.plan_note.ask()
        scene.settle()
        return dialog

    return show


def missing(scene: Scene) -> QWidget:
    """The dialog with everything missing."""
    dialog = MigrationDialog(scene.console, scene.shell.window)
    scene.dialog(dialog)
    dialog.accept()
    scene.settle()
    return dialog


def wrong_names(scene: Scene) -> QWidget:
    """The dialog with two names that are wrong."""
    dialog = MigrationDialog(scene.console, scene.shell.window)
    scene.dialog(dialog)
    dialog.source.show_vms((LONG, DB))
    first, second = dialog.source.members.members
    first.name.setText("x" * 90)
    second.name.clear()
    dialog.accept()
    scene.settle()
    return dialog


def picker(scene: Scene) -> QWidget:
    """The tree of VMs."""
    window = scene.shell.window
    return scene.dialog(MigrationVmPicker(scene.console, samples.PLATFORM, "vc-1", [WEB.id], window))


def _acted(number: int, act: Callable[[MigrationActions, int], None]) -> Place:
    def show(scene: Scene) -> QWidget:
        scene.page("migration")
        page = scene.page_of(MigrationPage)
        assert isinstance(page, MigrationPage)
        act(page.acting, number)
        return scene.newest(QDialog)

    return show


def stopping(number: int, *, deletes: bool) -> Place:
    """The question what becomes of what was copied."""
    stop = _acted(number, lambda actions, at: actions.stop(world.MIGRATIONS[at]))

    def show(scene: Scene) -> QWidget:
        dialog = stop(scene)
        assert isinstance(dialog, StopMigrationDialog)
        dialog.choice.button(deletes).click()
        scene.settle()
        return dialog

    return show


def details(number: int) -> Place:
    """Everything about one of them."""
    return _acted(number, lambda actions, at: actions.show_details(world.MIGRATIONS[at]))


DIALOGS: dict[str, Place] = {
    "migration, basic": starting(0, (LONG, DB)),
    "migration, target": starting(1),
    "migration, target of disks and networks": starting(1, (LONG, DB), opens=True),
    "migration, advanced": starting(2),
    "migration, everything missing": missing,
    "migration, wrong names": wrong_names,
    "VMs to migrate": picker,
    "cutting over": _acted(0, lambda actions, at: actions.cut_over(world.MIGRATIONS[at])),
    "stopping a migration": stopping(0, deletes=False),
    "stopping and deleting a migration": stopping(1, deletes=True),
    "stopping a cut-over": stopping(2, deletes=False),
    "resuming a migration": _acted(3, lambda actions, at: actions.resume(world.MIGRATIONS[at])),
    "deleting a migration": _acted(0, lambda actions, at: actions.discard(world.MIGRATIONS[at])),
    "removing a completed migration": _acted(8, lambda actions, at: actions.discard(world.MIGRATIONS[at])),
    "details of a migration": details(0),
    "details of a failed migration": details(7),
    "details of a completed migration": details(8),
}
