"""How much runs at once."""

from collections.abc import Callable

from app.contract.limits import ChangeLimits, LimitsRow, ReadLimits
from app.domain.console_events import LimitsChanged
from app.domain.limits import HOST_BUFFER_MB, TaskLimits
from app.engine import messages
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.job import Workshop
from app.engine.tasks.manager import TaskManager

KeepLimits = Callable[[TaskLimits], None]
"""Makes limits last beyond the end of the program, and lets what is opened from now on have such buffers."""


class LimitsHandlers:
    """Answers about the limits of tasks. Thread: any."""

    def __init__(self, workshop: Workshop, manager: TaskManager, keep: KeepLimits) -> None:
        self._workshop = workshop
        self._manager = manager
        self._keep = keep
        settings = workshop.settings
        self._limits = TaskLimits(tasks=settings.max_tasks, buffer_mb=settings.transfer_buffer_mib)

    @handles(ChangeLimits)
    def _change(self, command: ChangeLimits) -> None:
        limits = TaskLimits(tasks=command.max_tasks, buffer_mb=command.transfer_buffer_mib)
        if limits.tasks < 1 or limits.buffer_mb < 1:
            raise RequestRefused(detail="both limits have to be at least 1")
        limits.check()
        self._keep(limits)
        self._limits = limits
        budget = self._workshop.settings.host_buffer_mib
        self._manager.set_limits(
            Limits(max_tasks=limits.tasks, max_tasks_per_host=max(1, budget // limits.buffer_mb))
        )
        log = self._workshop.journal.about("", "engine.limits")
        log.info(messages.LIMITS_CHANGED, tasks=limits.tasks, buffer_mb=limits.buffer_mb)
        self._workshop.bus.publish(
            LimitsChanged(
                at=self._workshop.clock.now(), max_tasks=limits.tasks, transfer_buffer_mib=limits.buffer_mb
            )
        )

    @handles(ReadLimits)
    def _read(self, _: ReadLimits) -> LimitsRow:
        return LimitsRow(
            max_tasks=self._limits.tasks,
            transfer_buffer_mib=self._limits.buffer_mb,
            host_buffer_mib=HOST_BUFFER_MB,
        )
