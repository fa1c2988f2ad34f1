"""The layout of dialogs that are a list: title, what the list means, the list in a card, and buttons."""

from PySide6.QtWidgets import QDialog, QFrame, QLayout, QVBoxLayout, QWidget

from app.views import style
from app.views.widgets.plain import Label
from app.views.widgets.stages import Stages


def in_card(content: QWidget, parent: QWidget) -> QFrame:
    """Put a list into a card, whose border stays free of it. Thread: GUI."""
    card = QFrame(parent)
    card.setProperty("role", "card")
    inner = QVBoxLayout(card)
    inner.setContentsMargins(1, 1, 1, 1)
    inner.addWidget(content)
    return card


def lay_out_list(dialog: QDialog, meaning: str, stages: Stages, buttons: QLayout) -> QFrame:
    """Lay a dialog out under its window title, and return the card around its list, where messages appear.

    Thread: GUI.
    """
    heading = Label(dialog.windowTitle(), dialog)
    heading.setProperty("role", "title")
    help_text = Label(meaning, dialog)
    help_text.setProperty("role", "secondary")
    help_text.setWordWrap(True)
    card = in_card(stages, dialog)
    layout = QVBoxLayout(dialog)
    layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_L)
    layout.setSpacing(style.SPACE_M)
    for widget in (heading, help_text):
        layout.addWidget(widget)
    layout.addWidget(card, 1)
    layout.addLayout(buttons)
    return card
