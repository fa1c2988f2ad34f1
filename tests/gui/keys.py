"""Keys that the offscreen platform of the tests does not turn into events by itself."""

from PySide6.QtCore import QPoint
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QWidget


def press_menu_key(widget: QWidget) -> None:
    """Do what Qt's plugins for desktops do at the menu key: notify the window, which asks who has the keyboard."""
    handle = widget.window().windowHandle()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Keyboard, QPoint(), QPoint())
    QApplication.sendEvent(handle, event)
