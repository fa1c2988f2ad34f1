"""查看统计信息: results per day, all-time shares, how much data, and the errors that were not viewed yet."""

from datetime import date, datetime
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

from app.contract.rules import DescribeRule, ListRuleVms, RuleDetails, RuleVmRow
from app.contract.statistics import ReadStatistics, Statistics
from app.domain.changes import Subject
from app.domain.ids import RuleId, VmId
from app.domain.periods import StatisticsPeriod
from app.views import formatting, style
from app.views.charts.bars import DataBars, DayBar, ResultBars
from app.views.charts.ring import Ring, Share
from app.views.console import Console
from app.views.frame.freshness import Interest, Watch
from app.views.frame.history import Address
from app.views.icons import Glyph, icon
from app.views.page import Crumb, Page
from app.views.proof.words import rule_proof_pill, rule_proof_words, vm_proof_pill, vm_proof_words
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.pill import Pill, PillLabel
from app.views.widgets.plain import Label, set_tip
from app.views.widgets.stages import Stages
from app.workers.answers import Failure

_DAYS: Final = {StatisticsPeriod.WEEK: 7, StatisticsPeriod.MONTH: 30, StatisticsPeriod.YEAR: 365}


class StatisticsView(Page):
    """The statistics of a rule, or of one VM in it. Thread: GUI."""

    key = "backup"
    glyph = Glyph.STATISTICS

    def __init__(self, console: Console, rule: RuleId, vm: VmId | None) -> None:
        super().__init__(console)
        self._rule, self._vm = rule, vm
        self._rule_name = self._vm_name = ""
        self._question = self.make_question()
        self._rule_question = self.make_question()
        self._vm_question = self.make_question()
        self._is_loaded = False
        self.toolbar.hide_filter()
        self.toolbar.add_action(self.tr("Back"), Glyph.BACK, self._on_back)
        content = QWidget(self)
        content.setObjectName("statistics")
        self._build(content)
        scroll = QScrollArea(self)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(content)
        self.stages = Stages(scroll, console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        self.body.addWidget(self.stages, 1)
        self.watch: Watch = Watch(console.fresh, self, Interest(only={Subject.FIGURES: rule}))
        self.watch.changed.connect(self._on_changed)
        console.theme.changed.connect(self._apply_colors)
        self._apply_colors()

    # --- construction -----------------------------------------------------------------------------------------

    def _build(self, content: QWidget) -> None:
        self.results = ResultBars(self.console.theme, content)
        self.ring = Ring(self.console.theme, content)
        self.data = DataBars(self.console.theme, content)
        self.periods: ChoiceBar[StatisticsPeriod] = ChoiceBar(
            self.tr("Period"),
            (
                (StatisticsPeriod.WEEK, self.tr("Last week")),
                (StatisticsPeriod.MONTH, self.tr("Last month")),
                (StatisticsPeriod.YEAR, self.tr("Last year")),
            ),
            StatisticsPeriod.MONTH,
            content,
        )
        self.periods.chosen.connect(self._on_period)
        grid = QGridLayout(content)
        grid.setContentsMargins(style.SPACE_L, style.SPACE_L, style.SPACE_L, style.SPACE_L)
        grid.setSpacing(style.SPACE_L)
        grid.addWidget(self._card(self.tr("Backup statistics"), self.results, self.periods), 0, 0)
        grid.addWidget(self._card(self.tr("Since the beginning"), self.ring), 0, 1)
        grid.addWidget(self._card(self.tr("Data backed up"), self.data), 1, 0)
        grid.addWidget(self._build_figures(content), 1, 1)
        grid.setColumnStretch(0, 1)
        grid.setRowStretch(0, 1)
        grid.setRowStretch(1, 1)

    def _card(self, title: str, content: QWidget, trailing: QWidget | None = None) -> QFrame:
        card = QFrame(content.parentWidget())
        card.setProperty("role", "card")
        heading = Label(title, card)
        heading.setProperty("role", "heading")
        top = QHBoxLayout()
        top.addWidget(heading, 1)
        if trailing is not None:
            top.addWidget(trailing)
        column = QVBoxLayout(card)
        column.setContentsMargins(style.SPACE_L, style.SPACE_M, style.SPACE_L, style.SPACE_M)
        column.setSpacing(style.SPACE_S)
        column.addLayout(top)
        column.addWidget(content, 1)
        return card

    def _build_figures(self, content: QWidget) -> QWidget:
        holder = QWidget(content)
        self.read, self.stored, self.unviewed = Label(holder), Label(holder), Label(holder)
        for label in (self.read, self.unviewed):
            label.setProperty("role", "figure")
            label.setFont(style.tabular_font(style.FIGURE_PX))
        self.stored.setProperty("role", "secondary")
        self.stored.setWordWrap(True)
        amount = self._card(self.tr("Amount of data"), self._stack(holder, self.read, self.stored))
        self.tasks = QPushButton(self.tr("Task list"), holder)
        self.tasks.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        set_tip(self.tasks, self.tr("Show what succeeded and what failed, and why"))
        self.tasks.clicked.connect(self._on_tasks)
        row = QWidget(holder)
        line = QHBoxLayout(row)
        line.setContentsMargins(0, 0, 0, 0)
        line.addWidget(self.unviewed, 1)
        line.addWidget(self.tasks)
        errors = self._card(self.tr("Unviewed errors"), row)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_L)
        self.proof, self.proven = PillLabel(holder), Label(holder)
        self.proven.setProperty("role", "secondary")
        self.proven.setWordWrap(True)
        proof = self._card(self.tr("Proof of restore"), self._stack(holder, self.proof, self.proven))
        column.addWidget(amount, 1)
        column.addWidget(proof, 1)
        column.addWidget(errors, 1)
        return holder

    def _stack(self, holder: QWidget, *labels: QWidget) -> QWidget:
        box = QWidget(holder)
        column = QVBoxLayout(box)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(style.SPACE_XS)
        for label in labels:
            column.addWidget(label)
        column.addStretch(1)
        return box

    # --- place ------------------------------------------------------------------------------------------------

    def title(self) -> str:
        """Return what the statistics are about."""
        return self.tr("Statistics")

    def crumbs(self) -> tuple[Crumb, ...]:
        """Return the way from the list of rules."""
        steps = [Crumb(self.tr("VM backup"), Address("backup"))]
        steps.append(Crumb(self._rule_name or formatting.NOTHING, Address("backup", (self._rule,))))
        if self._vm is not None:
            steps.append(Crumb(self._vm_name or formatting.NOTHING, Address("backup", (self._rule, self._vm))))
        return (*steps, Crumb(self.title()))

    def open(self, path: tuple[str, ...]) -> None:
        """Show the statistics and keep them fresh."""
        del path
        self.watch.begin()
        self._rule_question.ask(DescribeRule(rule=self._rule), self._on_described, self._on_nameless)
        if self._vm is not None:
            self._vm_question.ask(ListRuleVms(rule=self._rule), self._on_vms, self._on_nameless)
        self.refresh()

    def _on_described(self, details: RuleDetails) -> None:
        self._rule_name = details.row.name
        if self._vm is None:
            self._show_proof(rule_proof_pill(details.row), rule_proof_words(details.row))
        self.crumbs_changed.emit()

    def _on_vms(self, rows: tuple[RuleVmRow, ...]) -> None:
        row = next((row for row in rows if row.vm == self._vm), None)
        if row is not None:
            self._vm_name = row.name
            self._show_proof(vm_proof_pill(row), vm_proof_words(row))
        self.crumbs_changed.emit()

    def _show_proof(self, pill: Pill | None, text: str | None) -> None:
        self.proof.setVisible(pill is not None)
        if pill is not None:
            self.proof.show_pill(pill)
        self.proven.setText(text or self.tr("No restore point was ever proven."))

    def _on_nameless(self, _failure: Failure) -> None:
        # The breadcrumb stays without a name; the statistics themselves say what is wrong.
        return

    # --- figures ----------------------------------------------------------------------------------------------

    def _on_changed(self, _keys: object) -> None:
        self.refresh()

    def refresh(self) -> None:
        """Ask for the figures."""
        if not self._is_loaded:
            self.stages.show_loading()
        query = ReadStatistics(rule=self._rule, vm=self._vm, period=self.periods.value)
        self._question.ask(query, self._show, self._on_failed)

    def _on_failed(self, failure: Failure) -> None:
        if not self._is_loaded:
            self.stages.show_failure(failure)

    def _show(self, statistics: Statistics) -> None:
        self._is_loaded = True
        self.stages.show_content()
        bars = [DayBar(day.day, day.succeeded, day.failed, day.read_bytes) for day in statistics.days]
        today = _today()
        for chart in (self.results, self.data):
            chart.show_days(bars, today, _DAYS[self.periods.value])
        total = statistics.succeeded + statistics.failed
        rate = formatting.percent(statistics.succeeded / total if total else None)
        self.ring.show_shares(
            (
                Share(
                    self.tr("Succeeded"), statistics.succeeded, formatting.count(statistics.succeeded), "completed"
                ),
                Share(self.tr("Failed"), statistics.failed, formatting.count(statistics.failed), "failed"),
            ),
            rate,
            self.tr("success rate"),
        )
        self.read.setText(formatting.size(statistics.read_bytes))
        stored = self.tr("read from the hosts; {size} of it newly written to the standby machine")
        self.stored.setText(stored.format(size=formatting.size(statistics.stored_bytes)))
        self.unviewed.setText(formatting.count(statistics.unviewed_errors))
        color = self.console.colors.failed if statistics.unviewed_errors else self.console.colors.text
        self.unviewed.setStyleSheet(f"color: {color}")

    def _apply_colors(self) -> None:
        self.tasks.setIcon(icon(Glyph.ARROW, self.console.colors))

    # --- slots ------------------------------------------------------------------------------------------------

    def _on_period(self) -> None:
        self._question.withdraw()  # figures of another period would be drawn over the days of this one
        self.refresh()

    def _on_tasks(self) -> None:
        vm = (self._vm,) if self._vm is not None else ()
        self.console.go("backup", self._rule, *vm, "statistics", "tasks")

    def _on_back(self) -> None:
        vm = (self._vm,) if self._vm is not None else ()
        self.console.go("backup", *((self._rule, *vm) if vm else ()))


def _today() -> date:
    return datetime.now().astimezone().date()
