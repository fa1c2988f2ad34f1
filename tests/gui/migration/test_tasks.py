"""Tasks of migrations among all others."""

from pytestqt.qtbot import QtBot

from app.contract.tasks import ListTasks
from app.domain.states import TaskKind, TaskState
from app.views.console import Console
from app.views.tasks.figures import stage_names
from app.views.tasks.lines import own_word
from app.views.tasks.page import TasksPage
from app.views.widgets.confirm import ConfirmDialog
from tests.gui.operator import settle
from tests.gui.tasks.rows import task
from tests.support.scripted_door import ScriptedDoor


def test_a_task_that_migrates_says_so() -> None:
    assert own_word(TaskKind.MIGRATION, TaskState.RUNNING) == "Migrating"
    assert own_word(TaskKind.MIGRATION, TaskState.FAILED) is None


def test_its_bottleneck_is_at_one_of_two_platforms() -> None:
    source, _, target = stage_names(TaskKind.MIGRATION)
    assert (source, target) == ("Source platform and network", "Target platform and network")


def test_stopping_it_says_that_what_was_copied_is_kept(qtbot: QtBot, console: Console, door: ScriptedDoor) -> None:
    row = task("t1", kind=TaskKind.MIGRATION)
    door.answer(ListTasks, (row,))
    page = TasksPage(console)
    qtbot.addWidget(page)
    page.show()
    page.open(())
    settle(qtbot, console)
    page.ask_to_stop([row])
    (dialog,) = page.findChildren(ConfirmDialog)
    assert dialog.consequences[0].startswith("A migration keeps what was copied")
    page.leave()
