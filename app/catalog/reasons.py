"""Reasons why the catalog cannot be used, as parameters of this package's errors."""

from typing import Final

from app.domain.messages import UNKNOWN, Message, MessageKind
from app.domain.reasons import DISK_FULL, IO_FAILED, READ_ONLY, reason_of

NOT_WHOLE: Final = MessageKind("catalog.not_whole", "the file is not a whole database")
HELD_TOO_LONG: Final = MessageKind("catalog.held_too_long", "another program has been using it for too long")
CANNOT_OPEN: Final = MessageKind("catalog.cannot_open", "the file cannot be opened")
NO_DATABASE_SERVER: Final = MessageKind("catalog.no_server", "the database server cannot be reached")
NO_ROOM_FOR_COPY: Final = MessageKind("catalog.no_room_for_copy", "there is no room for a safety copy")
COPY_NOT_WHOLE: Final = MessageKind("catalog.copy_not_whole", "the safety copy is not whole")

_SIGNS: Final = (
    ("disk is full", DISK_FULL),
    ("database is locked", HELD_TOO_LONG),
    ("database table is locked", HELD_TOO_LONG),
    ("readonly database", READ_ONLY),
    ("unable to open", CANNOT_OPEN),
    ("disk i/o error", IO_FAILED),
    ("could not connect", NO_DATABASE_SERVER),
    ("connection refused", NO_DATABASE_SERVER),
)
"""What the texts of databases contain that have no numbers of their own."""


def database_reason(text: str) -> Message:
    """Return why a database failed, in our words, with its own as details."""
    found = text.casefold()
    return next((kind for sign, kind in _SIGNS if sign in found), UNKNOWN).fill(details=text)


def copy_reason(error: Exception) -> Message:
    """Return why a safety copy could not be made, of an error of the system or of SQLite."""
    return reason_of(error) if isinstance(error, OSError) else database_reason(str(error))
