"""启动 and 保存为备份点 of a stopped instant recovery."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QCheckBox, QWidget

from app.contract.instant import InstantRow, KeepInstantRecovery, ResumeInstantRecovery
from app.views import formatting
from app.views.console import Console
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.form import FormDialog
from app.views.widgets.plain import Label
from app.workers.answers import Failure


class ResumeDialog(FormDialog):
    """Starts a stopped recovery again, with what its VM had written. Thread: GUI."""

    def __init__(self, console: Console, row: InstantRow, parent: QWidget | None = None) -> None:
        title = QCoreApplication.translate("ResumeDialog", "Start {name} again").format(name=row.name)
        action = QCoreApplication.translate("ResumeDialog", "Start")
        super().__init__(console, title, action, parent)
        self._row = row
        words = self.tr(
            "The VM is created again on {host} and runs from the restore point of {time}, with all that it had "
            "written ({size})."
        )
        text = Label(
            words.format(
                host=row.host_name or row.platform_name or formatting.NOTHING,
                time=formatting.exact_time(row.point_at),
                size=formatting.size(row.overlay_bytes),
            ),
            self,
        )
        text.setWordWrap(True)
        self.body.addWidget(text)
        self.power_on = QCheckBox(self.tr("Power the VM on at once"), self)
        self.power_on.setChecked(True)
        self.body.addWidget(self.power_on)

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the start."""
        command = ResumeInstantRecovery(recovery=self._row.id, power_on=self.power_on.isChecked())
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def keeping_of(console: Console, row: InstantRow, owner: QWidget) -> ConfirmDialog:
    """Return the question whether to make a restore point of a stopped recovery."""
    title = QCoreApplication.translate("InstantActions", "Keep {name} as a restore point")
    made = QCoreApplication.translate(
        "InstantActions",
        "A new restore point of {vm} is made: the one of {time}, and what the VM wrote since ({size}).",
    )
    return ConfirmDialog(
        console,
        title.format(name=row.name),
        QCoreApplication.translate("InstantActions", "Keep as restore point"),
        sends(console, KeepInstantRecovery(recovery=row.id), owner),
        consequences=(
            made.format(
                vm=row.vm_name,
                time=formatting.exact_time(row.point_at),
                size=formatting.size(row.overlay_bytes),
            ),
            QCoreApplication.translate(
                "InstantActions", "The restore point that it runs from stays as it is; nothing is deleted."
            ),
        ),
        parent=owner,
    )
