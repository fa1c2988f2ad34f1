"""Reasons why an engine cannot be used, as parameters of this package's errors."""

from typing import Final

from app.domain.messages import MessageKind

NONE_RUNS: Final = MessageKind("engine.none_runs", "none is running")
BEING_MADE: Final = MessageKind("engine.being_made", "the connection is being made")
LOST: Final = MessageKind("engine.lost", "the connection was lost")
LOST_BEFORE_ANSWER: Final = MessageKind(
    "engine.lost_before_answer", "the connection was lost before it had answered"
)
CLOSED_HERE: Final = MessageKind("engine.closed_here", "this program closed the connection")
NO_ANSWER: Final = MessageKind("engine.no_answer", "nothing answers at its address ({reason})")
NOT_LET_IN: Final = MessageKind("engine.not_let_in", "it does not accept the connection of this program")
FILE_UNREADABLE: Final = MessageKind("engine.file_unreadable", "{path} cannot be read ({reason})")
FILE_DAMAGED: Final = MessageKind("engine.file_damaged", "{path} is damaged")
OTHER_OWNER: Final = MessageKind("engine.other_owner", "it belongs to another user")
OPEN_TO_OTHERS: Final = MessageKind("engine.open_to_others", "other users may use it")
FOLDER_REFUSED: Final = MessageKind("engine.folder_refused", "{folder} cannot be used ({reason})")
ANSWER_TOO_LONG: Final = MessageKind("engine.answer_too_long", "an answer of {bytes:size} is too long")
REQUEST_UNREADABLE: Final = MessageKind("engine.request_unreadable", "the request cannot be read")
BUG: Final = MessageKind("engine.bug", "an unexpected error of the kind {kind}")
