"""The statistics' task list: what was done for a rule, a VM or all; failed ones first, with their reason."""

from collections.abc import Callable, Hashable, Sequence

from app.contract.base import Query
from app.contract.rules import MarkErrorsViewed
from app.contract.statistics import ListStatisticsTasks, StatisticsTaskRow
from app.domain.changes import Subject
from app.domain.ids import RuleId, VmId
from app.domain.states import BackupKind, TaskKind
from app.models.rows import Column
from app.views import style
from app.views.backup.acting import ActingList
from app.views.console import Console
from app.views.frame.freshness import WORKING_CALM_MS, Interest
from app.views.frame.history import Address
from app.views.icons import Glyph
from app.views.page import Crumb
from app.views.widgets.columns import compact_time_column, source_words, written_words
from app.views.widgets.pill import PillDelegate
from app.views.widgets.row_actions import RowAction
from app.views.words import (
    backup_kind_word,
    row_error_details,
    row_error_hint,
    row_error_message,
    state_pill,
    task_kind_word,
)
from app.workers.answers import Failure

_RESULT = 1
_GB = 1_000_000_000
_MB = 1_000_000


class RunList(ActingList[StatisticsTaskRow]):
    """The ended tasks of a rule, of one VM in it, or of everything. Opening it sets the unviewed errors to zero.

    Thread: GUI.
    """

    def __init__(
        self, console: Console, rule: RuleId | None, vm: VmId | None = None, *, only_failed: bool = False
    ) -> None:
        self._rule, self._vm, self._only_failed = rule, vm, only_failed
        super().__init__(console, "runs")
        self.toolbar.add_action(self.tr("Back"), Glyph.BACK, self._on_back)
        self.table.setItemDelegateForColumn(_RESULT, PillDelegate(self.table))
        self.table.current_changed.connect(self._on_current_run)

    # --- place ------------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Failed tasks") if self._only_failed else self.tr("Task list")

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the way from the statistics."""
        first = Crumb(self.tr("VM backup"), Address("backup"))
        if self._rule is None:
            return first, Crumb(self.title())
        return first, Crumb(self.tr("Statistics"), self._statistics()), Crumb(self.title())

    def _statistics(self) -> Address:
        vm = (self._vm,) if self._vm is not None else ()
        return Address("backup", (self._rule or "", *vm, "statistics"))

    def open(self, path: tuple[str, ...]) -> None:
        """Show the list; its errors are viewed with that."""
        super().open(path)
        command = MarkErrorsViewed(rule=self._rule, vm=self._vm)
        self.console.door.execute(command, owner=self, on_done=self._on_marked, on_failed=self._on_not_marked)

    def _on_marked(self, _answer: object) -> None:
        return

    def _on_not_marked(self, failure: Failure) -> None:
        self.banner.show_failure(failure)

    def _on_back(self) -> None:
        if self._rule is None:
            self.console.go("backup")
        else:
            self.console.go("backup", *self._statistics().path)

    # --- the list ---------------------------------------------------------------------------------------------

    def columns(self) -> Sequence[Column[StatisticsTaskRow]]:
        """Return the documented columns."""
        return (
            Column(key="name", title=self.tr("Name"), text=lambda row: row.rule_name, width=76),
            Column(
                key="result",
                title=self.tr("Result"),
                text=lambda row: state_pill(row.result).text,
                paint=lambda row: state_pill(row.result),
                tooltip=self._reason,
                width=112,
            ),
            Column(key="kind", title=self.tr("Task type"), text=self._kind, width=96),
            Column(key="vm", title=self.tr("VM name"), text=lambda row: row.vm_name, width=84, stretch=True),
            Column(key="source", title=self.tr("Source type"), text=lambda row: row.source_kind, width=126),
            _figure("size", self.tr("Source (GB)"), lambda row: row.source_bytes / _GB, source_words, width=104),
            _figure(
                "written", self.tr("Written (GB)"), lambda row: row.written_bytes / _GB, written_words, width=92
            ),
            _figure("speed", self.tr("Rate (MB/s)"), lambda row: row.bytes_per_s / _MB, str, width=108),
            compact_time_column("started", self.tr("Start time"), lambda row: row.started_at, width=98),
            compact_time_column("ended", self.tr("End time"), lambda row: row.ended_at, width=98),
            Column(
                key="reason",
                title=self.tr("Reason"),
                text=lambda row: self._reason(row) or "",
                tooltip=self._reason,
                width=240,
                hidden=True,
            ),
            Column(key="actions", title=self.tr("Actions"), text=lambda _: "", width=style.ACTION_SIZE * 3),
        )

    def is_checkable(self) -> bool:
        """Do nothing: there is nothing to do with several."""
        return False

    def row_key(self, row: StatisticsTaskRow) -> Hashable:
        """Return the task's id."""
        return row.task

    def query(self) -> Query[tuple[StatisticsTaskRow, ...]]:
        """Return the query for the tasks."""
        return ListStatisticsTasks(rule=self._rule, vm=self._vm, only_failed=self._only_failed)

    def interest(self) -> Interest:
        """Return that the list shows ended tasks, of a rule or of everything."""
        if self._rule is None:
            return Interest(whole=frozenset({Subject.TASKS, Subject.FIGURES}), calm_ms=WORKING_CALM_MS)
        return Interest(only={Subject.RULES: self._rule, Subject.FIGURES: self._rule}, calm_ms=WORKING_CALM_MS)

    def empty_state(self) -> tuple[Glyph, str, str, str]:
        """Say that nothing ran yet, or that nothing failed."""
        if self._only_failed:
            return Glyph.SUCCESS, self.tr("No task failed"), self.tr("Every task that ended was completed."), ""
        return (
            Glyph.TASKS,
            self.tr("Nothing ran yet"),
            self.tr("Ended tasks are listed here, failed ones first."),
            "",
        )

    def actions_of_rows(self) -> Sequence[RowAction[StatisticsTaskRow]]:
        """Return the way to the task and to its log."""
        return (
            RowAction(glyph=Glyph.TASKS, text=self.tr("Show task"), run=self.on_activated),
            RowAction(glyph=Glyph.LOG, text=self.tr("Show log"), run=self._on_log),
        )

    def on_activated(self, row: StatisticsTaskRow) -> None:
        """Show the task."""
        self.console.go("tasks", row.task)

    def _on_log(self, row: StatisticsTaskRow) -> None:
        self.console.go("log", "task", row.task)

    def _on_current_run(self, row: object) -> None:
        if isinstance(row, StatisticsTaskRow) and row.error is not None:
            self.banner.show_problem(
                f"{row.vm_name}: {row_error_message(row.error)}",
                row_error_hint(row.error),
                row_error_details(row.error),
            )
        else:
            self.banner.hide()

    # --- words ------------------------------------------------------------------------------------------------

    def _kind(self, row: StatisticsTaskRow) -> str:
        if row.kind is TaskKind.BACKUP and row.backup_kind:
            return backup_kind_word(BackupKind(row.backup_kind))
        return task_kind_word(row.kind)

    def _reason(self, row: StatisticsTaskRow) -> str | None:
        return row_error_message(row.error) if row.error is not None else None


def _figure(
    key: str,
    title: str,
    value: Callable[[StatisticsTaskRow], float],
    about: Callable[[], str],
    *,
    width: int,
) -> Column[StatisticsTaskRow]:
    return Column(
        key=key,
        title=title,
        text=lambda row: f"{value(row):,.2f}",
        sort=value,
        tooltip=lambda _: about() or None,
        numeric=True,
        width=width,
    )
