"""A deleted restore point is taken back: at once, or days later from the list of deleted ones."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.contract.points import (
    DeletedPoint,
    DeletePoint,
    ListDeletedPoints,
    ListPoints,
    StartVerify,
    TakeBackPoint,
)
from app.contract.rules import ListVmPoints
from app.contract.standbys import ListStandbyRows
from app.domain.tasks import KnownPoint
from app.engine.errors import StillInUse
from app.repository.errors import PointMissing
from app.views.console import Console
from app.views.restore.deleted import DeletedPointsDialog
from app.views.restore.dialog import RestoreDialog
from app.views.standbys.page import StandbysPage
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.export_steps import read_csv
from tests.gui.keys import press_menu_key
from tests.gui.operator import settle
from tests.gui.restore.points import point
from tests.gui.restore.test_restore import open_dialog
from tests.gui.standbys.test_standbys import open_page as open_standbys
from tests.gui.standbys.test_standbys import row as standby_row
from tests.support.scripted_door import ScriptedDoor


class Points:
    """The points of web-01 and the trash, as a repository has them."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.there = [point(number=number) for number in range(3)]
        self.trash: list[KnownPoint] = []
        door.answer(ListPoints, lambda _: tuple(self.there))
        door.answer(ListVmPoints, lambda _: tuple(self.there))
        door.answer(DeletePoint, self._delete)
        door.answer(TakeBackPoint, self._take_back)
        door.answer(ListDeletedPoints, lambda _: tuple(self.row(known) for known in self.trash))

    def _delete(self, command: DeletePoint) -> None:
        (known,) = (point for point in self.there if point.point.id == command.point)
        self.there.remove(known)
        self.trash.append(known)

    def _take_back(self, command: TakeBackPoint) -> None:
        found = [point for point in self.trash if point.point.id == command.point]
        if not found:
            raise PointMissing(point=command.point)
        self.trash.remove(found[0])
        self.there.append(found[0])

    def row(self, known: KnownPoint) -> DeletedPoint:
        deleted = datetime.now(UTC) - timedelta(hours=3)
        return DeletedPoint(
            standby=known.standby,
            target_path=known.target_path,
            id=known.point.id,
            deleted_at=deleted,
            kept_until=deleted + timedelta(days=7),
            point=known.point,
        )


def open_points(qtbot: QtBot, console: Console, door: ScriptedDoor) -> tuple[RestoreDialog, Points]:
    dialog = open_dialog(qtbot, console, door)
    points = Points(door)
    dialog.source.actions_of_points.changed.emit()
    qtbot.waitUntil(lambda: len(dialog.source.points.rows.rows) == 3)
    return dialog, points


def delete_first(qtbot: QtBot, dialog: RestoreDialog) -> None:
    """Delete the selected point with the keyboard, and confirm."""
    dialog.source.points.selectRow(0)
    dialog.source.points.setFocus()
    QTest.keyClick(dialog.source.points, Qt.Key.Key_Delete)
    question = dialog.source.findChildren(ConfirmDialog)[-1]
    with qtbot.waitSignal(question.succeeded):
        QTest.mouseClick(question.primary, Qt.MouseButton.LeftButton)


def test_a_point_that_was_deleted_by_mistake_is_taken_back_at_once(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog, points = open_points(qtbot, console, door)
    delete_first(qtbot, dialog)
    qtbot.waitUntil(lambda: len(dialog.source.points.rows.rows) == 2)
    undo = dialog.source.actions_of_points.undo
    assert undo.isVisible()
    assert "was deleted" in undo.text.text()
    QTest.mouseClick(undo.take_back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: len(dialog.source.points.rows.rows) == 3)
    assert not undo.isVisible()
    assert points.trash == []


def test_the_question_says_what_goes_and_escape_keeps_everything(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog, points = open_points(qtbot, console, door)
    dialog.source.points.selectRow(0)
    QTest.keyClick(dialog.source.points, Qt.Key.Key_Delete)
    question = dialog.source.findChildren(ConfirmDialog)[-1]
    assert question.primary.text() == "Delete restore point"
    QTest.keyClick(question, Qt.Key.Key_Escape)
    assert not question.isVisible()
    assert len(points.there) == 3


def test_a_point_that_a_task_reads_is_not_deleted_and_the_reason_is_shown(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    dialog, points = open_points(qtbot, console, door)
    door.answer(DeletePoint, StillInUse(name="p0"))
    dialog.source.points.selectRow(0)
    QTest.keyClick(dialog.source.points, Qt.Key.Key_Delete)
    question = dialog.source.findChildren(ConfirmDialog)[-1]
    QTest.mouseClick(question.primary, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(question.banner.isVisible)
    assert "in use by tasks" in question.banner.title
    assert len(points.there) == 3
    assert not dialog.source.actions_of_points.undo.isVisible()


def test_the_menu_key_offers_what_can_be_done_with_a_point(
    qtbot: QtBot, console: Console, door: ScriptedDoor, tmp_path: Path
) -> None:
    dialog, _points = open_points(qtbot, console, door)
    door.answer(StartVerify, "task")
    dialog.source.points.selectRow(1)
    dialog.source.points.setFocus()
    press_menu_key(dialog.source.points)
    (menu,) = dialog.source.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    entries = {action.text(): action for action in menu.actions() if action.text()}
    assert list(entries) == [
        "Verify",
        "Prove…",
        "Instant recovery…",
        "Offer disks over NBD…",
        "Delete…",
        "Deleted restore points…",
        "Export the list…",
    ]
    menu.setActiveAction(entries["Verify"])
    QTest.keyClick(menu, Qt.Key.Key_Return)
    qtbot.waitUntil(dialog.source.actions_of_points.banner.isVisible)
    dialog.source.actions_of_points.exporter.write_to(str(tmp_path / "points.csv"))
    qtbot.waitUntil(dialog.source.actions_of_points.exporter.strip.folder.isVisible)
    assert read_csv(tmp_path / "points.csv")[0] == [
        "Backed up at",
        "Size (B)",
        "Backup kind",
        "Verification",
        "Proof",
    ]


def test_days_later_points_are_taken_back_from_the_standby_machine_by_keyboard(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    door.answer(ListStandbyRows, (standby_row("nas"),))
    points = Points(door)
    points.trash, points.there = points.there, []
    page: StandbysPage = open_standbys(qtbot, console)
    page.table.setFocus()
    press_menu_key(page.table)
    (menu,) = page.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)
    (entry,) = (action for action in menu.actions() if action.text() == "Deleted restore points…")
    menu.setActiveAction(entry)
    QTest.keyClick(menu, Qt.Key.Key_Return)
    (dialog,) = page.findChildren(DeletedPointsDialog)
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 3)
    assert dialog.table.model().index(0, 4).data() == "3 h ago"
    dialog.table.selectAll()
    assert dialog.take_back.isEnabled()
    QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: not dialog.table.rows.rows)
    assert len(points.there) == 3
    assert not dialog.take_back.isEnabled()
    page.leave()


def test_a_point_that_is_gone_meanwhile_is_shown_and_the_list_is_read_again(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    points = Points(door)
    points.trash = [point(number=0), point(number=1)]
    dialog = DeletedPointsDialog(console, point().standby, "nas")
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 2)
    points.trash = points.trash[1:]
    QTest.mouseClick(dialog.take_back, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(dialog.banner.isVisible)
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 1)


def test_a_point_is_taken_back_once_however_often_it_is_asked_for(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    points = Points(door)
    points.trash = [point(number=0)]
    gate = door.hold(TakeBackPoint)
    dialog = DeletedPointsDialog(console, point().standby, "nas")
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 1)
    for _ in range(2):
        QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    assert not dialog.take_back.isEnabled()
    gate.set()
    qtbot.waitUntil(lambda: not dialog.table.rows.rows)
    settle(qtbot, console)
    assert len(door.executed) == 1
    assert not dialog.banner.isVisible()


def test_a_point_whose_description_is_damaged_is_listed_by_its_id(
    qtbot: QtBot, console: Console, door: ScriptedDoor
) -> None:
    points = Points(door)
    points.trash = [point(number=0)]
    row = replace(points.row(points.trash[0]), point=None)
    door.answer(ListDeletedPoints, (row,))
    dialog = DeletedPointsDialog(console, point().standby, "nas")
    qtbot.addWidget(dialog)
    dialog.open()
    qtbot.waitUntil(lambda: len(dialog.table.rows.rows) == 1)
    assert dialog.table.model().index(0, 0).data() == row.id
