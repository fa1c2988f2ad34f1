"""What an operator does in the list of instant recoveries, and what the engine has."""

from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog

from app.contract.instant import (
    FinishInstantRecovery,
    InstantRow,
    KeepInstantRecovery,
    ListInstantRecoveries,
    ResumeInstantRecovery,
    StopInstantRecovery,
)
from app.contract.tasks import CancelTask, ListTasks
from app.domain.ids import TaskId
from app.domain.instant import InstantState
from app.views.restore.page import RestorePage
from app.views.widgets.row_actions import RowAction
from tests.gui.restore.instant.recoveries import recovery, script_recoveries
from tests.support.scripted_door import ScriptedDoor

SERVED, STOPPED = recovery("web-01"), recovery("files-01", InstantState.STOPPED)
RUNNING = replace(SERVED, traffic=None)  # so that nothing is sampled during a test that is about something else
TASK = TaskId("t1")


class Recoveries:
    """Instant recoveries as an engine has them; every command is answered with a task."""

    def __init__(self, door: ScriptedDoor) -> None:
        self.door = door
        self.rows: list[InstantRow] = [RUNNING, STOPPED]
        script_recoveries(door)
        door.answer(ListTasks, ())
        door.answer(ListInstantRecoveries, lambda _: tuple(self.rows))
        for command in (StopInstantRecovery, ResumeInstantRecovery, FinishInstantRecovery, KeepInstantRecovery):
            door.answer(command, TASK)
        door.answer(CancelTask, None)

    @property
    def asked(self) -> int:
        """How often the list was asked for."""
        return sum(isinstance(query, ListInstantRecoveries) for query in self.door.asked)


def click(widget: object) -> None:
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)  # type: ignore[call-overload]


def listed(page: RestorePage, *rows: InstantRow) -> None:
    """Let the list show other rows."""
    page.instant.feed.listed.emit(rows)


def action_of(page: RestorePage, text: str) -> RowAction[InstantRow]:
    return next(action for action in page.instant.actions_of_rows.of_rows() if action.text == text)


def act(page: RestorePage, text: str, row: InstantRow) -> QDialog:
    """Take an action of a row and return the dialog that it opens."""
    action = action_of(page, text)
    assert action.enabled(row)
    assert action.run is not None
    action.run(row)
    return [dialog for dialog in page.findChildren(QDialog) if dialog.isVisible()][-1]


def cell(page: RestorePage, row: int, key: str) -> str:
    keys = [column.key for column in page.instant.table.rows.columns]
    return str(page.instant.table.model().index(row, keys.index(key)).data())
