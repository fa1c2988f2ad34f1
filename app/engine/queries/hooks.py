"""Queries about hooks."""

from app.domain.hooks import HookBook
from app.engine.queries.base import Query


class ReadHooks(Query[HookBook], frozen=True, kw_only=True):
    """Return which commands run before and after the backup of a VM."""
