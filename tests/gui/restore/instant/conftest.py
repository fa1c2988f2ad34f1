"""The page with instant recoveries, on a scripted engine."""

from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from app.views.console import Console
from app.views.restore.page import RestorePage
from tests.gui.operator import settle
from tests.gui.restore.instant.steps import Recoveries
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def recoveries(door: ScriptedDoor) -> Recoveries:
    return Recoveries(door)


@pytest.fixture
def page(qtbot: QtBot, console: Console, recoveries: Recoveries) -> Iterator[RestorePage]:
    """The page with the list of instant recoveries."""
    page = RestorePage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(("instant",))
    settle(qtbot, console)
    yield page
    page.leave()
