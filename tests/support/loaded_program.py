"""Programs in processes of their own that write down what they have loaded once they are at work.

``python -m tests.support.loaded_program window|tasks HOME``: prints the names of the modules as JSON.
"""

import json
import sys
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


if __name__ == "__main__":
    work = {"window": show_window, "tasks": list_tasks}[sys.argv[1]]
    print(json.dumps(sorted(work(Path(sys.argv[2])))))
