"""Makes plain tooltips: Qt would take text that looks like markup for markup, and open the files it names."""

from PySide6.QtCore import Qt
from PySide6.QtGui import Qt as GuiQt

from app.domain.display import visible


def tip_text(text: str) -> str:
    """Return a tooltip that shows exactly this text; its hidden characters get marks."""
    shown = visible(text)
    if "<" not in shown and "&" not in shown:
        return shown
    return str(GuiQt.convertFromPlainText(shown, Qt.WhiteSpaceMode.WhiteSpaceNormal))
