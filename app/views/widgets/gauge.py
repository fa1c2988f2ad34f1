"""How full something is, drawn in a table cell."""

from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRectF, Qt
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

from app.domain.concerns import FULL, NEARLY_FULL
from app.models.rows import PAINT_ROLE
from app.views import style
from app.views.widgets.itemstyle import draw_background, item_style
from app.views.widgets.pill import PillDelegate


@dataclass(frozen=True, slots=True)
class Gauge:
    """A part of a whole with its words."""

    fraction: float
    text: str


def gauge_color(fraction: float) -> str:
    """Return the name of the colour that a filling has in the palette."""
    if fraction >= FULL:
        return "failed"
    return "pending" if fraction >= NEARLY_FULL else "accent_fill"


class GaugeDelegate(QStyledItemDelegate):
    """Draws the :class:`Gauge` of a cell's ``PAINT_ROLE``: its words above a thin bar."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Draw one cell."""
        gauge = index.data(PAINT_ROLE)
        if not isinstance(gauge, Gauge):
            super().paint(painter, option, index)
            return
        draw_background(self, painter, option, index)
        colors = PillDelegate.colors
        cell = QRectF(item_style(option).rect).adjusted(
            style.SPACE_S, style.SPACE_XS, -style.SPACE_L, -style.SPACE_S
        )
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(style.tabular_font(style.SECONDARY_PX))
        painter.setPen(QColor(colors.text))
        painter.drawText(cell, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, gauge.text)
        bar = QRectF(cell.left(), cell.bottom() - style.SPACE_XS, cell.width(), style.SPACE_XS)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colors.skeleton))
        painter.drawRoundedRect(bar, 2, 2)
        bar.setWidth(bar.width() * min(1.0, max(0.0, gauge.fraction)))
        painter.setBrush(QColor(getattr(colors, gauge_color(gauge.fraction))))
        painter.drawRoundedRect(bar, 2, 2)
        painter.restore()
