"""Where the program keeps its files, decided once at the start; nothing is created before it is asked for.

In this order: the folder that ``STANDFAST_HOME`` names; a folder ``standfast-data`` next to the program when a
file ``portable`` is there (a copy on a USB disk); the platform's own folders for this user.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from app.core.privatefiles import make_private_folders, take_from_others
from app.core.utf8 import UTF8_OPTIONS, can_be_path, shown_path
from app.domain.errors import OperationalError
from app.domain.reasons import reason_of

HOME_VARIABLE = "STANDFAST_HOME"
PORTABLE_MARKER = "portable"
PORTABLE_FOLDER = "standfast-data"
CONFIG_FILE = "system.conf"
LAUNCHED = "standfast_launcher"
"""Option ``-X`` by which a launcher of Windows says that it started the program; see ``packaging/windows``."""
LAUNCHER = "Standfast.exe"
_NAME = "standfast"


class FolderUnusable(OperationalError):
    """A folder that the program needs cannot be created."""

    code = "paths.folder_unusable"
    message_template = "The folder {path} cannot be used: {detail}."
    hint_template = "Give this account the right to write there, or name another folder in STANDFAST_HOME."


class HomeUnusable(FolderUnusable):
    """What should say where the files are kept does not name a folder."""

    code = "paths.home_unusable"
    message_template = "{path} does not name the folder for the program's files."
    hint_template = "Set STANDFAST_HOME to the whole path of a folder, in UTF-8, that this account may write to."


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The folders of one installation for one user."""

    program: Path
    """The folder of the program, read only."""
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
        """``etc/system.conf`` next to the program."""
        return self.program / "etc" / CONFIG_FILE

    @property
    def user_config_file(self) -> Path:
        """The operator's own ``system.conf``, which goes first key by key."""
        return self.config / CONFIG_FILE

    def create(self) -> None:
        """Create the folders that may be written to, for this user only.

        Without the folder of the logs the program runs all the same: see :class:`app.logs.ProgramLog`.

        Raises:
            FolderUnusable: one cannot be created, or not be written to where that is needed.
        """
        for folder in (self.config, self.data, self.local):
            _create(folder, must_be_writable=folder != self.config)
        with suppress(OSError):
            make_private_folders(self.logs)
        for folder in (self.config, self.data, self.local, self.logs):
            take_from_others(folder)


def program_folder() -> Path:
    """Return the folder of the program's code and data, installed or not."""
    return Path(__file__).resolve().parent.parent


def find_folders(environment: Mapping[str, str] = os.environ, program: Path | None = None) -> Folders:
    """Decide where the files of this installation lie.

    Raises:
        HomeUnusable: neither the environment nor this account names a folder.
    """
    program_path = program_folder() if program is None else program
    if home := environment.get(HOME_VARIABLE):
        return _folders_under(_named_home(home), program_path)
    if (program_path / PORTABLE_MARKER).is_file():
        return _folders_under(program_path / PORTABLE_FOLDER, program_path)
    # Not the roaming profile of Windows: a catalog does not belong into what follows a user around.
    user = platformdirs.PlatformDirs(_NAME, appauthor=False, roaming=False)
    try:
        folders = (user.user_config_path, user.user_data_path, user.user_cache_path, user.user_log_path)
    except (RuntimeError, KeyError, OSError) as error:
        raise HomeUnusable(path="~") from error
    for folder in folders:
        if not folder.is_absolute() or not can_be_path(str(folder)):  # "~/…" without a home folder, among others
            raise HomeUnusable(path=shown_path(str(folder)))
    config, data, local, logs = folders
    return Folders(program=program_path, config=config, data=data, local=local, logs=logs)


def _create(folder: Path, *, must_be_writable: bool) -> None:
    try:
        make_private_folders(folder)
        if must_be_writable:
            with tempfile.TemporaryFile(dir=folder):
                pass
    except (OSError, ValueError) as error:
        raise FolderUnusable(path=shown_path(str(folder)), detail=reason_of(error)) from error


def _named_home(home: str) -> Path:
    """Return the folder that the environment names.

    Raises:
        HomeUnusable: it names none.
    """
    if not home.strip() or not can_be_path(home):
        raise HomeUnusable(path=shown_path(home))
    try:
        return Path(home).expanduser().absolute()
    except (RuntimeError, OSError) as error:  # ~someone, or ~ without a home folder
        raise HomeUnusable(path=home) from error


def _folders_under(home: Path, program: Path) -> Folders:
    return Folders(
        program=program, config=home / "config", data=home / "data", local=home / "local", logs=home / "logs"
    )


def program_command(*arguments: str) -> list[str]:
    """Return what starts this program: by the launcher that started it, or from its sources."""
    if LAUNCHED in sys._xoptions:
        return [str(Path(sys.executable).with_name(LAUNCHER)), *arguments]
    return [sys.executable, *UTF8_OPTIONS, str(program_folder() / "main.py"), *arguments]
