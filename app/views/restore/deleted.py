"""Deleted restore points of a standby machine, which can be taken back within their grace time."""

from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QMenu, QPushButton, QWidget

from app.contract.points import DeletedPoint, ListDeletedPoints, TakeBackPoint
from app.domain.ids import StandbyId
from app.models.rows import Column, RowModel
from app.views import formatting, style
from app.views.console import Console
from app.views.icons import Glyph, icon
from app.views.widgets.banner import Banner, MessageOverlay
from app.views.widgets.dialog_help import offer_help
from app.views.widgets.export import TableExporter
from app.views.widgets.list_dialog import lay_out_list
from app.views.widgets.plain import set_title
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.views.words import backup_kind_word
from app.workers.answers import Failure

_TIME_WIDTH = 168


class DeletedPointsDialog(QDialog):
    """Lists the trash of a standby machine and takes points back. Thread: GUI.

    Signals:
        changed: a point was taken back.
    """

    changed = Signal()

    def __init__(self, console: Console, standby: StandbyId, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.console = console
        self._standby = standby
        self._waiting: list[DeletedPoint] = []
        self._is_busy = False
        self.setModal(True)
        set_title(self, self.tr("Deleted restore points at {name}").format(name=name))
        self.resize(style.DIALOG_WIDTH + style.SPACE_XL * 4, style.DIALOG_HEIGHT)
        self._build_table()
        self._build()
        offer_help(self)
        self._ask()

    def _build_table(self) -> None:
        model = RowModel[DeletedPoint](self._columns(), lambda row: (row.target_path, row.id, row.deleted_at))
        self.table: Table[DeletedPoint] = Table("deleted-points", model, self.console.memory, self)
        self.table.setAccessibleName(self.tr("Deleted restore points"))
        self.table.current_changed.connect(self._on_current)
        self.table.selectionModel().selectionChanged.connect(self._on_current)
        self.table.row_activated.connect(self._on_take_back)
        self.table.menu_wanted.connect(self._on_menu)
        self.stages = Stages(self.table, self.console.theme, self)
        self.stages.retry_wanted.connect(self._ask)

    def _build(self) -> None:
        self.banner = Banner(self)
        self.exporter: TableExporter[DeletedPoint] = TableExporter(
            self.console, self.table, "deleted-points", self
        )
        meaning = self.tr(
            "A deleted restore point stays here for a few days, until garbage collection frees its space. "
            "Taken back, it can be restored again; one that retention removed goes again after the rule's "
            "next run."
        )
        card = lay_out_list(self, meaning, self.stages, self._build_buttons())
        self.messages = MessageOverlay(card, self.banner, self.exporter.strip)

    def _build_buttons(self) -> QHBoxLayout:
        self.take_back = QPushButton(self.tr("Take back"), self)
        self.take_back.setProperty("role", "primary")
        self.take_back.setAutoDefault(False)
        self.take_back.setEnabled(False)
        self.take_back.clicked.connect(self._on_take_back)
        close = QPushButton(self.tr("Close"), self)
        close.setAutoDefault(False)
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(close)
        buttons.addWidget(self.take_back)
        return buttons

    def _columns(self) -> tuple[Column[DeletedPoint], ...]:
        return (
            Column(
                key="vm",
                title=self.tr("VM"),
                text=lambda row: row.point.facts.name if row.point else row.id,
                tooltip=lambda row: row.id,
                stretch=True,
                width=130,
            ),
            Column(
                key="time",
                title=self.tr("Backed up at"),
                text=lambda row: formatting.exact_time(row.point.created_at if row.point else None),
                sort=lambda row: row.point.created_at if row.point else None,
                width=_TIME_WIDTH,
            ),
            Column(
                key="kind",
                title=self.tr("Backup kind"),
                text=lambda row: backup_kind_word(row.point.kind) if row.point else formatting.NOTHING,
                width=100,
            ),
            Column(
                key="rule",
                title=self.tr("Rule"),
                text=lambda row: row.point.rule_name if row.point else formatting.NOTHING,
                width=110,
            ),
            Column(
                key="deleted",
                title=self.tr("Deleted"),
                text=lambda row: formatting.short_time(row.deleted_at, datetime.now(UTC)),
                sort=lambda row: row.deleted_at,
                tooltip=lambda row: formatting.exact_time(row.deleted_at),
                width=110,
            ),
            Column(
                key="until",
                title=self.tr("Kept until"),
                text=lambda row: formatting.exact_time(row.kept_until),
                sort=lambda row: row.kept_until,
                width=_TIME_WIDTH,
            ),
        )

    # --- loading ----------------------------------------------------------------------------------------------

    def _ask(self) -> None:
        if not self.table.rows.rows:
            self.stages.show_loading()
        query = ListDeletedPoints(standby=self._standby)
        self.console.door.ask(query, owner=self, on_done=self._on_points, on_failed=self._on_no_points)

    def _on_points(self, points: Sequence[DeletedPoint]) -> None:
        self.table.rows.set_rows(points)
        if points:
            self.stages.show_content()
            if self.table.current_row() is None:
                first = points[0]
                self.table.select((first.target_path, first.id, first.deleted_at))
            self.table.setFocus()
        else:
            text = self.tr("Restore points that are deleted from now on appear here.")
            self.stages.show_empty(Glyph.DELETE, self.tr("Nothing to take back"), text)
        self._on_current()

    def _on_no_points(self, failure: Failure) -> None:
        self.stages.show_failure(failure)

    # --- taking back ------------------------------------------------------------------------------------------

    def _on_current(self, _row: object = None, _before: object = None) -> None:
        self.take_back.setEnabled(bool(self.table.selected_rows()) and not self._is_busy)

    def _on_menu(self, _row: DeletedPoint, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        entry = menu.addAction(icon(Glyph.RETRY, self.console.colors), self.tr("Take back"))
        entry.triggered.connect(self._on_take_back)
        self.exporter.fill_menu(menu)
        menu.popup(position)

    def _on_take_back(self, _row: object = None) -> None:
        if not self._is_busy:
            self._is_busy = True
            self.banner.hide()
            self._waiting = list(self.table.selected_rows())
            self._take_next()

    def _take_next(self, _answer: object = None) -> None:
        if not self._waiting:
            self._is_busy = False
            self.changed.emit()
            self._ask()
            return
        self._on_current()
        point = self._waiting.pop(0)
        command = TakeBackPoint(standby=point.standby, target_path=point.target_path, point=point.id)
        self.console.door.execute(command, owner=self, on_done=self._take_next, on_failed=self._on_refused)

    def _on_refused(self, failure: Failure) -> None:
        self._waiting, self._is_busy = [], False
        self.banner.show_failure(failure)
        self.changed.emit()
        self._ask()
