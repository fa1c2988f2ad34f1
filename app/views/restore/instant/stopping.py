"""停止 and 删除 of an instant recovery: what goes, what stays, and for what the VM wrote its name typed."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.contract.instant import InstantRow, StopInstantRecovery
from app.contract.tasks import CancelTask
from app.domain.ids import TaskId
from app.views import formatting
from app.views.console import Console
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.keep_or_delete import KeepOrDelete, KeepOrDeleteDialog
from app.workers.answers import Failure


class StopDialog(KeepOrDeleteDialog):
    """Asks what becomes of what the VM wrote, and stops an instant recovery. Thread: GUI."""

    def __init__(self, console: Console, row: InstantRow, parent: QWidget | None = None) -> None:
        super().__init__(console, _words(row), parent)
        self._row = row

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Queue the end of the recovery."""
        command = StopInstantRecovery(recovery=self._row.id, discard=self.choice.value)
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def _words(row: InstantRow) -> KeepOrDelete:
    translate = QCoreApplication.translate
    always = translate(
        "StopDialog",
        "The VM is powered off and removed from {platform}. One that was moved to another datastore stays.",
    )
    kept = translate(
        "StopDialog",
        "What it wrote ({size}) stays at the standby: it can be started again, or kept as a restore point.",
    )
    gone = translate(
        "StopDialog", "What it wrote ({size}) is deleted for good. The restore point stays as it was."
    )
    size = formatting.size(row.overlay_bytes)
    return KeepOrDelete(
        title=translate("StopDialog", "Stop {name}").format(name=row.name),
        caption=translate("StopDialog", "What the VM wrote"),
        choices=(translate("StopDialog", "Keep what it wrote"), translate("StopDialog", "Delete what it wrote")),
        actions=(translate("StopDialog", "Stop instant recovery"), translate("StopDialog", "Stop and delete")),
        always=always.format(platform=row.platform_name or formatting.NOTHING),
        fates=(kept.format(size=size), gone.format(size=size)),
        name=row.name,
    )


def deletion_of(console: Console, row: InstantRow, owner: QWidget) -> ConfirmDialog:
    """Return the question whether to delete a stopped recovery with what its VM wrote."""
    title = QCoreApplication.translate("InstantActions", "Delete {name}")
    gone = QCoreApplication.translate(
        "InstantActions", "What the VM wrote ({size}) is deleted for good; it cannot be started again."
    )
    return ConfirmDialog(
        console,
        title.format(name=row.name),
        QCoreApplication.translate("InstantActions", "Delete instant recovery"),
        sends(console, StopInstantRecovery(recovery=row.id, discard=True), owner),
        consequences=(
            gone.format(size=formatting.size(row.overlay_bytes)),
            QCoreApplication.translate(
                "InstantActions", "The restore point stays as it was, and is not in use any more."
            ),
            QCoreApplication.translate(
                "InstantActions", "To have it as a restore point, keep it first: Keep as restore point."
            ),
        ),
        type_name=row.name,
        parent=owner,
    )


def cancellation_of(console: Console, row: InstantRow, task: TaskId, owner: QWidget) -> ConfirmDialog:
    """Return the question whether to stop the task that works at a recovery."""
    title = QCoreApplication.translate("InstantActions", "Cancel what is done with {name}")
    return ConfirmDialog(
        console,
        title.format(name=row.name),
        QCoreApplication.translate("InstantActions", "Cancel the task"),
        sends(console, CancelTask(task=task), owner),
        consequences=(
            QCoreApplication.translate(
                "InstantActions", "The task ends once it has cleaned up; what the VM has written is not lost."
            ),
            QCoreApplication.translate(
                "InstantActions", "A move that is cancelled leaves the VM running from here."
            ),
        ),
        parent=owner,
    )
