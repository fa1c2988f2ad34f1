"""Restore points that are in use are listed, and pins whose console is gone are ended by clicks."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.contract.pins import EndPin, ListPins, PinProblem, PinRow
from app.contract.standbys import ListStandbyRows
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.engine.points.errors import PinAtWork
from app.repository import PinPurpose
from app.views.console import Console
from app.views.standbys.pins import PinsDialog
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.export_steps import read_csv
from tests.gui.keys import press_menu_key
from tests.gui.operator import choose_from_menu, settle
from tests.gui.restore.points import point
from tests.gui.standbys.test_standbys import open_page
from tests.gui.standbys.test_standbys import row as standby_row
from tests.support.latin import scraps
from tests.support.scripted_door import ScriptedDoor

KNOWN = point("web-01")
THEIRS = PinRow(
    standby=StandbyId("nas"),
    target_path="prod",
    id="a" * 32,
    point=KNOWN.point.id,
    vm_name="web-01",
    point_at=KNOWN.point.created_at,
    purpose=PinPurpose.RESTORE.said(),
    since=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
    host="old-workstation",
)
OURS = replace(
    THEIRS,
    id="b" * 32,
    purpose=PinPurpose.OFFER.said(),
    since=datetime(2026, 3, 4, 9, 45, tzinfo=UTC),
    host="here",
    is_ours=True,
    is_at_work=True,
)
DAMAGED = PinRow(standby=StandbyId("nas"), target_path="archive", id="c" * 32, problem=PinProblem.UNREADABLE)
NEWER = replace(DAMAGED, id="d" * 32, target_path="", problem=PinProblem.NEWER)


class Pins:
    """The pins of a standby machine, as an engine has them."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.there = [THEIRS, OURS, DAMAGED, NEWER]
        door.answer(ListPins, lambda _: tuple(self.there))
        door.answer(EndPin, self._end)

    def _end(self, command: EndPin) -> None:
        self.there = [row for row in self.there if (row.target_path, row.id) != (command.target_path, command.pin)]


@pytest.fixture
def pins(door: ScriptedDoor) -> Pins:
    return Pins(door)


def opened(qtbot: QtBot, console: Console, *, look_ms: int = 60_000) -> PinsDialog:
    dialog = PinsDialog(console, StandbyId("nas"), "nas", look_ms=look_ms)
    qtbot.addWidget(dialog)
    dialog.open()
    settle(qtbot, console)
    return dialog


def click(button: QWidget) -> None:
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def click_row(dialog: PinsDialog, row: PinRow) -> None:
    """Click a row with the mouse."""
    place = dialog.table.shown_rows().index(row)
    middle = dialog.table.visualRect(dialog.table.model().index(place, 0)).center()
    QTest.mouseClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=middle)


def question_of(dialog: PinsDialog) -> ConfirmDialog:
    return dialog.findChildren(ConfirmDialog)[-1]


def confirm(qtbot: QtBot, question: ConfirmDialog, name: str) -> None:
    """Type a name, and press the button."""
    QTest.keyClicks(question.name, name)
    with qtbot.waitSignal(question.succeeded):
        click(question.primary)


def cells(dialog: PinsDialog, place: int) -> list[str]:
    model = dialog.table.model()
    return [model.index(place, column).data() for column in range(5)]


def local(moment: datetime | None) -> str:
    assert moment is not None
    return f"{moment.astimezone():%Y-%m-%d %H:%M:%S}"


# --- the list --------------------------------------------------------------------------------------------------


def test_the_menu_of_a_standby_machine_leads_to_what_is_in_use_there(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    door.answer(ListStandbyRows, (standby_row("nas"),))
    page = open_page(qtbot, console)
    page.table.setFocus()
    press_menu_key(page.table)
    (menu,) = page.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    (entry,) = (action for action in menu.actions() if action.text() == "In use…")
    assert not entry.icon().isNull()
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    (dialog,) = page.findChildren(PinsDialog)
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == len(pins.there))
    assert dialog.windowTitle() == "Restore points in use at nas"
    assert ListPins(standby=StandbyId("nas")) in door.asked
    page.leave()


def test_a_row_says_which_point_is_used_by_whom_and_for_what(qtbot: QtBot, console: Console, pins: Pins) -> None:
    pins.there[1] = replace(OURS, since=datetime.now(UTC) - timedelta(minutes=3))
    dialog = opened(qtbot, console)
    at = local(KNOWN.point.created_at)
    assert cells(dialog, 0)[:4] == ["web-01", at, "Restore", "old-workstation"]
    assert dialog.table.tip(dialog.table.model().index(0, 4)) == local(THEIRS.since)
    assert cells(dialog, 1) == ["web-01", at, "Disks over NBD", "This console", "3 min ago"]
    assert cells(dialog, 2) == ["Unreadable", "—", "—", "—", "—"]
    assert cells(dialog, 3) == ["Newer version", "—", "—", "—", "—"]
    tip = dialog.table.tip(dialog.table.model().index(2, 0))
    assert "archive" in tip
    assert "not known which restore point" in tip


def test_a_point_that_is_not_known_here_is_shown_by_its_id(qtbot: QtBot, console: Console, pins: Pins) -> None:
    pins.there = [replace(THEIRS, vm_name="", point_at=None, purpose="something of tomorrow", host="")]
    dialog = opened(qtbot, console)
    assert cells(dialog, 0)[:4] == [KNOWN.point.id, "—", "Something of tomorrow", "Another console"]


def test_a_clock_that_is_ahead_makes_no_time_in_the_future(qtbot: QtBot, console: Console, pins: Pins) -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    pins.there = [replace(THEIRS, since=later)]
    dialog = opened(qtbot, console)
    assert cells(dialog, 0)[4] == local(later)


def test_where_nothing_is_in_use_the_list_says_so(qtbot: QtBot, console: Console, pins: Pins) -> None:
    pins.there = []
    dialog = opened(qtbot, console)
    assert not dialog.table.isVisible()
    assert not dialog.end.isEnabled()


def test_the_list_keeps_itself_fresh_and_the_selection_stays(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    dialog = opened(qtbot, console, look_ms=20)
    click_row(dialog, DAMAGED)
    assert dialog.end.isEnabled()
    pins.there = pins.there[1:]
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 3)
    assert list(dialog.table.selected_rows()) == [DAMAGED]
    pins.there = [OURS]
    qtbot.waitUntil(lambda: not dialog.end.isEnabled())
    assert list(dialog.table.selected_rows()) == [OURS]
    pins.there = [replace(OURS, is_at_work=False)]
    qtbot.waitUntil(dialog.end.isEnabled)
    assert dialog.end.toolTip() == ""


def test_a_list_that_is_closed_asks_no_more(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    dialog = opened(qtbot, console, look_ms=20)
    qtbot.waitUntil(lambda: len(door.asked) > 2)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    asked = len(door.asked)
    qtbot.wait(100)
    settle(qtbot, console)
    assert len(door.asked) == asked


def test_a_standby_that_does_not_answer_is_said_and_tried_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListPins, OperationalError(detail="the share is gone"))
    dialog = opened(qtbot, console, look_ms=20)
    qtbot.waitUntil(lambda: not dialog.stages.is_undecided and not dialog.stages.is_loading)
    assert not dialog.table.isVisible()
    gate, asked = door.hold(ListPins), len(door.asked)
    qtbot.waitUntil(lambda: len(door.asked) > asked)
    assert not dialog.stages.is_undecided, "the reason stays while the list is asked for again"
    Pins(door)
    gate.set()
    qtbot.waitUntil(dialog.table.isVisible)
    door.answer(ListPins, OperationalError(detail="the share is gone"))
    qtbot.waitUntil(dialog.banner.isVisible)
    assert len(dialog.table.rows.rows) == 4
    Pins(door)
    qtbot.waitUntil(lambda: not dialog.banner.isVisible())


def test_the_list_is_exported(qtbot: QtBot, console: Console, pins: Pins, tmp_path: Path) -> None:
    dialog = opened(qtbot, console)
    dialog.exporter.write_to(str(tmp_path / "pins.csv"))
    qtbot.waitUntil(dialog.exporter.strip.folder.isVisible)
    rows = read_csv(tmp_path / "pins.csv")
    assert rows[0] == ["VM", "Backed up at", "Used for", "Used by", "In use since"]
    assert len(rows) == 5


# --- ending ----------------------------------------------------------------------------------------------------


def test_a_pin_whose_console_is_gone_is_ended_once_its_name_is_typed(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    dialog = opened(qtbot, console)
    click_row(dialog, THEIRS)
    click(dialog.end)
    question = question_of(dialog)
    assert question.windowTitle() == "End the pin of old-workstation"
    said = "\n".join(question.consequences)
    for words in ("web-01", local(KNOWN.point.created_at), local(THEIRS.since), "(restore)", "sleeps", "breaks"):
        assert words in said
    assert not question.primary.isEnabled()
    QTest.keyClicks(question.name, "web-01")
    assert not question.primary.isEnabled()
    question.name.selectAll()
    confirm(qtbot, question, "old-workstation")
    qtbot.waitUntil(lambda: THEIRS not in dialog.table.rows.rows)
    assert door.executed == [EndPin(standby=StandbyId("nas"), target_path="prod", pin="a" * 32)]
    assert dialog.banner.title == "The pin was ended."


def test_what_this_console_uses_right_now_cannot_be_ended_and_the_reason_is_said(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    dialog = opened(qtbot, console)
    click_row(dialog, OURS)
    assert not dialog.end.isEnabled()
    assert "right now" in dialog.end.toolTip()
    click(dialog.end)
    press_menu_key(dialog.table)
    (menu,) = dialog.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    entry = menu.actions()[0]
    assert (entry.text(), entry.isEnabled(), "right now" in entry.toolTip()) == ("End pin…", False, True)
    QTest.keyClick(menu, Qt.Key.Key_Escape)
    QTest.keyClick(dialog.table, Qt.Key.Key_Delete)
    assert "right now" in dialog.banner.title
    assert dialog.findChildren(ConfirmDialog) == []
    assert door.executed == []


def test_what_a_dead_process_of_this_console_left_is_ended_by_key_without_other_risks(
    qtbot: QtBot, console: Console, pins: Pins
) -> None:
    pins.there = [replace(OURS, is_at_work=False)]
    dialog = opened(qtbot, console)
    QTest.keyClick(dialog.table, Qt.Key.Key_Delete)
    question = question_of(dialog)
    assert question.windowTitle() == "End a pin of this console"
    assert "sleeps" not in "\n".join(question.consequences)
    confirm(qtbot, question, "here")
    qtbot.waitUntil(lambda: not dialog.table.rows.rows)


@pytest.mark.parametrize(("row", "words"), [(DAMAGED, "damaged"), (NEWER, "newer version")])
def test_of_a_pin_that_cannot_be_read_the_question_says_what_is_not_known(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins, row: PinRow, words: str
) -> None:
    dialog = opened(qtbot, console)
    click_row(dialog, row)
    click(dialog.end)
    question = question_of(dialog)
    said = "\n".join(question.consequences)
    assert words in said
    assert "not known" in said
    assert f"no restore point in the directory {row.target_path or '/'} is deleted" in said
    confirm(qtbot, question, "nas")
    assert door.executed == [EndPin(standby=StandbyId("nas"), target_path=row.target_path, pin=row.id)]
    qtbot.waitUntil(lambda: row not in dialog.table.rows.rows)


def test_a_refusal_is_shown_and_what_was_typed_stays(
    qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins
) -> None:
    door.answer(EndPin, PinAtWork(point=KNOWN.point.id, purpose=PinPurpose.RESTORE))
    dialog = opened(qtbot, console)
    click(dialog.end)
    question = question_of(dialog)
    QTest.keyClicks(question.name, "old-workstation")
    click(question.primary)
    qtbot.waitUntil(question.banner.isVisible)
    assert "right now (restore)" in question.banner.title
    assert question.name.text() == "old-workstation"
    QTest.keyClick(question, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not dialog.findChildren(ConfirmDialog))
    assert len(dialog.table.rows.rows) == 4


def test_escape_ends_nothing(qtbot: QtBot, console: Console, door: ScriptedDoor, pins: Pins) -> None:
    door.answer(ListStandbyRows, (standby_row("nas"),))
    page = open_page(qtbot, console)
    choose_from_menu(page, "In use…")
    (dialog,) = page.findChildren(PinsDialog)
    qtbot.waitUntil(dialog.end.isEnabled)
    click(dialog.end)
    QTest.keyClick(question_of(dialog), Qt.Key.Key_Escape)
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: not page.findChildren(PinsDialog))
    assert door.executed == []
    page.leave()


# --- in Chinese ------------------------------------------------------------------------------------------------


@pytest.fixture
def chinese(qapp: QApplication, console: Console) -> Iterator[None]:
    switch = LanguageSwitch(qapp, console.memory)
    switch.choose(Language.CHINESE)
    yield
    switch.choose(Language.ENGLISH)


@pytest.mark.usefixtures("chinese")
def test_everything_that_is_said_is_in_chinese(qtbot: QtBot, console: Console, pins: Pins) -> None:
    pins.there.append(replace(OURS, id="e" * 32, is_at_work=False, vm_name="", point_at=None))
    dialog = opened(qtbot, console)
    texts = [dialog.windowTitle(), dialog.end.text()]
    for place, row in enumerate(pins.there):
        tips = [dialog.table.tip(dialog.table.model().index(place, column)) for column in range(5)]
        texts += [*cells(dialog, place), *tips]
        click_row(dialog, row)
        texts.append(dialog.end.toolTip())
        if not dialog.end.isEnabled():
            continue
        click(dialog.end)
        question = question_of(dialog)
        texts += [question.windowTitle(), question.primary.text(), *question.consequences]
        QTest.keyClick(question, Qt.Key.Key_Escape)
        qtbot.waitUntil(lambda: not dialog.findChildren(ConfirmDialog))
    ids = [*(row.id for row in pins.there), KNOWN.point.id]
    for text in texts:
        shown = text
        for name in (*ids, "web-01", "old-workstation", "here", "nas", "archive", "prod"):
            shown = shown.replace(name, "")
        assert scraps(shown) == [], text
    assert cells(dialog, 0)[2:4] == ["恢复", "old-workstation"]
    assert cells(dialog, 1)[2:4] == ["NBD 访问", "本控制台"]
