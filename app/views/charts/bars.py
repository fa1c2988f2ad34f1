"""Bars per day: successes and failures stacked, or amounts of data."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import pyqtgraph
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.views import formatting, style
from app.views.charts.axes import CountAxis, LocalTimeAxis, SizeAxis, style_axis
from app.views.charts.ranges import fitted_days
from app.views.console import ThemeSwitch
from app.views.widgets.plain import Label

_DAY_S = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class DayBar:
    """One local day: how many runs succeeded and failed, and how much they read."""

    day: date
    succeeded: int
    failed: int
    read_bytes: int = 0


def _noon(day: date) -> float:
    return datetime.combine(day, time(12)).astimezone(UTC).timestamp()


class _DayChart(QWidget):
    """Base of both charts. Thread: GUI."""

    def __init__(self, theme: ThemeSwitch, left_axis: object, parent: QWidget | None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bars: dict[date, DayBar] = {}
        self._time_axis, self._left_axis = LocalTimeAxis(), left_axis
        axes = {"bottom": self._time_axis, "left": left_axis}
        self.plot = pyqtgraph.PlotWidget(self, axisItems=axes, enableMenu=False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self._read_out = Label(self)
        self._read_out.setProperty("role", "secondary")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(style.SPACE_XS)
        layout.addWidget(self._read_out)
        layout.addWidget(self.plot, 1)
        self.setMinimumHeight(style.CHART_HEIGHT)
        theme.changed.connect(self._redraw)
        self._redraw()

    def show_days(self, bars: Sequence[DayBar], last_day: date, days: int) -> None:
        """Show the days that end with ``last_day`` and hold data, at most ``days``; without data, no axes."""
        self._bars = {bar.day: bar for bar in bars if bar.succeeded or bar.failed or bar.read_bytes}
        shown = fitted_days(self._bars, last_day, days)
        first = last_day - timedelta(days=shown - 1)
        for side in ("bottom", "left"):
            self.plot.showAxis(side, bool(self._bars))
        self.plot.setXRange(_noon(first) - _DAY_S * 0.6, _noon(last_day) + _DAY_S * 0.6, padding=0)
        self._read_out.setText("" if self._bars else self.tr("No runs in this time"))
        self._redraw()

    def _redraw(self) -> None:
        colors = self._theme.colors
        self.plot.setBackground(colors.surface)
        self.plot.clear()
        font = style.tabular_font(style.SECONDARY_PX)
        for axis in (self._time_axis, self._left_axis):
            style_axis(axis, colors.secondary, font)
        self.plot.showGrid(x=False, y=bool(self._bars), alpha=0.12)
        self._draw()

    def _draw(self) -> None:
        raise NotImplementedError

    def _add(self, heights: Sequence[float], bottoms: Sequence[float], color: str) -> None:
        x = [_noon(day) for day in self._bars]
        bars = pyqtgraph.BarGraphItem(
            x=x, height=list(heights), y0=list(bottoms), width=_DAY_S * 0.7, brush=color, pen=None
        )
        self.plot.addItem(bars)

    def _on_mouse_moved(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        seconds = box.mapSceneToView(position).x()
        local = datetime.fromtimestamp(max(0.0, seconds), UTC).astimezone()
        bar = self._bars.get(local.date())
        if self._bars:
            self._read_out.setText(self._describe(bar) if bar else "")

    def _describe(self, bar: DayBar) -> str:
        raise NotImplementedError


class ResultBars(_DayChart):
    """Successes and failures per day, stacked."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(theme, CountAxis(), parent)

    def _draw(self) -> None:
        good = [float(bar.succeeded) for bar in self._bars.values()]
        bad = [float(bar.failed) for bar in self._bars.values()]
        self._add(good, [0.0] * len(good), self._theme.colors.completed)
        self._add(bad, good, self._theme.colors.failed)
        highest = max((succeeded + failed for succeeded, failed in zip(good, bad, strict=True)), default=0)
        self.plot.setYRange(0, max(highest * 1.15, 4), padding=0)

    def _describe(self, bar: DayBar) -> str:
        text = self.tr("{day}   succeeded {succeeded}   failed {failed}")
        return text.format(day=bar.day.isoformat(), succeeded=bar.succeeded, failed=bar.failed)


class DataBars(_DayChart):
    """Data backed up per day."""

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(theme, SizeAxis(), parent)

    def _draw(self) -> None:
        sizes = [float(bar.read_bytes) for bar in self._bars.values()]
        self._add(sizes, [0.0] * len(sizes), self._theme.colors.series[0])
        self.plot.setYRange(0, max(max(sizes, default=0) * 1.15, 1_000_000), padding=0)

    def _describe(self, bar: DayBar) -> str:
        return self.tr("{day}   {size}").format(day=bar.day.isoformat(), size=formatting.size(bar.read_bytes))
