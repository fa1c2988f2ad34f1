"""失败后重试: how often a failed backup is tried again by itself, and after how long."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QSpinBox, QWidget

from app.domain.policies import LONGEST_RETRY_PAUSE_MIN, MOST_RETRIES, RetryPlan
from app.views import style
from app.views.widgets.count_box import CountBox
from app.views.widgets.plain import Label, set_tip


class RetryBox(QWidget):
    """Two numbers on one line. Thread: GUI.

    Signals:
        edited: the operator changed something.
    """

    edited = Signal()

    def __init__(self, known: RetryPlan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        label = Label(self.tr("Retry after failure"), self)
        help_text = self.tr(
            "A backup that failed is run again by itself, unless the cause stays until something is changed, such "
            "as a wrong password."
        )
        self.times = self._number(self.tr("{count} {count:time/times}"), MOST_RETRIES, help_text)
        self.times.setSpecialValueText(self.tr("never"))
        self.times.setAccessibleName(self.tr("Retry after failure"))
        self.pause = self._number(self.tr("after {count} min"), LONGEST_RETRY_PAUSE_MIN, help_text)
        self.pause.setMinimum(1)
        self.pause.setAccessibleName(self.tr("Minutes until the next try"))
        self.times.setValue(known.times)
        self.pause.setValue(known.pause_min)
        label.setBuddy(self.times)
        line = QHBoxLayout(self)
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(style.SPACE_S)
        for widget in (label, self.times, self.pause):
            line.addWidget(widget)
        self.times.valueChanged.connect(self._on_changed)
        self.pause.valueChanged.connect(self._on_changed)
        self.pause.setEnabled(bool(known.times))

    def _number(self, text: str, most: int, help_text: str) -> QSpinBox:
        spin = CountBox(text, self, most=most)
        set_tip(spin, help_text)
        return spin

    @property
    def kept(self) -> RetryPlan:
        """Return what is entered."""
        return RetryPlan(times=self.times.value(), pause_min=self.pause.value())

    def _on_changed(self) -> None:
        self.pause.setEnabled(bool(self.times.value()))
        self.edited.emit()
