"""Axes whose units change with the range: speeds from B/s to GB/s, local times from seconds to years."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pyqtgraph

from app.views import formatting, style

_MINUTE_S = 60
_DAY_S = 24 * 60 * 60


class SpeedAxis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Bytes per second, labelled in one unit for the whole axis."""

    def __init__(self) -> None:
        super().__init__("left")
        self.enableAutoSIPrefix(enable=False)
        self.setWidth(style.AXIS_WIDTH)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002 - pyqtgraph calls with all of them
        """Return the labels of the ticks."""
        return [formatting.speed(value) if value > 0 else "0" for value in values]


class SizeAxis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Bytes."""

    def __init__(self) -> None:
        super().__init__("left")
        self.enableAutoSIPrefix(enable=False)
        self.setWidth(style.AXIS_WIDTH)

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002 - pyqtgraph calls with all of them
        """Return the labels of the ticks."""
        return [formatting.size(value) if value > 0 else "0" for value in values]


class CountAxis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Whole things: there is no half of a task."""

    def __init__(self) -> None:
        super().__init__("left")
        self.enableAutoSIPrefix(enable=False)
        self.setWidth(style.AXIS_WIDTH)

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Return round steps of at least one."""
        wanted = max(1.0, (maxVal - minVal) / max(2.0, size / 32))
        power = 10.0 ** math.floor(math.log10(wanted))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted)
        return [(step, 0.0)]

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002 - pyqtgraph calls with all of them
        """Return the labels of the ticks."""
        return [formatting.count(round(value)) for value in values]


class LocalTimeAxis(pyqtgraph.AxisItem):  # type: ignore[misc]
    """Moments as seconds since the epoch, labelled in local time as finely as their spacing asks for."""

    def __init__(self) -> None:
        super().__init__("bottom")
        self.enableAutoSIPrefix(enable=False)

    def tickSpacing(self, minVal: float, maxVal: float, size: float) -> list[tuple[float, float]]:
        """Return round steps of time: one labelled, none between."""
        wanted = (maxVal - minVal) / max(2.0, size / 110)
        steps: tuple[int, ...] = (5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200)
        days = tuple(_DAY_S * count for count in (1, 2, 7, 14, 30, 60, 91, 182, 365))
        step = next((step for step in (*steps, *days) if step >= wanted), _DAY_S * 365)
        return [(float(step), self._offset(minVal, step))]

    def _offset(self, at: float, step: int) -> float:
        """Steps of hours and days begin at local midnight."""
        local = datetime.fromtimestamp(max(0.0, at), UTC).astimezone().utcoffset() or timedelta()
        return -local.total_seconds() % step

    def tickStrings(self, values: list[float], scale: float, spacing: float) -> list[str]:  # noqa: ARG002 - pyqtgraph calls with all of them
        """Return the labels of the ticks."""
        if spacing >= 28 * _DAY_S:
            pattern = "%Y-%m"
        elif spacing >= _DAY_S:
            pattern = "%m-%d"
        elif spacing >= _MINUTE_S:
            pattern = "%H:%M"
        else:
            pattern = "%H:%M:%S"
        return [f"{_local(value):{pattern}}" for value in values]


def _local(seconds: float) -> datetime:
    return datetime.fromtimestamp(max(0.0, seconds), UTC).astimezone()


def style_axis(axis: Any, color: str, font: Any) -> None:  # noqa: ANN401 - pyqtgraph carries no types
    """Give an axis quiet labels and no line."""
    axis.setPen(None)
    axis.setTextPen(color)
    axis.setTickFont(font)
    axis.setStyle(tickLength=0, autoExpandTextSpace=True)
