"""The list of standby machines."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from PySide6.QtWidgets import QMenu

from app.contract.base import Query
from app.contract.encryption import UnlockReport
from app.contract.points import ListPoints, RefreshPoints, StartVerify
from app.contract.standbys import ListStandbyRows, RemoveStandby, StandbyRow, StartGarbageCollection
from app.domain.changes import Subject
from app.domain.tasks import KnownPoint
from app.domain.units import filled
from app.models.rows import Column
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import Interest
from app.views.icons import Glyph, icon
from app.views.restore.deleted import DeletedPointsDialog
from app.views.standbys.closing import ClosingQuestion
from app.views.standbys.dialog import StandbyDialog
from app.views.standbys.encryption import EncryptionDialog, UnlockDialog, encryption_words
from app.views.standbys.pins import PinsDialog
from app.views.standbys.taking_over import TakingOver
from app.views.widgets.banner import Banner
from app.views.widgets.columns import count_column, pill_column, size_column
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.gauge import Gauge, GaugeDelegate
from app.views.widgets.list_page import ListPage
from app.views.widgets.opening import open_once
from app.views.widgets.pill import Pill, PillDelegate, Tone
from app.views.words import row_error_tip
from app.workers.answers import Failure

_UNLOCK = 1
_ENCRYPTION_COLUMN = 8


class StandbysPage(ListPage[StandbyRow]):
    """To where: the standby machines, and whether they are healthy. Thread: GUI."""

    key = "standbys"
    glyph = Glyph.DISK

    def __init__(self, console: Console) -> None:
        super().__init__(console, "standbys")
        self.banner = Banner(self)
        self.messages.add(self.banner)
        self._closing = ClosingQuestion(console, self.banner, self)
        self._taking_over = TakingOver(console, self.banner, self.chosen_rows, self)
        self.toolbar.add_primary(self.tr("New"), Glyph.ADD, self.on_create)
        self._actions = [
            self.toolbar.add_action(text, glyph, slot, tooltip=tooltip)
            for text, glyph, slot, tooltip in self._action_list()
        ]
        self.unlock = self._actions[_UNLOCK]
        for column in (1, _ENCRYPTION_COLUMN):
            self.table.setItemDelegateForColumn(column, PillDelegate(self.table))
        self.table.setItemDelegateForColumn(3, GaugeDelegate(self.table))
        self.on_selection()

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Standby machines")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>The disks and shares where backup data is kept, and how full they are.</p>"
            "<p><b>Verify</b> reads every restore point back and checks it. "
            "<b>Read again</b> lists what is stored there, for instance after a disk was brought from elsewhere."
            "</p><p>An <b>encrypted</b> standby machine cannot be read without its passphrase or a recovery "
            "key. This machine keeps the keys in its secret store; where they are missing, unlock it.</p>"
            "<p>Deleting a standby machine only forgets it: its data stays.</p>"
        )

    def columns(self) -> Sequence[Column[StandbyRow]]:
        """Return the columns of the list."""
        return (
            Column(key="name", title=self.tr("Name"), text=lambda row: row.name, stretch=True, width=140),
            pill_column("state", self.tr("State"), self._pill, tooltip=lambda row: row_error_tip(row.error)),
            Column(key="path", title=self.tr("Path"), text=lambda row: row.root_path, width=168),
            Column(
                key="space",
                title=self.tr("Space"),
                text=self._space,
                paint=self._gauge,
                sort=lambda row: row.free_bytes,
                width=172,
            ),
            replace(size_column("free", self.tr("Free"), lambda row: row.free_bytes, width=92), hidden=True),
            size_column("used", self.tr("Used by backups"), lambda row: row.repository_bytes, width=124),
            count_column("points", self.tr("Restore points"), lambda row: row.point_count, width=108),
            count_column("rules", self.tr("Rules"), lambda row: row.rule_count, width=64),
            pill_column(
                "encryption", self.tr("Encryption"), self._encryption_pill, tooltip=self._about_encryption
            ),
            Column(key="note", title=self.tr("Note"), text=lambda row: row.note, width=160, hidden=True),
        )

    def row_key(self, row: StandbyRow) -> Hashable:
        """Return the standby machine's id."""
        return row.id

    def query(self) -> Query[tuple[StandbyRow, ...]]:
        """Return the query for the standby machines."""
        return ListStandbyRows()

    def interest(self) -> Interest:
        """Return that the list shows standby machines."""
        return Interest(whole=frozenset({Subject.STANDBYS}))

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say what a standby machine is for."""
        return (
            Glyph.DISK,
            self.tr("No standby machine yet"),
            self.tr("Register the disk or share where backups are kept."),
            self.tr("Register a standby machine"),
        )

    def leave(self) -> None:
        """Stop asking; what is to be verified or freed is looked up all the same."""
        super().leave()
        self._closing.leave()
        self._taking_over.leave()

    def fill_menu(self, menu: QMenu, row: StandbyRow) -> None:
        """Offer what the tool bar offers."""
        del row
        for text, glyph, slot, _ in self._action_list():
            menu.addAction(icon(glyph, self.console.colors), text).triggered.connect(slot)
        close = menu.addAction(icon(Glyph.LOCK, self.console.colors), self.tr("Close to other users…"))
        close.triggered.connect(self._on_close_to_others)
        trash = menu.addAction(icon(Glyph.RETRY, self.console.colors), self.tr("Deleted restore points…"))
        trash.triggered.connect(self._on_deleted_points)
        pins = menu.addAction(icon(Glyph.PIN, self.console.colors), self.tr("In use…"))
        pins.triggered.connect(self._on_pins)
        take_over = menu.addAction(icon(Glyph.MIGRATION, self.console.colors), self.tr("Take over rules…"))
        take_over.triggered.connect(self._taking_over.ask_selected)

    def on_activated(self, row: StandbyRow) -> None:
        """Unlock the standby machine when it is locked, else edit it."""
        if row.locked is not None:
            self._open_unlock(row)
        else:
            self._open_dialog(row)

    def on_create(self) -> None:
        """Register another standby machine."""
        self._open_dialog(None)

    def on_selection(self) -> None:
        """Enable what fits the selection."""
        for button in self._actions:
            button.setEnabled(len(self.chosen_rows()) == 1)
        locked = [row for row in self.chosen_rows() if row.locked is not None]
        self.unlock.setEnabled(len(locked) == 1)

    # --- words ------------------------------------------------------------------------------------------------

    def _action_list(self) -> tuple[tuple[str, Glyph, Callable[[], None], str], ...]:
        return (
            (self.tr("Edit"), Glyph.EDIT, self._on_edit, ""),
            (
                self.tr("Unlock…"),
                Glyph.KEY,
                self._on_unlock,
                self.tr("Enter the passphrase or a recovery key of a locked standby machine"),
            ),
            (
                self.tr("Encryption…"),
                Glyph.LOCK,
                self._on_encryption,
                self.tr("How it is encrypted; its passphrase and recovery keys"),
            ),
            (
                self.tr("Verify"),
                Glyph.VERIFY,
                self._on_verify,
                self.tr("Read every restore point back and check it against its digests"),
            ),
            (
                self.tr("Collect garbage"),
                Glyph.CLEAN,
                self._on_collect_garbage,
                self.tr("Free the space of deleted restore points whose grace time is over"),
            ),
            (
                self.tr("Read again"),
                Glyph.POINT,
                self._on_read_again,
                self.tr("Read the list of restore points again"),
            ),
            (self.tr("Delete"), Glyph.DELETE, self._on_delete, ""),
        )

    def _pill(self, row: StandbyRow) -> Pill:
        if not row.reachable:
            return Pill(self.tr("Not reachable"), Tone.FAILED)
        if not row.writable:
            return Pill(self.tr("Not writable"), Tone.PENDING)
        if row.locked is not None:
            return Pill(self.tr("Locked"), Tone.PENDING)
        return Pill(self.tr("Reachable"), Tone.COMPLETED)

    def _encryption_pill(self, row: StandbyRow) -> Pill:
        if row.locked is not None:
            return Pill(self.tr("Locked"), Tone.PENDING)
        if row.is_encrypted:
            return Pill(self.tr("Encrypted"), Tone.COMPLETED, outlined=True)
        return Pill(self.tr("Not encrypted"), Tone.IDLE, outlined=True)

    def _about_encryption(self, row: StandbyRow) -> str | None:
        if row.locked is not None:
            return row_error_tip(row.locked)
        return encryption_words(row.encryption) or None

    def _space(self, row: StandbyRow) -> str:
        if row.total_bytes is None or row.free_bytes is None:
            return self.tr("Unknown") if row.reachable else formatting.NOTHING
        used = formatting.size(row.total_bytes - row.free_bytes)
        return self.tr("{used} of {total}").format(used=used, total=formatting.size(row.total_bytes))

    def _gauge(self, row: StandbyRow) -> Gauge | None:
        if not row.total_bytes or row.free_bytes is None:
            return None
        return Gauge(1 - row.free_bytes / row.total_bytes, self._space(row))

    # --- actions ----------------------------------------------------------------------------------------------

    def _open_dialog(self, row: StandbyRow | None) -> None:
        dialog = StandbyDialog(self.console, row, self)
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)

    def _on_edit(self) -> None:
        for row in self.chosen_rows()[:1]:
            self._open_dialog(row)

    def _on_unlock(self) -> None:
        for row in self.chosen_rows()[:1]:
            if row.locked is not None:
                self._open_unlock(row)

    def _open_unlock(self, row: StandbyRow) -> None:
        dialog = UnlockDialog(self.console, row, self)
        dialog.unlocked.connect(self._on_unlocked)
        open_once(dialog)

    def _on_unlocked(self, report: UnlockReport) -> None:
        self.refresh()
        hint = ""
        if report.locked:
            hint = self.tr("Still locked, with another passphrase: {directories}.").format(
                directories=", ".join(directory or "/" for directory in report.locked)
            )
        elif report.needs_passphrase:
            hint = self.tr("Now set a new passphrase under Encryption, so that new repositories can be made.")
        text = self.tr(
            "{count} {count:repository was/repositories were} unlocked; {points} restore {points:point "
            "was/points were} found."
        )
        text = filled(text, {"count": len(report.opened), "points": report.point_count})
        if report.locked or report.needs_passphrase:
            self.banner.show_warning(text, hint)
        else:
            self.banner.show_success(text, hint)

    def _on_encryption(self) -> None:
        for row in self.chosen_rows()[:1]:
            dialog = EncryptionDialog(self.console, row, self)
            dialog.changed.connect(self.refresh)
            open_once(dialog)

    def _on_deleted_points(self) -> None:
        for row in self.chosen_rows()[:1]:
            dialog = DeletedPointsDialog(self.console, row.id, row.name, self)
            dialog.changed.connect(self.refresh)
            open_once(dialog)

    def _on_pins(self) -> None:
        for row in self.chosen_rows()[:1]:
            open_once(PinsDialog(self.console, row.id, row.name, self))

    def on_delete(self) -> None:
        """Ask whether to delete the standby machine."""
        if len(self.chosen_rows()) == 1:
            self._on_delete()

    def _on_read_again(self) -> None:
        for row in self.chosen_rows()[:1]:
            command = RefreshPoints(standby=row.id)
            self.console.door.execute(
                command, owner=self, on_done=self._on_points_read, on_failed=self._on_refused
            )

    def _on_close_to_others(self) -> None:
        for row in self.chosen_rows()[:1]:
            self._closing.ask(row)

    def _on_points_read(self, count: int) -> None:
        self.banner.show_success(
            filled(self.tr("{count} restore {count:point was/points were} found."), {"count": count})
        )
        self.refresh()

    def _on_verify(self) -> None:
        for row in self.chosen_rows()[:1]:
            query = ListPoints(standby=row.id)
            self.console.door.ask(query, owner=self, on_done=self._on_points_to_verify, on_failed=self._on_refused)

    def _on_points_to_verify(self, points: tuple[KnownPoint, ...]) -> None:
        for known in points:
            command = StartVerify(standby=known.standby, target_path=known.target_path, point=known.point.id)
            self.console.door.execute(command, owner=self, on_done=_ignore, on_failed=self._on_refused)
        text = self.tr("{count} restore {count:point is/points are} being verified; see the tasks.")
        self.banner.show_text(filled(text, {"count": len(points)}))

    def _on_collect_garbage(self) -> None:
        for row in self.chosen_rows()[:1]:
            query = ListPoints(standby=row.id)
            self.console.door.ask(
                query, owner=self, on_done=self._on_points_to_collect, on_failed=self._on_refused
            )

    def _on_points_to_collect(self, points: tuple[KnownPoint, ...]) -> None:
        places = {(known.standby, known.target_path) for known in points}
        for standby, target_path in sorted(places):
            command = StartGarbageCollection(standby=standby, target_path=target_path)
            self.console.door.execute(command, owner=self, on_done=_ignore, on_failed=self._on_refused)
        text = self.tr("The garbage of {count} {count:repository/repositories} is being collected; see the tasks.")
        self.banner.show_text(filled(text, {"count": len(places)}))

    def _on_refused(self, failure: Failure) -> None:
        self.banner.show_failure(failure)

    def _on_delete(self) -> None:
        for row in self.chosen_rows()[:1]:
            self._ask_to_delete(row)

    def _consequences(self, row: StandbyRow) -> tuple[str, ...]:
        stays = self.tr("Backup data stays where it is; register the path again to see it.")
        if not row.is_encrypted:
            return (stays,)
        return (
            stays,
            self.tr(
                "Its keys are removed from this machine: then only the passphrase or a recovery key opens it."
            ),
        )

    def _ask_to_delete(self, row: StandbyRow) -> None:
        dialog = ConfirmDialog(
            self.console,
            self.tr("Delete the standby machine {name}").format(name=row.name),
            self.tr("Delete standby machine"),
            sends(self.console, RemoveStandby(standby=row.id), self),
            consequences=self._consequences(row),
            parent=self,
        )
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)


def _ignore(_answer: object) -> None:
    """The task list shows what became of it."""
