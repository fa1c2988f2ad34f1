"""What tests leave of Qt, destroyed in order while there is still an application."""

import gc
import sys


def destroy_what_is_left() -> None:
    """Destroy the windows that tests left, and what only the collector finds of them. Thread: main.

    The collector is off while tests run. What it would first find when the interpreter ends would be destroyed
    after the application object, in any order, which now and then ends the process by a signal.
    """
    if "PySide6.QtWidgets" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    if not isinstance(QApplication.instance(), QApplication):
        return
    for window in QApplication.topLevelWidgets():
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
