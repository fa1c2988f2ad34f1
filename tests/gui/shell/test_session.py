"""Logging out and shutting down: nothing asks, everything is kept, the program ends in order."""

import pytest
from pytestqt.qtbot import QtBot

from app.contract.overview import ReadStatus
from app.views.frame.shell import Shell
from tests.gui.shell.conftest import BUSY, MakeShell
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture
def busy(qtbot: QtBot, make_shell: MakeShell, calm_door: ScriptedDoor) -> Shell:
    """A window without a tray, while three tasks run."""
    calm_door.answer(ReadStatus, BUSY)
    shell = make_shell(has_tray=False)
    shell.show()
    qtbot.waitUntil(lambda: shell.feed.latest is not None and shell.feed.latest.running == 3)
    return shell


def test_the_end_of_the_session_is_not_held_up_by_a_question(qtbot: QtBot, busy: Shell) -> None:
    busy.session.announce()
    with qtbot.waitSignal(busy.ended):
        busy.window.close()
    assert busy.question is None


def test_a_question_that_is_open_is_taken_back(qtbot: QtBot, busy: Shell) -> None:
    busy.quit()
    assert busy.question is not None
    busy.session.announce()
    qtbot.waitUntil(lambda: busy.question is None)
    assert busy.window.isVisible()


def test_a_session_that_goes_on_after_all_is_asked_about_again(busy: Shell) -> None:
    busy.session.announce()
    busy.session.call_off()
    busy.quit()
    assert busy.question is not None
    busy.question.reject()


def test_the_window_keeps_its_place_before_the_session_ends(busy: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[str] = []
    monkeypatch.setattr(busy.console.memory, "save_geometry", lambda key, _window: kept.append(key))
    busy.session.announce()
    assert kept == ["main"]


def test_a_signal_of_the_system_ends_the_program_without_a_question(qtbot: QtBot, busy: Shell) -> None:
    with qtbot.waitSignal(busy.ended):
        busy.end_at_once()
    assert busy.question is None
    busy.end_at_once()
