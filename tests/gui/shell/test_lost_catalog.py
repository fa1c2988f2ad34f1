"""A lost catalog is a question before the window is shown, asked when the engine does not start with it."""

import os
import signal
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.bootstrap.installation import CATALOG_FILE, Installation
from app.catalog import Catalog, CatalogGuard
from app.catalog.errors import CatalogLost
from app.cli.demo.stage import folders_in
from app.console.enginedoor import open_engine
from app.console.questions import StartGivenUp, StartQuestions
from app.contract.client import attach
from app.contract.hooks import SetHooks
from app.core.clock import SystemClock
from app.domain.hooks import Hooks


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Return an installation whose catalog is lost, with a safety copy."""
    monkeypatch.setenv("STANDFAST_PASSPHRASE", "a long passphrase")
    folders = folders_in(tmp_path / "home")
    folders.create()
    folders.user_config_file.write_text("secret_store=file\n", encoding="utf-8")
    found = Installation.find(folders)
    file = found.folders.data / CATALOG_FILE
    with Catalog.open(file, clock=SystemClock()) as catalog:
        catalog.settings.put("note", "mine")
        CatalogGuard(file).copy(SystemClock().now())
    for part in found.folders.data.glob(f"{CATALOG_FILE}*"):
        if part.suffix != ".mark":
            part.unlink()
    file.touch()
    return found


def click(words: str, seen: list[str]) -> None:
    """Press the button whose text begins so, once the question is shown."""

    def press() -> None:
        box = QApplication.activeModalWidget()
        if box is None:
            QTimer.singleShot(50, press)
            return
        assert isinstance(box, QMessageBox)
        seen.append(box.text())
        buttons = {button.text().replace("&", ""): button for button in box.findChildren(QAbstractButton)}
        next(button for text, button in buttons.items() if text.startswith(words)).click()

    QTimer.singleShot(200, press)


def note(installation: Installation) -> str | None:
    with Catalog.open(installation.folders.data / CATALOG_FILE, clock=SystemClock()) as catalog:
        return catalog.settings.get("note")


def is_lost(installation: Installation) -> bool:
    try:
        CatalogGuard(installation.folders.data / CATALOG_FILE).refuse_loss()
    except CatalogLost:
        return True
    return False


@pytest.mark.allows_log("the engine said")
@pytest.mark.parametrize(("words", "kept"), [("Restore the safety copy", "mine"), ("Begin with an empty", None)])
def test_the_operator_chooses_what_to_do(
    qtbot: QtBot, installation: Installation, words: str, kept: str | None
) -> None:
    seen: list[str] = []
    click(words, seen)
    open_engine(installation, StartQuestions(installation)).close()
    assert "is empty or missing" in seen[0]
    assert note(installation) == kept
    assert not is_lost(installation)


@pytest.mark.allows_log("the engine ended with status", "the engine said")
def test_an_engine_that_is_started_again_does_not_begin_again(qtbot: QtBot, installation: Installation) -> None:
    click("Begin with an empty", [])
    with open_engine(installation, StartQuestions(installation)), attach(installation.folders.data) as door:
        victim = door.engine_pid
        assert victim is not None
        door.execute(SetHooks(hooks=Hooks()))
        os.kill(victim, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
        qtbot.waitUntil(lambda: door.engine_pid not in (None, victim), timeout=60_000)
    assert len(list(installation.folders.data.glob("set-aside-*-catalog.db"))) == 1, (
        "only the lost one was set aside"
    )


def test_closing_the_question_changes_nothing(qtbot: QtBot, installation: Installation) -> None:
    click("Close", [])
    with pytest.raises(StartGivenUp):
        open_engine(installation, StartQuestions(installation))
    assert is_lost(installation)
