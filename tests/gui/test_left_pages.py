"""A page that is left withdraws what it asked, and asks again when it is opened; over a real socket."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PySide6.QtCore import QObject
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from app.console.pages import make_pages
from app.contract.asyncclient import AsyncDoor
from app.contract.base import Query
from app.contract.log import ReadLog
from app.contract.overview import ReadStatus
from app.contract.points import ListPoints, StartVerify
from app.contract.rules import DescribeRule
from app.contract.standbys import OpenEntriesRow, ReadOpenEntries
from app.contract.tasks import SampleProgress
from app.core.cancel import CancelToken, stop_wish
from app.domain.ids import TaskId
from app.engine.door.server import DoorServer
from app.views import formatting
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.icons import Glyph
from app.views.page import Page
from app.views.restore.page import RestorePage
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.stages import Stages
from app.workers.door import DoorClient
from app.workers.loop import asyncio_in_qt, run_here
from tests.gui.fit import world
from tests.gui.operator import choose_from_menu, settle
from tests.gui.restore import points
from tests.gui.shell.conftest import ProgramStub
from tests.support.scripted_door import ScriptedDoor

R = TypeVar("R")
PATIENCE_S = 20.0
OF_THE_FRAME = (ReadStatus, SampleProgress)
"""What the window itself asks for, on whatever page it is."""


class HeldDoor(ScriptedDoor):
    """Answers what pages ask for only once it may, and notes what was withdrawn meanwhile. Thread: any."""

    def __init__(self) -> None:
        super().__init__()
        self._kinds: tuple[type, ...] | None = ()
        self._may_answer = threading.Event()
        self.held: list[tuple[Query[Any], CancelToken]] = []

    def hold_back(self, *kinds: type) -> None:
        """Answer no query of these kinds any more; without kinds, none of those of pages."""
        self.held.clear()
        self._kinds = kinds or None
        self._may_answer.clear()

    def let_answer(self) -> None:
        """Answer everything, also what was held back."""
        self._kinds = ()
        self._may_answer.set()

    def ask(self, query: Query[R]) -> R:
        kinds = self._kinds
        if isinstance(query, kinds) if kinds is not None else not isinstance(query, OF_THE_FRAME):
            wish = stop_wish()
            assert wish is not None
            self.held.append((query, wish))
            while not (wish.is_cancelled or self._may_answer.wait(0.01)):
                pass
        return super().ask(query)

    def open_count(self) -> int:
        """Return how many queries are held that were not withdrawn."""
        return len(self.held) - len(self.withdrawn())

    def withdrawn(self) -> list[Query[Any]]:
        """Return which of the held queries were withdrawn."""
        return [query for query, wish in list(self.held) if wish.is_cancelled]


@pytest.fixture
def door() -> HeldDoor:
    held = HeldDoor()
    world.fill(held)
    return held


@pytest.fixture
def console(qapp: QApplication, tmp_path: Path, door: HeldDoor) -> Iterator[Console]:
    """A console whose requests go to the door through a socket."""
    memory = Memory(tmp_path / "window.ini")
    with DoorServer.open(door, tmp_path), asyncio_in_qt(qapp):
        line = AsyncDoor(tmp_path)
        run_here(line.wait_until_connected(PATIENCE_S))
        client = DoorClient(line)
        yield Console(client, memory, ThemeSwitch(qapp, memory))
        door.let_answer()
        assert client.close()
        line.close()
        run_here(line.wait_closed())


class QuietPage(Page):
    """A page that asks nothing."""

    key = "quiet"
    glyph = Glyph.INFO

    def title(self) -> str:
        return "Quiet"


@pytest.fixture
def shell(qapp: QApplication, console: Console, door: HeldDoor) -> Iterator[Shell]:
    """A window on the page that asks nothing, so that none of the held queries is another page's."""
    languages = LanguageSwitch(qapp, console.memory)
    languages.choose(Language.ENGLISH)
    program = ProgramStub()
    door.hold_back()

    def pages(console: Console) -> list[Page]:
        return [QuietPage(console), *make_pages(console, languages, program)]

    shell = Shell(console, languages, pages, has_tray=False)
    shell.show()
    yield shell
    shell.dismiss()


def waiting(page: Page) -> list[QObject]:
    """Return for whom of a page an answer is on its way."""
    return [owner for owner in page.console.door.waiting_owners() if is_part_of(owner, page)]


def is_part_of(part: QObject, page: Page) -> bool:
    owner: QObject | None = part
    while owner is not None and owner is not page:
        owner = owner.parent()
    return owner is page


def is_loading(page: Page) -> bool:
    """Return whether the page shows anywhere that it still waits."""
    found = [stages for stages in page.findChildren(Stages) if stages.isVisible()]
    return any(stages.currentWidget().accessibleName() == "Loading" for stages in found)


def page_of(shell: Shell, key: str) -> Any:
    (page,) = (page for page in shell.window.pages() if page.key == key)
    return page


def has_rows(page: Any) -> bool:
    return bool(page.table.rows.rows)


def part_has_rows(page: Any) -> bool:
    return bool(page.part.table.rows.rows)


ADDRESSES: dict[tuple[str, ...], Callable[[Any], bool]] = {
    ("overview",): lambda page: page.overview is not None,
    ("backup",): part_has_rows,
    ("backup", "failed"): part_has_rows,
    ("backup", "r-web"): lambda page: part_has_rows(page) and page.crumbs()[-1].text != formatting.NOTHING,
    ("backup", "r-web", "statistics"): lambda page: page.part.read.text() != "",
    ("restore",): has_rows,
    ("restore", "instant"): lambda page: bool(page.instant.table.rows.rows),
    ("restore", "offers"): lambda page: bool(page.offers.table.rows.rows),
    ("migration",): has_rows,
    ("tasks",): has_rows,
    ("tasks", "a"): lambda page: page.details.row is not None,
    ("platforms",): has_rows,
    ("standbys",): has_rows,
    ("log",): has_rows,
    ("log", "r-web"): lambda page: has_rows(page) and len(page.crumbs()) > 1,
    ("settings",): lambda page: page.hooks.change.isEnabled() and page.notifications.email.isEnabled(),
}
"""The pages of the navigation and their parts, and whether they show what they are about."""


def test_every_page_of_the_navigation_is_left_below(shell: Shell) -> None:
    assert {address[0] for address in ADDRESSES} | {"quiet"} == {page.key for page in shell.window.pages()}


@pytest.mark.parametrize("address", ADDRESSES, ids="/".join)
def test_a_page_that_is_left_withdraws_its_queries_and_asks_again_when_it_is_opened(
    qtbot: QtBot, shell: Shell, door: HeldDoor, address: tuple[str, ...]
) -> None:
    page = page_of(shell, address[0])
    shell.console.go(*address)
    qtbot.waitUntil(lambda: bool(waiting(page)) and door.open_count() == len(waiting(page)))
    shell.console.go("quiet")
    assert waiting(page) == []
    qtbot.waitUntil(lambda: door.open_count() == 0)
    door.let_answer()
    shell.console.go(*address)
    qtbot.waitUntil(lambda: ADDRESSES[address](page))
    qtbot.waitUntil(lambda: not waiting(page))
    assert not is_loading(page)


def test_a_page_that_was_left_while_it_showed_rows_shows_what_changed_meanwhile(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor
) -> None:
    door.let_answer()
    page = page_of(shell, "platforms")
    console.go("platforms")
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 3)
    settle(qtbot, console)
    door.hold_back()
    page.refresh()
    qtbot.waitUntil(lambda: len(door.held) == 1)
    console.go("quiet")
    door.answer(type(door.held[0][0]), page.table.rows.rows[:1])
    door.let_answer()
    console.go("platforms")
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 1)


@pytest.mark.parametrize("change", ["hidden", "dialog"])
def test_a_page_that_is_not_left_keeps_its_queries(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor, change: str
) -> None:
    console.go("tasks")
    page = page_of(shell, "tasks")
    qtbot.waitUntil(lambda: door.open_count() == len(waiting(page)) > 0)
    dialog = QDialog(shell.window)
    if change == "hidden":
        shell.window.hide()
    else:
        dialog.open()
    qtbot.wait(50)
    assert waiting(page) == [page]
    door.let_answer()
    qtbot.waitUntil(lambda: has_rows(page))
    dialog.reject()


def test_an_export_of_the_operator_goes_on_when_its_page_is_left(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor, tmp_path: Path
) -> None:
    door.let_answer()
    page = page_of(shell, "log")
    console.go("log")
    qtbot.waitUntil(lambda: has_rows(page))
    settle(qtbot, console)
    door.hold_back(ReadLog)
    page.exporter.write_to(str(tmp_path / "log.csv"))
    qtbot.waitUntil(lambda: len(door.held) == 1)
    console.go("quiet")
    qtbot.wait(50)
    assert door.withdrawn() == []
    door.let_answer()
    qtbot.waitUntil((tmp_path / "log.csv").exists)


def test_what_leads_to_a_command_goes_on_when_its_page_is_left(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor
) -> None:
    door.answer(ListPoints, (points.point("web-01"),))
    door.answer(StartVerify, TaskId("t"))
    page = open_standbys(qtbot, shell, console, door)
    door.hold_back(ListPoints)
    choose_from_menu(page, "Verify")
    qtbot.waitUntil(lambda: len(door.held) == 1)
    console.go("quiet")
    door.let_answer()
    qtbot.waitUntil(lambda: [type(command) for command in door.executed] == [StartVerify])


def open_standbys(qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor) -> Any:
    door.let_answer()
    page = page_of(shell, "standbys")
    console.go("standbys")
    qtbot.waitUntil(lambda: bool(page.chosen_rows()))
    settle(qtbot, console)
    return page


def test_a_look_that_would_end_in_a_dialog_ends_with_its_page(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor
) -> None:
    door.answer(ReadOpenEntries, OpenEntriesRow(path="/srv", count=3, linked=0, is_complete=True))
    page = open_standbys(qtbot, shell, console, door)
    door.hold_back(ReadOpenEntries)
    choose_from_menu(page, "Close to other users…")
    qtbot.waitUntil(lambda: len(door.held) == 1)
    assert page.banner.isVisible()
    console.go("quiet")
    qtbot.waitUntil(lambda: len(door.withdrawn()) == 1)
    console.go("standbys")
    assert not page.banner.isVisible()


def test_a_dialog_that_was_waited_for_can_be_wanted_again(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor
) -> None:
    """It was refused while the first answer was out, also after the page had been left for long."""
    door.let_answer()
    page = page_of(shell, "backup")
    console.go("backup")
    qtbot.waitUntil(lambda: part_has_rows(page))
    settle(qtbot, console)
    opened: list[object] = []
    door.hold_back(DescribeRule)
    query = DescribeRule(rule=page.part.table.rows.rows[0].id)
    page.part.open_with(query, opened.append)
    qtbot.waitUntil(lambda: len(door.held) == 1)
    console.go("quiet")
    console.go("backup")
    page.part.open_with(query, opened.append)
    qtbot.waitUntil(lambda: len(door.held) == 2)
    door.let_answer()
    qtbot.waitUntil(lambda: len(opened) == 1)


def test_another_tab_withdraws_what_the_list_of_offers_asked(
    qtbot: QtBot, shell: Shell, console: Console, door: HeldDoor
) -> None:
    page = page_of(shell, "restore")
    assert isinstance(page, RestorePage)
    console.go("restore", "offers")
    assert page.offers in waiting(page)
    page.tabs.setCurrentIndex(0)
    assert page.offers not in waiting(page)
    page.tabs.setCurrentIndex(3)
    door.let_answer()
    qtbot.waitUntil(lambda: bool(page.offers.table.rows.rows))
