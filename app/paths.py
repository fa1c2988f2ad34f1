"""Where the program keeps its files, decided once at the start; nothing is created before it is asked for.

In this order: the folder that ``STANDFAST_HOME`` names; a folder ``standfast-data`` beside the program when a file
``portable`` lies there (a copy on a USB disk); the platform's own folders for this user.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from app.domain.errors import OperationalError

HOME_VARIABLE = "STANDFAST_HOME"
PORTABLE_MARKER = "portable"
PORTABLE_FOLDER = "standfast-data"
CONFIG_FILE = "system.conf"
_NAME = "standfast"


class FolderUnusable(OperationalError):
    """A folder that the program needs cannot be created."""

    code = "paths.folder_unusable"
    message_template = "The folder {path} cannot be used: {detail}"
    hint_template = "Give this account the right to write there, or name another folder in STANDFAST_HOME."


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one installation for one user."""

    program: Path
    """Where the program lies, read only."""
    config: Path
    """Settings that the operator edits."""
    data: Path
    """What cannot be made again: the catalog, the encrypted password file."""
    local: Path
    """What can be made again on this machine: chunk locators, column widths, caches."""
    logs: Path
    """The program's log files."""

    @property
    def shipped_config_file(self) -> Path:
        """``etc/system.conf`` beside the program."""
        return self.program / "etc" / CONFIG_FILE

    @property
    def user_config_file(self) -> Path:
        """The operator's own ``system.conf``, which goes first key by key."""
        return self.config / CONFIG_FILE

    def create(self) -> None:
        """Create the folders that may be written to, for this user only.

        Raises:
            FolderUnusable: one cannot be created.
        """
        for folder in (self.config, self.data, self.local, self.logs):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise FolderUnusable(path=folder, detail=error.strerror or error) from error


def program_folder() -> Path:
    """Return the folder of the program: of the executable when it is packaged, else of the sources."""
    if getattr(sys, "frozen", False):
        return Path(sys.executable).resolve().parent
    return Path(__file__).resolve().parent.parent


def find_folders(environment: Mapping[str, str] = os.environ, program: Path | None = None) -> Folders:
    """Decide where the files of this installation lie."""
    beside = program_folder() if program is None else program
    if home := environment.get(HOME_VARIABLE):
        return _folders_under(Path(home).expanduser().absolute(), beside)
    if (beside / PORTABLE_MARKER).is_file():
        return _folders_under(beside / PORTABLE_FOLDER, beside)
    # Not the roaming profile of Windows: a catalog does not belong into what follows a user around.
    user = platformdirs.PlatformDirs(_NAME, appauthor=False, roaming=False)
    return Folders(
        program=beside,
        config=user.user_config_path,
        data=user.user_data_path,
        local=user.user_cache_path,
        logs=user.user_log_path,
    )


def _folders_under(home: Path, program: Path) -> Folders:
    return Folders(
        program=program, config=home / "config", data=home / "data", local=home / "local", logs=home / "logs"
    )
