"""How much may run at once, and the buffers it may use: the limits that ``system.conf`` sets."""

from dataclasses import dataclass
from typing import Final

from app.domain.errors import OperationalError
from app.domain.messages import Message, MessageKind

HOST_BUFFER_MB = 32
"""Transfer buffers that all tasks together may use on one ESXi host: NFC there has no more memory to give."""


class BufferBudgetExceeded(OperationalError):
    """So many tasks with so large buffers would take more memory than an ESXi host gives."""

    code = "limits.buffer_budget_exceeded"
    message_template = (
        "bk_tsk_thd × i2vp_transbuffer = {tasks} × {buffer_mb} = {product_mb} > {budget_mb} MB per host."
    )
    hint_template = "{remedy}."


SET_BUFFER: Final = MessageKind("limits.set_buffer", "Set i2vp_transbuffer to at most {buffer}")
SET_TASKS: Final = MessageKind("limits.set_tasks", "Set bk_tsk_thd to at most {tasks}")
SET_EITHER: Final = MessageKind(
    "limits.set_either", "Set i2vp_transbuffer to at most {buffer} or bk_tsk_thd to at most {tasks}"
)
SET_BOTH: Final = MessageKind("limits.set_both", "Set both so that their product is at most {product}")


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLimits:
    """Limits over backup, restore and migration together; instant recoveries do not count."""

    tasks: int
    """How many tasks run at once (``bk_tsk_thd``); the others are pending."""
    buffer_mb: int
    """Transfer buffer of one task (``i2vp_transbuffer``)."""

    @property
    def product_mb(self) -> int:
        """Memory that the tasks may use on one ESXi host."""
        return self.tasks * self.buffer_mb

    @property
    def fit(self) -> bool:
        """Return whether the host can serve all of them."""
        return self.product_mb <= HOST_BUFFER_MB

    def remedy(self) -> Message:
        """Say which values would fit."""
        buffer, tasks = HOST_BUFFER_MB // self.tasks, HOST_BUFFER_MB // self.buffer_mb
        if buffer and tasks:
            return SET_EITHER.fill(buffer=buffer, tasks=tasks)
        if buffer:
            return SET_BUFFER.fill(buffer=buffer)
        return SET_TASKS.fill(tasks=tasks) if tasks else SET_BOTH.fill(product=HOST_BUFFER_MB)

    def check(self) -> None:
        """Accept the limits or say why not.

        Raises:
            BufferBudgetExceeded: they do not fit.
        """
        if not self.fit:
            raise BufferBudgetExceeded(
                tasks=self.tasks,
                buffer_mb=self.buffer_mb,
                product_mb=self.product_mb,
                budget_mb=HOST_BUFFER_MB,
                remedy=self.remedy(),
            )
