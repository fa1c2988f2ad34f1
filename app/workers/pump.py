"""Engine events as one Qt signal."""

from collections import deque
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal, Slot

from app.domain.events import Event

Subscribe = Callable[[Callable[[Event], None]], Callable[[], None]]


class EventPump(QObject):
    """Collects events on the engine's threads and delivers them on the GUI thread in batches.

    However many events arrive before the window gets to them, it hears one signal: a burst cannot flood its
    event queue.

    Signals:
        arrived: a tuple of events, oldest first.
    """

    arrived = Signal(tuple)
    _woken = Signal()

    def __init__(self, subscribe: Subscribe, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._events: deque[Event] = deque()
        self._woken.connect(self._on_woken, Qt.ConnectionType.QueuedConnection)
        self._unsubscribe = subscribe(self._on_event)

    def _on_event(self, event: Event) -> None:
        # Engine's thread. deque.append is atomic; a wake-up is sent only when the deque was empty before.
        first = not self._events
        self._events.append(event)
        if first:
            self._woken.emit()

    @Slot()
    def _on_woken(self) -> None:
        batch: list[Event] = []
        while self._events:
            batch.append(self._events.popleft())
        if batch:
            self.arrived.emit(tuple(batch))

    def close(self) -> None:
        """Stop listening."""
        self._unsubscribe()
