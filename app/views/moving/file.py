"""Reads and writes the file of a configuration for the operator, on threads apart."""

from pathlib import Path

from app.contract.moving import LONGEST_FILE_BYTES
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of
from app.views.widgets.private_file import write_private

ENDING = "json"


class ConfigurationNotWritten(OperationalError):
    """The file cannot be written."""

    code = "console.configuration_not_written"
    message_template = "The configuration could not be written to {path}: {detail}."
    hint_template = "Choose another place."


class ConfigurationNotRead(OperationalError):
    """The file cannot be read."""

    code = "console.configuration_not_read"
    message_template = "{path} cannot be read: {detail}."
    hint_template = "Choose the file that was written by Export configuration."


def write_configuration(path: Path, content: bytes) -> None:
    """Write a file that only this user can read, whole or not at all. Thread: any.

    Raises:
        ConfigurationNotWritten: the system refused.
    """
    write_private(path, content, ConfigurationNotWritten)


def read_configuration(path: Path) -> bytes:
    """Read a file, no further than a configuration may reach. Thread: any.

    Raises:
        ConfigurationNotRead: the system refused.
    """
    try:
        with path.open("rb") as file:
            return file.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigurationNotRead(path=path, detail=reason_of(error)) from error
