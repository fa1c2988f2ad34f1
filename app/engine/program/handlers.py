"""The program itself."""

from collections.abc import Mapping

from app.contract.program import ConfirmClock, RaiseWindow
from app.domain.engine_events import WindowRaiseAsked
from app.engine.handlers import Handler
from app.engine.tasks.job import Workshop


class ProgramHandlers:
    """Answers what concerns the program and no subject of its own. Thread: any."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {RaiseWindow: self._raise_window, ConfirmClock: self._confirm_clock}

    def _confirm_clock(self, _: ConfirmClock) -> None:
        self._workshop.clock_watch.confirm()

    def _raise_window(self, _: RaiseWindow) -> None:
        self._workshop.bus.publish(WindowRaiseAsked(at=self._workshop.clock.now()))
