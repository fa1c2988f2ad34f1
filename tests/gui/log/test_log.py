from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QDateTime, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.contract.log import ClearLog, LogEntryRow, LogFilter, LogPage, LogRow, ReadLog
from app.contract.rules import DescribeRule, RuleDetails
from app.domain.changes import Subject
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.messages import LogLevel
from app.views.console import Console
from app.views.frame.history import Address
from app.views.log.choices import Span
from app.views.log.lines import reader_words
from app.views.log.page import LogsPage, entry_text
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.backup.samples import DRAFT
from tests.gui.export_steps import read_csv, save_in_dialog
from tests.gui.restore.points import RULE
from tests.support.scripted_door import ScriptedDoor

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
CREATED = "Snapshot {snapshot} created"


def entry(number: int, *, template: str = CREATED, level: LogLevel = LogLevel.NORMAL) -> LogEntryRow:
    line = LogRow(
        id=number,
        at=NOW + timedelta(seconds=number),
        level=level,
        code="snapshot.created",
        params=(("snapshot", f"s-{number}"),),
        text=CREATED.format(snapshot=f"s-{number}"),
    )
    return LogEntryRow(line=line, subject="web-01", action="backup", task=TaskId("t1"), template=template)


def script_log(door: ScriptedDoor, lines: list[LogEntryRow]) -> None:
    """Serve lines newest first, in pages, as the engine does."""

    def read(query: ReadLog) -> LogPage:
        older = [line for line in lines if query.before is None or line.line.id < query.before]
        rows = tuple(older[: query.limit])
        return LogPage(rows=rows, older=rows[-1].line.id if len(older) > len(rows) else None)

    door.answer(ReadLog, read)
    door.answer(DescribeRule, RuleDetails(row=RULE, draft=DRAFT))


def open_page(qtbot: QtBot, console: Console, path: tuple[str, ...] = ()) -> LogsPage:
    page = LogsPage(console)
    qtbot.addWidget(page)
    page.resize(1100, 600)
    page.show()
    page.open(path)
    return page


def last_filter(door: ScriptedDoor) -> LogFilter:
    return [query for query in door.asked if isinstance(query, ReadLog)][-1].filter


def test_only_one_page_is_loaded_until_the_operator_scrolls(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    script_log(door, [entry(number) for number in range(1000, 0, -1)])
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 200)
    assert len([query for query in door.asked if isinstance(query, ReadLog)]) == 1
    page.table.scrollToBottom()
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 400)
    ids = [row.line.id for row in page.table.rows.rows]
    assert ids == list(range(1000, 600, -1))


def test_level_time_and_words_are_asked_of_the_engine(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_log(door, [entry(1)])
    page = open_page(qtbot, console, ("r1", "vm-1"))
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 1)
    assert last_filter(door) == LogFilter(rule=RuleId("r1"), vm=VmId("vm-1"))
    QTest.keyClick(page.choices.levels, Qt.Key.Key_Down)
    qtbot.waitUntil(lambda: last_filter(door).at_least is LogLevel.WARNING)
    page.choices.span.setCurrentIndex(page.choices.span.findData(Span.DAY))
    qtbot.waitUntil(lambda: last_filter(door).start is not None)
    start = last_filter(door).start
    assert start is not None
    assert timedelta(hours=23, minutes=59) < datetime.now(UTC) - start < timedelta(hours=24, minutes=1)
    QTest.keyClicks(page.toolbar.filter, "snapshot")
    qtbot.waitUntil(lambda: last_filter(door).text == "snapshot")
    qtbot.waitUntil(lambda: [crumb.text for crumb in page.crumbs()] == ["Logs", "Production", "web-01"])


def test_an_own_range_whose_ends_are_swapped_is_mended(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_log(door, [entry(1)])
    page = open_page(qtbot, console)
    page.choices.span.setCurrentIndex(page.choices.span.findData(Span.OWN))
    assert page.choices.own_range.isVisible()
    late = QDateTime.currentDateTime().addDays(3)
    page.choices.start.setDateTime(late)
    QTest.keyClick(page.choices.start, Qt.Key.Key_Return)
    start, end = page.choices.moments()
    assert start is not None
    assert end is not None
    assert end - start == timedelta(minutes=1)
    assert abs(start.timestamp() - late.toSecsSinceEpoch()) <= 60


def test_a_page_in_which_nothing_fits_is_gone_past(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(
        ReadLog,
        lambda query: (
            LogPage(rows=(), older=500) if query.before is None else LogPage(rows=(entry(7),), older=None)
        ),
    )
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: [row.line.id for row in page.table.rows.rows] == [7])


def test_new_lines_appear_at_the_top_without_moving_older_ones_away(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    lines = [entry(number) for number in range(300, 0, -1)]
    script_log(door, lines)
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 200)
    lines.insert(0, entry(301))
    door.change(Subject.LOG, "t1")
    qtbot.waitUntil(lambda: page.table.rows.rows[0].line.id == 301)
    assert len(page.table.rows.rows) == 201
    current = page.table.current_row()
    assert current is not None
    assert current.line.id == 300


def test_nothing_fitting_offers_to_show_everything(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(
        ReadLog,
        lambda query: LogPage(rows=(entry(1),) if query.filter.at_least is LogLevel.NORMAL else (), older=None),
    )
    page = open_page(qtbot, console)
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 1)
    page.choices.levels.setCurrentIndex(2)
    qtbot.waitUntil(lambda: page.stages.currentIndex() == 2)
    page.stages.create_wanted.emit()
    qtbot.waitUntil(lambda: page.stages.currentIndex() == 0)


def test_clearing_asks_and_clears_what_is_chosen(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_log(door, [entry(1)])
    door.answer(ClearLog, 1)
    page = open_page(qtbot, console, ("task", "t1"))
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 1)
    QTest.mouseClick(page.clear, Qt.MouseButton.LeftButton)
    (dialog,) = page.findChildren(ConfirmDialog)
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [ClearLog(filter=LogFilter(task=TaskId("t1")))]


def test_downloading_writes_every_line_that_fits_also_those_not_scrolled_to(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    script_log(door, [entry(number) for number in range(2500, 0, -1)])
    page = open_page(qtbot, console, ("task", "t1"))
    qtbot.waitUntil(lambda: len(page.table.rows.rows) == 200)
    QTest.mouseClick(page.save, Qt.MouseButton.LeftButton)
    save_in_dialog(page, tmp_path / "log.csv")
    qtbot.waitUntil(page.exporter.strip.folder.isVisible)
    rows = read_csv(tmp_path / "log.csv")
    assert rows[0] == ["Time", "Level", "Subject", "Action", "What happened"]
    assert len(rows) == 2501
    assert datetime.fromisoformat(rows[1][0]) == entry(2500).line.at
    assert rows[1][1:] == ["Normal", "web-01", "Backup", "Snapshot s-2500 created"]
    assert last_filter(door) == LogFilter(task=TaskId("t1"))
    assert "2,500 rows were written" in page.exporter.strip.text.text()


def test_back_leads_to_what_the_log_is_about(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    script_log(door, [entry(1)])
    page = open_page(qtbot, console, ("task", "t1"))
    wanted: list[Address] = []
    console.address_wanted.connect(wanted.append)
    QTest.mouseClick(page.back, Qt.MouseButton.LeftButton)
    page.open(("r1",))
    QTest.mouseClick(page.back, Qt.MouseButton.LeftButton)
    assert wanted == [Address("tasks", ("t1",)), Address("backup", ("r1",))]
    page.open(())
    assert not page.back.isVisible()


def test_lines_are_in_the_readers_language(
    qapp: QApplication, console: Console, request: pytest.FixtureRequest
) -> None:
    language = LanguageSwitch(qapp, console.memory)
    request.addfinalizer(lambda: language.choose(Language.ENGLISH))
    language.choose(Language.CHINESE)
    assert entry_text(entry(7)) == "已创建快照 s-7"
    assert entry_text(entry(7, template="")) == "Snapshot s-7 created"
    assert entry_text(entry(7, template="An older version said {word}")) == "Snapshot s-7 created"
    words = dict(reader_words())
    assert words[CREATED] == "已创建快照 {snapshot}"
    assert words["rule.run_now"] == "立即执行"
