"""What an operator does on the page of migrations, and what the engine has."""

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog
from pytestqt.qtbot import QtBot

from app.contract.migration import (
    CutOver,
    DiscardMigration,
    ListMigrations,
    MigrationRow,
    ResumeMigration,
    StartMigration,
    StopMigration,
)
from app.contract.tasks import ListTasks
from app.domain.ids import MigrationId, TaskId
from app.domain.migration import MigrationState
from app.domain.vms import VmSummary
from app.views.console import Console
from app.views.migration.dialog import MigrationDialog
from app.views.migration.page import MigrationPage
from app.views.widgets.row_actions import RowAction
from tests.gui.migration.migrations import TARGET, WEB, migration, script_migrations
from tests.gui.operator import settle
from tests.support.scripted_door import ScriptedDoor

READY = migration("web-01")
STOPPED = migration("files-01", MigrationState.STOPPED)
DONE = migration("web-03", MigrationState.COMPLETED)
TASK = TaskId("t1")


class Migrations:
    """Migrations as an engine has them; every command is answered."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.door = door
        self.rows: list[MigrationRow] = [STOPPED, DONE]
        script_migrations(door)
        door.answer(ListMigrations, lambda _: tuple(self.rows))
        door.answer(ListTasks, ())
        for command in (CutOver, ResumeMigration, DiscardMigration):
            door.answer(command, TASK)
        door.answer(StopMigration, None)
        door.answer(StartMigration, (MigrationId("migration-web-01"),))

    @property
    def asked(self) -> int:
        """How often the list was asked for."""
        return sum(isinstance(query, ListMigrations) for query in self.door.asked)


def click(widget: object) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]


def action_of(page: MigrationPage, text: str) -> RowAction[MigrationRow]:
    return next(action for action in page.acting.of_rows() if action.text == text)


def newest_dialog(page: MigrationPage) -> QDialog:
    return [dialog for dialog in page.findChildren(QDialog) if dialog.isVisible()][-1]


def act(page: MigrationPage, text: str, row: MigrationRow) -> QDialog:
    """Take an action of a row and return the dialog that it opens."""
    action = action_of(page, text)
    assert action.enabled(row)
    assert action.run is not None
    action.run(row)
    return newest_dialog(page)


def cell(page: MigrationPage, row: int, key: str) -> str:
    keys = [column.key for column in page.table.rows.columns]
    return str(page.table.model().index(row, keys.index(key)).data())


def opened(qtbot: QtBot, console: Console) -> MigrationDialog:
    """The dialog, once the platforms are there."""
    dialog = MigrationDialog(console)
    qtbot.addWidget(dialog)
    dialog.open()
    settle(qtbot, console)
    return dialog


def chosen(qtbot: QtBot, console: Console, *vms: VmSummary) -> MigrationDialog:
    """The dialog with VMs and a target platform chosen."""
    dialog = opened(qtbot, console)
    dialog.source.show_vms(vms or (WEB,))
    dialog.target.platform.setCurrentIndex(dialog.target.platform.findData(TARGET.id))
    settle(qtbot, console)
    return dialog


def sent(door: ScriptedDoor) -> StartMigration:
    (command,) = door.executed
    assert isinstance(command, StartMigration)
    return command
