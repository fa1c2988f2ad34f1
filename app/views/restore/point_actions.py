"""What can be done with a restore point in a table of them: verify, prove, offer, delete and take back, export."""

from functools import partial

from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import QMenu, QWidget

from app.contract.points import DeletePoint, StartVerify, TakeBackPoint
from app.contract.proofs import ProofRow
from app.domain.tasks import KnownPoint
from app.views import formatting
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.proof.result import ProofDialog
from app.views.proof.starting import ask_to_prove
from app.views.restore.deleted import DeletedPointsDialog
from app.views.restore.offer_dialog import OfferDialog
from app.views.restore.offers import OfferPlace
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.export import TableExporter
from app.views.widgets.opening import open_once
from app.views.widgets.table import Table
from app.views.widgets.undo import UndoStrip


class PointActions(QObject):
    """The context menu and the keys of a table of restore points. Thread: GUI.

    Attributes:
        messages: Shows over its owner the undo, the export, and why something was refused.

    Signals:
        changed: other points are there now.
        instant_wanted: a VM is to run from a point; carries the :class:`KnownPoint`.
    """

    changed = Signal()
    instant_wanted = Signal(object)

    def __init__(self, console: Console, table: Table[KnownPoint], owner: QWidget) -> None:
        super().__init__(owner)
        self._console = console
        self._table = table
        self._owner = owner
        self.offers_instant = False
        """Whether an instant recovery is offered; its listener makes it so."""
        self.undo = UndoStrip(console, owner)
        self.banner = Banner(owner)
        self.exporter: TableExporter[KnownPoint] = TableExporter(console, table, "restore-points", owner)
        self.messages = MessageOverlay(owner, self.undo, self.exporter.strip, self.banner)
        table.menu_wanted.connect(self._on_menu)
        table.delete_wanted.connect(self._on_delete)

    def show_deleted(self, known: KnownPoint, name: str) -> None:
        """Open the list of deleted points of the standby machine that holds a point."""
        dialog = DeletedPointsDialog(self._console, known.standby, name, self._owner)
        dialog.changed.connect(self.changed)
        open_once(dialog)

    def _on_menu(self, known: KnownPoint, position: QPoint) -> None:
        menu = QMenu(self._owner)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        colors = self._console.colors
        verify = menu.addAction(icon(Glyph.VERIFY, colors), self.tr("Verify"))
        verify.triggered.connect(partial(self._on_verify, known))
        prove = menu.addAction(icon(Glyph.PROVE, colors), self.tr("Prove…"))
        prove.triggered.connect(partial(self._on_prove, known))
        if (tried := ProofRow.of(known)) is not None:
            result = menu.addAction(icon(Glyph.INFO, colors), self.tr("Result of the proof…"))
            result.triggered.connect(partial(self._on_result, tried))
        if self.offers_instant:
            instant = menu.addAction(icon(Glyph.INSTANT, colors), self.tr("Instant recovery…"))
            instant.triggered.connect(partial(self.instant_wanted.emit, known))
        offer = menu.addAction(icon(Glyph.DISK, colors), self.tr("Offer disks over NBD…"))
        offer.triggered.connect(partial(self._on_offer, known))
        delete = menu.addAction(icon(Glyph.DELETE, colors), self.tr("Delete…"))
        delete.triggered.connect(self._on_delete)
        deleted = menu.addAction(icon(Glyph.RETRY, colors), self.tr("Deleted restore points…"))
        deleted.triggered.connect(partial(self.show_deleted, known, known.point.rule_name))
        self.exporter.fill_menu(menu)
        menu.popup(position)

    def _on_verify(self, known: KnownPoint) -> None:
        self.banner.hide()
        command = StartVerify(standby=known.standby, target_path=known.target_path, point=known.point.id)
        self._console.door.execute(
            command, owner=self, on_done=self._on_verifying, on_failed=self.banner.show_failure
        )

    def _on_verifying(self, _task: object) -> None:
        self.banner.show_text(self.tr("The restore point is being verified; see the tasks."))

    def _on_prove(self, known: KnownPoint) -> None:
        ask_to_prove(self._console, (known,), self.banner, self._owner)

    def _on_result(self, tried: ProofRow) -> None:
        open_once(ProofDialog(self._console, tried, self._owner))

    def _on_offer(self, known: KnownPoint) -> None:
        point = known.point
        dialog = OfferDialog(
            self._console, OfferPlace.of_point(known), point.facts.name, point.created_at, self._owner
        )
        open_once(dialog)

    # --- deleting and taking back -----------------------------------------------------------------------------

    def _on_delete(self) -> None:
        known = self._table.current_row()
        if known is None:
            return
        self.banner.hide()
        command = DeletePoint(standby=known.standby, target_path=known.target_path, point=known.point.id)
        dialog = ConfirmDialog(
            self._console,
            self.tr("Delete the restore point of {time}").format(
                time=formatting.exact_time(known.point.created_at)
            ),
            self.tr("Delete restore point"),
            sends(self._console, command, self),
            consequences=(
                self.tr("{vm} cannot be restored to this moment any more.").format(vm=known.point.facts.name),
                self.tr(
                    "It can be taken back for seven days and takes up its space; "
                    "then garbage collection frees up to {size}."
                ).format(size=formatting.size(known.point.stored_bytes)),
                self.tr("All other restore points stay whole."),
            ),
            parent=self._owner,
        )
        dialog.succeeded.connect(partial(self._on_deleted, known))
        open_once(dialog)

    def _on_deleted(self, known: KnownPoint) -> None:
        text = self.tr("The restore point of {time} was deleted.")
        self.undo.offer(
            text.format(time=formatting.exact_time(known.point.created_at)),
            self.tr("Take back"),
            partial(self._take_back, known),
        )
        self.changed.emit()

    def _take_back(self, known: KnownPoint) -> None:
        command = TakeBackPoint(standby=known.standby, target_path=known.target_path, point=known.point.id)
        self._console.door.execute(
            command, owner=self, on_done=self._on_taken_back, on_failed=self.banner.show_failure
        )

    def _on_taken_back(self, _answer: object) -> None:
        self.changed.emit()
