"""What every query is."""

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Query(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag=True):
    """Base of all queries."""
