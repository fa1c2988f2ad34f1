"""The list of migrations: what it shows, and when it asks."""

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from app.contract.errors import EngineAway
from app.contract.migration import ListMigrations, MigrationRow
from app.domain.changes import Subject
from app.domain.migration import MigrationState
from app.views.console import Console
from app.views.frame.freshness import CALM_MS
from app.views.migration.dialog import MigrationDialog
from app.views.migration.page import MigrationPage
from app.views.migration.words import migration_pill, state_tip
from app.views.widgets.pill import Tone
from tests.gui.migration.migrations import ROWS, WAITING, migration
from tests.gui.migration.steps import DONE, READY, STOPPED, Migrations, cell
from tests.gui.operator import settle


@pytest.fixture
def all_rows(qtbot: QtBot, page: MigrationPage, migrations: Migrations) -> MigrationPage:
    migrations.rows = list(ROWS)
    migrations.door.change(Subject.MIGRATION)
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == len(ROWS))
    return page


def test_a_row_tells_state_platforms_and_figures(all_rows: MigrationPage) -> None:
    keys = ("name", "state", "vm", "platform", "target", "rest", "change", "copy", "cut_over", "passes", "ended")
    assert [cell(all_rows, 0, key) for key in keys] == [
        *("web-01", "Ready", "web-01", "vc-1", "vc-2", "52.0 MB", "1.30 MB/s", "212 MB/s", "3 min", "4", "—"),
    ]
    assert [cell(all_rows, 4, key) for key in keys[5:10]] == ["—", "—", "—", "—", "0"]
    assert cell(all_rows, 8, "ended") != "—"


def test_states_have_the_words_of_the_product(all_rows: MigrationPage) -> None:
    assert [cell(all_rows, at, "state") for at in range(len(ROWS))] == [
        *("Ready", "Migrating 37%", "Cutting over 37%", "Stopped", "Preparing", "Pending", "Unknown", "Failed"),
        "Completed",
    ]


def test_one_that_waits_is_pending_also_when_it_is_ready() -> None:
    assert migration_pill(WAITING).tone is Tone.PENDING
    assert migration_pill(replace(READY, is_waiting=True)).text == "Ready, pending"


def test_the_tip_of_a_state_says_what_failed_and_what_to_do() -> None:
    failed = migration("web-02", MigrationState.FAILED)
    assert state_tip(failed) == "vc-1.example.com cannot be reached: timed out\nCheck the network."
    assert "until the cut-over" in (state_tip(READY) or "")
    assert state_tip(STOPPED) is None


def test_an_empty_list_offers_to_start_one(
    qtbot: QtBot, console: Console, page: MigrationPage, migrations: Migrations
) -> None:
    migrations.rows = []
    migrations.door.change(Subject.MIGRATION)
    qtbot.waitUntil(lambda: page.stages.currentIndex() == 2)
    page.stages.create_wanted.emit()
    assert len(page.findChildren(MigrationDialog)) == 1
    settle(qtbot, console)


def test_a_list_that_cannot_be_had_says_why(qtbot: QtBot, console: Console, migrations: Migrations) -> None:
    migrations.door.answer(ListMigrations, EngineAway(detail="gone"))
    page = MigrationPage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: page.stages.currentIndex() == 3)
    page.leave()


def test_a_change_is_shown_and_the_selection_stays(
    qtbot: QtBot, page: MigrationPage, migrations: Migrations
) -> None:
    page.table.select(DONE.id)
    migrations.rows = [migration("new-01", MigrationState.STOPPED), STOPPED, DONE]
    migrations.door.change(Subject.MIGRATION, "migration-new-01")
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 3)
    assert tuple(page.chosen_rows()) == (DONE,)


def test_an_address_selects_a_migration_or_opens_the_dialog(
    qtbot: QtBot, console: Console, page: MigrationPage
) -> None:
    page.open((DONE.id,))
    settle(qtbot, console)
    assert tuple(page.chosen_rows()) == (DONE,)
    page.open(("new",))
    assert len(page.findChildren(MigrationDialog)) == 1
    settle(qtbot, console)


# --- when it asks ----------------------------------------------------------------------------------------------


def stays_quiet(qtbot: QtBot, console: Console, migrations: Migrations) -> bool:
    qtbot.wait(CALM_MS + 50)  # until what was announced at once with something else is asked for
    settle(qtbot, console)
    before = migrations.asked
    qtbot.wait(80)
    return migrations.asked == before


def show_moving(qtbot: QtBot, page: MigrationPage, migrations: Migrations) -> None:
    migrations.rows = [migration("db-01", MigrationState.MIGRATING)]
    migrations.door.change(Subject.MIGRATION)
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 1)


def test_figures_are_sampled_while_something_is_copied(
    qtbot: QtBot, page: MigrationPage, migrations: Migrations
) -> None:
    show_moving(qtbot, page, migrations)
    before = migrations.asked
    qtbot.waitUntil(lambda: migrations.asked >= before + 3)


@pytest.mark.parametrize("row", [STOPPED, DONE, WAITING], ids=lambda row: row.state.value)
def test_nothing_is_sampled_while_nothing_moves(
    qtbot: QtBot, console: Console, page: MigrationPage, migrations: Migrations, row: MigrationRow
) -> None:
    show_moving(qtbot, page, migrations)
    migrations.rows = [row]
    migrations.door.change(Subject.MIGRATION)
    qtbot.waitUntil(lambda: tuple(page.table.rows.rows) == (row,))
    assert stays_quiet(qtbot, console, migrations)


def test_nothing_is_sampled_while_the_page_is_not_seen(
    qtbot: QtBot, console: Console, page: MigrationPage, migrations: Migrations
) -> None:
    show_moving(qtbot, page, migrations)
    page.hide()
    assert stays_quiet(qtbot, console, migrations)
    before = migrations.asked
    page.show()
    qtbot.waitUntil(lambda: migrations.asked >= before + 3)
    page.leave()
    assert stays_quiet(qtbot, console, migrations)


def test_sampling_goes_on_after_an_outage(qtbot: QtBot, page: MigrationPage, migrations: Migrations) -> None:
    show_moving(qtbot, page, migrations)
    migrations.door.answer(ListMigrations, EngineAway(detail="gone"))
    before = migrations.asked
    qtbot.waitUntil(lambda: migrations.asked >= before + 2)
    assert page.stages.currentIndex() != 3
