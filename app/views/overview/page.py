"""The overview page."""

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from PySide6.QtWidgets import QStackedWidget

from app.contract.overview import Overview, ReadOverview
from app.contract.platforms import ListPlatforms
from app.contract.statistics import ReadTraffic, Traffic, TrafficRange
from app.contract.tasks import TasksProgress
from app.domain.changes import Subject
from app.domain.platforms import Platform
from app.views.console import Console
from app.views.frame.freshness import WORKING_CALM_MS, Interest, Pace, Watch
from app.views.icons import Glyph
from app.views.overview.dashboard import Dashboard
from app.views.overview.welcome import Welcome
from app.views.page import Page
from app.views.program import Program
from app.views.tasks.lines import with_sample
from app.views.widgets.stages import Stages
from app.workers.answers import Failure

_INTEREST: Final = Interest(
    whole=frozenset(Subject) - {Subject.LOG, Subject.OFFERS}, pace=Pace.BARS, calm_ms=WORKING_CALM_MS
)
_TRAFFIC_S: Final = 0.9
"""The chart is asked for at most so often."""


class OverviewPage(Page):
    """Shows whether all VMs are protected, or how to begin. Thread: GUI."""

    key = "overview"
    glyph = Glyph.OVERVIEW

    def __init__(self, console: Console, program: Program) -> None:
        super().__init__(console)
        self._question = self.make_question()
        self._traffic_question = self.make_question()
        self._traffic_s = 0.0
        self._traffic: Traffic | None = None
        self.overview: Overview | None = None
        self._loaded = False
        self._is_new = True
        self.dashboard = Dashboard(console, self)
        self.messages.add(self.dashboard.banner)
        self.welcome = Welcome(console, program, self)
        self.welcome.entered.connect(self._on_entered)
        self._halves = QStackedWidget(self)
        self._halves.addWidget(self.dashboard)
        self._halves.addWidget(self.welcome)
        self.stages = Stages(self._halves, console.theme, self)
        self.stages.retry_wanted.connect(self.refresh)
        self.body.addWidget(self.stages)
        self.toolbar.hide()
        self.watch: Watch = Watch(console.fresh, self, _INTEREST)
        self.watch.changed.connect(self._on_changed)
        self.watch.sampled.connect(self._on_sampled)
        console.fresh.ticked.connect(self._on_ticked)

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Overview")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>Are we safe? The first line answers; what failed or is overdue is listed below it, with the "
            "reason. A click on a line leads to the task or the rule.</p>"
            "<p><b>Protection</b> counts the VMs of all platforms that are in a rule. <b>Overdue</b> is a VM "
            "whose newest restore point is older than its policy wants. <b>Room</b> shows how "
            "full the standbys are.</p>"
            "<p><b>Ctrl+K</b> searches rules, VMs, restore points and tasks from everywhere.</p>"
        )

    def open(self, path: tuple[str, ...]) -> None:
        """Show the state and keep it fresh."""
        del path
        self._traffic_s = 0.0  # what was withdrawn when the page was left is asked for with the first sample
        self.watch.begin()
        self.refresh()

    def refresh(self) -> None:
        """Ask; while an answer is on its way, once more afterwards."""
        if not self._loaded:
            self.stages.show_loading()
        if self._is_new:
            self._question.ask(ListPlatforms(), self._on_platforms, self._on_failed)
        else:
            self._question.ask(ReadOverview(), self._on_overview, self._on_failed)
            if self._traffic is None:
                self._ask_traffic()

    def _ask_traffic(self) -> None:
        if self._traffic_question.is_open:
            return
        self._traffic_s = time.monotonic()
        self._traffic_question.ask(ReadTraffic(range=TrafficRange.LIVE), self._on_traffic, self._on_no_traffic)

    def _on_traffic(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self.dashboard.show_traffic(traffic)

    def _on_no_traffic(self, _failure: Failure) -> None:
        """The next sample asks again; the chart keeps what it has."""

    def _on_platforms(self, platforms: tuple[Platform, ...]) -> None:
        self._is_new = not platforms
        if platforms:
            self.refresh()
            return
        self._loaded = True
        self._halves.setCurrentWidget(self.welcome)
        self.stages.show_content()

    def _on_overview(self, overview: Overview) -> None:
        if overview != self.overview:
            self.dashboard.show_overview(overview)
        self._loaded = True
        self.overview = overview
        self._halves.setCurrentWidget(self.dashboard)
        self.stages.show_content()

    # --- what changes meanwhile -------------------------------------------------------------------------------

    def _on_changed(self, _keys: object) -> None:
        self.refresh()

    def _on_sampled(self, running: TasksProgress) -> None:
        """Show how far everything is that runs, and its traffic."""
        overview = self.overview
        if overview is None or self._is_new:
            return
        samples = {sample.task: sample for sample in running.tasks}
        rows = tuple(with_sample(row, samples[row.id]) if row.id in samples else row for row in overview.running)
        if rows != overview.running:
            self.overview = replace(overview, running=rows)
            self.dashboard.show_running(self.overview)
        if time.monotonic() - self._traffic_s > _TRAFFIC_S:
            self._ask_traffic()

    def _on_ticked(self) -> None:
        """Draw again what depends on the present, without asking."""
        if self.overview is None or not self.watch.is_seen:
            return
        self.dashboard.show_overview(self.overview)
        if self._traffic is not None and self._traffic.points:
            end = max(self._traffic.end, datetime.now(UTC))
            start = end - (self._traffic.end - self._traffic.start)
            points = tuple(point for point in self._traffic.points if point.at >= start)
            self._traffic = replace(self._traffic, start=start, end=end, points=points)
            self.dashboard.show_traffic(self._traffic)

    def _on_failed(self, failure: Failure) -> None:
        if not self._loaded:
            self.stages.show_failure(failure)
        else:
            self.overview = None  # what was true before is not drawn again
            self.dashboard.show_unknown(failure)

    def _on_entered(self) -> None:
        self._question.withdraw()  # an answer about platforms would lead back to the welcome
        self._is_new = False
        self.refresh()
