"""The tab and the dialogs about proofs of restore, each with the clicks that lead there."""

from PySide6.QtWidgets import QWidget

from app.domain.proofs import ProofPolicy, ProofWhen
from app.views.backup.editor import EditorMode, RuleEditor
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ProveDialog
from tests.gui.backup import samples
from tests.gui.fit import world
from tests.gui.fit.scene import Place, Scene
from tests.gui.proof.samples import POINTS

_TAB = 3


def result(number: int) -> Place:
    """What a proof found."""

    def show(scene: Scene) -> QWidget:
        return scene.dialog(ProofDialog(scene.console, world.PROOFS[number], scene.shell.window))

    return show


def starting(*, is_wrong: bool) -> Place:
    """The dialog that proves one point."""

    def show(scene: Scene) -> QWidget:
        dialog = ProveDialog(scene.console, POINTS, scene.shell.window)
        scene.dialog(dialog)
        if is_wrong:
            for box in (dialog.limits.cpus, dialog.limits.memory, dialog.limits.minutes):
                box.setValue(0)
            dialog.accept()
            scene.settle()
        return dialog

    return show


def editor(mode: EditorMode, *, is_wrong: bool = False) -> Place:
    """The tab of the rule editor."""

    def show(scene: Scene) -> QWidget:
        details = None if mode is EditorMode.CREATE else samples.DETAILS
        dialog = RuleEditor(scene.console, mode, details, scene.shell.window)
        scene.dialog(dialog)
        dialog.tabs.setCurrentIndex(_TAB)
        tab = dialog.proof
        tab.when.setCurrentIndex(tab.when.findData(ProofWhen.EVERY_DAYS))
        if is_wrong:
            limits = tab.limits
            for box in (tab.days, limits.cpus, limits.memory, limits.minutes, tab.at_once, tab.minutes):
                box.setValue(0)
            tab.warning.setValue(ProofPolicy().minutes_per_day * 9)
            dialog.accept()
        scene.settle()
        return dialog

    return show


DIALOGS: dict[str, Place] = {
    "editor, proof": editor(EditorMode.CHANGE_POLICY),
    "editor, proof of a new rule": editor(EditorMode.CREATE),
    "editor, proof, all wrong": editor(EditorMode.CHANGE_POLICY, is_wrong=True),
    "starting a proof": starting(is_wrong=False),
    "starting a proof, all wrong": starting(is_wrong=True),
    "result of a proof, silent": result(0),
    "result of a proof, booted": result(1),
    "result of a proof, read": result(2),
}
