"""Everything about one instant recovery, followed while it is shown."""

from collections.abc import Iterator

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from app.contract.instant import InstantRow
from app.views import formatting
from app.views.restore.instant.feed import InstantFeed
from app.views.restore.instant.words import days_text, instant_pill, point_tip, reads_text, writes_text
from app.views.widgets.row_details import RowDetails, Told


class InstantDetails(RowDetails[InstantRow]):
    """Shows one instant recovery as a list has it, and follows the list. Thread: GUI."""

    def __init__(self, row: InstantRow, feed: InstantFeed, parent: QWidget | None = None) -> None:
        told = Told(
            figures=self._figures,
            facts=self._facts,
            pill=instant_pill,
            gone=QCoreApplication.translate(
                "InstantDetails", "This instant recovery has ended; it is not in the list any more."
            ),
        )
        super().__init__(row, told, parent)
        feed.listed.connect(self.follow)

    def _figures(self, row: InstantRow) -> Iterator[tuple[str, str]]:
        yield self.tr("Reads"), reads_text(row.traffic)
        yield self.tr("Writes"), writes_text(row.traffic)
        yield self.tr("Overlay"), formatting.size(row.overlay_bytes)
        yield self.tr("Free at the standby"), formatting.size(row.free_bytes)
        yield self.tr("Standby full in"), days_text(row.days_left)
        yield self.tr("Since"), formatting.exact_time(row.since)

    def _facts(self, row: InstantRow) -> Iterator[tuple[str, str]]:
        yield self.tr("VM in the restore point"), row.vm_name
        yield self.tr("Restore point"), point_tip(row)
        yield self.tr("Rule"), row.rule_name or formatting.NOTHING
        yield self.tr("Standby machine"), f"{row.standby_name or formatting.NOTHING}  {row.target_path}".strip()
        yield self.tr("Virtual platform"), row.platform_name or formatting.NOTHING
        yield self.tr("Host"), row.host_name or formatting.NOTHING
        yield self.tr("Datastore of this machine"), row.datastore or formatting.NOTHING
        yield self.tr("Address of this machine"), row.address or self.tr("The one that routes to the host")
        yield self.tr("Network"), self.tr("Not connected") if row.is_isolated else self.tr("Connected")
        yield self.tr("Id of the VM"), row.vm or formatting.NOTHING
