"""Moves buttons that have no room in a narrow tool bar into a menu behind the last one."""

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QMenu, QPushButton, QToolButton, QWidget

from app.views.widgets.plain import set_tip


class Overflow(QObject):
    """Moves a tool bar's buttons into a menu, the last first, and back. Thread: GUI."""

    def __init__(self, more: QToolButton, spacing: int) -> None:
        super().__init__(more)
        self._more = more
        self._spacing = spacing
        self._buttons: list[QPushButton] = []
        self._moved: list[QPushButton] = []
        more.hide()
        more.clicked.connect(self._on_more)

    def add(self, button: QPushButton) -> None:
        """Look after one more button, right of the others."""
        self._buttons.append(button)

    def holds(self, widget: QWidget) -> bool:
        """Return whether a widget is one of those it looks after."""
        return widget is self._more or widget in self._buttons

    @property
    def moved(self) -> tuple[QPushButton, ...]:
        """Return the buttons that wait in the menu."""
        return tuple(self._moved)

    @property
    def least(self) -> int:
        """Return the width that the menu's button needs."""
        return self._more.sizeHint().width() + self._spacing

    def fit(self, room: int) -> None:
        """Show as many buttons as fit into a width."""
        wanted = [button for button in self._buttons if not button.isHidden() or button in self._moved]
        widths = [button.sizeHint().width() + self._spacing for button in wanted]
        if sum(widths) > room:
            room -= self.least
        kept = 0
        while kept < len(wanted) and sum(widths[: kept + 1]) <= room:
            kept += 1
        moved = wanted[kept:]
        if moved == self._moved:
            return
        self._moved = moved
        for place, button in enumerate(wanted):
            button.setVisible(place < kept)
        self._more.setVisible(bool(moved))

    def fill_menu(self, menu: QMenu) -> None:
        """Put the buttons that have no room into a menu."""
        for button in self._moved:
            action = menu.addAction(button.icon(), button.text())
            action.setEnabled(button.isEnabled())
            set_tip(action, button.toolTip())
            action.triggered.connect(button.click)

    def _on_more(self) -> None:
        menu = QMenu(self._more)
        self.fill_menu(menu)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self._more.mapToGlobal(self._more.rect().bottomLeft()))
