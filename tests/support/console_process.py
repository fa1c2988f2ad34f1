"""The whole program in a process of its own, to be killed: ``python -m tests.support.console_process``.

Where its files lie is in the environment, as for any start. It prints ``shown`` when the window is there, and then
waits for the operator.
"""

import sys

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from app.console.program import application_object, run_console
from app.views.frame.main_window import MainWindow

_LOOK_MS = 20


def _report_when_shown() -> None:
    if any(isinstance(widget, MainWindow) and widget.isVisible() for widget in QApplication.topLevelWidgets()):
        print("shown", flush=True)
    else:
        QTimer.singleShot(_LOOK_MS, _report_when_shown)


def main() -> int:
    application_object(sys.argv[:1])
    QTimer.singleShot(_LOOK_MS, _report_when_shown)
    return run_console()


if __name__ == "__main__":
    sys.exit(main())
