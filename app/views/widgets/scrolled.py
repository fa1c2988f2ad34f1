"""Content that may be taller than its place."""

from PySide6.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


def scroll_inside(owner: QWidget, content: QWidget, *, margin: int = 0) -> QScrollArea:
    """Fill a widget with content that scrolls in it, on the ground of the widget; return what scrolls.

    Args:
        owner: has no layout yet.
        content: has its own layout.
        margin: around what scrolls, so that a frame that the owner draws stays visible.
    """
    scroll = QScrollArea(owner)
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setWidget(content)
    for ground in (scroll.viewport(), content):
        ground.setAutoFillBackground(False)
    layout = QVBoxLayout(owner)
    layout.setContentsMargins(margin, margin, margin, margin)
    layout.addWidget(scroll)
    return scroll
