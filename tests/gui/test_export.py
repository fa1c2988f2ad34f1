"""Lists as files: by the button, by the menu and by key, whole, and with what can go wrong."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QMenu, QPushButton
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.contract.log import LogEntryRow, LogPage, ReadLog
from app.contract.platforms import PlatformRow
from app.contract.tasks import ListTasks, TaskRow
from app.domain.errors import OperationalError
from app.domain.states import TaskState
from app.views.backup.page import BackupPage
from app.views.console import Console
from app.views.frame.history import Address
from app.views.frame.main_window import MainWindow
from app.views.log.page import LogsPage
from app.views.platforms.page import PlatformsPage
from app.views.tasks.page import TasksPage
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.list_page import ListPage
from app.workers.sheets import SheetWriter
from tests.gui.backup import samples
from tests.gui.export_steps import read_csv, save_in_dialog
from tests.gui.log.test_log import entry
from tests.gui.tasks.rows import GB, script_names, task
from tests.support.scripted_door import ScriptedDoor


def open_rules(qtbot: QtBot, console: Console, door: ScriptedDoor) -> tuple[MainWindow, BackupPage]:
    samples.fill(door)
    page = BackupPage(console)
    window = MainWindow(console, [page])
    qtbot.addWidget(window)
    window.resize(1280, 800)
    window.show()
    qtbot.waitUntil(lambda: len(page.rules.table.shown_rows()) == len(samples.RULES))
    return window, page


def open_tasks(qtbot: QtBot, console: Console, door: ScriptedDoor, rows: list[TaskRow]) -> TasksPage:
    script_names(door)
    door.answer(ListTasks, lambda query: tuple(rows[query.offset : query.offset + query.limit]))
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: len(page.table.rows.rows) > 0)
    return page


class SlowRows(list[list[str]]):
    """Rows that take their time to be read."""

    def __init__(self, begun: threading.Event, gate: threading.Event) -> None:
        super().__init__([["late"]])
        self._begun, self._gate = begun, gate

    def __iter__(self) -> Iterator[list[str]]:
        self._begun.set()
        self._gate.wait(10)
        return super().__iter__()


def many_tasks(count: int) -> list[TaskRow]:
    return [task(f"t{number:05}", TaskState.COMPLETED, vm=f"vm-{number:05}") for number in range(count)]


def test_a_list_is_exported_by_its_button_and_shown_in_its_folder(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, page = open_rules(qtbot, console, door)
    assert window.isVisible()
    rules = page.rules
    QTest.mouseClick(rules.toolbar.export_button, Qt.MouseButton.LeftButton)
    save_in_dialog(rules, tmp_path / "rules.csv")
    qtbot.waitUntil(rules.exporter.strip.folder.isVisible)
    rows = read_csv(tmp_path / "rules.csv")
    assert rows[0] == ["Name", "State", "Platform", "Standby", "Next run", "Last result", "Last proven"]
    assert [row[0] for row in rows[1:]] == [row.name for row in rules.table.shown_rows()]
    planned = [row.next_run for row in rules.table.shown_rows()]
    for row, expected in zip(rows[1:], planned, strict=True):
        assert row[4] == ("" if expected is None else expected.astimezone().isoformat(timespec="seconds"))
    opened: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    QTest.mouseClick(rules.exporter.strip.folder, Qt.MouseButton.LeftButton)
    assert opened == [str(tmp_path)]
    QTest.mouseClick(rules.exporter.strip.close_button, Qt.MouseButton.LeftButton)
    assert not rules.exporter.strip.isVisible()


def test_the_context_menu_and_a_key_export_too(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    window, page = open_rules(qtbot, console, door)
    assert window.isVisible()
    rules = page.rules
    rules.table.menu_wanted.emit(rules.table.shown_rows()[0], rules.mapToGlobal(rules.rect().center()))
    (menu,) = rules.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    entries = [action for action in menu.actions() if action.text()]
    assert entries[-1].text() == "Export the list…"
    menu.setActiveAction(entries[-1])
    QTest.keyClick(menu, Qt.Key.Key_Return)
    assert len(rules.findChildren(QFileDialog)) == 1
    rules.findChildren(QFileDialog)[0].reject()
    QTest.keyClick(rules.table, Qt.Key.Key_E, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: any(dialog.isVisible() for dialog in rules.findChildren(QFileDialog)))


def test_only_what_passes_the_filter_is_written_as_sorted(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    rows = [
        task("t1", TaskState.COMPLETED, vm="web-02"),
        task("t2", TaskState.COMPLETED, vm="db-01"),
        task("t3", TaskState.COMPLETED, vm="web-01"),
    ]
    page = open_tasks(qtbot, console, door, rows)
    page.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    page.toolbar.filter.setFocus()
    QTest.keyClicks(page.toolbar.filter, "web")
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == 2)
    page.exporter.write_to(str(tmp_path / "tasks.csv"))
    qtbot.waitUntil(page.exporter.strip.folder.isVisible)
    assert [row[0] for row in read_csv(tmp_path / "tasks.csv")] == ["VM", "web-01", "web-02"]


def test_sizes_speeds_and_durations_are_plain_numbers_with_their_unit_in_the_title(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    page = open_tasks(qtbot, console, door, [task("t1", TaskState.COMPLETED, done_gb=25, total_gb=40)])
    spent = next(at for at, column in enumerate(page.table.rows.columns) if column.key == "spent")
    page.table.setColumnHidden(spent, False)
    page.exporter.write_to(str(tmp_path / "tasks.csv"))
    qtbot.waitUntil(page.exporter.strip.folder.isVisible)
    titles, values = read_csv(tmp_path / "tasks.csv")
    shown = dict(zip(titles, values, strict=True))
    assert shown["Source data (B)"] == str(40 * GB)
    assert shown["Duration (s)"] == "480"
    assert shown["Speed (B/s)"] == str(round(25 * GB / 480))
    assert shown["Time left (s)"] == ""
    start = datetime.fromisoformat(shown["Start time"])
    assert start.utcoffset() is not None
    assert datetime.now(UTC) - start < timedelta(hours=1)


def test_tasks_that_were_not_scrolled_to_are_written_too_once_each(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    rows = many_tasks(1700)
    page = open_tasks(qtbot, console, door, rows)
    assert len(page.table.rows.rows) == 300

    def with_newcomers(query: ListTasks) -> tuple[TaskRow, ...]:
        found = tuple(rows[query.offset : query.offset + query.limit])
        rows.insert(0, task(f"new-{query.offset}", TaskState.COMPLETED, vm=f"new-{query.offset}"))
        return found

    page.leave()
    door.answer(ListTasks, with_newcomers)
    page.exporter.write_to(str(tmp_path / "tasks.csv"))
    qtbot.waitUntil(page.exporter.strip.folder.isVisible)
    names = [row[0] for row in read_csv(tmp_path / "tasks.csv")[1:]]
    assert [name for name in names if name.startswith("vm-")] == [f"vm-{number:05}" for number in range(1700)]
    assert len(names) == len(set(names))


def test_a_long_export_shows_how_far_it_is_and_leaves_nothing_when_it_is_cancelled(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    gate = threading.Event()
    asked: list[int | None] = []

    def read(query: ReadLog) -> LogPage:
        asked.append(query.before)
        if query.before is not None:
            gate.wait(10)
        rows: tuple[LogEntryRow, ...] = tuple(
            entry(number) for number in range((query.before or 10_001) - 1, 0, -1)[:1000]
        )
        return LogPage(rows=rows, older=rows[-1].line.id)

    page = LogsPage(console)
    qtbot.addWidget(page)
    page.resize(1100, 600)
    page.show()
    door.answer(ReadLog, read)
    page.exporter.write_to(str(tmp_path / "log.csv"))
    qtbot.waitUntil(lambda: "1,000 rows so far" in page.exporter.strip.text.text())
    assert not (tmp_path / "log.csv").exists()
    QTest.mouseClick(page.exporter.strip.cancel, Qt.MouseButton.LeftButton)
    gate.set()
    assert not page.exporter.strip.isVisible()
    qtbot.waitUntil(lambda: list(tmp_path.glob("*.csv*")) + list(tmp_path.glob(".*.tmp")) == [])
    assert asked in ([None], [None, 9001])


def test_a_file_is_not_closed_under_a_step_that_writes_to_it(
    qtbot: QtBot, console: Console, tmp_path: Path
) -> None:
    begun, gate = threading.Event(), threading.Event()
    folder = tmp_path / "lists"
    folder.mkdir()
    reported: list[object] = []
    page = PlatformsPage(console)
    qtbot.addWidget(page)
    writer = SheetWriter(console.door, folder / "list.csv", page)
    writer.begin(["title"], lambda: reported.append("begun"), reported.append)
    qtbot.waitUntil(lambda: reported == ["begun"])
    writer.add(SlowRows(begun, gate), lambda: reported.append("added"), reported.append)
    qtbot.waitUntil(begun.is_set)
    writer.give_up()
    assert list(folder.iterdir()), "the step still writes to it"
    gate.set()
    qtbot.waitUntil(lambda: not list(folder.iterdir()))
    assert reported == ["begun"]


def test_a_page_that_goes_takes_its_half_written_file_along(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    gate = threading.Event()

    def read(query: ReadLog) -> LogPage:
        if query.before is not None:
            gate.wait(10)
        return LogPage(rows=(entry(7),), older=7)

    door.answer(ReadLog, read)
    page = LogsPage(console)
    page.exporter.write_to(str(tmp_path / "log.csv"))
    qtbot.waitUntil(lambda: "1 row so far" in page.exporter.strip.text.text())
    page.deleteLater()
    qtbot.waitUntil(lambda: not isValid(page))
    gate.set()
    qtbot.waitUntil(lambda: not [path for path in tmp_path.iterdir() if path.name.startswith(".log")])


def test_a_disk_that_refuses_is_shown_with_a_remedy_and_details_to_copy(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    window, page = open_rules(qtbot, console, door)
    assert window.isVisible()
    (tmp_path / "file").write_text("")
    page.rules.exporter.write_to(str(tmp_path / "file" / "rules.csv"))
    banner = page.rules.exporter.strip.failure
    qtbot.waitUntil(banner.isVisible)
    assert "could not be written to" in banner.title
    assert "Choose another place" in banner.hint
    QTest.mouseClick(banner.findChildren(QPushButton)[0], Qt.MouseButton.LeftButton)
    assert "console.list_not_written" in QGuiApplication.clipboard().text()
    assert not page.rules.exporter.is_running
    page.rules.exporter.write_to(str(tmp_path / "rules.csv"))
    qtbot.waitUntil(page.rules.exporter.strip.folder.isVisible)
    assert not banner.isVisible()


def test_an_engine_that_goes_away_leaves_no_half_file(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    rows = many_tasks(900)
    page = open_tasks(qtbot, console, door, rows)
    page.leave()

    def read(query: ListTasks) -> tuple[TaskRow, ...]:
        if query.offset:
            raise OperationalError(detail="the engine is away.")
        return tuple(rows[:500])

    door.answer(ListTasks, read)
    page.exporter.write_to(str(tmp_path / "tasks.csv"))
    qtbot.waitUntil(page.exporter.strip.failure.isVisible)
    assert list(tmp_path.glob("*.csv")) == list(tmp_path.glob(".*.tmp")) == []


def test_every_list_of_the_window_offers_its_export(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    window, page = open_rules(qtbot, console, door)
    for path in (("r-web",), ("failed",), ("r-web", "statistics", "tasks")):
        window.visit(Address("backup", path))
        part = page.part
        assert isinstance(part, ListPage)
        assert part.toolbar.export_button.isVisible()
    platforms: ListPage[PlatformRow] = PlatformsPage(console)
    qtbot.addWidget(platforms)
    platforms.show()
    assert platforms.toolbar.export_button.isVisible()
    assert platforms.toolbar.export_button.accessibleName() == "Export the list to a file… (Ctrl+E)"


def test_the_file_is_in_the_readers_language(
    qtbot: QtBot,
    qapp: QApplication,
    console: Console,
    door: ScriptedDoor,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    language = LanguageSwitch(qapp, console.memory)
    request.addfinalizer(lambda: language.choose(Language.ENGLISH))
    language.choose(Language.CHINESE)
    page = open_tasks(qtbot, console, door, [task("t1", TaskState.COMPLETED, vm="=1+1")])
    page.exporter.write_to(str(tmp_path / "任务.csv"))
    qtbot.waitUntil(page.exporter.strip.folder.isVisible)
    titles, values = read_csv(tmp_path / "任务.csv")
    assert titles[:2] == ["虚拟机", "状态"] or titles[1] == "状态"
    assert values[:2] == ["'=1+1", "已完成"]
    assert "已将 1 行写入" in page.exporter.strip.text.text()
