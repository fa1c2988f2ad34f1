"""The whole window on a busy engine, in the language and size of a test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.console.pages import make_pages
from app.views.console import Console
from app.views.frame.shell import Shell
from app.views.translation import Language, LanguageSwitch
from tests.gui.fit import world
from tests.gui.fit.scene import Scene
from tests.gui.shell.conftest import ProgramStub
from tests.support.scripted_door import ScriptedDoor

MakeScene = Callable[[Language, tuple[int, int]], Scene]


@pytest.fixture
def make_scene(
    qtbot: QtBot, qapp: QApplication, tmp_path: Path, console: Console, door: ScriptedDoor
) -> Iterator[MakeScene]:
    """Build the window; it and what was opened over it are put away at the end."""
    made: list[Scene] = []
    languages = LanguageSwitch(qapp, console.memory)

    def make(language: Language, size: tuple[int, int]) -> Scene:
        world.fill(door)
        languages.choose(language)
        program = ProgramStub()
        shell = Shell(console, languages, lambda console: make_pages(console, languages, program), has_tray=False)
        shell.window.resize(*size)
        shell.show()
        scene = Scene(qtbot, shell, console, door)
        made.append(scene)
        return scene

    yield make
    for scene in made:
        scene.close_opened()
        scene.shell.dismiss()
    languages.choose(Language.ENGLISH)
