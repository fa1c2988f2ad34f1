"""How much may run at once, and the buffers it may use: the limits that ``system.conf`` sets."""

from dataclasses import dataclass

from app.domain.errors import OperationalError

HOST_BUFFER_MB = 32
"""Transfer buffers that all tasks together may use on one ESXi host: NFC there has no more memory to give."""


class BufferBudgetExceeded(OperationalError):
    """So many tasks with so large buffers would take more memory than an ESXi host gives."""

    code = "limits.buffer_budget_exceeded"
    message_template = (
        "bk_tsk_thd × i2vp_transbuffer = {tasks} × {buffer_mb} = {product_mb} > {budget_mb} MB per host."
    )
    hint_template = "{remedy}."


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
        """Tell whether the host can serve all of them."""
        return self.product_mb <= HOST_BUFFER_MB

    def remedy(self) -> str:
        """Say which values would fit."""
        ways = []
        if (largest := HOST_BUFFER_MB // self.tasks) >= 1:
            ways.append(f"i2vp_transbuffer to at most {largest}")
        if (most := HOST_BUFFER_MB // self.buffer_mb) >= 1:
            ways.append(f"bk_tsk_thd to at most {most}")
        return (
            f"Set {' or '.join(ways)}" if ways else f"Set both so that their product is at most {HOST_BUFFER_MB}"
        )

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
