"""Reports to the operator what the catalog holds and cannot read."""

from app.domain.unreadable import UnreadableRow
from app.engine.history import messages
from app.engine.log.journal import Journal
from app.engine.ports import Catalog

_OF_TABLE = {
    "rules": messages.RULE_NOT_READABLE,
    "settings": messages.SETTING_NOT_READABLE,
    "points": messages.POINT_NOT_READABLE,
}


class UnreadableReport:
    """Writes a line to the operator's log for each row that could not be read. Thread: any."""

    def __init__(self, catalog: Catalog, journal: Journal) -> None:
        self._catalog = catalog
        self._journal = journal

    def write(self) -> None:
        """Write what was found since the last call; what is left out of a list is never left out silently."""
        for row in self._catalog.take_unreadable():
            self._write(row)

    def _write(self, row: UnreadableRow) -> None:
        kind = _OF_TABLE.get(row.table, messages.ROW_NOT_READABLE)
        self._journal.about(row.name, "catalog.read").error(kind, table=row.table, name=row.name or row.key)
