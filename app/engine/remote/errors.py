"""What can be wrong with the way to an engine in another process."""

from app.domain.errors import OperationalError


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
    """The door's file could have been put there, or read, by somebody else."""

    code = "engine.door_unsafe"
    message_template = "{path} cannot be trusted: {detail}."
    hint_template = "Make the data folder and its files belong to this user alone, then start the engine again."


class DoorUnusable(OperationalError):
    """The engine cannot open its door."""

    code = "engine.door_unusable"
    message_template = "The engine cannot let other programs of this user in: {detail}"
    hint_template = "Give this account the right to write into the data folder, and free space there."


class EngineBusy(OperationalError):
    """Another engine holds the catalog."""

    code = "engine.busy"
    message_template = "Another engine (process {pid}) uses the catalog in {folder} already."
    hint_template = "Use that one, or stop it first."


class EngineFault(OperationalError):
    """A bug of ours ended a request."""

    code = "engine.fault"
    message_template = "The request failed because of an error in the program: {detail}"
    hint_template = "The program's log file holds the details; please send it to support."
