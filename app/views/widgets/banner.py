"""Messages: what they mean by colour, icon and words, and the overlay that keeps them from moving a page."""

from enum import Enum
from typing import ClassVar, Final

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QGuiApplication, QPixmap
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QToolButton, QVBoxLayout, QWidget

from app.domain.display import lines
from app.domain.errors import OperationalError
from app.views import style
from app.views.icons import Glyph, icon
from app.views.style import Colors
from app.views.widgets.pause import Pause
from app.views.widgets.plain import Label, set_tip
from app.views.words import error_details, error_hint, error_message
from app.workers.answers import Failure

_CALM_MS: Final = 12_000
"""So long a message that asks for nothing stays on a page."""


class Severity(Enum):
    """What a message means; its value is the role of its text in the style sheet."""

    PROBLEM = "problem"
    WARNING = "warning"
    INFORMATION = "information"
    SUCCESS = "success"


_LOOKS: Final = {
    Severity.PROBLEM: (Glyph.ERROR, "failed"),
    Severity.WARNING: (Glyph.WARNING, "pending"),
    Severity.INFORMATION: (Glyph.INFO, "active"),
    Severity.SUCCESS: (Glyph.SUCCESS, "completed"),
}


class Banner(QFrame):
    """A message across a dialog or over a page: what happened, and what to do. Hidden until there is one.

    Thread: GUI.

    Attributes:
        colors: of all banners, as the theme has them.
    """

    colors: ClassVar[Colors] = style.LIGHT

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "banner")
        self._severity = Severity.INFORMATION
        self._details = ""
        self._floats = False
        self._says_unread = False
        self._picture = Label(self)
        self._title = Label(self)
        self._hint = Label(self)
        self._hint.setProperty("role", "secondary")
        for label in (self._title, self._hint):
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._copy = QPushButton(self.tr("Copy details"), self)
        self._copy.setProperty("role", "quiet")
        self._copy.setAutoDefault(False)
        self._copy.clicked.connect(self._on_copy)
        self._close = QToolButton(self)
        self._close.setAccessibleName(self.tr("Close the message"))
        set_tip(self._close, self.tr("Close the message"))
        self._close.clicked.connect(self.hide)
        self._close.hide()
        self._leaving = Pause(_CALM_MS, self)
        self._leaving.timeout.connect(self._on_calm)
        self._lay_out()
        self.hide()

    def _lay_out(self) -> None:
        texts = QVBoxLayout()
        texts.setSpacing(style.SPACE_XS)
        texts.addWidget(self._title)
        texts.addWidget(self._hint)
        layout = QHBoxLayout(self)
        top = Qt.AlignmentFlag.AlignTop
        layout.addWidget(self._picture, 0, top)
        layout.addLayout(texts, 1)
        layout.addWidget(self._copy, 0, top)
        layout.addWidget(self._close, 0, top)

    @property
    def severity(self) -> Severity:
        """Return what the message means."""
        return self._severity

    @property
    def title(self) -> str:
        """Return the message's first sentence."""
        return self._title.text()

    @property
    def hint(self) -> str:
        """Return what the message says to do."""
        return self._hint.text()

    def show_failure(self, failure: Failure) -> None:
        """Say what went wrong, in the operator's language."""
        if isinstance(failure, OperationalError):
            self._show(Severity.PROBLEM, error_message(failure), error_hint(failure), error_details(failure))
        else:
            title = self.tr("Something unexpected happened.")
            hint = self.tr("The log has the details. The program goes on; please report this.")
            self._show(Severity.PROBLEM, title, hint, f"{failure.kind}: {failure.detail}")

    def show_unread(self, failure: Failure) -> None:
        """Say that something could not be read, until :meth:`settle_unread`; the outcome of an action stays."""
        if self.isHidden() or self._says_unread:
            self.show_failure(failure)
            self._says_unread = True

    def settle_unread(self) -> None:
        """Hide the message that something could not be read; any other stays."""
        if self._says_unread:
            self.hide()

    def show_problem(self, title: str, hint: str = "", details: str = "") -> None:
        """Say that something did not work; ``details`` are copied in place of what is shown."""
        self._show(Severity.PROBLEM, title, hint, details)

    def show_warning(self, title: str, hint: str = "") -> None:
        """Say that something needs care."""
        self._show(Severity.WARNING, title, hint)

    def show_text(self, title: str, hint: str = "") -> None:
        """Say what goes on; nothing is wrong."""
        self._show(Severity.INFORMATION, title, hint)

    def show_success(self, title: str, hint: str = "") -> None:
        """Say that something is done."""
        self._show(Severity.SUCCESS, title, hint)

    def float_over_page(self) -> None:
        """Be a message over a page: it can be closed, and goes by itself when it asks for nothing."""
        self._floats = True
        self._close.show()

    def _show(self, severity: Severity, title: str, hint: str, details: str = "") -> None:
        self._severity = severity
        self._says_unread = False
        self._title.setText(title)
        self._hint.setText(hint)
        self._hint.setVisible(bool(hint))
        self._details = details or lines((title, hint))
        self._copy.setVisible(severity in (Severity.PROBLEM, Severity.WARNING))
        mark(self, severity)
        self._title.setProperty("role", severity.value)
        self._title.style().unpolish(self._title)
        self._title.style().polish(self._title)
        self.setAccessibleName(f"{self._word()}: {self.title}")
        self._apply_colors()
        self.show()
        if self._floats and severity in (Severity.INFORMATION, Severity.SUCCESS):
            self._leaving.restart()
        else:
            self._leaving.stop()

    def _word(self) -> str:
        return {
            Severity.PROBLEM: self.tr("Problem"),
            Severity.WARNING: self.tr("Warning"),
            Severity.INFORMATION: self.tr("Information"),
            Severity.SUCCESS: self.tr("Success"),
        }[self._severity]

    def _apply_colors(self) -> None:
        self._picture.setPixmap(picture_of(self._severity))
        self._picture.setAccessibleName(self._word())
        set_tip(self._picture, self._word())
        self._close.setIcon(icon(Glyph.CLOSE, self.colors))

    def changeEvent(self, event: QEvent) -> None:
        """Draw the icon in the colours of another theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and not self.isHidden():
            self._apply_colors()

    def _on_calm(self) -> None:
        if self.underMouse():
            self._leaving.restart()
        else:
            self.hide()

    def _on_copy(self) -> None:
        QGuiApplication.clipboard().setText(self._details)


def picture_of(severity: Severity) -> QPixmap:
    """Return the icon of a meaning, in the colours of the theme."""
    glyph, color = _LOOKS[severity]
    return icon(glyph, Banner.colors, getattr(Banner.colors, color)).pixmap(style.ICON, style.ICON)


def mark(frame: QFrame, severity: Severity) -> None:
    """Give the frame of a message the colour of what it means."""
    frame.setProperty("severity", severity.value)
    frame.style().unpolish(frame)
    frame.style().polish(frame)


class MessageOverlay(QWidget):
    """Shows messages over the lower edge of a page, so that nothing below the mouse moves. Thread: GUI."""

    def __init__(self, owner: QWidget, *messages: QWidget) -> None:
        super().__init__(owner)
        self.owner = owner
        self.messages: list[QWidget] = []
        self.setProperty("floats", True)  # noqa: FBT003 - Qt's signature
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(style.SPACE_S)
        owner.installEventFilter(self)
        self._settling = Pause(0, self)
        self._settling.timeout.connect(self._place)
        self.hide()
        for message in messages:
            self.add(message)

    def add(self, message: QWidget) -> None:
        """Let a message float here from now on; it shows and hides itself."""
        was_hidden = message.isHidden()
        self.messages.append(message)
        self._layout.addWidget(message)
        message.setHidden(was_hidden)
        message.setProperty("floats", True)  # noqa: FBT003 - Qt's signature
        if isinstance(message, Banner):
            message.float_over_page()
        message.installEventFilter(self)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the page's size and what the messages say."""
        kind = event.type()
        if watched is self.owner:
            if kind in (QEvent.Type.Resize, QEvent.Type.Show):
                self._place()
        elif kind in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self._place()
            self._settling.restart()
        elif kind == QEvent.Type.LayoutRequest:
            self._settling.restart()
        return False

    def _place(self) -> None:
        if all(message.isHidden() for message in self.messages):
            self.hide()
            return
        width = min(style.MESSAGE_WIDTH, self.owner.width() - 2 * style.SPACE_L)
        self._layout.activate()
        height = self._layout.totalHeightForWidth(width)
        if height < 0:
            height = self._layout.totalSizeHint().height()
        left = (self.owner.width() - width) // 2
        self.setGeometry(left, max(0, self.owner.height() - height - style.SPACE_L), width, height)
        self.show()
        self.raise_()
