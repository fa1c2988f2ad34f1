import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.contract.points import RefreshPoints
from app.contract.standbys import (
    ListGroups,
    ListStandbyRows,
    OpenEntriesRow,
    ReadOpenEntries,
    RegisterStandby,
    StandbyRow,
    StartClosing,
)
from app.domain.errors import OperationalError
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.errors import GroupRefused, KeepsItsRights, StandbyCopied
from app.views.console import Console
from app.views.standbys.dialog import StandbyDialog
from app.views.standbys.page import StandbysPage
from app.views.widgets.confirm import ConfirmDialog
from app.views.widgets.gauge import gauge_color
from tests.gui.operator import choose_from_menu, click_button, problem_of
from tests.support.scripted_door import ScriptedDoor

TB = 1_000_000_000_000


def row(name: str = "local", *, reachable: bool = True, free_bytes: int | None = 4 * TB) -> StandbyRow:
    return StandbyRow(
        id=StandbyId(name),
        name=name,
        root_path=f"/srv/{name}",
        note="",
        reachable=reachable,
        writable=True,
        error=None,
        total_bytes=16 * TB if reachable else None,
        free_bytes=free_bytes if reachable else None,
        repository_bytes=9 * TB,
        point_count=412,
        rule_count=3,
    )


def open_page(qtbot: QtBot, console: Console) -> StandbysPage:
    page = StandbysPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 600)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) > 0)
    return page


def test_a_standby_that_does_not_report_its_space_is_unknown_and_not_empty(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListStandbyRows, (row("dav", free_bytes=None),))
    page = open_page(qtbot, console)
    texts = [page.table.model().index(0, column).data() for column in (1, 3, 4)]
    assert texts == ["Reachable", "Unknown", "—"]


def test_the_list_shows_how_full_each_standby_is(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListStandbyRows, (row("local"), row("nas", reachable=False)))
    page = open_page(qtbot, console)
    texts = [[page.table.model().index(place, column).data() for column in (0, 1, 3, 4, 6)] for place in range(2)]
    assert texts == [
        ["local", "Reachable", "12.0 TB of 16.0 TB", "4.00 TB", "412"],
        ["nas", "Not reachable", "—", "—", "412"],
    ]
    page.leave()


def test_filling_changes_colour_before_it_is_full() -> None:
    assert [gauge_color(part) for part in (0.2, 0.86, 0.99)] == ["accent_fill", "pending", "failed"]


def test_a_standby_is_registered_by_name_and_path(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    standby = Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas")
    door.answer(RegisterStandby, standby)
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert [field.problem for field in dialog.problems()] == ["Enter a name.", "Enter the path."]
    QTest.keyClicks(dialog.name, "nas")
    QTest.keyClicks(dialog.root_path, "/mnt/nas")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [RegisterStandby(name="nas", root_path="/mnt/nas")]


def test_reading_again_shows_what_was_found(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListStandbyRows, (row(),))
    door.answer(RefreshPoints, 7)
    page = open_page(qtbot, console)
    click_button(page, "Read again")
    qtbot.waitUntil(lambda: page.banner.isVisible())
    assert door.executed == [RefreshPoints(standby=StandbyId("local"))]
    page.leave()


def test_a_copy_is_offered_an_identity_of_its_own(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(RegisterStandby, StandbyCopied(path="/mnt/copy", name="nas", original="/mnt/nas"))
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.show()
    QTest.keyClicks(dialog.name, "copy")
    QTest.keyClicks(dialog.root_path, "/mnt/copy")
    assert not dialog.new_identity.isVisible()
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.new_identity.isVisible)
    door.answer(RegisterStandby, Standby(id=StandbyId("s1"), name="copy", root_path="/mnt/copy"))
    QTest.mouseClick(dialog.new_identity, Qt.MouseButton.LeftButton)
    assert dialog.new_identity.isChecked()
    with qtbot.waitSignal(dialog.accepted):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert [command.new_identity for command in door.executed if isinstance(command, RegisterStandby)] == [
        False,
        True,
    ]


# --- for a group -------------------------------------------------------------------------------------------------


def choose_access(dialog: StandbyDialog, text: str) -> None:
    """Choose who may use the standby machine, by keyboard."""
    dialog.access.setFocus()
    QTest.keyClick(dialog.access, Qt.Key.Key_Home)
    while dialog.access.currentText() != text:
        before = dialog.access.currentIndex()
        QTest.keyClick(dialog.access, Qt.Key.Key_Down)
        assert dialog.access.currentIndex() > before, f"{text} is not offered"


def test_a_standby_is_registered_for_a_group_that_is_named(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListGroups, ("staff", "backup"))
    door.answer(RegisterStandby, Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas"))
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(dialog.access.isVisible)
    offered = [dialog.access.itemText(place) for place in range(dialog.access.count())]
    assert offered == ["This user only", "The group staff too", "The group backup too"]
    assert dialog.access.currentIndex() == 0
    QTest.keyClicks(dialog.name, "nas")
    QTest.keyClicks(dialog.root_path, "/mnt/nas")
    choose_access(dialog, "The group backup too")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert door.executed == [RegisterStandby(name="nas", root_path="/mnt/nas", group="backup")]


@pytest.mark.parametrize("answer", [(), OperationalError(detail="away")], ids=["Windows", "no answer"])
def test_where_there_are_no_groups_nothing_is_asked(
    qtbot: QtBot, console: Console, door: ScriptedDoor, answer: object
) -> None:
    door.answer(ListGroups, answer)
    door.answer(RegisterStandby, Standby(id=StandbyId("s1"), name="nas", root_path="/mnt/nas"))
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    QTest.keyClicks(dialog.name, "nas")
    QTest.keyClicks(dialog.root_path, "/mnt/nas")
    with qtbot.waitSignal(dialog.succeeded):
        QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    assert not dialog.access.isVisible()
    assert door.executed == [RegisterStandby(name="nas", root_path="/mnt/nas")]


def test_a_registered_standby_keeps_its_rights_when_it_is_edited(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListGroups, ("staff",))
    dialog = StandbyDialog(console, row())
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.wait(50)
    assert not dialog.access.isVisible()
    assert door.asked == []


@pytest.mark.parametrize(
    "refusal",
    [
        GroupRefused(path="/mnt/nas", group="staff", detail="Operation not permitted"),
        KeepsItsRights(path="/mnt/nas"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
def test_a_refused_group_is_shown_below_its_field(
    qtbot: QtBot, console: Console, door: ScriptedDoor, refusal: OperationalError
) -> None:
    door.answer(ListGroups, ("staff",))
    door.answer(RegisterStandby, refusal)
    dialog = StandbyDialog(console, None)
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(dialog.access.isVisible)
    QTest.keyClicks(dialog.name, "nas")
    QTest.keyClicks(dialog.root_path, "/mnt/nas")
    choose_access(dialog, "The group staff too")
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.banner.isVisible)
    refused = dialog.access if isinstance(refusal, GroupRefused) else dialog.root_path
    assert problem_of(refused) == refusal.message
    assert dialog.access.currentText() == "The group staff too", "what was chosen stays"


# --- closing to other users --------------------------------------------------------------------------------------


def found(count: int, *, linked: int = 0, is_complete: bool = True) -> OpenEntriesRow:
    return OpenEntriesRow(path="/srv/local", count=count, linked=linked, is_complete=is_complete)


def words(page: StandbysPage) -> str:
    return " ".join(label.text() for label in page.banner.findChildren(QLabel) if label.isVisible())


def closing_page(qtbot: QtBot, console: Console, door: ScriptedDoor, answer: OpenEntriesRow) -> StandbysPage:
    door.answer(ListStandbyRows, (row(),))
    door.answer(ReadOpenEntries, answer)
    door.answer(StartClosing, "task")
    page = open_page(qtbot, console)
    choose_from_menu(page, "Close to other users…")
    return page


def test_closing_asks_first_with_what_will_change_and_then_queues_a_task(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    page = closing_page(qtbot, console, door, found(42, linked=3))
    qtbot.waitUntil(lambda: bool(page.findChildren(ConfirmDialog)))
    (dialog,) = page.findChildren(ConfirmDialog)
    shown = " ".join(label.text() for label in dialog.findChildren(QLabel))
    assert "can use 42 files and folders of the repositories in /srv/local" in shown
    assert "3 open files have further names" in shown
    assert door.executed == []
    QTest.mouseClick(dialog.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: "see the tasks" in words(page))
    assert door.executed == [StartClosing(standby=StandbyId("local"))]
    page.leave()


def test_closing_that_is_not_confirmed_changes_nothing(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    page = closing_page(qtbot, console, door, found(42, is_complete=False))
    qtbot.waitUntil(lambda: bool(page.findChildren(ConfirmDialog)))
    (dialog,) = page.findChildren(ConfirmDialog)
    assert any("42 or more files and folders" in label.text() for label in dialog.findChildren(QLabel))
    dialog.reject()
    assert door.executed == []
    page.leave()


def test_where_nothing_is_open_nothing_is_asked(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    page = closing_page(qtbot, console, door, found(0))
    qtbot.waitUntil(lambda: "nothing has to be changed" in words(page))
    assert page.findChildren(ConfirmDialog) == []
    page.leave()
