"""A number with its unit around it, in the singular or the plural as the language wants it."""

from typing import Final

from PySide6.QtWidgets import QSpinBox, QWidget

from app.domain.units import filled

MOST: Final = 9999
"""Of boxes that take more than is allowed, so that what is wrong can be said instead of swallowing a key."""


class CountBox(QSpinBox):
    """A number inside of a text such as ``{count} {count:day/days}``. Thread: GUI."""

    def __init__(self, text: str, parent: QWidget | None = None, *, most: int, name: str = "") -> None:
        """Make one for numbers from 0 on.

        Args:
            text: around the number, translated already.
            parent: of the box.
            most: the largest number that can be typed.
            name: for those who do not see it; empty: that of its field.
        """
        super().__init__(parent)
        self._text = text
        self.setRange(0, most)
        self.setAccessibleName(name)
        self.valueChanged.connect(self._on_value)
        self._on_value(self.value())

    def _on_value(self, value: int) -> None:
        before, _, after = filled(self._text, {"count": value}).partition(str(value))
        self.setPrefix(before)
        self.setSuffix(after)
