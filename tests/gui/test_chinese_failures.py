"""Two hundred failures through the window in Chinese: what is really shown has no English in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from app.contract.errors import EngineError, ErrorRow
from app.contract.tasks import ListTasks, TaskDetails, TaskLogLines, TaskReport
from app.domain.errors import OperationalError
from app.domain.ids import TaskId
from app.domain.messages import LogLevel
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import LogLine
from app.engine import messages
from app.engine.messages import MessageCatalogue
from app.engine.tasks.rows import log_row
from app.views.console import Console
from app.views.tasks.page import TasksPage
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.banner import Banner
from app.views.widgets.stages import Stages
from tests.gui.tasks.rows import START, script_names, task
from tests.support.failures import Failures
from tests.support.latin import scraps
from tests.support.scripted_door import ScriptedDoor

COUNT = 200
SEED = 20260301
NAMES = ("GenericVmConfigFault", "AlreadyExists", "NoPermission", "t0", "web-01")
"""What is shown as it is: types of faults that nobody has words for, and names of the test's own."""


@pytest.fixture
def chinese(qapp: QApplication, console: Console) -> Iterator[None]:
    switch = LanguageSwitch(qapp, console.memory)
    switch.choose(Language.CHINESE)
    yield
    switch.choose(Language.ENGLISH)


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> tuple[OperationalError, ...]:
    folder: Path = tmp_path_factory.mktemp("failures")
    made = Failures(folder, SEED)
    with made.servers():
        return tuple(made.some(COUNT))


def english_in(text: str) -> list[str]:
    for name in NAMES:
        text = text.replace(name, "")
    return scraps(text)


def test_the_failures_are_of_many_kinds(failures: tuple[OperationalError, ...]) -> None:
    assert len(failures) == COUNT
    assert len({error.code for error in failures}) >= 15
    assert len({error.message for error in failures}) >= 100
    assert sum(bool(error.details) for error in failures) >= 150, "what others said is kept for copying"


@pytest.mark.usefixtures("chinese")
def test_messages_and_pages_show_failures_in_chinese(
    qtbot: QtBot, console: Console, failures: tuple[OperationalError, ...]
) -> None:
    banner, stages = Banner(), Stages(QLabel(), console.theme)
    for widget in (banner, stages):
        qtbot.addWidget(widget)
        widget.show()
    for error in failures:
        over_the_door = EngineError(ErrorRow.of(error))
        banner.show_failure(over_the_door)
        stages.show_failure(over_the_door)
        texts = [
            label.text()
            for widget in (banner, stages)
            for label in widget.findChildren(QLabel)
            if label.isVisibleTo(widget)
        ]
        assert any(error.code not in text and text for text in texts)
        for text in texts:
            assert english_in(text) == [], (error.code, text)


@pytest.mark.usefixtures("chinese")
def test_the_list_of_tasks_and_their_logs_show_failures_in_chinese(
    qtbot: QtBot, console: Console, door: ScriptedDoor, failures: tuple[OperationalError, ...]
) -> None:
    rows = [task(f"t{n}", TaskState.FAILED, error=ErrorRow.of(error)) for n, error in enumerate(failures)]
    texts = MessageCatalogue([messages.TASK_FAILED, messages.TASK_STARTED, messages.SNAPSHOT_LEFT])
    said = [messages.TASK_STARTED.fill(what=kind, vm="虚机") for kind in TaskKind]
    said += [messages.TASK_FAILED.fill(code="1", message=error, hint=error.remedy()) for error in failures] + [
        messages.SNAPSHOT_LEFT.fill(snapshot="1", detail=error) for error in failures
    ]
    log = tuple(
        log_row(
            LogLine(
                id=n,
                task=TaskId("t0"),
                at=START,
                level=LogLevel.ERROR,
                code=message.kind.code,
                params=message.params,
            ),
            texts,
        )
        for n, message in enumerate(said, start=1)
    )
    script_names(door)
    door.answer(ListTasks, tuple(rows))
    door.answer(TaskDetails, TaskReport(task=rows[0], log=()))
    door.answer(TaskLogLines, lambda query: tuple(line for line in log if line.id > query.after))
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.resize(1200, 700)
    page.show()
    page.open(())
    qtbot.waitUntil(lambda: len(page.table.shown_rows()) == COUNT)
    assert shown_texts(page.table.model(), Qt.ItemDataRole.ToolTipRole)
    for text in shown_texts(page.table.model(), Qt.ItemDataRole.ToolTipRole):
        assert english_in(text) == [], text
    page.open(("t0",))
    qtbot.waitUntil(lambda: page.details.log.model().rowCount() == len(log), timeout=20_000)
    for text in shown_texts(page.details.log.model(), Qt.ItemDataRole.DisplayRole):
        assert english_in(text) == [], text
    page.leave()


def shown_texts(model: QAbstractItemModel, role: Qt.ItemDataRole) -> list[str]:
    found = []
    for row in range(model.rowCount()):
        for column in range(model.columnCount()):
            text = model.data(model.index(row, column), role)
            if isinstance(text, str) and any("一" <= letter <= "鿿" for letter in text):
                found.append(text)
    return found
