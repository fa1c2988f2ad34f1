"""What every command is."""

from typing import Generic, TypeVar

import msgspec

R = TypeVar("R")


class Command(msgspec.Struct, Generic[R], frozen=True, kw_only=True, tag=True):
    """Base of all commands."""
