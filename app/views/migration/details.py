"""Everything about one migration, followed while it is shown."""

from collections.abc import Iterator

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QWidget

from app.contract.migration import MigrationRow
from app.domain.migration import MigrationCheck
from app.views import formatting
from app.views.migration.words import cut_over_text, migration_pill
from app.views.widgets.row_details import RowDetails, Told


class MigrationDetails(RowDetails[MigrationRow]):
    """Shows one migration as a list has it, and follows the list. Thread: GUI.

    Signals:
        log_wanted: the operator wants to see the log of its task; carries the row.
    """

    log_wanted = Signal(object)

    def __init__(self, row: MigrationRow, parent: QWidget | None = None) -> None:
        told = Told(
            figures=self._figures,
            facts=self._facts,
            pill=migration_pill,
            gone=QCoreApplication.translate(
                "MigrationDetails", "This migration was deleted; it is not in the list any more."
            ),
        )
        super().__init__(row, told, parent)
        self.log = self.add_button(self.tr("View the log"), self._on_log)

    def _figures(self, row: MigrationRow) -> Iterator[tuple[str, str]]:
        yield self.tr("Data left"), formatting.size(row.rest_bytes)
        yield self.tr("Data on the source's disks"), formatting.size(row.held_bytes or None)
        yield self.tr("Rate of change"), formatting.speed(row.change_bytes_per_s)
        yield self.tr("Copy speed"), formatting.speed(row.copy_bytes_per_s)
        yield self.tr("Cut-over takes"), cut_over_text(row)
        yield self.tr("Passes"), formatting.count(row.passes)
        yield self.tr("Last pass"), self._last_pass(row)
        yield self.tr("Start and end"), self._times(row)

    def _last_pass(self, row: MigrationRow) -> str:
        if row.last_pass_at is None:
            return formatting.NOTHING
        return f"{formatting.exact_time(row.last_pass_at)} · {formatting.size(row.last_pass_bytes)}"

    def _times(self, row: MigrationRow) -> str:
        return f"{formatting.exact_time(row.since)} – {formatting.exact_time(row.ended_at)}"

    def _facts(self, row: MigrationRow) -> Iterator[tuple[str, str]]:
        options = row.options
        yield self.tr("Source VM"), row.vm_name
        yield self.tr("Name in the end"), row.name
        yield self.tr("Source platform"), row.platform_name or formatting.NOTHING
        yield self.tr("Target platform"), row.target_name or formatting.NOTHING
        yield self.tr("Source kept as"), row.source_kept_as or formatting.NOTHING
        yield self.tr("Id of the target VM"), row.target_vm or formatting.NOTHING
        yield self.tr("Cut-over"), self.tr("By itself") if options.automatic else self.tr("When it is asked for")
        yield (
            self.tr("Source at the cut-over"),
            self.tr("Is shut down") if options.shut_down_source else self.tr("Is left alone"),
        )
        yield self.tr("Target afterwards"), self.tr("Is started") if options.power_on else self.tr("Stays off")
        is_full = options.check is MigrationCheck.FULL
        yield self.tr("Comparison"), self.tr("Everything") if is_full else self.tr("What changed, and a sample")

    def _on_log(self) -> None:
        self.accept()
        self.log_wanted.emit(self.row)
