"""The program itself."""

from app.contract.program import ConfirmClock, RaiseWindow
from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.engine_events import WindowRaiseAsked
from app.engine.handlers import handles
from app.engine.program.clockwatch import ClockWatch


class ProgramHandlers:
    """Answers what concerns the program and no subject of its own. Thread: any."""

    def __init__(self, clock_watch: ClockWatch, bus: EventBus, clock: Clock) -> None:
        self._clock_watch = clock_watch
        self._bus = bus
        self._clock = clock

    @handles(ConfirmClock)
    def _confirm_clock(self, _: ConfirmClock) -> None:
        self._clock_watch.confirm()

    @handles(RaiseWindow)
    def _raise_window(self, _: RaiseWindow) -> None:
        self._bus.publish(WindowRaiseAsked(at=self._clock.now()))
