"""What the window shows while its engine cannot be reached, and when it is back."""

from pytestqt.qtbot import QtBot

from app.contract.errors import EngineAway
from app.contract.overview import ReadOverview, ReadStatus
from app.domain.engine_events import EngineFound, EngineLost
from app.views.widgets.pill import PillDelegate
from tests.gui.shell.conftest import BUSY, NOW, SAFE, MakeShell
from tests.support.scripted_door import ScriptedDoor


def drawn_unknown() -> str | None:
    """Return the words in the place of every running state; None when it is drawn as it is."""
    return None if PillDelegate.unknown is None else PillDelegate.unknown.text


def test_what_runs_is_unknown_while_the_engine_is_away_and_read_again_when_it_is_back(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, BUSY)
    shell = make_shell()
    qtbot.waitUntil(lambda: "3 running" in shell.items.tasks.text())
    assert drawn_unknown() is None
    away = EngineAway(detail="it was killed")
    calm_door.answer(ReadStatus, away)
    calm_door.answer(ReadOverview, away)
    calm_door.publish(EngineLost(at=NOW))
    qtbot.waitUntil(lambda: shell.items.tasks.text() == "The engine cannot be reached")
    assert drawn_unknown() == "Unknown"

    calm_door.answer(ReadStatus, BUSY)
    calm_door.answer(ReadOverview, SAFE)
    before = len([query for query in calm_door.asked if isinstance(query, ReadOverview)])
    calm_door.publish(EngineFound(at=NOW, pid=2))
    qtbot.waitUntil(lambda: "3 running" in shell.items.tasks.text())
    qtbot.waitUntil(lambda: len([query for query in calm_door.asked if isinstance(query, ReadOverview)]) > before)
    assert drawn_unknown() is None


def test_quitting_next_to_a_service_asks_nothing_for_its_tasks_go_on(
    qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor
) -> None:
    calm_door.answer(ReadStatus, BUSY)
    shell = make_shell(engine_ends_too=False)
    qtbot.waitUntil(lambda: shell.feed.latest is not None and shell.feed.latest.running == BUSY.running)
    with qtbot.waitSignal(shell.ended):
        shell.quit()
    assert shell.question is None
