"""The log of everything: reading, exporting, clearing."""

from collections.abc import Callable, Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Final

from app.contract.log import ClearLog, ExportLog, LogEntryRow, LogPage, LogRow, ReadLog
from app.domain.history import LogEntry, LogSearch
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.history import messages
from app.engine.history.ports import LogStore
from app.engine.log.export import write_log
from app.engine.log.journal import Journal
from app.engine.log.search import log_search
from app.engine.messages import MessageCatalogue
from app.engine.reasons import PATH_NOT_ABSOLUTE

MOST_ROWS: Final = 1000
"""Rows of one page, whatever is asked for."""


class LogHandlers:
    """Answers about the log. Thread: any."""

    def __init__(
        self,
        *,
        log: LogStore,
        texts: MessageCatalogue,
        journal: Journal,
        zone: Callable[[], tzinfo],
    ) -> None:
        self._log = log
        self._texts = texts
        self._journal = journal
        self._zone = zone

    @handles(ReadLog)
    def _read(self, query: ReadLog) -> LogPage:
        found = self._log.page(
            log_search(query.filter, self._texts), before=query.before, limit=max(1, min(query.limit, MOST_ROWS))
        )
        return LogPage(
            rows=tuple(self._row(entry) for entry in found.entries),
            older=found.older,
            searched_to=found.searched_to,
        )

    @handles(ExportLog)
    def _export(self, command: ExportLog) -> int:
        path = Path(command.path)
        if not path.is_absolute():
            raise RequestRefused(detail=PATH_NOT_ABSOLUTE.fill(path=command.path))
        rows = self._rows(log_search(command.filter, self._texts))
        count = write_log(path, rows, dict(command.filter.translations), self._zone())
        self._journal.about("", "log.export").info(messages.LOG_EXPORTED, count=count, path=path)
        return count

    @handles(ClearLog)
    def _clear(self, command: ClearLog) -> int:
        count = self._log.clear(log_search(command.filter, self._texts))
        self._journal.about("", "log.clear").warning(messages.LOG_CLEARED, count=count)
        return count

    def _rows(self, search: LogSearch) -> Iterator[LogEntryRow]:
        before: int | None = None
        while True:
            found = self._log.page(search, before=before, limit=MOST_ROWS)
            yield from (self._row(entry) for entry in found.entries)
            if found.older is None:
                return
            before = found.older

    def _row(self, entry: LogEntry) -> LogEntryRow:
        line = LogRow(
            id=entry.id,
            at=entry.at,
            level=entry.level,
            code=entry.code,
            params=entry.params,
            text=self._texts.text(entry.code, entry.params),
        )
        return LogEntryRow(
            line=line,
            subject=entry.subject.name,
            action=entry.subject.action,
            task=entry.task,
            template=self._texts.templates.get(entry.code, ""),
        )
