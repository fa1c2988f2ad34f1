"""What can be done with an instant recovery: the icons of its row, its menu, and the dialogs they open."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.contract.instant import InstantRow
from app.domain.instant import InstantAction
from app.views.console import Console
from app.views.icons import Glyph
from app.views.restore.instant.details import InstantDetails
from app.views.restore.instant.feed import InstantFeed
from app.views.restore.instant.finishing import FinishDialog
from app.views.restore.instant.resuming import ResumeDialog, keeping_of
from app.views.restore.instant.stopping import StopDialog, cancellation_of, deletion_of
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.form import FormDialog
from app.views.widgets.opening import open_once
from app.views.widgets.row_actions import RowAction


class InstantActions(QObject):
    """Opens what is done with instant recoveries. Thread: GUI.

    Signals:
        done: something was begun; carries what to say.
    """

    done = Signal(str)

    def __init__(self, console: Console, feed: InstantFeed, owner: QWidget) -> None:
        super().__init__(owner)
        self._console = console
        self._feed = feed
        self._owner = owner

    def of_rows(self) -> tuple[RowAction[InstantRow], ...]:
        """Return the actions of a row, in the order of their icons."""

        def may(action: InstantAction) -> Callable[[InstantRow], bool]:
            return partial(_may, action)

        return (
            RowAction(
                glyph=Glyph.MIGRATION, text=self.tr("Move…"), run=self.finish, enabled=may(InstantAction.FINISH)
            ),
            RowAction(glyph=Glyph.STOP, text=self.tr("Stop…"), run=self.stop, enabled=may(InstantAction.STOP)),
            RowAction(
                glyph=Glyph.START, text=self.tr("Start…"), run=self.resume, enabled=may(InstantAction.RESUME)
            ),
            RowAction(
                glyph=Glyph.POINT,
                text=self.tr("Keep as restore point…"),
                run=self.keep,
                enabled=may(InstantAction.KEEP),
            ),
            RowAction(
                glyph=Glyph.DELETE, text=self.tr("Delete…"), run=self.discard, enabled=may(InstantAction.DISCARD)
            ),
            RowAction(glyph=Glyph.CLOSE, text=self.tr("Cancel the task…"), run=self.cancel, enabled=has_task),
            RowAction(
                glyph=Glyph.LOG, text=self.tr("View the log of the task"), run=self.show_log, enabled=has_log
            ),
            RowAction(glyph=Glyph.INFO, text=self.tr("Details"), run=self.show_details),
        )

    def finish(self, row: InstantRow) -> None:
        """Ask how and where to the VM moves."""
        dialog = FinishDialog(self._console, row, self._owner)
        self._open(dialog, self.tr("The move of {name} was queued.").format(name=row.name))

    def stop(self, row: InstantRow) -> None:
        """Ask what becomes of what the VM wrote."""
        self._open(StopDialog(self._console, row, self._owner), self._ending(row))

    def resume(self, row: InstantRow) -> None:
        """Ask whether the VM is powered on."""
        dialog = ResumeDialog(self._console, row, self._owner)
        self._open(dialog, self.tr("The start of {name} was queued.").format(name=row.name))

    def keep(self, row: InstantRow) -> None:
        """Ask whether a restore point is made of it."""
        text = self.tr("A restore point is being made of {name}; see the tasks.")
        self._open(keeping_of(self._console, row, self._owner), text.format(name=row.name))

    def discard(self, row: InstantRow) -> None:
        """Ask whether to delete it, with its name typed."""
        self._open(deletion_of(self._console, row, self._owner), self._ending(row))

    def cancel(self, row: InstantRow) -> None:
        """Ask whether to stop the task that works at it."""
        if row.task is not None:
            dialog = cancellation_of(self._console, row, row.task, self._owner)
            self._open(dialog, self.tr("The task of {name} was asked to stop.").format(name=row.name))

    def show_log(self, row: InstantRow) -> None:
        """Go to the log of the task that works at it, or did last."""
        task = row.task or row.last_task
        if task is not None:
            self._console.go("log", "task", task)

    def show_details(self, row: InstantRow) -> None:
        """Show everything about it."""
        open_once(InstantDetails(row, self._feed, self._owner))

    def stop_or_cancel(self, row: InstantRow) -> None:
        """Stop it, or where a task works at it, that task."""
        if _may(InstantAction.STOP, row):
            self.stop(row)
        else:
            self.cancel(row)

    def take_away(self, row: InstantRow) -> bool:
        """Ask whether to delete it or to stop it, whatever can be done; return False where nothing can."""
        if _may(InstantAction.DISCARD, row):
            self.discard(row)
        elif can_be_stopped(row):
            self.stop_or_cancel(row)
        else:
            return False
        return True

    def _ending(self, row: InstantRow) -> str:
        return self.tr("The end of {name} was queued.").format(name=row.name)

    def _open(self, dialog: FormDialog | ConfirmDialog, text: str) -> None:
        dialog.succeeded.connect(partial(self.done.emit, text))
        open_once(dialog)


def has_task(row: InstantRow) -> bool:
    """Return whether a task works at a recovery."""
    return row.task is not None


def has_log(row: InstantRow) -> bool:
    """Return whether a task works at a recovery, or did."""
    return row.task is not None or row.last_task is not None


def can_be_stopped(row: InstantRow) -> bool:
    """Return whether it can be stopped, or the task that works at it."""
    return _may(InstantAction.STOP, row) or has_task(row)


def _may(action: InstantAction, row: InstantRow) -> bool:
    return action in row.actions
