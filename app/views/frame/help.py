"""The help of a page, in a panel next to it."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.plain import Label, MarkupBrowser, MarkupLabel, set_tip


class HelpPanel(QFrame):
    """Says what the page in sight is for. F1 opens and closes it, Esc closes it. Thread: GUI.

    Signals:
        closed: the operator closed it.
        shown: it was opened and needs a place.
    """

    closed = Signal()
    shown = Signal()

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self.setObjectName("helppanel")
        self.setFixedWidth(style.PANEL_WIDTH)
        self._title = Label(self)
        self._title.setProperty("role", "title")
        self._close = QToolButton(self)
        set_tip(self._close, self.tr("Close the help (Esc)"))
        self._close.setAccessibleName(self._close.toolTip())
        self._close.clicked.connect(self.close_panel)
        self._text = MarkupBrowser(self)
        self._text.setOpenLinks(False)
        self._text.setAccessibleName(self.tr("Help"))
        top = QHBoxLayout()
        top.addWidget(self._title, 1)
        top.addWidget(self._close)
        keys = MarkupLabel(self._keys(), self)
        keys.setProperty("role", "secondary")
        keys.setWordWrap(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_L, style.SPACE_S, style.SPACE_S, style.SPACE_L)
        layout.setSpacing(style.SPACE_S)
        layout.addLayout(top)
        layout.addWidget(self._text, 1)
        layout.addWidget(keys)
        escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), self)
        escape.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        escape.activated.connect(self.close_panel)
        console.theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()
        self.hide()

    @property
    def text(self) -> str:
        """Return what is shown, without its markup."""
        return self._text.toPlainText()

    def show_help(self, title: str, text: str) -> None:
        """Show the help of a page."""
        self._title.setText(title)
        self._text.show_markup(text or self.tr("<p>There is nothing to explain here.</p>"))

    def open_panel(self) -> None:
        """Open the panel and put the keyboard into it."""
        self.show()
        self.shown.emit()
        self._text.setFocus()

    def close_panel(self) -> None:
        """Close the panel."""
        self.hide()
        self.closed.emit()

    def _keys(self) -> str:
        return self.tr(
            "<b>Keys everywhere</b><br>Ctrl+K search · Ctrl+F filter · F5 refresh<br>"
            "Enter opens · Delete asks · Space checks · Menu key<br>Ctrl+E exports the list<br>"
            "Ctrl+1 … Ctrl+9 pages · Alt+Left back · Alt+Right forward<br>Ctrl+Q quit · F1 help"
        )

    def _on_theme_changed(self) -> None:
        self._close.setIcon(icon(Glyph.CLOSE, self._console.colors))
