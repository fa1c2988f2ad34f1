"""Programs in processes of their own that write down what they have loaded once they are at work.

``python -m tests.support.loaded_program window|tasks|engine HOME``: prints the names of the modules as JSON.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from app.paths import Folders


def folders_of(home: Path) -> Folders:
    """Return the folders of an installation below ``home``."""
    return Folders(
        program=Path(__file__).parents[2],
        config=home / "config",
        data=home / "data",
        local=home / "local",
        logs=home / "logs",
    )


def show_window(home: Path) -> set[str]:
    """Start the program, wait for its window, note what is loaded, and quit as an operator does."""
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    from app.console.program import application_object, run_console
    from app.views.frame.main_window import MainWindow

    application_object(sys.argv[:1])
    loaded: set[str] = set()

    def look() -> None:
        windows = [shown for shown in QApplication.topLevelWidgets() if isinstance(shown, MainWindow)]
        if not windows or not windows[0].isVisible():
            QTimer.singleShot(50, look)
            return
        loaded.update(sys.modules)
        windows[0].close()

    QTimer.singleShot(50, look)
    if run_console(folders=folders_of(home), has_tray=False):
        raise SystemExit("the window was not shown")
    return loaded


def list_tasks(home: Path) -> set[str]:
    """Run ``debugctl task list``, and return what is loaded."""
    from app.cli.ctl.command import run_ctl

    if run_ctl(["task", "list"], folders_of(home)):
        raise SystemExit("the tasks were not listed")
    return set(sys.modules)


def run_engine(home: Path) -> set[str]:
    """Run the engine without a window, ask it once, note what is loaded, and end it as a service manager does."""
    from app.cli.headless.command import run_headless
    from app.contract.client import RemoteDoor
    from app.contract.tasks import ListTasks

    loaded: set[str] = set()

    def look() -> None:
        with RemoteDoor(folders_of(home).data) as door:
            door.wait_until_connected(60)
            door.ask(ListTasks())
        loaded.update(sys.modules)
        os.kill(os.getpid(), signal.SIGTERM)

    looking = threading.Thread(target=look)
    looking.start()
    sys.stdout, printed = sys.stderr, sys.stdout
    if run_headless(folders_of(home)):
        raise SystemExit("the engine did not run")
    sys.stdout = printed
    looking.join()
    return loaded


if __name__ == "__main__":
    work = {"window": show_window, "tasks": list_tasks, "engine": run_engine}[sys.argv[1]]
    print(json.dumps(sorted(work(Path(sys.argv[2])))))
