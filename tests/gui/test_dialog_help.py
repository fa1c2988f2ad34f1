"""F1 explains every dialog, in both languages."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from app.contract.pins import ListPins
from app.contract.points import ListDeletedPoints
from app.domain.ids import StandbyId
from app.views.backup.editor import EditorMode
from app.views.console import Console
from app.views.platforms.dialog import PlatformDialog
from app.views.restore.deleted import DeletedPointsDialog
from app.views.standbys.pins import PinsDialog
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.dialog_help import _TEXTS, help_of
from app.views.widgets.form import FormDialog
from tests.gui.backup.steps import open_editor
from tests.support.scripted_door import ScriptedDoor

SHARED = {"FormDialog", "KeepOrDeleteDialog", "SinkDialog"}
"""What only others are made of."""


def kinds_of(base: type) -> set[type]:
    """Return the classes that are made from one, of the program itself."""
    found: set[type] = set()
    subclasses: list[type] = base.__subclasses__()
    for made in subclasses:
        found |= {made} | kinds_of(made)
    return {kind for kind in found if kind.__module__.startswith("app.")}


def bubble() -> QWidget | None:
    return next((widget for widget in QApplication.topLevelWidgets() if widget.inherits("QWhatsThat")), None)


def test_every_form_has_a_help() -> None:
    without = {
        kind.__name__
        for kind in kinds_of(FormDialog)
        if kind.__name__ not in SHARED and not any(base.__name__ in _TEXTS for base in kind.__mro__)
    }
    assert without == set()


def test_f1_shows_the_help_of_a_dialog(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListDeletedPoints, ())
    door.answer(ListPins, ())
    dialogs: list[QDialog] = [
        PlatformDialog(console, None),
        DeletedPointsDialog(console, StandbyId("s1"), "nas"),
        PinsDialog(console, StandbyId("s1"), "nas"),
        ConfirmDialog(console, "Delete", "Delete", lambda done, _: done(None), consequences=("All goes.",)),
    ]
    for dialog in dialogs:
        qtbot.addWidget(dialog)
        dialog.open()
        qtbot.waitUntil(dialog.isActiveWindow)
        QTest.keyClick(dialog, Qt.Key.Key_F1)
        qtbot.waitUntil(lambda: bubble() is not None)
        shown = bubble()
        assert shown is not None
        shown.close()
        qtbot.waitUntil(lambda: bubble() is None)
        assert dialog.isVisible()
        dialog.reject()


def test_the_help_of_the_editor_is_in_both_languages(
    qtbot: QtBot, qapp: QApplication, console: Console, door: ScriptedDoor, request: pytest.FixtureRequest
) -> None:
    editor = open_editor(qtbot, console, door, EditorMode.CREATE)
    assert "which VMs are backed up" in help_of(editor)
    switch = LanguageSwitch(qapp, console.memory)
    request.addfinalizer(lambda: switch.choose(Language.ENGLISH))
    switch.choose(Language.CHINESE)
    assert "备份哪些虚机" in help_of(editor)
