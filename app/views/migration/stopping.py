"""停止 of a migration: whether what was copied is kept, and where it is not, the name typed."""

from collections.abc import Callable

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.contract.migration import MigrationRow, StopMigration
from app.domain.migration import MigrationState
from app.views import formatting
from app.views.console import Console
from app.views.widgets.keep_or_delete import KeepOrDelete, KeepOrDeleteDialog
from app.workers.answers import Failure


class StopMigrationDialog(KeepOrDeleteDialog):
    """Asks what becomes of what was copied, and stops a migration. Thread: GUI.

    Attributes:
        source_words: what is said of the source.
    """

    def __init__(self, console: Console, row: MigrationRow, parent: QWidget | None = None) -> None:
        words = _words(row)
        super().__init__(console, words, parent)
        self._row = row
        self.source_words = words.always

    def submit(self, on_done: Callable[[object], None], on_failed: Callable[[Failure], None]) -> None:
        """Stop it."""
        command = StopMigration(migration=self._row.id, keep=not self.choice.value)
        self.console.door.execute(command, owner=self, on_done=on_done, on_failed=on_failed)


def _words(row: MigrationRow) -> KeepOrDelete:
    translate = QCoreApplication.translate
    kept = translate(
        "StopMigrationDialog",
        "The target VM and what was copied stay: the migration can be resumed, and copies what is missing.",
    )
    gone = translate(
        "StopMigrationDialog",
        "The target VM is deleted from {platform} with all that was copied, and the migration with it.",
    )
    return KeepOrDelete(
        title=translate("StopMigrationDialog", "Stop the migration of {name}").format(name=row.vm_name),
        caption=translate("StopMigrationDialog", "What was copied"),
        choices=(
            translate("StopMigrationDialog", "Keep what was copied"),
            translate("StopMigrationDialog", "Delete what was copied"),
        ),
        actions=(
            translate("StopMigrationDialog", "Stop migration"),
            translate("StopMigrationDialog", "Stop and delete"),
        ),
        always=_words_of_source(row).format(vm=row.vm_name),
        fates=(kept, gone.format(platform=row.target_name or formatting.NOTHING)),
        name=row.name,
    )


def _words_of_source(row: MigrationRow) -> str:
    if row.state is MigrationState.CUTTING_OVER:
        return QCoreApplication.translate(
            "StopMigrationDialog",
            "The cut-over is undone: {vm} gets its name back, and is started again where it ran. Once the "
            "target has been started, the cut-over goes on instead.",
        )
    return QCoreApplication.translate(
        "StopMigrationDialog", "{vm} runs on as it is; its changes are not followed any more."
    )
