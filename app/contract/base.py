"""What every command and every query is."""

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag=True):
    """Base of all commands: what the engine can be asked to do. ``R`` is what :meth:`Door.execute` returns."""


class Query(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag=True):
    """Base of all queries: what the engine can be asked for. ``R`` is what :meth:`Door.ask` returns."""
