"""A number with its unit around it, in the singular or the plural as the language wants it."""

from PySide6.QtWidgets import QSpinBox, QWidget

from app.domain.units import filled


class CountBox(QSpinBox):
    """A number inside of a text such as ``{count} {count:day/days}``. Thread: GUI."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        """Make one; ``text`` is translated already."""
        super().__init__(parent)
        self._text = text
        self.valueChanged.connect(self._on_value)
        self._on_value(self.value())

    def _on_value(self, value: int) -> None:
        before, _, after = filled(self._text, {"count": value}).partition(str(value))
        self.setPrefix(before)
        self.setSuffix(after)
