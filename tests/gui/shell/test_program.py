"""The whole program around the window, on the real engine."""

import json
import os
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog
from pytestqt.qtbot import QtBot

from app.bootstrap.installation import Installation, claim_window
from app.cli.demo.stage import folders_in
from app.console import autostart
from app.console.demoplatform import DemoPlatform
from app.console.enginedoor import open_engine
from app.console.program import run_console
from app.console.questions import NoSecretStore, StartQuestions
from app.console.service import ProgramService
from app.contract.errors import EngineError, ErrorRow
from app.core.secrets import SecretStoreLocked
from app.domain.limits import BufferBudgetExceeded, TaskLimits
from app.paths import Folders
from app.views.frame.main_window import MainWindow
from app.views.widgets.passphrase import PassphraseDialog
from tests.gui.operator import problem_of


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folders:
    """An installation that keeps its passwords in the encrypted file."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "session"))
    monkeypatch.setenv("STANDFAST_PASSPHRASE", "a long passphrase")
    folders = folders_in(tmp_path / "home")
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    return folders


def shown_window() -> MainWindow | None:
    found = [
        widget
        for widget in QApplication.topLevelWidgets()
        if isinstance(widget, MainWindow) and widget.isVisible()
    ]
    return found[0] if found else None


def when_shown(act: "list[object]") -> None:
    """Wait inside the running program for its window, note it, and quit as an operator does."""

    def look() -> None:
        window = shown_window()
        if window is None:
            QTimer.singleShot(50, look)
            return
        act.append(window.windowTitle())
        window.close()

    QTimer.singleShot(50, look)


@pytest.mark.allows_log("this plugin", "keyring")
def test_the_program_starts_shows_its_window_and_ends_in_order(qtbot: QtBot, folders: Folders) -> None:
    seen: list[object] = []
    when_shown(seen)
    assert run_console(folders=folders) == 0
    assert len(seen) == 1
    assert "ended" in (folders.logs / "console.log").read_text(encoding="utf-8")
    lock = claim_window(Installation.find(folders))
    assert lock is not None, "the next start can show its window"
    lock.release()


def test_without_a_passphrase_the_program_ends_and_says_so(
    qtbot: QtBot, folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STANDFAST_PASSPHRASE")

    def refuse() -> None:
        dialog = QApplication.activeModalWidget()
        assert isinstance(dialog, QDialog)
        dialog.reject()

    QTimer.singleShot(200, refuse)
    with pytest.raises(NoSecretStore):
        open_engine(Installation.find(folders), StartQuestions(Installation.find(folders)))


def test_a_locked_keyring_does_not_move_the_passwords_into_a_file(qtbot: QtBot, folders: Folders) -> None:
    folders.user_config_file.write_text("secret_store=keyring\n", encoding="utf-8")
    questions = StartQuestions(Installation.find(folders))
    with pytest.raises(EngineError, match="locked"):
        questions.answer(questions.begin(), EngineError(ErrorRow.of(SecretStoreLocked(seconds=30))))
    assert folders.user_config_file.read_text(encoding="utf-8") == "secret_store=keyring\n"


def test_a_new_passphrase_is_checked_before_it_is_taken(qtbot: QtBot) -> None:
    dialog = PassphraseDialog(None, is_new=True, shortest=8)
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.accept()
    assert problem_of(dialog.first) == "Type the passphrase."
    QTest.keyClicks(dialog.first, "short")
    dialog.accept()
    assert problem_of(dialog.first) == "Use at least 8 characters."
    QTest.keyClicks(dialog.first, " no more")
    dialog.accept()
    assert problem_of(dialog.second) == "The two are not the same."
    QTest.keyClicks(dialog.second, "short no more")
    dialog.accept()
    assert dialog.result() == QDialog.DialogCode.Accepted
    assert dialog.passphrase() == "short no more"


# --- what the settings page asks of the program ------------------------------------------------------------------


@pytest.fixture
def service(folders: Folders) -> ProgramService:
    demo = DemoPlatform(folders.data / "demo")
    return ProgramService(
        Installation.find(folders), demo, engine_is_elsewhere=False, put_in_force=lambda _limits: True
    )


def test_limits_are_kept_in_the_operators_file(service: ProgramService, folders: Folders) -> None:
    assert service.save_limits(TaskLimits(tasks=4, buffer_mb=8))
    text = folders.user_config_file.read_text(encoding="utf-8")
    assert "bk_tsk_thd=4" in text
    assert "i2vp_transbuffer=8" in text
    assert "secret_store=file" in text
    assert service.settings().limits == TaskLimits(tasks=4, buffer_mb=8)
    with pytest.raises(BufferBudgetExceeded, match="9 × 4 = 36"):
        service.save_limits(TaskLimits(tasks=9, buffer_mb=4))


@pytest.mark.skipif(os.name == "nt", reason="a desktop entry is how Linux does it")
def test_starting_with_the_session_is_a_desktop_entry(service: ProgramService) -> None:
    service.start_with_system(wanted=True)
    entry = autostart.entry_file()
    assert "--minimized" in entry.read_text(encoding="utf-8")
    assert service.settings().starts_with_system
    service.start_with_system(wanted=False)
    assert not entry.exists()


def test_the_demo_platform_answers_and_comes_back_at_the_same_port(tmp_path: Path) -> None:
    demo = DemoPlatform(tmp_path / "demo")
    assert not demo.was_used()
    first = demo.start()
    try:
        assert demo.start() == first, "it runs already"
        assert json.loads((tmp_path / "demo" / "platform.json").read_text())["port"] == first.port
    finally:
        demo.stop()
    again = DemoPlatform(tmp_path / "demo")
    assert again.was_used()
    try:
        assert again.start().port == first.port
    finally:
        again.stop()
