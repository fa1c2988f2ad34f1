from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.views.charts.bars import DataBars, DayBar, ResultBars
from app.views.charts.ranges import fitted_range
from app.views.charts.ring import Ring, Share, slice_degrees
from app.views.charts.traffic import TrafficChart, TrafficSample
from app.views.console import ThemeSwitch
from app.views.frame.memory import Memory

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def theme(qapp: QApplication, tmp_path: Path) -> ThemeSwitch:
    return ThemeSwitch(qapp, Memory(tmp_path / "window.ini"))


def texts(widget: ResultBars | TrafficChart) -> str:
    return " ".join(label.text() for label in widget.findChildren(QLabel))


@given(st.lists(st.floats(0, 1e12), max_size=8))
def test_every_slice_that_exists_is_seen_and_all_make_a_circle(amounts: list[float]) -> None:
    angles = slice_degrees(amounts)
    assert len(angles) == len(amounts)
    if sum(amounts) > 0:
        assert sum(angles) == pytest.approx(360)
        assert all(
            angle > 0 for angle, amount in zip(angles, amounts, strict=True) if 360 * amount / sum(amounts) > 0
        )
    else:
        assert not any(angles)


def test_the_chart_shows_the_newest_speeds_and_keeps_gaps(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = TrafficChart(theme)
    qtbot.addWidget(chart)
    samples = [
        TrafficSample(NOW - timedelta(seconds=3), 312_000_000.0, 118_000_000.0),
        TrafficSample(NOW - timedelta(seconds=2), None, None),
        TrafficSample(NOW - timedelta(seconds=1), 1_250_000_000.0, 2_000.0),
    ]
    chart.show_samples(samples, NOW - timedelta(minutes=10), NOW)
    assert "1.25 GB/s" in texts(chart)
    assert "2.00 kB/s" in texts(chart)
    chart.show_samples([], NOW - timedelta(minutes=10), NOW)
    assert "No traffic in this time" in texts(chart)


def test_the_newest_speeds_are_shown_again_when_the_pointer_leaves(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = TrafficChart(theme)
    qtbot.addWidget(chart)
    samples = [TrafficSample(NOW - timedelta(seconds=9), 312_000_000.0, 2_000.0), TrafficSample(NOW, None, None)]
    chart.show_samples(samples, NOW - timedelta(minutes=10), NOW)
    reported = texts(chart)
    assert "312 MB/s" in reported
    chart.plot.scene().sigMouseMoved.emit(QPointF(-1, -1))
    assert texts(chart) == reported


def test_the_ring_says_in_words_what_it_shows(qtbot: QtBot, theme: ThemeSwitch) -> None:
    ring = Ring(theme)
    qtbot.addWidget(ring)
    ring.show_shares(
        [Share("Succeeded", 7, "7", "completed"), Share("Failed", 1, "1", "failed")], "88%", "Success"
    )
    assert ring.accessibleName() == "Success 88%: Succeeded 7, Failed 1"
    ring.show()
    image = ring.grab().toImage()
    colors = {image.pixelColor(x, y).name() for x in range(image.width()) for y in range(0, image.height(), 4)}
    assert {theme.colors.failed, theme.colors.completed} <= colors


def test_bars_describe_the_day_under_the_pointer(qtbot: QtBot, theme: ThemeSwitch) -> None:
    bar = DayBar(date(2026, 11, 22), succeeded=5, failed=1, read_bytes=40_000_000_000)
    results, data = ResultBars(theme), DataBars(theme)
    for chart in (results, data):
        qtbot.addWidget(chart)
        chart.resize(600, 200)
        chart.show()
        chart.show_days([bar], bar.day, 7)
        box = chart.plot.getPlotItem().vb
        noon = datetime(2026, 11, 22, 12).astimezone().timestamp()
        chart.plot.scene().sigMouseMoved.emit(box.mapViewToScene(type(box.mapSceneToView(box.pos()))(noon, 0)))
    assert "2026-11-22   succeeded 5   failed 1" in texts(results)
    assert "40.0 GB" in data.findChildren(QLabel)[0].text()


# --- what stretch of time is shown -----------------------------------------------------------------------------


def traffic_of(*ages: timedelta) -> list[TrafficSample]:
    return [TrafficSample(NOW - age, 5_000_000.0, 1_000_000.0) for age in sorted(ages, reverse=True)]


def shown_hours(chart: TrafficChart | ResultBars) -> float:
    (left, right), _ = chart.plot.getPlotItem().vb.viewRange()
    return float(right - left) / 3600


def test_a_history_of_hours_fills_the_chart_of_months(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = TrafficChart(theme)
    qtbot.addWidget(chart)
    samples = traffic_of(*(timedelta(hours=hour) for hour in range(20, 92)))
    chart.show_samples(samples, NOW - timedelta(days=90), NOW)
    assert 70 < shown_hours(chart) < 90
    assert chart.shown_range is not None
    first, last = chart.shown_range
    assert first <= samples[0].at
    assert last >= samples[-1].at


def test_a_single_run_is_seen_in_the_chart_of_a_day(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = TrafficChart(theme)
    qtbot.addWidget(chart)
    chart.show_samples(traffic_of(timedelta(hours=7)), NOW - timedelta(days=1), NOW)
    assert 0.4 < shown_hours(chart) < 1


def test_the_live_window_stays_ten_minutes(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = TrafficChart(theme)
    qtbot.addWidget(chart)
    chart.show_samples(traffic_of(timedelta(seconds=3)), NOW - timedelta(minutes=10), NOW)
    assert shown_hours(chart) == pytest.approx(1 / 6)


def test_without_data_there_are_no_axes(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart, bars = TrafficChart(theme), ResultBars(theme)
    for plotted in (chart, bars):
        qtbot.addWidget(plotted)
        plotted.resize(600, 200)
        plotted.show()
    gap = [TrafficSample(NOW - timedelta(hours=3), None, None)]
    for samples in ([], gap):
        chart.show_samples(samples, NOW - timedelta(days=1), NOW)
        assert not any(chart.plot.getAxis(side).isVisible() for side in ("left", "bottom"))
        assert "No traffic in this time" in texts(chart)
    chart.show_samples(traffic_of(timedelta(hours=3)), NOW - timedelta(days=1), NOW)
    assert all(chart.plot.getAxis(side).isVisible() for side in ("left", "bottom"))
    bars.show_days([], date(2026, 11, 22), 30)
    assert not any(bars.plot.getAxis(side).isVisible() for side in ("left", "bottom"))
    assert "No runs in this time" in texts(bars)


def test_bars_begin_where_the_data_does(qtbot: QtBot, theme: ThemeSwitch) -> None:
    chart = ResultBars(theme)
    qtbot.addWidget(chart)
    today = date(2026, 11, 22)
    idle = [DayBar(today - timedelta(days=age), 0, 0) for age in range(20, 365)]
    chart.show_days([*idle, DayBar(today - timedelta(days=9), succeeded=2, failed=0)], today, 365)
    assert 10 * 24 <= shown_hours(chart) < 12 * 24


@given(
    st.lists(st.integers(-100, 3000), max_size=30),
    st.integers(11, 2500),
)
def test_the_fitted_range_holds_all_data_and_stays_inside(minutes: list[int], span: int) -> None:
    start, end = NOW - timedelta(minutes=span), NOW
    moments = [NOW - timedelta(minutes=minute) for minute in minutes]
    first, last = fitted_range(moments, start, end)
    assert start <= first < last <= end
    assert all(first <= moment <= last for moment in moments if start <= moment <= end)
    if not any(start <= moment <= end for moment in moments):
        assert (first, last) == (start, end)
