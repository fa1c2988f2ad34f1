"""What a list shows when it has nothing to show yet: loading, empty, or an error; else the list itself."""

from PySide6.QtCore import QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from app.domain.errors import OperationalError
from app.views import style
from app.views.console import ThemeSwitch
from app.views.icons import Glyph, icon
from app.views.widgets.plain import Label
from app.views.words import error_details, error_hint, error_message
from app.workers.answers import Failure

_SKELETON_ROWS = 7


class _Skeleton(QWidget):
    """Grey rows that stand in for a list that loads."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setAccessibleName(self.tr("Loading"))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the rows."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._theme.colors.skeleton))
        width = self.width() - 2 * style.SPACE_L
        for row in range(_SKELETON_ROWS):
            top = style.SPACE_L + row * style.ROW_HEIGHT + style.SPACE_M
            left = float(style.SPACE_L)
            for part in (0.26, 0.12, 0.16, 0.1, 0.2):
                bar = QRectF(left, top, width * part * (0.7 + 0.3 * ((row * 7) % 5) / 4), style.SPACE_M)
                painter.drawRoundedRect(bar, style.SPACE_XS, style.SPACE_XS)
                left += width * part + style.SPACE_XL


class Notice(QWidget):
    """An icon, a line, an explanation and buttons in the middle of an empty space.

    Signals:
        action_wanted: the primary button.
    """

    action_wanted = Signal()

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._glyph = Glyph.INFO
        self._details = ""
        self._picture = Label(self)
        self._picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._title = Label(self)
        self._title.setProperty("role", "title")
        self._text = Label(self)
        self._text.setProperty("role", "secondary")
        for label in (self._title, self._text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            label.setWordWrap(True)
        self._action = QPushButton(self)
        self._action.setProperty("role", "primary")
        self._action.clicked.connect(self.action_wanted)
        self._copy = QPushButton(self.tr("Copy details"), self)
        self._copy.setProperty("role", "quiet")
        self._copy.clicked.connect(self._on_copy)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(self._action)
        buttons.addWidget(self._copy)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(style.SPACE_M)
        layout.setContentsMargins(style.SPACE_XL, style.SPACE_XL, style.SPACE_XL, style.SPACE_XL)
        layout.addStretch(2)
        for widget in (self._picture, self._title, self._text):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addStretch(3)
        theme.changed.connect(self._on_theme_changed)

    def show_message(self, glyph: Glyph, title: str, text: str, *, action: str = "", details: str = "") -> None:
        """Say something, with a primary button when ``action`` names one."""
        self._glyph = glyph
        self._details = details
        self._title.setText(title)
        self._text.setText(text)
        self._action.setText(action)
        self._action.setVisible(bool(action))
        self._copy.setVisible(bool(details))
        self._on_theme_changed()

    def _on_theme_changed(self) -> None:
        pixmap = icon(self._glyph, self._theme.colors).pixmap(style.ICON_LARGE, style.ICON_LARGE)
        self._picture.setPixmap(pixmap)

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)


class Stages(QStackedWidget):
    """Shows its content, or what stands in for it. Thread: GUI.

    Signals:
        create_wanted: the button of the empty state.
        retry_wanted: the button of the error state.
    """

    create_wanted = Signal()
    retry_wanted = Signal()

    def __init__(self, content: QWidget, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._content = content
        self._skeleton = _Skeleton(theme, self)
        self._empty = Notice(theme, self)
        self._error = Notice(theme, self)
        for widget in (content, self._skeleton, self._empty, self._error):
            self.addWidget(widget)
        self._empty.action_wanted.connect(self.create_wanted)
        self._error.action_wanted.connect(self.retry_wanted)
        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(style.SKELETON_DELAY_MS)
        self._patience.timeout.connect(self._on_patience_ended)

    @property
    def is_undecided(self) -> bool:
        """Return whether it waits a moment before it shows that it loads."""
        return self._patience.isActive()

    @property
    def is_loading(self) -> bool:
        """Return whether the skeleton is shown."""
        return self.currentWidget() is self._skeleton

    def show_loading(self) -> None:
        """Show the skeleton, once loading takes longer than a blink."""
        self._patience.start()

    def show_content(self) -> None:
        """Show the content."""
        self._patience.stop()
        self.setCurrentWidget(self._content)

    def show_empty(self, glyph: Glyph, title: str, text: str, *, action: str = "") -> None:
        """Say what the page is for and offer the next step."""
        self._patience.stop()
        self._empty.show_message(glyph, title, text, action=action)
        self.setCurrentWidget(self._empty)

    def show_failure(self, failure: Failure) -> None:
        """Say what went wrong, why, and what to do."""
        self._patience.stop()
        if isinstance(failure, OperationalError):
            details = error_details(failure)
            title, text = error_message(failure), error_hint(failure)
        else:
            details = f"{failure.kind}: {failure.detail}"
            title = self.tr("Something unexpected happened.")
            text = self.tr("The log has the details. The program goes on; please report this.")
        self._error.show_message(Glyph.ERROR, title, text, action=self.tr("Try again"), details=details)
        self.setCurrentWidget(self._error)

    def _on_patience_ended(self) -> None:
        self.setCurrentWidget(self._skeleton)
