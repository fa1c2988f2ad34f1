"""Errors of the program around the window."""

from typing import Final

from app.domain.errors import OperationalError
from app.domain.messages import MessageKind

ENDED: Final = MessageKind("console.ended", "it ended with the status {status}")
FILE_REFUSED: Final = MessageKind("console.file_refused", "{path} cannot be written ({reason})")


class DemoDidNotStart(OperationalError):
    """The demo platform ended before it was ready."""

    code = "console.demo_did_not_start"
    message_template = "The demo platform did not start: {detail}."
    hint_template = "Make room on the disk of {folder}, and try again."
    retryable = True


class SettingsNotSaved(OperationalError):
    """The operator's settings file cannot be written."""

    code = "console.settings_not_saved"
    message_template = "The settings could not be written to {path}: {detail}."
    hint_template = "Let this account write there, and save again."


class AutostartRefused(OperationalError):
    """The system does not let the program start with it."""

    code = "console.autostart_refused"
    message_template = "Starting with the system could not be changed: {detail}."
    hint_template = "Let this account write to its own session settings, and try again."


class EngineDidNotStart(OperationalError):
    """The engine's process ended before its door was open."""

    code = "console.engine_did_not_start"
    message_template = "The engine did not start: {detail}."
    hint_template = "Look into engine.log in the folder of the program's logs, and start the program again."
    retryable = True


class StartFailed(OperationalError):
    """The system refused something that the program needs to start."""

    code = "console.start_failed"
    message_template = "The program could not be started: {path} cannot be used ({detail})."
    hint_template = "Check the free space and that this account may write there, then start the program again."
