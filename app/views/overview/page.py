"""The overview page."""

import time

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QStackedWidget

from app.contract.overview import Overview, ReadOverview
from app.contract.platforms import ListPlatforms
from app.contract.statistics import ReadTraffic, Traffic, TrafficRange
from app.domain.ids import TaskId
from app.domain.platforms import Platform
from app.models.speeds import SpeedMeter
from app.views.console import Console
from app.views.icons import Glyph
from app.views.overview.dashboard import Dashboard
from app.views.overview.welcome import Welcome
from app.views.page import Page
from app.views.program import Program
from app.views.widgets.stages import Stages
from app.workers.answers import Failure

_FRESH_MS = 1000


class OverviewPage(Page):
    """Shows whether all VMs are protected, or how to begin. Thread: GUI."""

    key = "overview"
    glyph = Glyph.OVERVIEW

    def __init__(self, console: Console, program: Program) -> None:
        super().__init__(console)
        self._asking = False
        self._asking_traffic = False
        self._loaded = False
        self._is_new = True
        self._speeds = SpeedMeter()
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
        self._timer = QTimer(self)
        self._timer.setInterval(_FRESH_MS)
        self._timer.timeout.connect(self.refresh)

    def title(self) -> str:
        """Return the page's name."""
        return self.tr("Overview")

    def help_text(self) -> str:
        """Return what F1 shows."""
        return self.tr(
            "<p>Are we safe? The first line answers; what failed or is overdue stands below it, with the reason. "
            "A click on a line leads to the task or the rule.</p>"
            "<p><b>Protection</b> counts the VMs of all platforms that are in a rule. <b>Overdue</b> is a VM "
            "whose newest restore point is older than its policy wants. <b>Room</b> shows how "
            "full the standbys are.</p>"
            "<p><b>Ctrl+K</b> searches rules, VMs, restore points and tasks from everywhere.</p>"
        )

    def open(self, path: tuple[str, ...]) -> None:
        """Show the state and keep it fresh."""
        del path
        self._timer.start()
        self.refresh()

    def leave(self) -> None:
        """Stop asking."""
        self._timer.stop()

    def refresh(self) -> None:
        """Ask again, unless an answer is on its way."""
        if self._asking:
            return
        self._asking = True
        if not self._loaded:
            self.stages.show_loading()
        door = self.console.door
        if self._is_new:
            door.ask(ListPlatforms(), owner=self, on_done=self._on_platforms, on_failed=self._on_failed)
        else:
            door.ask(ReadOverview(), owner=self, on_done=self._on_overview, on_failed=self._on_failed)
            self._ask_traffic()

    def _ask_traffic(self) -> None:
        if self._asking_traffic:
            return
        self._asking_traffic = True
        query = ReadTraffic(range=TrafficRange.LIVE)
        self.console.door.ask(query, owner=self, on_done=self._on_traffic, on_failed=self._on_no_traffic)

    def _on_traffic(self, traffic: Traffic) -> None:
        self._asking_traffic = False
        self.dashboard.show_traffic(traffic)

    def _on_no_traffic(self, _failure: Failure) -> None:
        self._asking_traffic = False

    def _on_platforms(self, platforms: tuple[Platform, ...]) -> None:
        self._asking = False
        self._is_new = not platforms
        if platforms:
            self.refresh()
            return
        self._loaded = True
        self._halves.setCurrentWidget(self.welcome)
        self.stages.show_content()

    def _on_overview(self, overview: Overview) -> None:
        self._asking, self._loaded = False, True
        now_s = time.monotonic()
        speeds: dict[TaskId, float | None] = {
            row.id: self._speeds.note(row.id, row.progress.done_bytes, now_s) for row in overview.running
        }
        self._speeds.keep_only(speeds)
        self.dashboard.show_overview(overview, speeds)
        self._halves.setCurrentWidget(self.dashboard)
        self.stages.show_content()

    def _on_failed(self, failure: Failure) -> None:
        self._asking = False
        if not self._loaded:
            self.stages.show_failure(failure)
        else:
            self.dashboard.show_unknown(failure)

    def _on_entered(self) -> None:
        self._is_new = False
        self.refresh()
