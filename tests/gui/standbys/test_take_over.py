"""Taking rules over on the page of standby machines."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.contract.moving import InspectTakeOver, TakeOver, TakeOverReport
from app.contract.standbys import ListStandbyRows
from app.engine.moving.errors import PlatformsMissing
from app.views.console import Console
from app.views.moving.take_over import TakeOverDialog
from app.views.standbys.page import StandbysPage
from tests.gui.shell.moving_samples import LOOSE, LOST
from tests.gui.standbys.test_standbys import open_page, row
from tests.support.scripted_door import ScriptedDoor

REPORT = TakeOverReport(repositories=1, adopted=("nightly",), left=(), points=42)


@pytest.fixture
def page(qtbot: QtBot, console: Console, door: ScriptedDoor) -> Iterator[StandbysPage]:
    door.answer(ListStandbyRows, (row("nas"),))
    page = open_page(qtbot, console)
    page.table.select("s1" if page.table.select("s1") else page.table.shown_rows()[0].id)
    yield page
    for dialog in page.findChildren(TakeOverDialog):
        dialog.reject()
    page.leave()


def menu_entry(page: StandbysPage) -> QAction:
    menu = QMenu(page)
    page.fill_menu(menu, page.table.shown_rows()[0])
    return next(action for action in menu.actions() if action.text() == "Take over rules…")


def opened(qtbot: QtBot, page: StandbysPage) -> TakeOverDialog:
    menu_entry(page).trigger()
    qtbot.waitUntil(lambda: bool(page.findChildren(TakeOverDialog)))
    return page.findChildren(TakeOverDialog)[0]


def test_rules_are_taken_over_after_the_name_was_typed(
    qtbot: QtBot, page: StandbysPage, door: ScriptedDoor
) -> None:
    door.answer(InspectTakeOver, (LOST,))
    door.answer(TakeOver, REPORT)
    dialog = opened(qtbot, page)
    model = dialog.table.model()
    shown = [[model.index(place, column).data() for column in range(4)] for place in range(model.rowCount())]
    assert ["nightly", "web-01, db-01", "vCenter", "42"] in shown
    assert ["weekly", "web-01, db-01", "Not registered", "42"] in shown
    assert not dialog.at.isVisible()
    QTest.keyClicks(dialog.typed, "another")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert dialog.typed_field.problem == "Type old-console to confirm."
    dialog.typed.clear()
    QTest.keyClicks(dialog.typed, "OLD-console")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.banner.isVisible)
    assert "1 rule was adopted" in page.banner.title
    (command,) = [sent for sent in door.executed if isinstance(sent, TakeOver)]
    assert (command.console, command.confirmation, command.daily_at) == (LOST.console, "OLD-console", None)


def test_rules_known_from_points_get_a_time(qtbot: QtBot, page: StandbysPage, door: ScriptedDoor) -> None:
    door.answer(InspectTakeOver, (LOOSE,))
    door.answer(TakeOver, replace(REPORT, left=("weekly",)))
    dialog = opened(qtbot, page)
    assert dialog.at.isVisible()
    QTest.keyClicks(dialog.typed, "nas")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(page.banner.isVisible)
    assert "weekly" in page.banner.hint
    (command,) = [sent for sent in door.executed if isinstance(sent, TakeOver)]
    assert (command.console, command.daily_at, command.keep_days) == ("", "22:00", 30)


def test_a_refusal_keeps_what_was_typed(qtbot: QtBot, page: StandbysPage, door: ScriptedDoor) -> None:
    door.answer(InspectTakeOver, (LOST,))
    door.answer(TakeOver, PlatformsMissing(rule="nightly", address="vc.example"))
    dialog = opened(qtbot, page)
    QTest.keyClicks(dialog.typed, "old-console")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.banner.isVisible)
    assert "vc.example" in dialog.banner.title
    assert dialog.typed.text() == "old-console"


def test_a_console_that_is_at_work_is_warned_of(qtbot: QtBot, page: StandbysPage, door: ScriptedDoor) -> None:
    door.answer(InspectTakeOver, (replace(LOST, is_at_work=True),))
    dialog = opened(qtbot, page)
    assert dialog.banner.title == "old-console is at work there right now."


def test_nothing_to_take_over_is_said(qtbot: QtBot, page: StandbysPage, door: ScriptedDoor) -> None:
    door.answer(InspectTakeOver, ())
    menu_entry(page).trigger()
    qtbot.waitUntil(page.banner.isVisible)
    assert "No other console has rules at nas" in page.banner.title
