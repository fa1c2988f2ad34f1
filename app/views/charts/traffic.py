"""Traffic over time: what was read from the host and written to the standby, as filled areas."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy
import pyqtgraph
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.views import formatting, style
from app.views.charts.axes import LocalTimeAxis, SpeedAxis, style_axis
from app.views.charts.ranges import fitted_range
from app.views.console import ThemeSwitch
from app.views.widgets.plain import Label, MarkupLabel

_FLOOR_BYTES_PER_S = 1_000_000.0
"""An idle chart shows a megabyte per second as its height, so that noise does not look like traffic."""


@dataclass(frozen=True, slots=True)
class TrafficSample:
    """Speeds in one slice of time that starts ``at`` (aware UTC); None where nothing was measured."""

    at: datetime
    read_bytes_per_s: float | None
    written_bytes_per_s: float | None


class TrafficChart(QWidget):
    """Two areas over time, with a read-out under the pointer; the wheel zooms time, a double click resets.

    It shows the part of the time in which something was measured, and without any data no axes. Thread: GUI.
    """

    def __init__(self, theme: ThemeSwitch, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._samples: Sequence[TrafficSample] = ()
        self._newest: TrafficSample | None = None
        self._times = numpy.zeros(0)
        self._range: tuple[datetime, datetime] | None = None
        self._build()
        theme.changed.connect(self._apply_colors)
        self._apply_colors()

    def _build(self) -> None:
        self._time_axis, self._speed_axis = LocalTimeAxis(), SpeedAxis()
        axes = {"bottom": self._time_axis, "left": self._speed_axis}
        # Without its menus, which are never shown and take longer to build than the rest.
        self.plot = pyqtgraph.PlotWidget(self, axisItems=axes, enableMenu=False)
        self.plot.hideButtons()
        self.plot.setMouseEnabled(x=True, y=False)
        self.plot.setAccessibleName(self.tr("Traffic chart"))
        self._read = self.plot.plot(connect="finite", fillLevel=0)
        self._written = self.plot.plot(connect="finite", fillLevel=0)
        self._cursor = pyqtgraph.InfiniteLine(angle=90, movable=False)
        self._cursor.hide()
        self.plot.addItem(self._cursor, ignoreBounds=True)
        self.plot.scene().sigMouseMoved.connect(self._on_mouse_moved)
        self.plot.scene().sigMouseClicked.connect(self._on_mouse_clicked)
        self._legend_read, self._legend_written = MarkupLabel(parent=self), MarkupLabel(parent=self)
        self._read_out = Label(self)
        self._read_out.setProperty("role", "secondary")
        self._read_out.setFont(style.tabular_font(style.SECONDARY_PX))
        legend = QHBoxLayout()
        legend.setContentsMargins(style.SPACE_L, 0, style.SPACE_L, 0)
        legend.setSpacing(style.SPACE_L)
        legend.addWidget(self._legend_read)
        legend.addWidget(self._legend_written)
        legend.addStretch(1)
        legend.addWidget(self._read_out)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, style.SPACE_S, 0, 0)
        layout.setSpacing(style.SPACE_XS)
        layout.addLayout(legend)
        layout.addWidget(self.plot, 1)
        self.setMinimumHeight(style.CHART_HEIGHT)

    def show_samples(self, samples: Sequence[TrafficSample], start: datetime, end: datetime) -> None:
        """Show samples of the time from ``start`` to ``end`` (aware UTC); missing ones between them are a gap."""
        self._samples = samples
        self._times = numpy.array([sample.at.timestamp() for sample in samples])
        read = _values(sample.read_bytes_per_s for sample in samples)
        written = _values(sample.written_bytes_per_s for sample in samples)
        self._read.setData(self._times, read)
        self._written.setData(self._times, written)
        highest = max(
            (float(numpy.nanmax(row)) for row in (read, written) if numpy.isfinite(row).any()), default=0
        )
        self.plot.setYRange(0, max(highest * 1.1, _FLOOR_BYTES_PER_S), padding=0)
        measured = [sample for sample in samples if sample.read_bytes_per_s is not None]
        self._range = fitted_range((sample.at for sample in measured), start, end)
        self.plot.setXRange(*(moment.timestamp() for moment in self._range), padding=0)
        for side in ("bottom", "left"):
            self.plot.showAxis(side, bool(measured))
        self.plot.showGrid(x=False, y=bool(measured), alpha=0.12)
        self._newest = measured[-1] if measured else None
        self._show_read_out(self._newest)

    @property
    def shown_range(self) -> tuple[datetime, datetime] | None:
        """Return the stretch of time that is shown; None before there is one."""
        return self._range

    def _show_read_out(self, sample: TrafficSample | None) -> None:
        if sample is None:
            self._read_out.setText(self.tr("No traffic in this time"))
            return
        moment = sample.at.astimezone()
        self._read_out.setText(
            self.tr("{time}   read {read}   written {written}").format(
                time=f"{moment:%Y-%m-%d %H:%M:%S}",
                read=formatting.speed(sample.read_bytes_per_s),
                written=formatting.speed(sample.written_bytes_per_s),
            )
        )

    def _on_mouse_moved(self, position: QPointF) -> None:
        box = self.plot.getPlotItem().vb
        inside = bool(len(self._times)) and box.sceneBoundingRect().contains(position)
        self._cursor.setVisible(inside)
        if not inside:
            self._show_read_out(self._newest)
            return
        seconds = box.mapSceneToView(position).x()
        place = int(numpy.abs(self._times - seconds).argmin())
        self._cursor.setPos(self._times[place])
        self._show_read_out(self._samples[place])

    def _on_mouse_clicked(self, event: object) -> None:
        if getattr(event, "double", lambda: False)() and self._range is not None:
            start, end = self._range
            self.plot.setXRange(start.timestamp(), end.timestamp(), padding=0)

    def _apply_colors(self) -> None:
        colors = self._theme.colors
        self.plot.setBackground(colors.surface)
        font = style.tabular_font(style.SECONDARY_PX)
        for axis in (self._time_axis, self._speed_axis):
            style_axis(axis, colors.secondary, font)
        has_data = any(sample.read_bytes_per_s is not None for sample in self._samples)
        self.plot.showGrid(x=False, y=has_data, alpha=0.12)
        self._cursor.setPen(pyqtgraph.mkPen(colors.disabled, width=1, style=Qt.PenStyle.DashLine))
        for curve, color in ((self._read, colors.series[0]), (self._written, colors.series[1])):
            ground = QColor(color)
            ground.setAlphaF(0.18)
            curve.setPen(pyqtgraph.mkPen(color, width=1.5))
            curve.setFillBrush(ground)
        dot = '<span style="color:{color}">■</span> {text}'
        self._legend_read.setText(dot.format(color=colors.series[0], text=self.tr("Read from the host")))
        self._legend_written.setText(dot.format(color=colors.series[1], text=self.tr("Written to the standby")))


def _values(speeds: Iterable[float | None]) -> "numpy.ndarray[tuple[int, ...], numpy.dtype[numpy.float64]]":
    return numpy.array([numpy.nan if speed is None else speed for speed in speeds], dtype=numpy.float64)
