"""The tabs of a dialog, and marks on those in which something is wrong. GUI thread."""

from collections.abc import Sequence

from PySide6.QtGui import QIcon
from PySide6.QtWidgets import QTabWidget, QWidget

from app.views.icons import Glyph, icon
from app.views.style import Colors


def form_tabs(dialog: QWidget) -> QTabWidget:
    """Return the tabs of a dialog, which stand on its own ground without a frame."""
    tabs = QTabWidget(dialog)
    tabs.setDocumentMode(True)
    tabs.tabBar().setDrawBase(False)
    return tabs


def mark_tabs(tabs: QTabWidget, are_wrong: Sequence[bool], colors: Colors) -> bool:
    """Mark the tabs in which something is wrong, and show the first of them; return whether there are none."""
    for place, is_wrong in enumerate(are_wrong):
        tabs.setTabIcon(place, icon(Glyph.ERROR, colors, colors.failed) if is_wrong else QIcon())
    if any(are_wrong) and not are_wrong[tabs.currentIndex()]:
        tabs.setCurrentIndex(list(are_wrong).index(True))
    return not any(are_wrong)
