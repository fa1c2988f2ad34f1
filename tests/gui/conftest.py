"""A console on a scripted door."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeDatabase
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.views.console import Console
from tests.gui.operator import console_on
from tests.support.scripted_door import ScriptedDoor


@pytest.fixture(scope="session", autouse=True)
def kinds_of_files() -> None:
    """Let Qt open the system's list of kinds of files, which it keeps open, before a test is watched for leaks."""
    QMimeDatabase().mimeTypeForFile("list.csv")


@pytest.fixture
def door() -> ScriptedDoor:
    """The door that the test scripts."""
    return ScriptedDoor()


@pytest.fixture
def console(qtbot: QtBot, qapp: QApplication, tmp_path: Path, door: ScriptedDoor) -> Iterator[Console]:
    """A console whose requests go to the scripted door."""
    with console_on(qapp, tmp_path, door) as opened:
        yield opened
