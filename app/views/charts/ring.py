"""The ring: shares of a whole, with the figure in its middle and a legend next to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.views import style
from app.views.console import ThemeSwitch

_SMALLEST_DEGREES = 4.0
"""A slice that exists is seen, however small its share."""
_GAP_DEGREES = 1.5
_THICKNESS = 18
_SMALLEST_PX = 9


@dataclass(frozen=True, slots=True)
class Share:
    """One slice: its name, its amount, its value as text, and the name of its colour in the palette."""

    name: str
    amount: float
    text: str
    color: str


def slice_degrees(amounts: Sequence[float]) -> list[float]:
    """Return the angles of slices: proportional, none that exists below the smallest, 360 in all."""
    total = sum(amounts)
    if total <= 0:
        return [0.0 for _ in amounts]
    angles = [360 * amount / total for amount in amounts]
    small = [0 < angle < _SMALLEST_DEGREES for angle in angles]
    spare = 360 - _SMALLEST_DEGREES * sum(small)
    rest = sum(angle for angle, is_small in zip(angles, small, strict=True) if not is_small)
    return [
        _SMALLEST_DEGREES if is_small else (angle * spare / rest if rest else 0.0)
        for angle, is_small in zip(angles, small, strict=True)
    ]


class Ring(QWidget):
    """A ring of shares. Thread: GUI."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._shares: Sequence[Share] = ()
        self._figure = self._caption = ""
        self.setMinimumSize(style.RING_WIDTH, style.RING_HEIGHT)
        theme.changed.connect(self._on_theme_changed)

    def sizeHint(self) -> QSize:
        """Return a size in which the legend fits next to the ring."""
        return QSize(style.CHART_HEIGHT * 2, style.CHART_HEIGHT)

    def show_shares(self, shares: Sequence[Share], figure: str, caption: str) -> None:
        """Show shares, with ``figure`` and ``caption`` in the middle."""
        self._shares, self._figure, self._caption = tuple(shares), figure, caption
        words = ", ".join(f"{share.name} {share.text}" for share in shares)
        self.setAccessibleName(f"{caption} {figure}: {words}")
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the ring and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = min(self.height(), self.width() // 2) - 2 * style.SPACE_M
        box = QRectF(style.SPACE_M, (self.height() - side) / 2, side, side)
        self._paint_ring(painter, box.adjusted(_THICKNESS / 2, _THICKNESS / 2, -_THICKNESS / 2, -_THICKNESS / 2))
        self._paint_middle(painter, box)
        self._paint_legend(painter, box.right() + style.SPACE_L)

    def _paint_ring(self, painter: QPainter, box: QRectF) -> None:
        pen = QPen(QColor(self._theme.colors.skeleton), _THICKNESS, Qt.PenStyle.SolidLine, Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(box, 0, 360 * 16)
        start = 90.0
        angles = slice_degrees([share.amount for share in self._shares])
        several = sum(angle > 0 for angle in angles) > 1
        for share, angle in zip(self._shares, angles, strict=True):
            if not angle:
                continue
            pen.setColor(QColor(getattr(self._theme.colors, share.color)))
            painter.setPen(pen)
            gap = _GAP_DEGREES if several else 0.0
            painter.drawArc(box, round((start - gap / 2) * 16), round(-(angle - gap) * 16))
            start -= angle

    def _paint_middle(self, painter: QPainter, box: QRectF) -> None:
        colors = self._theme.colors
        middle = box.center().y()
        for text, pixels, color, top in (
            (self._figure, style.FIGURE_PX, colors.text, middle - style.FIGURE_PX),
            (self._caption, style.SECONDARY_PX, colors.secondary, middle + style.SPACE_XS),
        ):
            font = style.tabular_font(pixels)
            font.setBold(pixels == style.FIGURE_PX)
            # A long text becomes smaller rather than run into the ring.
            room = box.width() - 2 * (_THICKNESS + style.SPACE_XS)
            needed = QFontMetricsF(font).horizontalAdvance(text)
            if needed > room:
                font.setPixelSize(max(_SMALLEST_PX, int(pixels * room / needed)))
            painter.setFont(font)
            painter.setPen(QColor(color))
            line = QRectF(box.left(), top, box.width(), pixels * 1.4)
            painter.drawText(line, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_legend(self, painter: QPainter, left: float) -> None:
        colors = self._theme.colors
        painter.setFont(style.tabular_font())
        line = style.SPACE_XL
        top = (self.height() - line * len(self._shares)) / 2
        for place, share in enumerate(self._shares):
            y = top + place * line
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(getattr(colors, share.color)))
            painter.drawRoundedRect(QRectF(left, y + line / 2 - 5, 10, 10), 2, 2)
            painter.setPen(QColor(colors.text))
            row = QRectF(left + style.SPACE_L + 2, y, self.width() - left - style.SPACE_L - 2, line)
            room = int(row.width()) - painter.fontMetrics().horizontalAdvance(f"   {share.text}")
            name = painter.fontMetrics().elidedText(share.name, Qt.TextElideMode.ElideRight, max(0, room))
            painter.drawText(row, Qt.AlignmentFlag.AlignVCenter, f"{name}   {share.text}")

    def _on_theme_changed(self) -> None:
        self.update()
