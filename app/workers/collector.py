"""Python's garbage collector on the GUI thread, and on no other.

A window is full of cycles, so its widgets and timers are destroyed by the collector, and that runs on whichever
thread makes the next object. Shiboken destroys an instance of a Python class there and then (measured with 6.9.3:
subclasses of QWidget and of QObject, QTimer, QAction). A timer that ends on a thread that is not its own stays in
the event loop, and the process dies at its next turn.
"""

import gc
import time
from types import TracebackType
from typing import Self

from PySide6.QtCore import QAbstractEventDispatcher, QObject, QTimer, Slot
from shiboken6 import isValid

_LOOK_MS = 10_000
"""While the event loop never waits."""
_FULL_SHARE = 1000
"""A full look at everything waits for so many times the time that the last one took, because each is felt."""


class GuiCollector(QObject):
    """Takes the collector over inside a ``with`` block. Thread: GUI.

    It looks before the event loop waits: then no event does, and a window in which nothing happens is not woken.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._was_enabled = False
        self._full_not_before = 0.0
        self._dispatcher: QAbstractEventDispatcher | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(_LOOK_MS)
        self._timer.timeout.connect(self.look)

    def __enter__(self) -> Self:
        self._was_enabled = gc.isenabled()
        gc.disable()
        self._dispatcher = QAbstractEventDispatcher.instance()
        if self._dispatcher is not None:
            self._dispatcher.aboutToBlock.connect(self.look)
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.stop()
        if self._dispatcher is not None and isValid(self._dispatcher):
            self._dispatcher.aboutToBlock.disconnect(self.look)
        self._dispatcher = None
        if self._was_enabled:
            gc.enable()

    @Slot()
    def look(self) -> None:
        """Collect what the interpreter would have collected by its own thresholds."""
        due = [count > threshold for count, threshold in zip(gc.get_count(), gc.get_threshold(), strict=True)]
        if not due[0]:
            return
        if not all(due) or time.monotonic() < self._full_not_before:
            gc.collect(1 if due[1] else 0)
            return
        started = time.monotonic()
        gc.collect()
        ended = time.monotonic()
        self._full_not_before = ended + _FULL_SHARE * (ended - started)

    def calm(self) -> None:
        """Keep the collector from looking at what stays: modules, widgets, pages.

        A full look at everything takes long enough to be felt, and what was there before the window was shown is
        there until its end.
        """
        gc.collect()
        gc.freeze()
