"""What tests leave of Qt, destroyed in order while there is still an application."""

import gc
import sys


def destroy_what_is_due() -> None:
    """Destroy what was to be deleted later. Thread: main.

    Without an event loop that would be done in the next test, when what Python holds of a window has survived the
    collection between the two: windows would pile up until the whole heap is looked through.
    """
    if "PySide6.QtWidgets" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent

    if QCoreApplication.instance() is not None:
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def destroy_what_is_left() -> None:
    """Destroy the windows that tests left, and clear the clipboard. Thread: main.

    What was copied may be an object made in Python; the clipboard of the platform "offscreen" ends after the
    interpreter, and would end the process by SIGSEGV. The program takes such an object away when it quits, but a
    test has no event loop that quits. The collector is off while tests run: what it would first find when the
    interpreter ends would be destroyed after the application object, in any order.
    """
    if "PySide6.QtWidgets" not in sys.modules:
        return
    from PySide6.QtCore import QCoreApplication, QEvent
    from PySide6.QtWidgets import QApplication

    if not isinstance(QApplication.instance(), QApplication):
        return
    QApplication.clipboard().clear()
    for window in QApplication.topLevelWidgets():
        window.close()
        window.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    gc.collect()
