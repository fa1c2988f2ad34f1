"""Labels, tooltips, boxes and titles that never take a name for markup. GUI thread.

Qt guesses whether a text is rich: a VM named ``<img src="file://server/x">`` makes a label, a tooltip or a message
box open that file, which on Windows sends the user's hash to the server. Everything here shows text as it is, with
what is hidden in it made visible; a test holds that nothing else in the window uses Qt's own ways.
"""

from html import escape

from PySide6.QtCore import QPoint, QRect, Qt, QUrl
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QLabel,
    QMessageBox,
    QSystemTrayIcon,
    QTextBrowser,
    QToolTip,
    QTreeWidgetItem,
    QWidget,
)

from app.domain.display import own_lines, visible
from app.models.tips import tip_text


class Label(QLabel):
    """A label whose text is plain. Thread: GUI."""

    def __init__(self, text: str | QWidget | None = None, parent: QWidget | None = None) -> None:
        super().__init__(text if isinstance(text, QWidget) else parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        if isinstance(text, str):
            self.setText(text)

    def setText(self, text: str) -> None:
        """Show another text."""
        super().setText(visible(text))


class MarkupLabel(QLabel):
    """A label for markup of the program's own; what is put into it goes through :func:`markup_of`. Thread: GUI."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.RichText)


class MarkupBrowser(QTextBrowser):
    """A page of the program's own markup, which loads nothing from anywhere. Thread: GUI."""

    def loadResource(self, kind: int, name: QUrl | str) -> object:  # noqa: ARG002 - Qt's name
        """Refuse pictures and style sheets."""
        return None

    def show_markup(self, text: str) -> None:
        """Show another page."""
        self.setHtml(text)


def markup_of(text: str) -> str:
    """Return a text as it has to stand inside of markup."""
    return escape(visible(text))


def mnemonic_free(text: str) -> str:
    """Return a text for a button, a menu or a tab, which take an ampersand for the mark of a shortcut."""
    return visible(text).replace("&", "&&")


def set_tip(target: QWidget | QAction | QSystemTrayIcon, text: str) -> None:
    """Give something a tooltip."""
    target.setToolTip(tip_text(text))


def set_cell_tip(item: QTreeWidgetItem, column: int, text: str) -> None:
    """Give a cell of a list a tooltip."""
    item.setToolTip(column, tip_text(text))


def show_tip(place: QPoint, text: str, owner: QWidget, area: QRect | None = None) -> None:
    """Show a tooltip now."""
    if area is None:
        QToolTip.showText(place, tip_text(text), owner)
    else:
        QToolTip.showText(place, tip_text(text), owner, area)


def hide_tip() -> None:
    """Take a tooltip away."""
    QToolTip.hideText()


def set_title(window: QWidget, text: str) -> None:
    """Give a window a title; Qt would take ``[*]`` in it for the mark of a changed document."""
    window.setWindowTitle(visible(text).replace("[*]", "[*][*]"))


def message_box(
    icon: QMessageBox.Icon,
    title: str,
    text: str,
    more: str = "",
    *,
    details: str = "",
    parent: QWidget | None = None,
) -> QMessageBox:
    """Make a message box with plain texts; ``details`` may have several lines."""
    box = QMessageBox(icon, "", "", parent=parent)
    set_title(box, title)
    box.setTextFormat(Qt.TextFormat.PlainText)
    box.setText(visible(text))
    box.setInformativeText(visible(more))
    if details:
        box.setDetailedText(own_lines(details))
    for label in box.findChildren(QLabel):
        label.setTextFormat(Qt.TextFormat.PlainText)
    return box


def show_balloon(tray: QSystemTrayIcon, title: str, text: str, shown_ms: int) -> None:
    """Show a notification of the system; many desktops take markup in it, so its signs give way to like ones."""
    tray.showMessage(_unmarked(title), _unmarked(text), QSystemTrayIcon.MessageIcon.Critical, shown_ms)


def _unmarked(text: str) -> str:
    return visible(text).replace("<", "‹").replace(">", "›")
