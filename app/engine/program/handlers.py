"""The program itself."""

from app.contract.program import ConfirmClock, RaiseWindow
from app.domain.engine_events import WindowRaiseAsked
from app.engine.handlers import handles
from app.engine.tasks.job import Workshop


class ProgramHandlers:
    """Answers what concerns the program and no subject of its own. Thread: any."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    @handles(ConfirmClock)
    def _confirm_clock(self, _: ConfirmClock) -> None:
        self._workshop.clock_watch.confirm()

    @handles(RaiseWindow)
    def _raise_window(self, _: RaiseWindow) -> None:
        self._workshop.bus.publish(WindowRaiseAsked(at=self._workshop.clock.now()))
