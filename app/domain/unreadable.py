"""What the catalog holds and cannot read."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row of the catalog that damage, or another version of the program, has made unreadable."""

    table: str
    key: str
    """Its primary key, the parts joined by slashes."""
    name: str
    """What it is called, where it has a name."""
    reason: str
    """What is wrong with it, in English, for the technical log."""
