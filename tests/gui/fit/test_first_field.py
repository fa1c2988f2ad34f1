"""Every dialog opens with the keyboard in its first field; Enter is the primary button's and Esc leaves."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QDialog, QLineEdit, QMainWindow, QMessageBox, QPushButton, QTabBar

from app.views import style
from app.views.standbys.recovery import RecoverySheetDialog
from app.views.translation import Language
from app.views.widgets.focus import first_field
from tests.gui.fit.conftest import MakeScene
from tests.gui.fit.places import PLACES

PAGES = {
    "overview", "welcome", "rules", "vms of a rule", "statistics", "runs of a rule", "failed runs", "restores",
    "migration", "tasks", "a running task", "a failed task", "a restore", "platforms", "standbys", "log",
    "settings", "help", "disks over NBD", "instant recoveries", "a move of an instant recovery",
    "a running migration", "proofs of restore", "a failed proof",
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in PLACES if name not in PAGES])
def test_a_dialog_opens_in_its_first_field(make_scene: MakeScene, name: str) -> None:
    scene = make_scene(Language.ENGLISH, (style.WINDOW_WIDTH, style.WINDOW_HEIGHT))
    dialog = PLACES[name](scene)
    assert not isinstance(dialog, QMainWindow)
    assert isinstance(dialog, QDialog)
    focused = dialog.focusWidget()
    if first_field(dialog) is not None:
        assert focused is not None
        assert not isinstance(focused, QPushButton | QTabBar), f"{type(focused).__name__} has the focus"
        if isinstance(focused, QLineEdit):
            QTest.keyClicks(focused, "abc")
            assert "abc" in focused.text()
    if not isinstance(dialog, QMessageBox):
        _check_enter(dialog)
        _check_escape(dialog)
    scene.close_opened()


def _check_enter(dialog: QDialog) -> None:
    """At most one button is Enter's, and no other takes it away when it has the focus."""
    buttons = [button for button in dialog.findChildren(QPushButton) if button.isVisibleTo(dialog)]
    assert sum(button.isDefault() for button in buttons) <= 1
    primary = getattr(dialog, "primary", None)
    if isinstance(primary, QAbstractButton):
        assert [button for button in buttons if button.autoDefault()] in ([primary], [])


def _check_escape(dialog: QDialog) -> None:
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    if not isinstance(dialog, RecoverySheetDialog):  # asks first: the key is shown once
        assert not dialog.isVisible()
