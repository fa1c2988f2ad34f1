"""States as pills of one width, and running ones as a bar with its text inside."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.models.rows import PAINT_ROLE
from app.views import style
from app.views.style import Colors
from app.views.widgets.itemstyle import draw_background, item_style


class Tone(Enum):
    """What a pill's colour means; the text next to it says the same."""

    IDLE = "idle"
    ACTIVE = "active"
    PENDING = "pending"
    COMPLETED = "completed"
    UNKNOWN = "unknown"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Pill:
    """A state to draw: its words, its tone, and for a running one the part that is done, 0 to 1."""

    text: str
    tone: Tone
    fraction: float | None = None
    outlined: bool = False


class PillDelegate(QStyledItemDelegate):
    """Draws the :class:`Pill` of a cell's ``PAINT_ROLE``.

    Attributes:
        colors: of all pills, as the theme has them.
        unknown: drawn in the place of everything active while its state is unknown, else None.
    """

    colors: Colors = style.LIGHT
    unknown: ClassVar[Pill | None] = None

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """Draw one cell."""
        pill = index.data(PAINT_ROLE)
        if not isinstance(pill, Pill):
            super().paint(painter, option, index)
            return
        if self.unknown is not None and pill.tone is Tone.ACTIVE:
            pill = self.unknown
        draw_background(self, painter, option, index)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self.draw(painter, self._box(option), pill)
        painter.restore()

    def draw(self, painter: QPainter, box: QRectF, pill: Pill) -> None:
        """Draw a pill or a bar into a box."""
        if pill.fraction is None:
            self._paint_pill(painter, box, pill)
        else:
            self._paint_bar(painter, box, pill, pill.fraction)

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        """Return the size of a pill with its margins."""
        height = super().sizeHint(option, index).height()
        return QSize(style.PILL_WIDTH + 2 * style.SPACE_S, height)

    def _box(self, option: QStyleOptionViewItem) -> QRectF:
        cell = QRectF(item_style(option).rect)
        height = style.SPACE_XL - 2
        left = cell.left() + style.SPACE_S
        width = min(float(style.PILL_WIDTH), cell.width() - 2 * style.SPACE_S)
        return QRectF(left + 0.5, cell.center().y() - height / 2, width, height)

    def _paint_pill(self, painter: QPainter, box: QRectF, pill: Pill) -> None:
        color = QColor(getattr(self.colors, pill.tone.value))
        ground = QColor(color)
        ground.setAlphaF(0.0 if pill.outlined else 0.12)
        painter.setPen(QPen(color, 1) if pill.outlined else Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        dot = QRectF(box.left() + style.SPACE_M - 3, box.center().y() - 3, 6, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(color)
        painter.drawEllipse(dot)
        self._paint_text(painter, box.adjusted(style.SPACE_L + 4, 0, -style.SPACE_S, 0), pill.text, color)

    def _paint_bar(self, painter: QPainter, box: QRectF, pill: Pill, fraction: float) -> None:
        shape = QPainterPath()
        shape.addRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setClipPath(shape)
        painter.fillRect(box, QColor(self.colors.skeleton))
        done = QRectF(box)
        done.setWidth(box.width() * min(1.0, max(0.0, fraction)))
        painter.fillRect(done, QColor(self.colors.accent_fill))
        centered = Qt.AlignmentFlag.AlignCenter
        # The text is drawn twice, each time clipped to its ground, so that it can be read on both.
        self._paint_text(painter, box, pill.text, QColor(self.colors.text), centered)
        painter.setClipRect(done, Qt.ClipOperation.IntersectClip)
        self._paint_text(painter, box, pill.text, QColor(self.colors.on_accent), centered)

    def _paint_text(
        self,
        painter: QPainter,
        box: QRectF,
        text: str,
        color: QColor,
        alignment: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignVCenter,
    ) -> None:
        font = style.tabular_font(style.SECONDARY_PX)
        painter.setFont(font)
        painter.setPen(color)
        fitting = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
        painter.drawText(box, int(alignment.value), fitting)


class PillLabel(QWidget):
    """A state outside of a table. Thread: GUI."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pill: Pill | None = None
        self._delegate = PillDelegate(self)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def show_pill(self, pill: Pill) -> None:
        """Show a state."""
        if pill != self._pill:
            self._pill = pill
            self.setAccessibleName(pill.text)
            self.updateGeometry()
            self.update()

    @property
    def text(self) -> str:
        """Return the words that are shown."""
        return self._pill.text if self._pill is not None else ""

    def sizeHint(self) -> QSize:
        """Return the size of a pill, wide enough for its words."""
        words = self.fontMetrics().horizontalAdvance(self.text) + style.SPACE_L + style.SPACE_XL
        return QSize(max(style.PILL_WIDTH, words), style.SPACE_XL)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the pill."""
        if self._pill is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._delegate.draw(painter, QRectF(self.rect()).adjusted(0.5, 1, -0.5, -1), self._pill)
