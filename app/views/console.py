"""What every page is given: the door, the memory, the theme and the way to other pages."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app.views import style
from app.views.frame.freshness import Freshness
from app.views.frame.history import Address
from app.views.frame.memory import Memory
from app.views.style import Colors, Theme
from app.views.widgets.banner import Banner
from app.views.widgets.pill import PillDelegate
from app.workers.door import DoorClient


class ThemeSwitch(QObject):
    """The theme in use, changeable live. Thread: GUI.

    Signals:
        changed: other colours are in force; carries them.
    """

    changed = Signal(object)

    def __init__(self, application: QApplication, memory: Memory) -> None:
        super().__init__(application)
        self._application = application
        self._memory = memory
        remembered = memory.text("theme", Theme.SYSTEM.value)
        self._theme = Theme(remembered) if remembered in {theme.value for theme in Theme} else Theme.SYSTEM
        self._colors = style.resolve(self._theme)
        application.styleHints().colorSchemeChanged.connect(self._on_system_changed)
        self._apply_colors()

    @property
    def theme(self) -> Theme:
        """Return the operator's choice."""
        return self._theme

    @property
    def colors(self) -> Colors:
        """Return the colours in force."""
        return self._colors

    def choose(self, theme: Theme) -> None:
        """Change the theme and remember it."""
        self._theme = theme
        self._memory.remember("theme", theme.value)
        self._on_system_changed()

    def toggle(self) -> None:
        """Change from light to dark or back."""
        self.choose(Theme.LIGHT if self._colors is style.DARK else Theme.DARK)

    def _on_system_changed(self) -> None:
        colors = style.resolve(self._theme)
        if colors is not self._colors:
            self._colors = colors
            self._apply_colors()
            self.changed.emit(colors)

    def _apply_colors(self) -> None:
        PillDelegate.colors = self._colors
        Banner.colors = self._colors
        style.apply(self._application, self._colors)


class Console(QObject):
    """What every page is given. Thread: GUI.

    Attributes:
        fresh: Tells pages when to ask again.

    Signals:
        address_wanted: a page asks to go to an :class:`Address`.
    """

    address_wanted = Signal(object)

    def __init__(
        self, door: DoorClient, memory: Memory, theme: ThemeSwitch, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.door = door
        self.memory = memory
        self.theme = theme
        self.fresh = Freshness(door, self)

    @property
    def colors(self) -> Colors:
        """Return the colours in force."""
        return self.theme.colors

    def go(self, page: str, *path: str) -> None:
        """Ask the window to go to a page."""
        self.address_wanted.emit(Address(page, path))
