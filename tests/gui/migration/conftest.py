"""The page of migrations, on a scripted engine."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.views.console import Console
from app.views.migration.page import MigrationPage
from tests.gui.migration.steps import Migrations
from tests.gui.operator import settle
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def migrations(door: ScriptedDoor) -> Migrations:
    return Migrations(door)


@pytest.fixture
def page(qtbot: QtBot, console: Console, migrations: Migrations) -> Iterator[MigrationPage]:
    """The page with its list; it samples a hundred times a second while something moves."""
    del migrations
    page = MigrationPage(console, sample_ms=10)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(())
    settle(qtbot, console)
    yield page
    page.leave()
