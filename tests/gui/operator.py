"""What an operator sees of a widget and does with it, for the tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PySide6.QtWidgets import QApplication, QLabel, QMenu, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.contract.door import Door
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.widgets.form import Field
from app.views.widgets.list_page import ListPage
from tests.support.local_line import LocalClient


@contextmanager
def console_on(application: QApplication, folder: Path, door: Door) -> Iterator[Console]:
    """A console on a door, with its memory in a folder; nothing of it is left behind."""
    memory = Memory(folder / "window.ini")
    client = LocalClient(door)
    yield Console(client, memory, ThemeSwitch(application, memory))
    assert client.close()


def field_of(content: QWidget) -> Field:
    """Return the field that a widget is in, which shows what is wrong with it."""
    widget: QWidget | None = content
    while not isinstance(widget, Field):
        assert widget is not None, "the widget is in no field"
        widget = widget.parentWidget()
    return widget


def problem_of(content: QWidget) -> str:
    """Return what is said to be wrong below a widget."""
    return field_of(content).problem


def label_of(content: QWidget) -> QLabel:
    """Return the label of a widget."""
    (label,) = (label for label in content.window().findChildren(QLabel) if label.buddy() is content)
    return label


def click_button(owner: QWidget, text: str) -> None:
    """Click the button with a text, also where it waits in the menu of a narrow tool bar."""
    (button,) = (button for button in owner.findChildren(QPushButton) if button.text() == text)
    assert button.isEnabled()
    button.click()


def choose_from_menu(page: ListPage[Any], text: str) -> None:
    """Take an entry of the context menu of the current row."""
    row = page.table.current_row()
    assert row is not None
    menu = QMenu(page)
    page.fill_menu(menu, row)
    (entry,) = (action for action in menu.actions() if action.text() == text)
    entry.trigger()


def has_open_requests(console: Console) -> bool:
    """Return whether an answer to the window is on its way."""
    return bool(console.door.waiting_owners())


def settle(qtbot: QtBot, console: Console) -> None:
    """Wait until every answer is here."""
    qtbot.waitUntil(lambda: not has_open_requests(console))
