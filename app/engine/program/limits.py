"""How much runs at once."""

from collections.abc import Callable

from app.contract.limits import ChangeLimits, LimitsRow, ReadLimits
from app.domain.limits import HOST_BUFFER_MB, TaskLimits
from app.engine import messages
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.log.journal import Journal
from app.engine.program.settings import EngineSettings
from app.engine.reasons import LIMITS_TOO_SMALL
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.manager import TaskManager

KeepLimits = Callable[[TaskLimits], None]
"""Makes limits last beyond the end of the program, and lets what is opened from now on have such buffers."""


class LimitsHandlers:
    """Answers about the limits of tasks. Thread: any."""

    def __init__(
        self,
        *,
        manager: TaskManager,
        settings: EngineSettings,
        journal: Journal,
        keep: KeepLimits,
    ) -> None:
        self._manager = manager
        self._settings = settings
        self._journal = journal
        self._keep = keep
        self._limits = TaskLimits(tasks=settings.max_tasks, buffer_mb=settings.transfer_buffer_mib)

    @handles(ChangeLimits)
    def _change(self, command: ChangeLimits) -> None:
        limits = TaskLimits(tasks=command.max_tasks, buffer_mb=command.transfer_buffer_mib)
        if limits.tasks < 1 or limits.buffer_mb < 1:
            raise RequestRefused(detail=LIMITS_TOO_SMALL)
        limits.check()
        self._keep(limits)
        self._limits = limits
        budget = self._settings.host_buffer_mib
        self._manager.set_limits(
            Limits(max_tasks=limits.tasks, max_tasks_per_host=max(1, budget // limits.buffer_mb))
        )
        log = self._journal.about("", "engine.limits")
        log.info(messages.LIMITS_CHANGED, tasks=limits.tasks, buffer_mb=limits.buffer_mb)

    @handles(ReadLimits)
    def _read(self, _: ReadLimits) -> LimitsRow:
        return LimitsRow(
            max_tasks=self._limits.tasks,
            transfer_buffer_mib=self._limits.buffer_mb,
            host_buffer_mib=HOST_BUFFER_MB,
        )
