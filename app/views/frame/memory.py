"""What the window remembers between starts: geometry, column layouts, splitters, theme, language."""

from contextlib import suppress
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QHeaderView, QSplitter, QWidget

from app.core.privatefiles import make_private_folders, take_from_others, touch_private


class Memory:
    """Stores the window's layout and choices in an INI file. Thread: GUI."""

    def __init__(self, file: Path) -> None:
        with suppress(OSError):  # Qt reports it when there is something to remember
            make_private_folders(file.parent)
            touch_private(file)
        take_from_others(file)
        self._settings = QSettings(str(file), QSettings.Format.IniFormat)

    def text(self, key: str, default: str = "") -> str:
        """Return a remembered text."""
        value = self._settings.value(key, default)
        return value if isinstance(value, str) else default

    def remember(self, key: str, value: str) -> None:
        """Remember a text."""
        self._settings.setValue(key, value)

    def restore_geometry(self, key: str, window: QWidget) -> bool:
        """Give a window its remembered place; return False when there is none."""
        state = self._bytes(f"geometry/{key}")
        return state is not None and window.restoreGeometry(state)

    def save_geometry(self, key: str, window: QWidget) -> None:
        """Remember a window's place."""
        self._settings.setValue(f"geometry/{key}", window.saveGeometry())

    def restore_header(self, key: str, header: QHeaderView) -> bool:
        """Give a table its remembered columns; return False when there are none."""
        state = self._bytes(f"columns/{key}/{header.count()}")
        return state is not None and header.restoreState(state)

    def save_header(self, key: str, header: QHeaderView) -> None:
        """Remember a table's columns: order, widths, sorting, which are hidden."""
        self._settings.setValue(f"columns/{key}/{header.count()}", header.saveState())

    def restore_splitter(self, key: str, splitter: QSplitter) -> bool:
        """Give a splitter its remembered parts; return False when there are none."""
        state = self._bytes(f"splitter/{key}")
        return state is not None and splitter.restoreState(state)

    def save_splitter(self, key: str, splitter: QSplitter) -> None:
        """Remember a splitter's parts."""
        self._settings.setValue(f"splitter/{key}", splitter.saveState())

    def _bytes(self, key: str) -> QByteArray | None:
        value = self._settings.value(key)
        return value if isinstance(value, QByteArray) else None
