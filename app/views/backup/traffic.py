"""The detail panel below a rule's VMs: why the last run failed, and 实时流量图, 日流量图, 历史流量图."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.contract.errors import ErrorRow
from app.contract.rules import RuleVmRow
from app.contract.statistics import ReadTraffic, Traffic, TrafficPoint, TrafficRange
from app.contract.tasks import TasksProgress
from app.views import style
from app.views.charts.traffic import TrafficChart, TrafficSample
from app.views.console import Console
from app.views.frame.freshness import Interest, Pace, Watch
from app.views.widgets.banner import Banner
from app.views.widgets.choice_bar import ChoiceBar
from app.views.widgets.plain import Label
from app.views.widgets.question import Question
from app.views.words import row_error_details, row_error_hint, row_error_message
from app.workers.answers import Failure

LIVE_SPAN: Final = timedelta(minutes=10)
_LAST_LOOKS: Final = 3
"""So often the live chart is asked for after the VM's task has ended: its last second may come late."""


def with_gaps(points: Sequence[TrafficPoint], slice_s: int, end: datetime) -> list[TrafficSample]:
    """Return the samples of a chart that reaches to ``end``: a slice holds its width, missing ones are gaps."""
    width = timedelta(seconds=slice_s)
    samples: list[TrafficSample] = []
    for place, point in enumerate(points):
        samples.append(TrafficSample(point.at, point.read_bytes_per_s, point.written_bytes_per_s))
        following = points[place + 1].at if place + 1 < len(points) else end - width
        if following - point.at > 1.5 * width:
            stop = point.at + width
            samples.append(TrafficSample(stop, point.read_bytes_per_s, point.written_bytes_per_s))
            samples.append(TrafficSample(stop, None, None))
    return samples


class TrafficPanel(QWidget):
    """The traffic of one VM, and why it failed. Asks only while it is awake, live only while the VM's task runs.

    Thread: GUI.
    """

    def __init__(self, console: Console, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._console = console
        self._row: RuleVmRow | None = None
        self._points: list[TrafficPoint] = []
        self._slice_s = 1
        self._is_loaded = False
        self._is_awake = False
        self._question = Question(console.door, self)
        self._error: ErrorRow | None = None
        self._looks_left = 0
        self.watch = Watch(console.fresh, self, Interest(pace=Pace.SECOND, asks_in_outage=True))
        self.watch.changed.connect(self._on_changed)
        self.watch.sampled.connect(self._on_sampled)
        console.fresh.ticked.connect(self._on_ticked)
        self._build()

    def _build(self) -> None:
        self.setObjectName("detail")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._name = Label(self)
        self._name.setProperty("role", "title")
        self.ranges: ChoiceBar[TrafficRange] = ChoiceBar(
            self.tr("Range of the chart"),
            (
                (TrafficRange.LIVE, self.tr("Live")),
                (TrafficRange.DAY, self.tr("Day")),
                (TrafficRange.HISTORY, self.tr("History")),
            ),
            TrafficRange.LIVE,
            self,
        )
        self.ranges.chosen.connect(self._on_range)
        self.failure = Banner(self)
        self.chart = TrafficChart(self._console.theme, self)
        top = QHBoxLayout()
        top.setContentsMargins(style.SPACE_L, style.SPACE_S, style.SPACE_L, 0)
        top.addWidget(self._name)
        top.addStretch(1)
        top.addWidget(self.ranges)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_XS)
        layout.addLayout(top)
        reason = QVBoxLayout()
        reason.setContentsMargins(style.SPACE_L, style.SPACE_XS, style.SPACE_L, style.SPACE_XS)
        reason.addWidget(self.failure)
        layout.addLayout(reason)
        layout.addWidget(self.chart, 1)

    # --- what is shown ----------------------------------------------------------------------------------------

    @property
    def points(self) -> Sequence[TrafficPoint]:
        """Return the points of the chart."""
        return tuple(self._points)

    def show_vm(self, row: RuleVmRow | None) -> None:
        """Show a VM of a rule; the same one again only brings its failure up to date."""
        before = self._row
        self._row = row
        self._show_failure(row.error if row is not None else None)
        if row is None or (before is not None and (before.rule, before.vm) == (row.rule, row.vm)):
            return
        self._name.setText(row.name)
        self._begin()

    def _show_failure(self, error: ErrorRow | None) -> None:
        if error == self._error:
            return
        self._error = error
        if error is None:
            self.failure.hide()
        else:
            self.failure.show_problem(row_error_message(error), row_error_hint(error), row_error_details(error))

    def showEvent(self, event: QShowEvent) -> None:
        """Catch up with what has changed while this was not seen."""
        super().showEvent(event)
        self.watch.see()

    def wake(self) -> None:
        """Keep the chart up to date from now on."""
        self._is_awake = True
        self.watch.begin()
        self._begin()

    def sleep(self) -> None:
        """Stop asking."""
        self._is_awake = False
        self.watch.end()
        self._question.withdraw()

    def _begin(self) -> None:
        self._points, self._is_loaded = [], False
        self._question.withdraw()
        if not self._is_awake or self._row is None:
            return
        self._ask()

    def _on_range(self) -> None:
        self._begin()

    # --- asking -----------------------------------------------------------------------------------------------

    def _on_changed(self, _keys: object) -> None:
        self._ask()

    def _on_sampled(self, running: TasksProgress) -> None:
        row = self._row
        if row is None or self.ranges.value is not TrafficRange.LIVE:
            return
        if any((sample.rule, sample.vm) == (row.rule, row.vm) for sample in running.tasks):
            self._looks_left = _LAST_LOOKS
        elif self._looks_left:
            self._looks_left -= 1
        else:
            return
        self._ask()

    def _on_ticked(self) -> None:
        """Move the live chart on while there is anything to see in it."""
        if self.watch.is_seen and self._points and self.ranges.value is TrafficRange.LIVE:
            self._draw(self._slice_s, datetime.now(UTC) - LIVE_SPAN, datetime.now(UTC))

    def _ask(self) -> None:
        row = self._row
        if row is None or self._question.is_open:
            return
        chosen = self.ranges.value
        is_live = chosen is TrafficRange.LIVE
        since = self._points[-1].at if is_live and self._is_loaded and self._points else None
        query = ReadTraffic(range=chosen, rule=row.rule, vm=row.vm, since=since)
        self._question.ask(query, partial(self._on_traffic, is_more=since is not None), self._on_no_traffic)

    def _on_no_traffic(self, _failure: Failure) -> None:
        """The next sample asks again; the chart keeps what it has."""

    def _on_traffic(self, traffic: Traffic, *, is_more: bool) -> None:
        self._is_loaded = True
        start = traffic.start
        if self.ranges.value is TrafficRange.LIVE:
            start = traffic.end - LIVE_SPAN
        known = self._points if is_more else []
        last: datetime | None = known[-1].at if known else None
        fresh = [point for point in traffic.points if last is None or point.at > last]
        self._points = [*known, *fresh]
        self._slice_s = traffic.slice_s
        self._draw(traffic.slice_s, start, traffic.end)

    def _draw(self, slice_s: int, start: datetime, end: datetime) -> None:
        self._points = [point for point in self._points if point.at >= start]
        self.chart.show_samples(with_gaps(self._points, slice_s, end), start, end)
