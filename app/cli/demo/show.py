"""The console on the engine of ``standfast demo``, when its steps are done. Thread: main."""

import os
import subprocess

from app.cli.demo.stage import Stage, folders_in
from app.core.childprocess import child_flags
from app.engine.door.server import DoorServer
from app.paths import HOME_VARIABLE, program_command

DEMO_HOME = "standfast"
"""Folder of the stage's installation."""


def show_console(stage: Stage) -> None:
    """Show the window on the demo's data until it is closed: a process of its own at the demo's engine."""
    home = stage.root / DEMO_HOME
    with DoorServer.open(stage.engine, folders_in(home).data):
        # Closing the window ends the demo: it does not live on in a tray.
        subprocess.run(  # noqa: S603 - our own program
            program_command("--no-tray"),
            env={**os.environ, HOME_VARIABLE: str(home)},
            check=False,
            creationflags=child_flags(),
        )
