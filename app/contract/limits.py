"""The limits of tasks."""

from dataclasses import dataclass

from app.contract.base import Command, Query


class ChangeLimits(Command[None], frozen=True, kw_only=True):
    """Let other limits hold from now on, for what waits too; what runs goes on to its end.

    Raises ``BufferBudgetExceeded`` where an ESXi host has no memory for their product.
    """

    max_tasks: int
    """How many tasks run at once (``bk_tsk_thd``)."""
    transfer_buffer_mib: int
    """Transfer buffer of one task (``i2vp_transbuffer``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRow:
    """How much may run at once."""

    max_tasks: int
    transfer_buffer_mib: int
    host_buffer_mib: int
    """Most that the product of both may be."""


class ReadLimits(Query[LimitsRow], frozen=True, kw_only=True):
    """Return the limits that hold now."""
