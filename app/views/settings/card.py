"""What the cards of the settings page share. GUI thread."""

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.views import style
from app.views.widgets.plain import Label


class SettingsCard(QFrame):
    """A titled surface with rows: a name and its sentence at the left, the control at the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._heading = Label(self)
        self._heading.setProperty("role", "title")
        self.body = QVBoxLayout(self)
        self.body.setContentsMargins(style.SPACE_XL, style.SPACE_L, style.SPACE_XL, style.SPACE_L)
        self.body.setSpacing(style.SPACE_L)
        self.body.addWidget(self._heading)

    def set_title(self, title: str) -> None:
        """Say what the card is about."""
        self._heading.setText(title)

    def add_row(self, name: str, sentence: str, control: QWidget) -> Label:
        """Add a setting; return the label of its sentence."""
        label = Label(name, self)
        label.setBuddy(control)
        words = Label(sentence, self)
        words.setProperty("role", "secondary")
        words.setWordWrap(True)
        control.setAccessibleName(name)
        control.setAccessibleDescription(sentence)
        texts = QVBoxLayout()
        texts.setSpacing(style.SPACE_XS)
        texts.addWidget(label)
        texts.addWidget(words)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_XL)
        row.addLayout(texts, 1)
        row.addWidget(control)
        self.body.addLayout(row)
        return words
