"""What keeps the program from starting is shown with a remedy and details to copy."""

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.console.program import show_error
from app.domain.errors import StandbyUnavailable


def test_its_details_can_be_copied_before_it_is_closed(qtbot: QtBot, qapp: QApplication) -> None:
    del qtbot, qapp
    error = StandbyUnavailable(path="/mnt/nas", detail="not mounted")
    seen: list[str] = []

    def work() -> None:
        (box,) = (widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMessageBox))
        copy = next(button for button in box.buttons() if button.text() == "Copy details")
        QTest.mouseClick(copy, Qt.MouseButton.LeftButton)
        seen.extend((box.text(), QGuiApplication.clipboard().text()))
        assert box.isVisible()
        QTest.keyClick(box, Qt.Key.Key_Escape)

    QTimer.singleShot(200, work)
    show_error(error)
    assert seen == [error.message, f"{error.code}\n{error.message}\n{error.hint}"]
