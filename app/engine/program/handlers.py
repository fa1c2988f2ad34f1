"""The program itself."""

from collections.abc import Callable

from app.contract.program import ConfirmClock, EndProgram, RaiseWindow
from app.core.bus import EventBus
from app.core.clock import Clock
from app.domain.engine_events import ProgramEndAsked, WindowRaiseAsked
from app.engine.errors import TasksStillRun
from app.engine.handlers import handles
from app.engine.program.clockwatch import ClockWatch


class ProgramHandlers:
    """Answers what concerns the program and no subject of its own. Thread: any."""

    def __init__(
        self, clock_watch: ClockWatch, bus: EventBus, clock: Clock, count_running: Callable[[], int]
    ) -> None:
        self._clock_watch = clock_watch
        self._bus = bus
        self._clock = clock
        self._count_running = count_running

    @handles(ConfirmClock)
    def _confirm_clock(self, _: ConfirmClock) -> None:
        self._clock_watch.confirm()

    @handles(EndProgram)
    def _end(self, command: EndProgram) -> None:
        running = self._count_running()
        if running and not command.stops_tasks:
            raise TasksStillRun(count=running)
        self._bus.publish(ProgramEndAsked(at=self._clock.now()))

    @handles(RaiseWindow)
    def _raise_window(self, _: RaiseWindow) -> None:
        self._bus.publish(WindowRaiseAsked(at=self._clock.now()))
