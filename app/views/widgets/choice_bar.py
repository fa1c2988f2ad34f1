"""A few choices side by side of which one holds, such as the range of a chart."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QPushButton, QWidget

Choice = TypeVar("Choice")


class ChoiceBar(QWidget, Generic[Choice]):
    """Buttons of which one is pressed. Thread: GUI.

    Signals:
        chosen: the operator pressed another one; carries its value.
    """

    chosen = Signal(object)

    def __init__(
        self, name: str, choices: Sequence[tuple[Choice, str]], chosen: Choice, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self._values = [value for value, _ in choices]
        self._group = QButtonGroup(self)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        for place, (value, text) in enumerate(choices):
            button = QPushButton(text, self)
            button.setProperty("role", "choice")
            button.setProperty("first", "true" if place == 0 else "false")
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.setChecked(value == chosen)
            self._group.addButton(button, place)
            layout.addWidget(button)
        self._group.idClicked.connect(self._on_clicked)

    @property
    def values(self) -> Sequence[Choice]:
        """Return the choices, left to right."""
        return tuple(self._values)

    @property
    def value(self) -> Choice:
        """Return the choice that holds."""
        return self._values[self._group.checkedId()]

    def button(self, value: Choice) -> QPushButton:
        """Return the button of a choice."""
        found = self._group.button(self._values.index(value))
        assert isinstance(found, QPushButton)
        return found

    def _on_clicked(self, place: int) -> None:
        self.chosen.emit(self._values[place])
