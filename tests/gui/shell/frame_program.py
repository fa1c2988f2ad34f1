"""The whole window on a real X server with a window manager and a panel; prints where things are as JSON."""

import json
import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QPoint, QRect
from PySide6.QtWidgets import QApplication, QFrame

from app.console.pages import make_pages
from app.views.console import Console, ThemeSwitch
from app.views.frame.history import Address
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.translation import Language, LanguageSwitch
from app.views.widgets.screenfit import frame_of
from tests.gui.fit import world
from tests.gui.shell.conftest import ProgramStub
from tests.support.local_line import LocalClient
from tests.support.scripted_door import ScriptedDoor
from tools.stage import let_live, wait_for

PAGES = (("overview",), ("backup", "r-web"), ("backup", "r-web", "statistics"), ("tasks", "d"), ("settings",))


def show(folder: Path) -> int:
    application = QApplication([])
    door = ScriptedDoor()
    world.fill(door)
    memory = Memory(folder / "window.ini")
    client, languages = LocalClient(door), LanguageSwitch(application, memory)
    languages.choose(Language.CHINESE)
    program = ProgramStub()
    console = Console(client, memory, ThemeSwitch(application, memory))
    shell = Shell(console, languages, lambda console: make_pages(console, languages, program), has_tray=False)
    shell.show()
    window = shell.window
    wait_for(lambda: frame_of(window).top() > 0, seconds=20)
    let_live(1500)
    bar = window.findChild(QFrame, "statusbar")
    assert bar is not None
    seen = []
    for page in PAGES:
        window.visit(Address(page[0], page[1:]))
        let_live(300)
        seen.append(
            {
                "page": "/".join(page),
                "frame": numbers(window.frameGeometry()),
                "room": numbers(window.screen().availableGeometry()),
                "bar": numbers(QRect(bar.mapToGlobal(QPoint(0, 0)), bar.size())),
                "title": frame_of(window).top(),
            }
        )
    json.dump(seen, sys.stdout)
    shell.dismiss()
    client.close()
    return 0


def numbers(place: QRect) -> list[int]:
    return [place.left(), place.top(), place.right(), place.bottom()]


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return show(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
