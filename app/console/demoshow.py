"""The console on the engine of ``standfast demo``, when its story has been told. Thread: GUI, the main thread."""

import sys

from app.bootstrap import Installation
from app.cli.demo.stage import Stage, folders_in
from app.console.demoplatform import DemoPlatform
from app.console.pages import make_pages
from app.console.program import WINDOW_FILE, application_object
from app.console.service import ProgramService
from app.views.console import Console, ThemeSwitch
from app.views.memory import Memory
from app.views.shell import Shell
from app.views.translation import LanguageSwitch
from app.workers.door import DoorClient
from app.workers.refcounts import keep_constants_alive


def show_console(stage: Stage) -> None:
    """Show the window on the demo's data until it is closed."""
    application = application_object(sys.argv[:1])
    keep_constants_alive()
    installation = Installation.find(folders_in(stage.root / "standfast"))
    memory = Memory(installation.folders.local / WINDOW_FILE)
    theme, languages = ThemeSwitch(application, memory), LanguageSwitch(application, memory)
    client = DoorClient(stage.engine)
    demo = DemoPlatform(installation.folders.data / "demo")
    service = ProgramService(installation, demo, engine_is_elsewhere=False, put_in_force=lambda _limits: False)
    console = Console(client, memory, theme)
    # Closing the window ends the demo: it does not live on in a tray.
    shell = Shell(console, languages, lambda one: make_pages(one, languages, service), has_tray=False)
    shell.ended.connect(application.quit)
    shell.show()
    application.exec()
    shell.dismiss()
    client.close()
