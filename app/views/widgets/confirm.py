"""Confirmation before something goes: what goes, how much, and for data the name typed."""

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QLineEdit, QWidget

from app.contract.base import Command
from app.views.console import Console
from app.views.widgets.checks import is_typed
from app.views.widgets.form import FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure

Action = Callable[[Callable[[object], None], Callable[[Failure], None]], None]
"""Sends a request and calls one of the two callbacks when it has ended."""


def sends(console: Console, command: Command[Any], owner: QObject) -> Action:
    """Return an action that sends a command; its answer is dropped when the owner is gone."""

    def send(on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        console.door.execute(command, owner=owner, on_done=on_done, on_failed=on_failed)

    return send


class ConfirmDialog(FormDialog):
    """Asks before something is deleted or overwritten. Thread: GUI.

    Attributes:
        consequences: what goes, a line each.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        action: str,
        run: Action,
        *,
        consequences: Sequence[str],
        type_name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        """Make the question.

        Args:
            console: the console.
            title: a verb phrase: ``Delete the rule web``.
            action: the verb on the button.
            run: what is done on confirmation.
            consequences: what goes, a line each.
            type_name: a name that has to be typed before the button works; empty asks for none.
            parent: the widget it belongs to.
        """
        super().__init__(console, title, action, parent)
        self._run = run
        self._type_name = type_name
        self.consequences = tuple(consequences)
        self.primary.setProperty("role", "danger" if type_name else "primary")
        for line in self.consequences:
            label = Label(line, self)
            label.setWordWrap(True)
            self.body.addWidget(label)
        self.name = QLineEdit(self)
        self.name.setVisible(bool(type_name))
        if type_name:
            self.add_field(self.add_form(), self.tr("Type {name} to confirm").format(name=type_name), self.name)
            self.name.textChanged.connect(self._on_name_changed)
            self.allow(allowed=False)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Do what was confirmed."""
        self._run(on_done, on_failed)

    def _on_name_changed(self, text: str) -> None:
        self.allow(allowed=is_typed(text, self._type_name))
