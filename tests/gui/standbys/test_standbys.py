from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.api import ListStandbyRows, RefreshPoints, RegisterStandby, StandbyRow
from app.engine.errors import StandbyCopied
from app.views.console import Console
from app.views.standbys.dialog import StandbyDialog
from app.views.standbys.page import StandbysPage
from app.views.widgets.gauge import gauge_color
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


def test_the_list_tells_how_full_each_standby_is(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
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


def test_reading_again_tells_what_was_found(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    door.answer(ListStandbyRows, (row(),))
    door.answer(RefreshPoints, 7)
    page = open_page(qtbot, console)
    page._on_read_again()
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
