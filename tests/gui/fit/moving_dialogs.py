"""The dialogs of moving to another workstation, each with what has the longest texts."""

from dataclasses import replace

from PySide6.QtWidgets import QWidget

from app.views.moving.export_dialog import ExportDialog
from app.views.moving.import_dialog import ImportDialog
from app.views.moving.take_over import TakeOverDialog
from tests.gui.fit.scene import Place, Scene
from tests.gui.shell.moving_samples import CONTENT, LOOSE, LOST, PLAN
from tests.gui.standbys.test_standbys import row


def export(*, is_wrong: bool) -> Place:
    """The export, perhaps without a passphrase."""

    def show(scene: Scene) -> QWidget:
        dialog = ExportDialog(scene.console, scene.shell.window)
        scene.dialog(dialog)
        if is_wrong:
            dialog.accept()
            scene.settle()
        return dialog

    return show


def take_in(scene: Scene) -> QWidget:
    """The comparison of an import."""
    return scene.dialog(ImportDialog(scene.console, CONTENT, PLAN, scene.shell.window))


def take_over(*, is_loose: bool) -> Place:
    """A take-over of a console at work, or of points only, with nothing typed."""

    def show(scene: Scene) -> QWidget:
        found = (LOOSE,) if is_loose else (replace(LOST, is_at_work=True),)
        dialog = TakeOverDialog(scene.console, row("nas"), found, scene.shell.window)
        scene.dialog(dialog)
        if is_loose:
            dialog.accept()
            scene.settle()
        return dialog

    return show


DIALOGS: dict[str, Place] = {
    "export configuration": export(is_wrong=False),
    "export configuration, nothing typed": export(is_wrong=True),
    "import configuration": take_in,
    "take over": take_over(is_loose=False),
    "take over points": take_over(is_loose=True),
}
