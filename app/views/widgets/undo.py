"""A line above a list that says what was just done and takes it back."""

from collections.abc import Callable

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QWidget

from app.views import style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.banner import Severity, picture_of
from app.views.widgets.plain import Label, set_tip


class UndoStrip(QFrame):
    """Offers to take the last action back until it is closed or another one follows. Thread: GUI."""

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._run: Callable[[], None] | None = None
        self._picture = Label(self)
        self.text = Label(self)
        self.text.setWordWrap(True)
        self.take_back = QPushButton(self)
        self.take_back.setProperty("role", "quiet")
        self.take_back.setIcon(icon(Glyph.RETRY, console.colors))
        self.take_back.setAutoDefault(False)
        self.take_back.clicked.connect(self._on_take_back)
        self.close_button = QToolButton(self)
        self.close_button.setIcon(icon(Glyph.CLOSE, console.colors))
        self.close_button.setAccessibleName(self.tr("Close the notice"))
        set_tip(self.close_button, self.close_button.accessibleName())
        self.close_button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(style.SPACE_L, style.SPACE_XS, style.SPACE_S, style.SPACE_XS)
        layout.addWidget(self._picture)
        layout.addWidget(self.text, 1)
        layout.addWidget(self.take_back)
        layout.addWidget(self.close_button)
        self.hide()

    def offer(self, text: str, action: str, run: Callable[[], None]) -> None:
        """Say what was done, and offer to take it back."""
        self._run = run
        self._picture.setPixmap(picture_of(Severity.INFORMATION))
        self.text.setText(text)
        self.take_back.setText(action)
        self.show()

    def _on_take_back(self) -> None:
        self.hide()
        run, self._run = self._run, None
        if run is not None:
            run()
