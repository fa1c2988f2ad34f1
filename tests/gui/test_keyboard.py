"""Every list is worked with the keyboard alone."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QFileDialog, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.contract.base import Query
from app.contract.log import LogPage, ReadLog
from app.contract.platforms import ListPlatformRows
from app.contract.rules import ListRules, ListRuleVms
from app.contract.standbys import ListStandbyRows
from app.contract.statistics import ListStatisticsTasks
from app.contract.tasks import ListTasks
from app.domain.states import TaskKind, TaskState
from app.views.backup.page import BackupPage
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.log.page import LogsPage
from app.views.page import Page
from app.views.platforms.page import PlatformsPage
from app.views.restore.page import RestorePage
from app.views.standbys.page import StandbysPage
from app.views.tasks.page import TasksPage
from app.views.widgets.table import Table
from tests.gui.backup import samples
from tests.gui.keys import press_menu_key
from tests.gui.log.test_log import entry
from tests.gui.platforms.test_platforms import row as platform_row
from tests.gui.standbys.test_standbys import row as standby_row
from tests.gui.tasks.rows import script_names, task
from tests.support.scripted_door import ScriptedDoor


@dataclass(frozen=True)
class Place:
    """A list: the page it is in, the way to it, what it asks, and what Enter and Delete do there."""

    page: Callable[[Console], Page]
    path: tuple[str, ...]
    query: type[Query[Any]]
    enter_goes: str | None
    """Page that Enter leads to; None where it opens a dialog."""
    delete_asks: bool = True
    has_boxes: bool = True


PLACES = {
    "rules": Place(BackupPage, (), ListRules, "backup"),
    "VMs of a rule": Place(BackupPage, ("r-web",), ListRuleVms, "backup"),
    "runs": Place(BackupPage, ("failed",), ListStatisticsTasks, "tasks", delete_asks=False, has_boxes=False),
    "tasks": Place(TasksPage, (), ListTasks, "tasks"),
    "restores": Place(RestorePage, (), ListTasks, "tasks"),
    "platforms": Place(PlatformsPage, (), ListPlatformRows, None),
    "standbys": Place(StandbysPage, (), ListStandbyRows, None),
    "log": Place(LogsPage, (), ReadLog, "tasks", has_boxes=False),
}


@dataclass
class Sight:
    """A list in its window."""

    place: Place
    window: MainWindow
    part: Page
    table: Table[Any]
    wanted: list[Address]

    def dialogs(self) -> list[QDialog]:
        """Return the dialogs that are open."""
        return [
            widget
            for widget in QApplication.topLevelWidgets()
            if isinstance(widget, QDialog) and widget.isVisible()
        ]

    def menus(self) -> list[QMenu]:
        """Return the menus that are open."""
        return [
            widget for widget in QApplication.topLevelWidgets() if isinstance(widget, QMenu) and widget.isVisible()
        ]


@pytest.fixture(params=PLACES)
def sight(request: pytest.FixtureRequest, qtbot: QtBot, console: Console, door: ScriptedDoor) -> Iterator[Sight]:
    """One list after the other, each with rows, the keyboard in it."""
    place = PLACES[request.param]
    samples.fill(door)
    script_names(door)
    kind = TaskKind.RESTORE if place.page is RestorePage else TaskKind.BACKUP
    door.answer(ListTasks, tuple(task(f"t{at}", TaskState.RUNNING, kind=kind) for at in range(2)))
    door.answer(ListPlatformRows, (platform_row(), platform_row("other")))
    door.answer(ListStandbyRows, (standby_row("local"), standby_row("nas")))
    door.answer(ReadLog, LogPage(rows=(entry(2), entry(1)), older=None))
    page = place.page(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    window.visit(Address(page.key, place.path))
    part = page.part if isinstance(page, BackupPage) else page
    table: Table[Any] = part.table  # type: ignore[attr-defined]
    qtbot.waitUntil(lambda: len(table.shown_rows()) >= 2 and table.current_row() is not None)
    wanted: list[Address] = []
    console.address_wanted.disconnect(window.visit)
    console.address_wanted.connect(wanted.append)
    table.setFocus()
    yield Sight(place, window, part, table, wanted)
    page.leave()


def pressed(widget: QWidget, key: Qt.Key, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    QTest.keyClick(widget, key, modifier)


def test_enter_opens_the_row(qtbot: QtBot, sight: Sight) -> None:
    pressed(sight.table, Qt.Key.Key_Return)
    if sight.place.enter_goes is None:
        qtbot.waitUntil(lambda: len(sight.dialogs()) == 1)
        sight.dialogs()[0].reject()
    else:
        assert [address.page for address in sight.wanted] == [sight.place.enter_goes]
        assert sight.wanted[0].path


def test_arrows_move_and_space_checks(sight: Sight) -> None:
    first = sight.table.current_row()
    pressed(sight.table, Qt.Key.Key_Down)
    assert sight.table.current_row() not in (first, None)
    pressed(sight.table, Qt.Key.Key_Space)
    assert len(sight.table.rows.checked_rows) == (1 if sight.place.has_boxes else 0)


def test_delete_asks_and_escape_leaves_everything(qtbot: QtBot, door: ScriptedDoor, sight: Sight) -> None:
    before = list(door.executed)
    pressed(sight.table, Qt.Key.Key_Delete)
    if sight.place.delete_asks:
        qtbot.waitUntil(lambda: len(sight.dialogs()) == 1)
        pressed(sight.dialogs()[0], Qt.Key.Key_Escape)
    assert sight.dialogs() == []
    assert door.executed == before


def test_f5_asks_again(qtbot: QtBot, door: ScriptedDoor, sight: Sight) -> None:
    sight.part.leave()
    qtbot.waitUntil(lambda: not getattr(sight.part, "_asking", False))
    before = sum(isinstance(query, sight.place.query) for query in door.asked)
    pressed(sight.table, Qt.Key.Key_F5)
    qtbot.waitUntil(lambda: sum(isinstance(query, sight.place.query) for query in door.asked) > before)


def test_ctrl_f_filters_and_the_arrow_goes_back_to_the_list(qtbot: QtBot, sight: Sight) -> None:
    line = sight.part.toolbar.filter
    pressed(sight.table, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert sight.window.focusWidget() is line
    QTest.keyClicks(line, "nothing has this name")
    is_log = isinstance(sight.part, LogsPage)
    if not is_log:  # the log asks the engine, whose answer the test scripts
        qtbot.waitUntil(lambda: len(sight.table.shown_rows()) == 0)
    line.selectAll()
    pressed(line, Qt.Key.Key_Backspace)
    qtbot.waitUntil(lambda: len(sight.table.shown_rows()) >= 2)
    pressed(line, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert line.text() == "nothing has this name"
    line.clear()
    pressed(line, Qt.Key.Key_Down)
    assert sight.window.focusWidget() is sight.table


@pytest.mark.parametrize("with_key", ["menu", "shift f10"])
def test_the_menu_key_opens_the_rows_menu_with_the_export_last(qtbot: QtBot, sight: Sight, with_key: str) -> None:
    if with_key == "menu":
        press_menu_key(sight.table)
    else:
        pressed(sight.table, Qt.Key.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    qtbot.waitUntil(lambda: len(sight.menus()) == 1)
    (menu,) = sight.menus()
    texts = [action.text() for action in menu.actions() if action.text()]
    assert texts[-1] == "Export the list…"
    assert len(texts) > 1
    pressed(menu, Qt.Key.Key_Escape)
    assert sight.menus() == []


def test_ctrl_e_asks_where_to_export(qtbot: QtBot, sight: Sight) -> None:
    pressed(sight.table, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: any(isinstance(dialog, QFileDialog) for dialog in sight.dialogs()))
    for dialog in sight.dialogs():
        dialog.reject()


def test_f1_explains_the_page(sight: Sight) -> None:
    pressed(sight.table, Qt.Key.Key_F1)
    assert sight.window.help.isVisible()
    assert len(sight.window.help.text) > 80
