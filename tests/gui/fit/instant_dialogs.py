"""The dialogs about instant recoveries, each with the clicks that lead there."""

from collections.abc import Callable

from PySide6.QtWidgets import QDialog, QWidget

from app.domain.ids import VmId
from app.views.restore.instant.acting import InstantActions
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.instant.finishing import FinishDialog
from app.views.restore.instant.list import InstantList
from app.views.restore.instant.networks import NetworkKind
from app.views.restore.instant.stopping import StopDialog
from tests.gui.fit import world
from tests.gui.fit.scene import Place, Scene
from tests.gui.restore.points import RULE
from tests.gui.shell.conftest import ProgramStub

VM = VmId("vm-web-01")


def one_vm(tab: int, kind: NetworkKind = NetworkKind.AS_BEFORE) -> Place:
    """The dialog for one VM, with a point chosen, on a tab."""

    def show(scene: Scene) -> QWidget:
        window = scene.shell.window
        dialog = InstantDialog(scene.console, rule=RULE.id, vm=VM, program=ProgramStub(), parent=window)
        scene.dialog(dialog)
        dialog.source.one.points.selectRow(0)
        dialog.tabs.setCurrentIndex(tab)
        scene.settle()
        dialog.target.network.kind.button(kind).click()
        scene.settle()
        return dialog

    return show


def several_vms(tab: int) -> Place:
    """The dialog for the VMs of a rule, on a tab."""

    def show(scene: Scene) -> QWidget:
        dialog = InstantDialog(scene.console, rule=RULE.id, program=ProgramStub(), parent=scene.shell.window)
        scene.dialog(dialog)
        dialog.tabs.setCurrentIndex(tab)
        dialog.target.network.kind.button(NetworkKind.OTHERS).click()
        scene.settle()
        return dialog

    return show


def missing(scene: Scene) -> QWidget:
    """The dialog with everything missing."""
    dialog = InstantDialog(scene.console, rule=RULE.id, program=ProgramStub(), parent=scene.shell.window)
    scene.dialog(dialog)
    for member in dialog.source.group.members:
        member.name.clear()
    dialog.accept()
    scene.settle()
    return dialog


def _acted(number: int, act: Callable[[InstantActions, int], None]) -> Place:
    def show(scene: Scene) -> QWidget:
        window = scene.page("restore", "instant")
        listed = window.findChild(InstantList)
        assert isinstance(listed, InstantList)
        act(listed.actions_of_rows, number)
        return scene.newest(QDialog)

    return show


def stopping(*, deletes: bool) -> Place:
    """The question what becomes of what the VM wrote."""
    stop = _acted(0, lambda actions, number: actions.stop(world.RECOVERIES[number]))

    def show(scene: Scene) -> QWidget:
        dialog = stop(scene)
        assert isinstance(dialog, StopDialog)
        dialog.choice.button(deletes).click()
        scene.settle()
        return dialog

    return show


def finishing(*, is_cold: bool) -> Place:
    """The question how and where to a VM moves."""
    finish = _acted(0, lambda actions, number: actions.finish(world.RECOVERIES[number]))

    def show(scene: Scene) -> QWidget:
        dialog = finish(scene)
        assert isinstance(dialog, FinishDialog)
        way = list(dialog.way.values)[is_cold]
        dialog.way.button(way).click()
        dialog.datastore.setCurrentIndex(1)
        scene.settle()
        return dialog

    return show


DIALOGS: dict[str, Place] = {
    "instant recovery, basic": one_vm(0),
    "instant recovery, advanced": one_vm(1),
    "instant recovery, other networks": one_vm(1, NetworkKind.OTHERS),
    "instant recovery, no network": one_vm(1, NetworkKind.NONE),
    "instant recovery of several, basic": several_vms(0),
    "instant recovery of several, advanced": several_vms(1),
    "instant recovery, everything missing": missing,
    "stopping an instant recovery": stopping(deletes=False),
    "stopping and deleting one": stopping(deletes=True),
    "moving an instant recovery": finishing(is_cold=False),
    "moving one powered off": finishing(is_cold=True),
    "starting one again": _acted(3, lambda actions, number: actions.resume(world.RECOVERIES[number])),
    "keeping one": _acted(3, lambda actions, number: actions.keep(world.RECOVERIES[number])),
    "deleting one": _acted(3, lambda actions, number: actions.discard(world.RECOVERIES[number])),
    "cancelling a task of one": _acted(4, lambda actions, number: actions.cancel(world.RECOVERIES[number])),
    "details of an instant recovery": _acted(
        0, lambda actions, number: actions.show_details(world.RECOVERIES[number])
    ),
    "details of one that is not reached": _acted(
        6, lambda actions, number: actions.show_details(world.RECOVERIES[number])
    ),
}
