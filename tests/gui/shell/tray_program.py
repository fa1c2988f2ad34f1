"""A console with a real tray, for a test that clicks on it; prints what it sees as JSON."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PySide6.QtWidgets import QApplication

from app.contract.overview import ReadOverview, ReadStatus
from app.contract.platforms import ListPlatforms
from app.contract.statistics import ReadTraffic, Traffic
from app.domain.engine_events import NotificationRaised
from app.domain.errors import LoginRefused
from app.views.console import Console, ThemeSwitch
from app.views.frame.memory import Memory
from app.views.frame.shell import Shell
from app.views.overview.page import OverviewPage
from app.views.translation import Language, LanguageSwitch
from tests.gui.shell.conftest import FAILED, NOW, SAFE, ProgramStub
from tests.support.local_line import LocalClient
from tests.support.scripted_door import ScriptedDoor
from tools.stage import let_live, wait_for


def show(folder: Path) -> int:
    application = QApplication([])
    application.setQuitOnLastWindowClosed(False)
    memory = Memory(folder / "window.ini")
    door = ScriptedDoor()
    for query, answer in (
        (ReadStatus, FAILED),
        (ReadOverview, SAFE),
        (ListPlatforms, ("a platform",)),
        (ReadTraffic, Traffic(start=NOW, end=NOW, slice_s=1, points=())),
    ):
        door.answer(query, answer)
    client, languages = LocalClient(door), LanguageSwitch(application, memory)
    languages.choose(Language.CHINESE)
    program = ProgramStub()
    shell = Shell(
        Console(client, memory, ThemeSwitch(application, memory)),
        languages,
        lambda console: (OverviewPage(console, program),),
    )
    shell.show(minimized=True)
    tray = shell.tray
    assert tray is not None
    wait_for(lambda: tray.unviewed == 2 and not tray.icon.geometry().isEmpty(), seconds=20)
    was_hidden = not shell.window.isVisible()
    reported: list[str] = []
    tray.shown.connect(lambda title, text: reported.extend((title, text)))
    door.publish(
        NotificationRaised(
            at=NOW,
            title="",
            text="",
            vm_name="db-01",
            code=LoginRefused.code,
            template=LoginRefused.message_template,
            params=(("address", "vc-1"), ("user", "backup")),
        )
    )
    wait_for(lambda: bool(reported), seconds=10)
    let_live(500)
    place = tray.icon.geometry().center()
    # A click of the test's own, as an operator's: it goes through the X server to the tray.
    subprocess.run(["xdotool", "mousemove", str(place.x()), str(place.y()), "click", "1"], check=True)
    wait_for(shell.window.isVisible, seconds=10)
    json.dump({"hidden": was_hidden, "state": tray.state.name, "shown": reported}, sys.stdout)
    shell.dismiss()
    client.close()
    return 0


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        return show(Path(folder))


if __name__ == "__main__":
    sys.exit(main())
