"""The log page: time range, level and words; page after page, never everything."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.contract.log import ClearLog, LogEntryRow, LogFilter, LogPage, ReadLog
from app.contract.rules import DescribeRule, RuleDetails
from app.domain.changes import Subject
from app.domain.ids import RuleId, TaskId, VmId
from app.models.rows import Column, RowModel
from app.views import formatting
from app.views.console import Console
from app.views.frame.freshness import WORKING_CALM_MS, Interest, Watch
from app.views.frame.history import Address
from app.views.icons import Glyph, icon
from app.views.log.all_lines import AllLines
from app.views.log.choices import LogChoices
from app.views.log.lines import action_text, as_text, line_columns, line_text, reader_words
from app.views.page import Crumb, Page
from app.views.widgets.banner import Banner
from app.views.widgets.confirm import ConfirmDialog, sends
from app.views.widgets.export import TableExporter
from app.views.widgets.opening import open_once
from app.views.widgets.pill import PillDelegate
from app.views.widgets.stages import Stages
from app.views.widgets.table import Table
from app.workers.answers import Failure

PAGE_LINES = 200
"""New lines are asked for at most so often."""
_NEAR_END = 3


class LogsPage(Page):
    """Shows the log of everything, of a rule, a VM or a task. Thread: GUI."""

    key = "log"
    glyph = Glyph.LOG

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._about = LogFilter()
        self._path: tuple[str, ...] = ()
        self._rule_name = ""
        self._vm_name = ""
        self._question = self.make_question()
        self._name_question = self.make_question()
        self._has_news = False
        """Whether there are newer lines than those that are shown."""
        self._older: int | None = None
        self._build()
        self.watch: Watch = Watch(
            console.fresh, self, Interest(whole=frozenset({Subject.LOG}), calm_ms=WORKING_CALM_MS)
        )
        self.watch.changed.connect(self._on_changed)

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self) -> None:
        bar = self.toolbar
        self.back = bar.add_action(self.tr("Back"), Glyph.BACK, self._on_back)
        self.clear = bar.add_action(self.tr("Clear"), Glyph.CLEAN, self._on_clear)
        self.save = bar.add_action(
            self.tr("Download"), Glyph.EXPORT, self._on_save, tooltip=self.tr("Write the lines to a file")
        )
        self.save.setShortcut("Ctrl+E")
        self.choices = LogChoices(self)
        self.choices.changed.connect(self.refresh)
        bar.add_widget(self.choices)
        bar.filter_changed.connect(self._on_words)
        bar.filter.setPlaceholderText(self.tr("Search the log…"))
        self.banner = Banner(self)
        model = RowModel[LogEntryRow](self._columns(), lambda row: row.line.id)
        self.table: Table[LogEntryRow] = Table[LogEntryRow]("log", model, self.console.memory)
        self.table.setItemDelegateForColumn(1, PillDelegate(self.table))
        self.table.setAccessibleName(self.tr("Log"))
        self.table.verticalScrollBar().valueChanged.connect(self._on_scrolled)
        self.table.row_activated.connect(self._on_activated)
        self.table.menu_wanted.connect(self._on_menu)
        self.table.delete_wanted.connect(self._on_clear)
        self.exporter: TableExporter[LogEntryRow] = TableExporter(
            self.console, self.table, "log", self, lambda: AllLines(self.console.door, self, self.filter())
        )
        self.stages = Stages(self.table, self.console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        self.stages.create_wanted.connect(self._on_show_all)
        bar.offer_columns(self.table.column_menu)
        bar.list_wanted.connect(self.table.setFocus)
        self.body.addWidget(self.choices.own_range)
        self.messages.add(self.banner)
        self.messages.add(self.exporter.strip)
        self.body.addWidget(self.stages, 1)

    def _columns(self) -> Sequence[Column[LogEntryRow]]:
        time, level, text = line_columns(lambda row: row.line, entry_text)
        return (
            time,
            level,
            Column(
                key="subject",
                title=self.tr("Subject"),
                text=lambda row: row.subject or formatting.NOTHING,
                width=130,
            ),
            Column(key="action", title=self.tr("Action"), text=lambda row: action_text(row.action), width=130),
            text,
        )

    # --- the page ---------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Logs")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>What happened, newest first: tasks, rules, platforms, standby machines, the program itself.</p>"
            "<p>Choose a time range and the least level, or search for words. Scrolling down loads older lines. "
            "<b>Download</b> writes the chosen lines to a file; <b>Clear</b> deletes them.</p>"
        )

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the way to what is shown."""
        whole = Crumb(self.title(), Address(self.key) if self._path else None)
        if self._about.task is not None:
            return (whole, Crumb(self.tr("Task {task}").format(task=self._vm_name or self._about.task[:8])))
        names = [name for name in (self._rule_name, self._vm_name) if name]
        return (whole, *(Crumb(name) for name in names))

    def open(self, path: tuple[str, ...]) -> None:
        """Show the whole log, or that of a rule, of a VM in it, or of a task."""
        self._path = path
        self._name_question.withdraw()
        self._rule_name = self._vm_name = ""
        if path[:1] == ("task",):
            self._about = LogFilter(task=TaskId(path[1]) if len(path) > 1 else None)
        else:
            rule = RuleId(path[0]) if path else None
            vm = VmId(path[1]) if len(path) > 1 else None
            self._about = LogFilter(rule=rule, vm=vm)
            if rule is not None:
                self._name_question.ask(DescribeRule(rule=rule), self._on_rule, self._on_no_name)
        self.back.setVisible(bool(path))
        self.watch.begin()
        self.table.rows.set_rows(())
        self.refresh()
        self.crumbs_changed.emit()

    def _on_rule(self, rule: RuleDetails) -> None:
        self._rule_name = rule.row.name
        self.crumbs_changed.emit()

    def _on_no_name(self, failure: Failure) -> None:
        """The breadcrumb stays short; the list says that the engine is away."""

    # --- what is asked for ------------------------------------------------------------------------------------

    def filter(self) -> LogFilter:
        """Return what the operator chose."""
        start, end = self.choices.moments()
        words = self.toolbar.filter.text().strip()
        return replace(
            self._about,
            start=start,
            end=end,
            at_least=self.choices.level,
            text=words,
            translations=reader_words(words) if words else (),
        )

    def refresh(self) -> None:
        """Load the newest page again."""
        if not self.table.rows.rows:
            self.stages.show_loading()
        query = ReadLog(filter=self.filter(), limit=PAGE_LINES)
        self._question.ask(query, self._on_newest, self._on_failed)

    def _on_words(self, _text: str) -> None:
        self.refresh()

    def _on_show_all(self) -> None:
        self.toolbar.filter.clear()
        self.choices.show_all()

    def _on_newest(self, page: LogPage) -> None:
        if self._question.is_asked_again:
            return
        self._older = page.older
        self._set_rows(page.rows)
        self._note_names(page.rows)
        if page.rows:
            self.stages.show_content()
        elif page.older is not None:
            self._ask_older()
            return
        else:
            self._show_empty()
        self._go_on()

    def _set_rows(self, rows: Sequence[LogEntryRow]) -> None:
        """Show other lines and leave the keyboard where it is; at first it is on the newest."""
        current = self.table.current_row()
        self.table.rows.set_rows(rows)
        if rows and (current is None or not self.table.select(current.line.id)):
            self.table.select(rows[0].line.id)
        self.table.scrollToTop()  # selecting scrolls, and only at the top newer lines are followed

    def _note_names(self, rows: Sequence[LogEntryRow]) -> None:
        is_about_vm = self._about.vm is not None or self._about.task is not None
        if rows and is_about_vm and not self._vm_name:
            self._vm_name = rows[0].subject
            self.crumbs_changed.emit()

    def _show_empty(self) -> None:
        is_narrow = self.filter() != self._about
        title = self.tr("No line fits") if is_narrow else self.tr("Nothing has happened yet")
        text = (
            self.tr("No line of the log fits the chosen time, level and words.")
            if is_narrow
            else self.tr("Everything that is done is written down here, line by line.")
        )
        action = self.tr("Show everything") if is_narrow else ""
        self.stages.show_empty(Glyph.LOG, title, text, action=action)

    def _on_failed(self, failure: Failure) -> None:
        if self.table.rows.rows:
            self.banner.show_failure(failure)
        else:
            self.stages.show_failure(failure)

    # --- older and newer lines --------------------------------------------------------------------------------

    def _on_scrolled(self, value: int) -> None:
        last = self.table.verticalScrollBar().maximum()
        if last > 0 and value >= last - _NEAR_END:
            self._ask_older()
        self._ask_news()

    def _fill_room(self) -> None:
        """Load more where the lines leave room, for there nothing can be scrolled."""
        self.table.doItemsLayout()
        if self.table.isVisible() and self.table.verticalScrollBar().maximum() == 0:
            self._ask_older()

    def _ask_older(self) -> None:
        if self._question.is_open or self._older is None:
            return
        query = ReadLog(filter=self.filter(), before=self._older, limit=PAGE_LINES)
        self._question.ask(query, self._on_older, self._on_failed)

    def _on_older(self, page: LogPage) -> None:
        if self._question.is_asked_again:
            return
        self._older = page.older
        for row in page.rows:
            self.table.rows.patch(row)
        if self.table.rows.rows:
            self.stages.show_content()
        if not page.rows and page.older is not None:
            self._ask_older()  # the engine looked through a stretch in which nothing fits
        elif not self.table.rows.rows:
            self._show_empty()
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._ask_news()
        QTimer.singleShot(0, self, self._fill_room)

    def _on_changed(self, _keys: object) -> None:
        self._has_news = True
        self._ask_news()

    def _ask_news(self) -> None:
        """Ask for newer lines, but only at the top: those that are being read further down do not move."""
        is_at_top = self.table.verticalScrollBar().value() == 0
        if not self._has_news or self._question.is_open or not is_at_top or not self.choices.is_open_ended:
            return
        self._has_news = False
        query = ReadLog(filter=self.filter(), limit=PAGE_LINES)
        self._question.ask(query, self._on_fresh, self._on_failed)

    def _on_fresh(self, page: LogPage) -> None:
        """Show the newest lines, before those of the shown ones that are older; others were deleted meanwhile."""
        known = self.table.rows.rows
        shown = {row.line.id for row in known}
        is_asked_again = self._question.is_asked_again
        if is_asked_again or page.older is None or not any(row.line.id in shown for row in page.rows):
            self._on_newest(page)
            return
        last = _place(page.rows[-1])
        rows = [*page.rows, *(row for row in known if _place(row) < last)]
        if [row.line.id for row in rows] != [row.line.id for row in known]:
            self._set_rows(rows)
        self._ask_news()

    # --- actions ----------------------------------------------------------------------------------------------

    def _on_back(self) -> None:
        if self._about.task is not None:
            self.console.go("tasks", self._about.task)
        elif self._path:
            self.console.go("backup", self._path[0])

    def _on_activated(self, row: LogEntryRow) -> None:
        if row.task is not None:
            self.console.go("tasks", row.task)

    def _on_menu(self, row: LogEntryRow, position: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        colors = self.console.colors
        copy = menu.addAction(icon(Glyph.COPY, colors), self.tr("Copy the line"))
        copy.triggered.connect(partial(self._on_copy, row))
        details = menu.addAction(icon(Glyph.TASKS, colors), self.tr("Show the task"))
        details.setEnabled(row.task is not None)
        details.triggered.connect(partial(self._on_activated, row))
        self.exporter.fill_menu(menu)
        menu.popup(position)

    def _on_copy(self, row: LogEntryRow) -> None:
        QGuiApplication.clipboard().setText(_copied(row))

    def _on_save(self) -> None:
        self.exporter.ask()

    def _on_clear(self) -> None:
        chosen = self.filter()
        is_everything = chosen == LogFilter()
        dialog = ConfirmDialog(
            self.console,
            self.tr("Clear the log"),
            self.tr("Delete lines"),
            sends(self.console, ClearLog(filter=chosen), self),
            consequences=(
                self.tr("Every line of the log is deleted for good.")
                if is_everything
                else self.tr("The lines that fit the chosen time, level and words are deleted for good."),
                self.tr("Statistics, tasks and restore points stay."),
            ),
            parent=self,
        )
        dialog.succeeded.connect(self.refresh)
        open_once(dialog)


def _place(row: LogEntryRow) -> tuple[datetime, int]:
    """Return by what lines are in order."""
    return row.line.at, row.line.id


def entry_text(row: LogEntryRow) -> str:
    """Return a line's sentence in the reader's language."""
    return line_text(row.line, row.template)


def _copied(row: LogEntryRow) -> str:
    line = replace(row.line, template=row.template or row.line.template)
    return f"{as_text((line,))}  {row.subject}".strip()
