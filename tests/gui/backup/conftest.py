"""A backup page on a door that answers everything, in a window that goes where the page asks to go."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.views.backup.page import BackupPage
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from tests.gui.backup import samples
from tests.support.scripted_door import ScriptedDoor


class Visits:
    """Where the page asked to go, and the window it is in."""

    def __init__(self, page: BackupPage, window: MainWindow) -> None:
        self.page = page
        self.window = window
        self.wanted: list[Address] = []
        page.console.address_wanted.connect(self.wanted.append)


@pytest.fixture
def visits(qtbot: QtBot, console: Console, door: ScriptedDoor) -> Iterator[Visits]:
    """The page in a window of 1280 by 800, on the list of rules."""
    samples.fill(door)
    page = BackupPage(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    qtbot.waitUntil(lambda: len(page.rules.table.shown_rows()) == len(samples.RULES))
    yield Visits(page, window)
    page.leave()
