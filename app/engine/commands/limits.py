"""Commands about the limits of tasks."""

from app.engine.commands.base import Command


class ChangeLimits(Command[None], frozen=True, kw_only=True):
    """Let other limits hold from now on, for what waits too; what runs goes on to its end.

    Raises ``BufferBudgetExceeded`` where an ESXi host has no memory for their product.
    """

    max_tasks: int
    """How many tasks run at once (``bk_tsk_thd``)."""
    transfer_buffer_mib: int
    """Transfer buffer of one task (``i2vp_transbuffer``)."""
