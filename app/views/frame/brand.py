"""The program's icon, drawn so that it is sharp at every size. GUI thread."""

from enum import Enum

import qtawesome
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QIcon, QPainter, QPixmap

from app.views import style
from app.views.style import LIGHT

_SIZES = (16, 22, 24, 32, 48, 64, 128, 256)
_SHIELD = "mdi6.shield-check"
_MOST_SHOWN = 99


class TrayState(Enum):
    """What the tray's icon says; the value is a colour of the palette."""

    IDLE = "idle"
    RUNNING = "active"
    ERROR = "failed"
    AWAY = "unknown"


def program_pixmap(side: int, ratio: float = 1.0) -> QPixmap:
    """Return the program's picture, ``side`` logical pixels wide."""
    pixels = round(side * ratio)
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    _paint_brand(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def program_icon() -> QIcon:
    """Return the window's icon."""
    picture = QIcon()
    for side in _SIZES:
        picture.addPixmap(program_pixmap(side))
    return picture


def tray_icon(state: TrayState, unviewed: int) -> QIcon:
    """Return the tray's icon: the program's picture with a dot for the state, or a badge that counts errors."""
    picture = QIcon()
    for side in _SIZES[:6]:
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        _paint_brand(painter, QRectF(0, 0, side, side))
        if unviewed:
            _paint_badge(painter, side, unviewed)
        elif state is not TrayState.IDLE:
            _paint_dot(painter, side, getattr(style.DARK, state.value))
        painter.end()
        picture.addPixmap(pixmap)
    return picture


def _paint_brand(painter: QPainter, box: QRectF) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LIGHT.accent_fill))
    corner = box.width() * 0.22
    painter.drawRoundedRect(box, corner, corner)
    inset = box.width() * 0.1
    inner = box.adjusted(inset, inset, -inset, -inset).toRect()
    qtawesome.icon(_SHIELD, color=LIGHT.on_accent).paint(painter, inner)


def _paint_dot(painter: QPainter, side: int, color: str) -> None:
    size = side * 0.4
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LIGHT.on_accent))
    painter.drawEllipse(QRectF(side - size, side - size, size, size))
    ring = size * 0.16
    painter.setBrush(QColor(color))
    painter.drawEllipse(QRectF(side - size + ring, side - size + ring, size - 2 * ring, size - 2 * ring))


def _paint_badge(painter: QPainter, side: int, count: int) -> None:
    text = str(count) if count <= _MOST_SHOWN else f"{_MOST_SHOWN}+"
    height = side * 0.56
    width = max(height, height * (0.45 + 0.42 * len(text)))
    box = QRectF(side - min(width, side), side - height, min(width, side), height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(LIGHT.failed))
    painter.drawRoundedRect(box, height / 2, height / 2)
    font = QFont(painter.font())
    font.setBold(True)
    font.setPixelSize(max(6, round(height * (0.74 if len(text) < 3 else 0.56))))
    painter.setFont(font)
    painter.setPen(QColor(LIGHT.on_accent))
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
