"""Errors as they cross the door, and what can be wrong with the way to an engine in another process."""

from dataclasses import dataclass

from app.domain.errors import OperationalError
from app.domain.messages import Params, details_of, sentence_if_possible


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """An error as a value: a stable code, English templates and their parameters.

    The reader makes the sentence in their own language; the English templates are the keys of the translations.
    """

    code: str
    template: str
    hint_template: str = ""
    params: Params = ()
    retryable: bool = False

    @property
    def message(self) -> str:
        """What went wrong, in English."""
        return sentence_if_possible(self.template, self.params)

    @property
    def hint(self) -> str:
        """What to do about it, in English."""
        return sentence_if_possible(self.hint_template, self.params)

    @property
    def details(self) -> str:
        """What other programs said of it, line by line; empty where they said nothing."""
        return details_of(self.params)

    @classmethod
    def of(cls, error: OperationalError) -> "ErrorRow":
        """Return the value of an error."""
        return cls(
            code=error.code,
            template=error.message_template,
            hint_template=error.hint_template,
            params=tuple(sorted(error.params.items())),
            retryable=error.retryable,
        )


class EngineError(OperationalError):
    """An error of the engine as its callers get it, known by its code."""

    code = "engine.remote"

    def __init__(self, row: ErrorRow) -> None:
        self.code = row.code
        self.message_template = row.template
        self.hint_template = row.hint_template
        self.retryable = row.retryable
        self.params = dict(row.params)
        self.message = row.message
        self.hint = row.hint
        self.row = row
        Exception.__init__(self, self.message)

    def __reduce__(self) -> tuple[object, ...]:
        return EngineError, (self.row,)


def error_from(row: ErrorRow) -> OperationalError:
    """Make an error to raise of its value: one of this module where it is one, else an :class:`EngineError`."""
    for kind in (EngineAway, EngineBusy, EngineFault, EngineVersionDiffers, DoorUnsafe, DoorUnusable):
        if row.code == kind.code:
            return kind(**dict(row.params))
    return EngineError(row)


class EngineAway(OperationalError):
    """No engine answers at the door."""

    code = "engine.away"
    message_template = "The engine cannot be reached: {detail}."
    hint_template = (
        "Start it (standfast --headless, or its service). Whether a command that was under way had its effect "
        "shows when it answers again."
    )
    retryable = True


class EngineVersionDiffers(OperationalError):
    """The engine that runs is of another version than this program."""

    code = "engine.version_differs"
    message_template = "The engine that runs is version {theirs}; this program is version {ours}."
    hint_template = "Restart the engine, or use the program that it was started with."


class DoorUnsafe(OperationalError):
    """The door's file could have been put there, or read, by someone else."""

    code = "engine.door_unsafe"
    message_template = "{path} cannot be trusted: {detail}."
    hint_template = "Make the data folder and its files belong to this user alone, then start the engine again."


class DoorUnusable(OperationalError):
    """The engine cannot open its door."""

    code = "engine.door_unusable"
    message_template = "The engine cannot let other programs of this user in: {detail}."
    hint_template = "Give this account the right to write into the data folder, and free space there."


class EngineBusy(OperationalError):
    """Another engine holds the catalog."""

    code = "engine.busy"
    message_template = "Another engine (process {pid}) uses the catalog in {folder} already."
    hint_template = "Use that one, or stop it first."


class EngineFault(OperationalError):
    """A bug of ours ended a request."""

    code = "engine.fault"
    message_template = "The request failed because of an error in the program: {detail}."
    hint_template = "The program's log file holds the details; please send it to support."
