"""What a VM may take while a restore point is proven: time, CPUs and memory."""

from dataclasses import replace
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.domain.proofs import ProofPolicy
from app.views import style
from app.views.widgets.count_box import MOST, CountBox

_MOST_MIB: Final = 9_999_999
_MIB_STEP: Final = 1024


def in_line(*widgets: QWidget, parent: QWidget) -> QWidget:
    """Return widgets side by side, as the content of one field that begins with the first."""
    line = QWidget(parent)
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(style.SPACE_S)
    for widget in widgets:
        layout.addWidget(widget)
    layout.addStretch(1)
    line.setFocusProxy(widgets[0])
    return line


class ProofLimits(QWidget):
    """CPUs, memory and time of a VM that is started. Thread: GUI.

    Signals:
        edited: another number is entered.
    """

    edited = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.cpus = CountBox(self.tr("{count} {count:CPU/CPUs}"), self, most=MOST, name=self.tr("CPUs"))
        self.memory = CountBox(self.tr("{count} MB of memory"), self, most=_MOST_MIB, name=self.tr("Memory"))
        self.memory.setSingleStep(_MIB_STEP)
        minutes = self.tr("{count} {count:minute/minutes} to come up")
        self.minutes = CountBox(minutes, self, most=MOST, name=self.tr("Minutes to come up"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(in_line(self.cpus, self.memory, self.minutes, parent=self))
        self.setFocusProxy(self.cpus)
        for box in (self.cpus, self.memory, self.minutes):
            box.valueChanged.connect(self.edited)

    def show_policy(self, policy: ProofPolicy) -> None:
        """Show the limits of a rule."""
        self.cpus.setValue(policy.cpus)
        self.memory.setValue(policy.memory_mib)
        self.minutes.setValue(policy.limit_min)

    def limiting(self, policy: ProofPolicy) -> ProofPolicy:
        """Return settings with the limits that are entered."""
        return replace(
            policy, cpus=self.cpus.value(), memory_mib=self.memory.value(), limit_min=self.minutes.value()
        )
