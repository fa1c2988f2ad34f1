"""Delivers events to listeners."""

import logging
import threading
from collections.abc import Callable

from app.domain.events import Event

_log = logging.getLogger(__name__)

Listener = Callable[[Event], None]


class EventBus:
    """Hands each event to every listener, on the publisher's thread, in the order of subscription.

    A listener must be quick and must not raise; one that raises is logged and the others still hear.

    Thread: any.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Add a listener and return the function that removes it."""
        with self._lock:
            self._listeners = (*self._listeners, listener)

        def unsubscribe() -> None:
            with self._lock:
                self._listeners = tuple(known for known in self._listeners if known is not listener)

        return unsubscribe

    def publish(self, event: Event) -> None:
        """Deliver an event."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception:  # noqa: BLE001 - a broken listener must not break the publisher
                _log.exception("event listener failed on %s", type(event).__name__)
