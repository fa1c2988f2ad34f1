"""Grandfather, father, son: one point a day, a week, a month, a year, beyond the documented period."""

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QSpinBox, QWidget

from app.domain.policies import GrandfatherFatherSon
from app.views import style
from app.views.widgets.count_box import MOST, CountBox
from app.views.widgets.plain import set_tip

_USUAL: Final = GrandfatherFatherSon(days=7, weeks=4, months=12, years=3)


class GfsBox(QWidget):
    """A box that switches it on, and how many of each. Thread: GUI.

    Signals:
        edited: the operator changed something.
    """

    edited = Signal()

    def __init__(self, known: GrandfatherFatherSon, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        is_on = known != GrandfatherFatherSon()
        self.on = QCheckBox(self.tr("Also keep one point for each of the last"), self)
        set_tip(
            self.on,
            self.tr(
                "Grandfather-father-son: the newest point of each day, week, month and year stays, however old it "
                "is. It adds to the retention above and never takes a point away."
            ),
        )
        self.on.setChecked(is_on)
        self.on.toggled.connect(self._on_toggled)
        shown = known if is_on else _USUAL
        self.days = self._count(shown.days, self.tr("{count} {count:day/days}"), self.tr("Days"))
        self.weeks = self._count(shown.weeks, self.tr("{count} {count:week/weeks}"), self.tr("Weeks"))
        self.months = self._count(shown.months, self.tr("{count} {count:month/months}"), self.tr("Months"))
        self.years = self._count(shown.years, self.tr("{count} {count:year/years}"), self.tr("Years"))
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.SPACE_S)
        line.addWidget(self.on)
        for count in self._counts:
            line.addWidget(count)
        line.addStretch(1)
        self.setFocusProxy(self.on)
        self._show_counts()

    def _count(self, value: int, text: str, name: str) -> QSpinBox:
        """Make one number with its unit around it, as the language wants it."""
        spin = CountBox(text, self, most=MOST, name=name)
        spin.setValue(value)
        spin.valueChanged.connect(self.edited)
        return spin

    @property
    def _counts(self) -> tuple[QSpinBox, ...]:
        return self.days, self.weeks, self.months, self.years

    @property
    def kept(self) -> GrandfatherFatherSon:
        """Return what is entered; all zero while it is off."""
        if not self.on.isChecked():
            return GrandfatherFatherSon()
        days, weeks, months, years = (count.value() for count in self._counts)
        return GrandfatherFatherSon(days=days, weeks=weeks, months=months, years=years)

    def _show_counts(self) -> None:
        for count in self._counts:
            count.setEnabled(self.on.isChecked())

    def _on_toggled(self) -> None:
        self._show_counts()
        self.edited.emit()
