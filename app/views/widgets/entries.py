"""Cards and their lines: an icon, a title with a detail, something at the right, perhaps a bar. GUI thread."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.domain.display import lines, visible
from app.views import style
from app.views.console import Console
from app.views.frame.history import Address
from app.views.icons import Glyph, icon
from app.views.widgets.plain import Label, set_tip


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a card. ``color`` and ``bar_color`` name colours of the palette."""

    glyph: Glyph
    color: str
    title: str
    detail: str = ""
    right: str = ""
    fraction: float | None = None
    bar_color: str = "accent_fill"
    address: Address | None = None
    """Where a click leads; None leads nowhere."""
    tooltip: str = ""


class EntryButton(QAbstractButton):
    """Draws one :class:`Entry`; a button where it leads somewhere. Thread: GUI."""

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._entry: Entry | None = None
        self._is_hovered = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.clicked.connect(self._on_clicked)
        console.theme.changed.connect(self._on_theme_changed)

    @property
    def entry(self) -> Entry | None:
        """Return what is shown."""
        return self._entry

    def show_entry(self, entry: Entry) -> None:
        """Show another entry in place; nothing happens when it is the same."""
        if entry == self._entry:
            return
        self._entry = entry
        leads = entry.address is not None
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if leads else Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor if leads else Qt.CursorShape.ArrowCursor)
        # What is shortened can be read there: the title too, when it is a long name.
        set_tip(self, lines(part for part in (entry.title, entry.tooltip or entry.detail) if part))
        self.setAccessibleName(", ".join(part for part in (entry.title, entry.detail, entry.right) if part))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Return the size of a line; one with a bar is a little higher."""
        return QSize(style.FIELD_WIDTH // 2, style.ENTRY_HEIGHT)

    def minimumSizeHint(self) -> QSize:
        """Return the least size: texts are elided."""
        return QSize(style.SPACE_XL * 4, style.ENTRY_HEIGHT)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be clicked."""
        self._is_hovered = True
        self.update()
        super().enterEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """Be quiet again."""
        self._is_hovered = False
        self.update()
        super().leaveEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the line."""
        entry = self._entry
        if entry is None:
            return
        colors = self._console.colors
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        if entry.address is not None and (self._is_hovered or self.hasFocus()):
            painter.setPen(QColor(colors.accent) if self.hasFocus() else Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colors.hover))
            painter.drawRoundedRect(box, style.RADIUS, style.RADIUS)
        inner = box.adjusted(style.SPACE_S, style.SPACE_XS, -style.SPACE_S, -style.SPACE_XS)
        picture = icon(entry.glyph, colors, getattr(colors, entry.color))
        top = inner.top() + (inner.height() - style.ICON_ENTRY) / 2
        picture.paint(painter, int(inner.left()), int(top), style.ICON_ENTRY, style.ICON_ENTRY)
        inner.setLeft(inner.left() + style.ICON_ENTRY + style.SPACE_M)
        self._paint_texts(painter, inner, entry)

    def _paint_texts(self, painter: QPainter, box: QRectF, entry: Entry) -> None:
        colors = self._console.colors
        middle = Qt.AlignmentFlag.AlignVCenter
        if entry.right:
            painter.setFont(style.tabular_font(style.SECONDARY_PX))
            painter.setPen(QColor(colors.secondary))
            width = painter.fontMetrics().horizontalAdvance(entry.right) + style.SPACE_M
            line = QRectF(box)
            if entry.fraction is not None:
                line.setHeight(box.height() / 2)
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | middle, entry.right)
            text_width = box.width() - width
        else:
            text_width = box.width()
        has_second = bool(entry.detail) or entry.fraction is not None
        first = QRectF(box.left(), box.top(), text_width, box.height() / 2 if has_second else box.height())
        self._paint_line(painter, first, entry.title, colors.text, style.BODY_PX)
        second = QRectF(box.left(), box.center().y(), box.width(), box.height() / 2)
        if entry.fraction is None:
            second.setWidth(text_width)
            self._paint_line(painter, second, entry.detail, colors.secondary, style.SECONDARY_PX)
        else:
            self._paint_bar(painter, second, entry)

    def _paint_line(self, painter: QPainter, box: QRectF, text: str, color: str, pixels: int) -> None:
        painter.setFont(style.tabular_font(pixels))
        painter.setPen(QColor(color))
        fitting = painter.fontMetrics().elidedText(visible(text), Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, fitting)

    def _paint_bar(self, painter: QPainter, box: QRectF, entry: Entry) -> None:
        colors = self._console.colors
        bar = QRectF(box.left(), box.center().y() - style.SPACE_XS / 2, box.width(), style.SPACE_XS + 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.skeleton))
        painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)
        bar.setWidth(max(bar.height(), bar.width() * min(1.0, max(0.0, entry.fraction or 0.0))))
        painter.setBrush(QColor(getattr(colors, entry.bar_color)))
        painter.drawRoundedRect(bar, bar.height() / 2, bar.height() / 2)

    def _on_clicked(self) -> None:
        if self._entry is not None and self._entry.address is not None:
            self._console.go(self._entry.address.page, *self._entry.address.path)

    def _on_theme_changed(self) -> None:
        self.update()


class EntryList(QWidget):
    """Entries below one another; they are patched in place. Thread: GUI."""

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._buttons: list[EntryButton] = []
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(0)

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """Show exactly these entries."""
        while len(self._buttons) < len(entries):
            button = EntryButton(self._console, self)
            self._buttons.append(button)
            self._layout.addWidget(button)
        for place, button in enumerate(self._buttons):
            button.setVisible(place < len(entries))
            if place < len(entries):
                button.show_entry(entries[place])

    def entries(self) -> tuple[Entry, ...]:
        """Return what is shown."""
        return tuple(
            button.entry for button in self._buttons if button.entry is not None and not button.isHidden()
        )

    def button(self, place: int) -> EntryButton:
        """Return the button of one entry."""
        return self._buttons[place]


class Card(QFrame):
    """A surface with a title and, at its right, a link to the page that has more. Thread: GUI."""

    def __init__(
        self, console: Console, title: str, *, link: str = "", address: Address | None = None, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._console = console
        self._address = address
        heading = Label(title, self)
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        top.setContentsMargins(style.SPACE_S, 0, 0, 0)
        top.addWidget(heading, 1)
        if link:
            button = QPushButton(link, self)
            button.setProperty("role", "link")
            button.setCursor(Qt.CursorShape.PointingHandCursor)
            button.clicked.connect(self._on_link)
            top.addWidget(button)
        self.body = QVBoxLayout()
        self.body.setSpacing(style.SPACE_S)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(style.SPACE_S, style.SPACE_M, style.SPACE_S, style.SPACE_S)
        layout.setSpacing(style.SPACE_S)
        layout.addLayout(top)
        layout.addLayout(self.body, 1)

    def _on_link(self) -> None:
        if self._address is not None:
            self._console.go(self._address.page, *self._address.path)
