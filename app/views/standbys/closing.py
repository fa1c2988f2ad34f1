"""Closing a standby machine to other users of the engine's machine, after a look at what that would change."""

from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.contract.standbys import OpenEntriesRow, ReadOpenEntries, StandbyRow, StartClosing
from app.domain.units import filled
from app.views.console import Console
from app.views.widgets.banner import Banner
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.opening import open_once
from app.views.widgets.question import Question


class ClosingQuestion(QObject):
    """Counts what other users can use, asks before taking their rights away, and queues the task. Thread: GUI."""

    def __init__(self, console: Console, banner: Banner, owner: QWidget) -> None:
        """Prepare.

        Args:
            console: the console.
            banner: says what is found and done.
            owner: the widget that the question belongs to.
        """
        super().__init__(owner)
        self._console = console
        self._banner = banner
        self._owner = owner
        self._question = Question(console.door, self)

    def ask(self, row: StandbyRow) -> None:
        """Look at a standby machine, and ask where there is something to close."""
        self._banner.show_text(self.tr("Looking for what other users can use…"))
        query = ReadOpenEntries(standby=row.id)
        self._question.ask(query, partial(self._on_found, row), self._banner.show_failure)

    def leave(self) -> None:
        """Stop looking: what is found would be asked about over another page."""
        if self._question.is_open:
            self._question.withdraw()
            self._banner.hide()

    def _on_found(self, row: StandbyRow, found: OpenEntriesRow) -> None:
        if found.is_complete and not found.count and not found.linked:
            self._banner.show_success(self.tr("Other users cannot use anything there; nothing has to be changed."))
            return
        self._banner.hide()
        dialog = ConfirmDialog(
            self._console,
            self.tr("Close {name} to other users").format(name=row.name),
            self.tr("Close to other users"),
            sends(self._console, StartClosing(standby=row.id), self),
            consequences=self._consequences(found),
            parent=self._owner,
        )
        dialog.succeeded.connect(self._on_queued)
        open_once(dialog)

    def _consequences(self, found: OpenEntriesRow) -> tuple[str, ...]:
        if found.is_complete:
            text = self.tr(
                "Other users of the machine can use {count} {count:file or folder/files and folders} of the "
                "repositories in {path}."
            )
        else:
            text = self.tr(
                "Other users of the machine can use {count} or more files and folders of the repositories "
                "in {path}."
            )
        consequences = [
            filled(text, {"count": found.count, "path": found.path}),
            self.tr(
                "Their rights are taken. Repositories that are for a group stay open to that group; "
                "everything else in the folder stays as it is."
            ),
        ]
        if found.linked:
            text = self.tr(
                "{count} open {count:file has/files have} further names (hard links) and {count:stays as it "
                "is/stay as they are}; the task names the first of them."
            )
            consequences.append(filled(text, {"count": found.linked}))
        return tuple(consequences)

    def _on_queued(self) -> None:
        self._banner.show_text(self.tr("The standby machine is being closed to other users; see the tasks."))
