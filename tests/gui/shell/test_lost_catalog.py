"""A lost catalog is a question before the window is shown."""

from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QAbstractButton, QApplication, QMessageBox
from pytestqt.qtbot import QtBot

from app.bootstrap import CATALOG_FILE, Installation, lost_catalog
from app.catalog import Catalog, CatalogGuard
from app.cli.demo.stage import folders_in
from app.console.catalogloss import StartGivenUp, settle_lost_catalog
from app.core.clock import SystemClock


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """Return an installation whose catalog is lost, with a safety copy."""
    found = Installation.find(folders_in(tmp_path / "home"))
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
        assert isinstance(box, QMessageBox)
        seen.append(box.text())
        buttons = {one.text().replace("&", ""): one for one in box.findChildren(QAbstractButton)}
        next(button for text, button in buttons.items() if text.startswith(words)).click()

    QTimer.singleShot(200, press)


def note(installation: Installation) -> str | None:
    with Catalog.open(installation.folders.data / CATALOG_FILE, clock=SystemClock()) as catalog:
        return catalog.settings.get("note")


@pytest.mark.allows_log("the catalog was settled")
@pytest.mark.parametrize(("words", "kept"), [("Restore the safety copy", "mine"), ("Begin with an empty", None)])
def test_the_operator_chooses_what_to_do(
    qtbot: QtBot, installation: Installation, words: str, kept: str | None
) -> None:
    seen: list[str] = []
    click(words, seen)
    settle_lost_catalog(installation)
    assert "is empty or missing" in seen[0]
    assert note(installation) == kept
    assert lost_catalog(installation) is None


def test_closing_the_question_changes_nothing(qtbot: QtBot, installation: Installation) -> None:
    click("Close", [])
    with pytest.raises(StartGivenUp):
        settle_lost_catalog(installation)
    assert lost_catalog(installation) is not None
