"""The list of instant recoveries: what it shows, when it asks, and what is done with a row."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.contract.errors import EngineAway
from app.contract.instant import (
    ListInstantRecoveries,
)
from app.domain.changes import Subject
from app.views.console import Console
from app.views.restore.instant.dialog import InstantDialog
from app.views.restore.instant.feed import InstantFeed
from app.views.restore.instant.words import days_text
from app.views.restore.page import RestorePage
from tests.gui.operator import settle
from tests.gui.restore.instant.recoveries import ROWS, recovery

# --- the list --------------------------------------------------------------------------------------------------
from tests.gui.restore.instant.steps import RUNNING, SERVED, STOPPED, Recoveries, cell, listed


def test_a_row_tells_state_place_and_figures(page: RestorePage) -> None:
    listed(page, *ROWS)
    keys = ("name", "state", "vm", "rule", "platform", "host", "operations", "bandwidth", "overlay", "days")
    assert [cell(page, 0, key) for key in keys] == [
        *("web-01-instant", "Running", "web-01", "Production", "vc-1", "esx01.lab", "960"),
        *("36.2 MB/s", "2.41 GB", "41 days"),
    ]
    states = [cell(page, at, "state") for at in range(len(ROWS))]
    assert states == ["Running", "Migrating 37%", "Running", "Stopped", "Creating VM", "Preparing", "Unknown"]
    assert [cell(page, 3, key) for key in ("operations", "bandwidth", "days")] == ["—", "—", "—"]


@pytest.mark.parametrize(
    ("days", "text"), [(None, "—"), (0.25, "6 h"), (41.2, "41 days"), (1.0, "24 h"), (900.0, "> 1 year")]
)
def test_how_long_a_standby_lasts_is_told_roughly(days: float | None, text: str) -> None:
    assert days_text(days) == text


def test_an_empty_list_offers_to_start_one(
    qtbot: QtBot, console: Console, page: RestorePage, recoveries: Recoveries
) -> None:
    recoveries.rows = []
    recoveries.door.change(Subject.INSTANT)
    qtbot.waitUntil(lambda: page.instant.stages.currentIndex() == 2)
    page.instant.stages.create_wanted.emit()
    assert len(page.findChildren(InstantDialog)) == 1


def test_a_list_that_cannot_be_had_says_why(qtbot: QtBot, console: Console, recoveries: Recoveries) -> None:
    recoveries.door.answer(ListInstantRecoveries, EngineAway(detail="gone"))
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(("instant",))
    qtbot.waitUntil(lambda: page.instant.stages.currentIndex() == 3)
    page.leave()


def test_a_change_is_shown_and_the_selection_stays(
    qtbot: QtBot, page: RestorePage, recoveries: Recoveries
) -> None:
    page.instant.table.select(STOPPED.id)
    recoveries.rows = [recovery("new-01"), RUNNING, STOPPED]
    recoveries.door.change(Subject.INSTANT, "recovery-new-01")
    qtbot.waitUntil(lambda: len(page.instant.table.rows.rows) == 3)
    assert page.instant.chosen == STOPPED


def test_the_filter_finds_a_recovery(page: RestorePage) -> None:
    page.toolbar.filter_changed.emit("files")
    assert [row.name for row in page.instant.table.shown_rows()] == ["files-01-instant"]
    assert page.toolbar.filter.isVisible()


# --- when it asks ----------------------------------------------------------------------------------------------


@pytest.fixture
def feed(qtbot: QtBot, page: RestorePage, console: Console, recoveries: Recoveries) -> Iterator[InstantFeed]:
    """A feed of the list that samples a hundred times a second."""
    page.instant.feed.leave()
    recoveries.rows = [SERVED, STOPPED]
    feed = InstantFeed(console, page.instant, sample_ms=10)
    feed.begin()
    qtbot.waitUntil(lambda: bool(feed.rows))
    yield feed
    feed.leave()


def stays_quiet(qtbot: QtBot, console: Console, recoveries: Recoveries) -> bool:
    settle(qtbot, console)
    before = recoveries.asked
    qtbot.wait(80)
    return recoveries.asked == before


def test_figures_are_sampled_while_something_is_served(
    qtbot: QtBot, feed: InstantFeed, recoveries: Recoveries
) -> None:
    before = recoveries.asked
    qtbot.waitUntil(lambda: recoveries.asked >= before + 3)


def test_nothing_is_sampled_while_nothing_is_served(
    qtbot: QtBot, console: Console, feed: InstantFeed, recoveries: Recoveries
) -> None:
    recoveries.rows = [STOPPED]
    recoveries.door.change(Subject.INSTANT)
    qtbot.waitUntil(lambda: feed.rows == (STOPPED,))
    qtbot.wait(30)
    assert stays_quiet(qtbot, console, recoveries)


def test_nothing_is_sampled_while_it_is_not_seen(
    qtbot: QtBot, console: Console, page: RestorePage, feed: InstantFeed, recoveries: Recoveries
) -> None:
    page.hide()
    qtbot.wait(30)
    assert stays_quiet(qtbot, console, recoveries)
    before = recoveries.asked
    page.show()
    feed.see()
    qtbot.waitUntil(lambda: recoveries.asked >= before + 3)


def test_nothing_is_asked_on_another_list_or_page(
    qtbot: QtBot, console: Console, page: RestorePage, recoveries: Recoveries
) -> None:
    page.tabs.setCurrentIndex(0)
    recoveries.door.change(Subject.INSTANT)
    assert stays_quiet(qtbot, console, recoveries)
    page.tabs.setCurrentIndex(1)
    qtbot.waitUntil(lambda: recoveries.asked > 1)
    page.leave()
    recoveries.door.change(Subject.INSTANT)
    assert stays_quiet(qtbot, console, recoveries)
