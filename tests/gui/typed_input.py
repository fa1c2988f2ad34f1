"""What an operator types into a dialog, and what it says to wrong input."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QSpinBox

from app.views.widgets.form import Field, FormDialog


def type_into(line: QLineEdit, text: str) -> None:
    """Replace what is in a field, by keys."""
    line.setFocus()
    line.selectAll()
    QTest.keyClick(line, Qt.Key.Key_Delete)
    QTest.keyClicks(line, text)


def paste_into(line: QLineEdit, text: str) -> None:
    """Replace what is in a field from the clipboard: the way by which characters come in that no key has."""
    line.setFocus()
    line.selectAll()
    QGuiApplication.clipboard().setText(text)
    QTest.keyClick(line, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)


def type_number(spin: QSpinBox, number: int) -> None:
    spin.setFocus()
    spin.selectAll()
    QTest.keyClicks(spin, str(number))


def press(dialog: FormDialog) -> None:
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)


def assert_shown(dialog: FormDialog, field: Field, words: str) -> None:
    """The dialog is open, the words are below the field and at the button, and the keyboard is in the field."""
    assert dialog.isVisible()
    assert words in field.problem
    assert words in dialog.primary.toolTip()
    assert field.content.accessibleDescription() == field.problem
