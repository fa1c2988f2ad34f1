"""What can be done with a migration: the icons of its row, its menu, and the dialogs they open."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.contract.migration import MigrationRow
from app.contract.tasks import ListTasks, TaskRow
from app.domain.migration import MigrationAction, MigrationState
from app.domain.states import TaskKind
from app.views.console import Console
from app.views.icons import Glyph
from app.views.migration.confirming import cut_over_of, deletion_of, resuming_of
from app.views.migration.details import MigrationDetails
from app.views.migration.stopping import StopMigrationDialog
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.form import FormDialog
from app.views.widgets.opening import open_once
from app.views.widgets.row_actions import RowAction
from app.workers.answers import Failure


class Listed(QObject):
    """Announces the rows of a list each time they are answered. Thread: GUI.

    Signals:
        listed: carries the rows.
    """

    listed = Signal(object)


class MigrationActions(QObject):
    """Opens what is done with migrations. Thread: GUI.

    Signals:
        done: something was begun; carries what to say.
        unknown: the log of a migration cannot be shown; carries why.
    """

    done = Signal(str)
    unknown = Signal(str)

    def __init__(self, console: Console, listed: Listed, owner: QWidget) -> None:
        """Build; ``listed`` announces the rows that details follow."""
        super().__init__(owner)
        self._console = console
        self._listed = listed
        self._owner = owner

    def of_rows(self) -> tuple[RowAction[MigrationRow], ...]:
        """Return the actions of a row, in the order of their icons."""
        return (
            RowAction(
                glyph=Glyph.MIGRATION,
                text=self.tr("Cut over…"),
                run=self.cut_over,
                enabled=_allowing(MigrationAction.CUT_OVER),
            ),
            RowAction(
                glyph=Glyph.STOP, text=self.tr("Stop…"), run=self.stop, enabled=_allowing(MigrationAction.STOP)
            ),
            RowAction(
                glyph=Glyph.START,
                text=self.tr("Resume…"),
                run=self.resume,
                enabled=_allowing(MigrationAction.RESUME),
            ),
            RowAction(
                glyph=Glyph.DELETE,
                text=self.tr("Delete…"),
                run=self.discard,
                enabled=_allowing(MigrationAction.DISCARD),
            ),
            RowAction(glyph=Glyph.LOG, text=self.tr("View the log"), run=self.show_log),
            RowAction(glyph=Glyph.INFO, text=self.tr("Details"), run=self.show_details),
        )

    def cut_over(self, row: MigrationRow) -> None:
        """Ask whether the target takes the place of the source."""
        text = self.tr("The cut-over of {name} was queued.").format(name=row.vm_name)
        self._open(cut_over_of(self._console, row, self._owner), text)

    def stop(self, row: MigrationRow) -> None:
        """Ask whether what was copied is kept, and stop it."""
        text = self.tr("The migration of {name} was asked to stop.").format(name=row.vm_name)
        self._open(StopMigrationDialog(self._console, row, self._owner), text)

    def resume(self, row: MigrationRow) -> None:
        """Ask whether to go on."""
        text = self.tr("The migration of {name} was queued.").format(name=row.vm_name)
        self._open(resuming_of(self._console, row, self._owner), text)

    def discard(self, row: MigrationRow) -> None:
        """Ask whether to delete it, with the name typed where a target VM goes."""
        is_done = row.state is MigrationState.COMPLETED
        gone = self.tr("{name} was removed from the list.").format(name=row.name)
        queued = self.tr("The deletion of the migration of {name} was queued.").format(name=row.vm_name)
        self._open(deletion_of(self._console, row, self._owner), gone if is_done else queued)

    def show_log(self, row: MigrationRow) -> None:
        """Go to the log of the task that works at it, else of the last one that did."""
        if row.task is not None:
            self._console.go("log", "task", row.task)
            return
        query = ListTasks(kinds=(TaskKind.MIGRATION,), vm=row.vm, platform=row.platform, limit=1)
        self._console.door.ask(query, owner=self, on_done=self._on_tasks, on_failed=self._on_no_tasks)

    def _on_tasks(self, tasks: tuple[TaskRow, ...]) -> None:
        if tasks:
            self._console.go("log", "task", tasks[0].id)
        else:
            self.unknown.emit(self.tr("Its tasks are not listed any more."))

    def _on_no_tasks(self, _failure: Failure) -> None:
        self.unknown.emit(self.tr("Its tasks cannot be listed now."))

    def show_details(self, row: MigrationRow) -> None:
        """Show everything about it."""
        dialog = MigrationDetails(row, self._owner)
        self._listed.listed.connect(dialog.follow)
        dialog.log_wanted.connect(self.show_log)
        open_once(dialog)

    def _open(self, dialog: FormDialog | ConfirmDialog, text: str) -> None:
        dialog.succeeded.connect(partial(self.done.emit, text))
        open_once(dialog)


def may(action: MigrationAction, row: MigrationRow) -> bool:
    """Return whether something can be done with a migration now."""
    return action in row.actions


def _allowing(action: MigrationAction) -> Callable[[MigrationRow], bool]:
    return partial(may, action)
