"""Queries about the limits of tasks."""

from dataclasses import dataclass

from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsRow:
    """How much may run at once."""

    max_tasks: int
    transfer_buffer_mib: int
    host_buffer_mib: int
    """Most that the product of both may be."""


class ReadLimits(Query[LimitsRow], frozen=True, kw_only=True):
    """Return the limits that hold now."""
