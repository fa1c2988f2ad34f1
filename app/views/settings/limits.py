"""How much runs at once, with the 32 MB check. GUI thread."""

from PySide6.QtWidgets import QHBoxLayout, QPushButton, QSpinBox, QWidget

from app.domain.limits import HOST_BUFFER_MB, TaskLimits
from app.views import style
from app.views.program import Program, ProgramSettings
from app.views.settings.card import SettingsCard
from app.views.widgets.banner import Banner
from app.views.widgets.plain import Label
from app.workers.answers import Failure
from app.workers.door import DoorClient

_MOST = 999
"""The boxes take more than is allowed, so that what is wrong can be said instead of swallowing a key."""


class LimitsCard(SettingsCard):
    """``bk_tsk_thd`` and ``i2vp_transbuffer``; their product is shown while they are changed."""

    def __init__(self, program: Program, door: DoorClient, parent: QWidget) -> None:
        super().__init__(parent)
        self._program = program
        self._door = door
        self._saved: TaskLimits | None = None
        self.set_title(self.tr("Limits"))
        self.tasks, self.buffer = self._number(), self._number()
        self.buffer.setSuffix(" MB")
        self.add_row(
            self.tr("Tasks at once (bk_tsk_thd)"),
            self.tr(
                "Backups, restores and migrations together; the others are pending. Instant recoveries are free."
            ),
            self.tasks,
        )
        self.add_row(
            self.tr("Transfer buffer of a task (i2vp_transbuffer)"),
            self.tr("Larger is faster over long lines, and takes more of the host's memory."),
            self.buffer,
        )
        self.sum = Label(self)
        self.sum.setWordWrap(True)
        self.save = QPushButton(self.tr("Save limits"), self)
        self.save.setProperty("role", "primary")
        self.save.clicked.connect(self._on_save)
        self.save.setEnabled(False)
        row = QHBoxLayout()
        row.setSpacing(style.SPACE_L)
        row.addWidget(self.sum, 1)
        row.addWidget(self.save)
        self.banner = Banner(self)
        self.body.addLayout(row)
        for box in (self.tasks, self.buffer):
            box.setEnabled(False)
            box.valueChanged.connect(self._on_changed)

    @property
    def limits(self) -> TaskLimits:
        """Return what the fields say."""
        return TaskLimits(tasks=self.tasks.value(), buffer_mb=self.buffer.value())

    def show_settings(self, settings: ProgramSettings) -> None:
        """Show what was read, unless the operator has begun to change it."""
        self.banner.settle_unread()
        if self._saved is not None and self.limits != self._saved:
            return
        self._saved = settings.limits
        self.tasks.setValue(settings.limits.tasks)
        self.buffer.setValue(settings.limits.buffer_mb)
        for box in (self.tasks, self.buffer):
            box.setEnabled(True)
        self._on_changed()

    def _number(self) -> QSpinBox:
        box = QSpinBox(self)
        box.setRange(0, _MOST)
        box.setFixedWidth(style.FIELD_WIDTH // 3)
        return box

    def _on_changed(self) -> None:
        limits = self.limits
        is_right = limits.fit and min(limits.tasks, limits.buffer_mb) > 0
        words = self.tr("{tasks} × {buffer} MB = {product} MB of {budget} MB that one ESXi host gives")
        if not is_right and limits.fit:
            words = self.tr("Both are whole numbers from 1 on: with 0 nothing would run.")
        elif not is_right:
            words = self.tr(
                "{tasks} × {buffer} MB = {product} MB is more than the {budget} MB that one ESXi host gives. "
                "Lower one of the two."
            )
        self.sum.setText(
            words.format(
                tasks=limits.tasks, buffer=limits.buffer_mb, product=limits.product_mb, budget=HOST_BUFFER_MB
            )
        )
        self.sum.setProperty("role", "secondary" if is_right else "problem")
        self.sum.style().unpolish(self.sum)
        self.sum.style().polish(self.sum)
        self.save.setEnabled(is_right and self._saved is not None and limits != self._saved)
        self.banner.hide()

    def _on_save(self) -> None:
        limits = self.limits
        self.save.setEnabled(False)

        def write() -> bool:
            return self._program.save_limits(limits)

        def done(in_force: bool) -> None:  # noqa: FBT001 - an answer
            self._saved = limits
            self._on_changed()
            self.sum.setText(
                self.tr("Saved; in force from now on.")
                if in_force
                else self.tr("Saved; in force from the next start of the engine.")
            )

        def failed(failure: Failure) -> None:
            self._on_changed()
            self.banner.show_failure(failure)

        self._door.run_apart(write, owner=self, on_done=done, on_failed=failed)
