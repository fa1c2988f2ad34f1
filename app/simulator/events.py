"""Keeps the newest events, as vim events."""

from collections import deque
from typing import Any

from pyVmomi import vim

from app.core.clock import Clock
from app.simulator.objects import ObjectStore, SimObject
from app.simulator.spec import Flavour
from app.simulator.wellknown import well_known

_KEPT = 5000


class EventLog:
    """The newest events, oldest first. Thread: any; guarded by the world's lock."""

    def __init__(self, store: ObjectStore, clock: Clock, flavour: Flavour) -> None:
        self._store = store
        self._clock = clock
        self._flavour = flavour
        self._events: deque[Any] = deque(maxlen=_KEPT)
        self._next_key = 1

    def post(
        self,
        kind: type[Any],
        message: str,
        /,
        *,
        vm: SimObject | None = None,
        user: str = "",
        **fields: Any,
    ) -> Any:
        """Append an event of a vim event class.

        Args:
            kind: such as ``vim.event.VmPoweredOnEvent``.
            message: the full formatted message.
            vm: the VM it is about.
            user: who caused it.
            fields: further properties of the class.
        """
        with self._store.lock:
            key = self._next_key
            self._next_key += 1
            event = kind(
                key=key,
                chainId=key,
                createdTime=self._clock.now(),
                userName=user,
                fullFormattedMessage=message,
                **fields,
            )
            if vm is not None:
                event.vm = vim.event.VmEventArgument(name=vm.get("name") or "", vm=vm.ref)
            self._events.append(event)
            manager = self._store.find(well_known(self._flavour).eventManager)
            if manager is not None:
                manager.touch("latestEvent")
        return event

    def all(self) -> list[Any]:
        """Return the kept events, oldest first."""
        with self._store.lock:
            return list(self._events)

    def latest(self) -> Any | None:
        """Return the newest event, or None."""
        with self._store.lock:
            return self._events[-1] if self._events else None
