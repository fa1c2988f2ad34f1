"""A dialog that stops something, and asks whether what it made is kept, or deleted with its name typed."""

from dataclasses import dataclass

from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QLineEdit, QWidget

from app.views.console import Console
from app.views.widgets.checks import is_typed
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.form import FormDialog, grow_later
from app.views.widgets.plain import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepOrDelete:
    """The words of such a dialog; the pairs are of keeping and of deleting."""

    title: str
    caption: str
    """Of the choice, for those who hear it."""
    choices: tuple[str, str]
    actions: tuple[str, str]
    """On the button."""
    always: str
    """What happens either way."""
    fates: tuple[str, str]
    """What becomes of what was made."""
    name: str
    """What is typed before anything is deleted."""


class KeepOrDeleteDialog(FormDialog):
    """Asks what becomes of what was made; a subclass submits. Thread: GUI.

    Attributes:
        choice: whether it is deleted.
    """

    def __init__(self, console: Console, words: KeepOrDelete, parent: QWidget | None = None) -> None:
        super().__init__(console, words.title, words.actions[False], parent)
        self._words = words
        keep, delete = words.choices
        self.choice: ChoiceBar[bool] = ChoiceBar(
            words.caption, ((False, keep), (True, delete)), chosen=False, parent=self
        )
        self.choice.chosen.connect(self._on_chosen)
        line = QHBoxLayout()
        line.addWidget(self.choice)
        line.addStretch(1)
        self.body.addLayout(line)
        self._label().setText(words.always)
        self._fate = self._label()
        self._form: QFormLayout = self.add_form()
        self.typed_name = QLineEdit(self)
        self.typed_name.textChanged.connect(self._on_typed)
        caption = self.tr("Type {name} to confirm").format(name=words.name)
        self._typed = self.add_field(self._form, caption, self.typed_name)
        self._on_chosen()

    def _label(self) -> Label:
        label = Label(self)
        label.setWordWrap(True)
        self.body.addWidget(label)
        return label

    def _on_chosen(self, _choice: object = None) -> None:
        deletes = self.choice.value
        self.primary.setProperty("role", "danger" if deletes else "primary")
        self.primary.style().unpolish(self.primary)
        self.primary.style().polish(self.primary)
        self.primary.setText(self._words.actions[deletes])
        self._form.setRowVisible(self._typed, deletes)
        self._fate.setText(self._words.fates[deletes])
        self._on_typed()
        if deletes:
            self.typed_name.setFocus()
        grow_later(self)

    def _on_typed(self) -> None:
        self.allow(allowed=not self.choice.value or is_typed(self.typed_name.text(), self._words.name))
