"""Windows that fit the screen with their frame, next to the panels of the desktop. GUI thread."""

from typing import Final

from PySide6.QtCore import QMargins, QObject, QRect, QSize, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QWidget

_LOOKS_MS: Final = (0, 60, 250, 1000)
"""When a window that was just shown is looked at: window managers frame it a moment later."""

_WITHOUT_SCREEN: Final = ("offscreen", "minimal")
"""Platforms of Qt that only take pictures: their screen is no limit."""


def frame_of(window: QWidget) -> QMargins:
    """Return how wide the frame is that the window manager drew; all zero where it drew none yet."""
    outer, inner = window.frameGeometry(), window.geometry()
    return QMargins(
        inner.left() - outer.left(),
        inner.top() - outer.top(),
        outer.right() - inner.right(),
        outer.bottom() - inner.bottom(),
    )


def fitted(wanted: QRect, room: QRect, frame: QMargins) -> QRect:
    """Return where a window has to be so that it is inside a room with its frame: moved first, then made smaller.

    Args:
        wanted: where it is, without its frame.
        room: the part of the screen that no panel covers.
        frame: of the window.
    """
    inner = room.marginsRemoved(frame)
    size = wanted.size().boundedTo(inner.size())
    left = min(max(wanted.left(), inner.left()), inner.left() + inner.width() - size.width())
    top = min(max(wanted.top(), inner.top()), inner.top() + inner.height() - size.height())
    return QRect(left, top, size.width(), size.height())


class ScreenFit(QObject):
    """Keeps a window in its screen when it is shown, and its least size within what the screen has."""

    def __init__(self, window: QWidget, least: QSize) -> None:
        super().__init__(window)
        self._window = window
        self._least = least

    def begin(self) -> None:
        """Look now and shortly after: call it when the window is shown."""
        if QGuiApplication.platformName() in _WITHOUT_SCREEN:
            return
        for delay_ms in _LOOKS_MS:
            QTimer.singleShot(delay_ms, self, self.fit)

    def fit(self) -> None:
        """Move the window into its screen, and make it smaller where it has to be; one that fills it stays."""
        window = self._window
        screen = window.screen()
        if screen is None or window.isMaximized() or window.isFullScreen() or window.isMinimized():
            return
        room, frame = screen.availableGeometry(), frame_of(window)
        window.setMinimumSize(self._least.boundedTo(room.marginsRemoved(frame).size()))
        place = fitted(window.geometry(), room, frame)
        if place != window.geometry():
            window.setGeometry(place)
