"""A window on the busy engine, and what is opened over it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from PySide6.QtCore import QRect
from PySide6.QtWidgets import QApplication, QDialog, QWidget
from pytestqt.qtbot import QtBot

from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.shell import Shell
from tests.gui.operator import has_open_requests, settle
from tests.support.scripted_door import ScriptedDoor

_CHAINS = 3
"""So often an answer leads to another question."""
_ROUNDS = 4


@dataclass(slots=True)
class Scene:
    """A window on the busy engine, and what was opened over it."""

    bot: QtBot
    shell: Shell
    console: Console
    door: ScriptedDoor
    opened: list[QWidget] = field(default_factory=list)

    def page(self, *path: str) -> QWidget:
        """Go somewhere and return the window."""
        self.shell.window.visit(Address(path[0], path[1:]))
        self.settle()
        return self.shell.window

    def close_opened(self) -> None:
        """Put away the dialogs that were opened over the window."""
        for dialog in self.opened:
            assert isinstance(dialog, QDialog)
            dialog.done(0)
        self.opened.clear()

    def page_of(self, kind: type[QWidget]) -> QWidget:
        """Return the page of a kind."""
        return next(page for page in self.shell.window.pages() if isinstance(page, kind))

    def dialog(self, dialog: QDialog) -> QDialog:
        """Open a dialog and return it."""
        self.opened.append(dialog)
        dialog.open()
        self.settle()
        return dialog

    def newest(self, kind: type[QDialog]) -> QDialog:
        """Return the dialog of a kind that the last click opened."""
        self.settle()
        found = [
            widget for widget in QApplication.topLevelWidgets() if isinstance(widget, kind) and widget.isVisible()
        ]
        self.opened.extend(found)
        return found[-1]

    def settle(self) -> None:
        """Wait until every answer is there and every layout is done."""
        for _ in range(_CHAINS):
            settle(self.bot, self.console)
            # Layouts that ask for more height do so in the next round of the event loop.
            for _ in range(_ROUNDS):
                QApplication.processEvents()
        # On a slow machine the last answer comes in the last of these rounds, and what it grows is not placed yet.
        self.bot.waitUntil(self._is_at_rest)

    def _is_at_rest(self) -> bool:
        """Return whether nothing has moved in some rounds of the event loop, and no answer is on its way."""
        before = _geometries()
        for _ in range(_ROUNDS):
            QApplication.processEvents()
        return not has_open_requests(self.console) and _geometries() == before


def _geometries() -> list[QRect]:
    """Return where everything in every window on show is."""
    windows = [window for window in QApplication.topLevelWidgets() if window.isVisible()]
    return [widget.geometry() for window in windows for widget in (window, *window.findChildren(QWidget))]


Place = Callable[[Scene], QWidget]
