"""One installation for one user: its folders, its settings, and who holds its catalog and its window."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from app.config import Settings, load_settings
from app.contract.errors import EngineBusy
from app.core.processlock import ProcessLock, noted_holder
from app.domain.reasons import reason_of
from app.paths import Folders, FolderUnusable, find_folders

CATALOG_FILE = "catalog.db"
ENGINE_LOCK = "engine.lock"
"""Held by the one process whose engine uses the catalog."""
WINDOW_LOCK = "window.lock"
"""Held by the one process that shows the window."""


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation for one user: where its files are and what its settings say."""

    folders: Folders
    settings: Settings

    @classmethod
    def find(cls, folders: Folders | None = None) -> Self:
        """Find the folders, create them, and read the settings.

        Raises:
            FolderUnusable: a folder cannot be created.
            ConfigError: a configuration file cannot be used.
        """
        chosen = folders or find_folders()
        chosen.create()
        return cls(chosen, load_settings(chosen.shipped_config_file, chosen.user_config_file))


def claim_window(installation: Installation) -> ProcessLock | None:
    """Become the one process that shows the window; return None when another does, which is to be raised instead.

    Raises:
        FolderUnusable: the data folder cannot be written to.
    """
    return take_lock(installation.folders.data, WINDOW_LOCK)


def take_engine_lock(folder: Path) -> ProcessLock:
    """Become the one process whose engine uses the catalog of a data folder.

    Raises:
        EngineBusy: another process has done so already.
        FolderUnusable: the data folder cannot be written to.
    """
    lock = take_lock(folder, ENGINE_LOCK)
    if lock is None:
        raise EngineBusy(pid=noted_holder(folder / ENGINE_LOCK) or "?", folder=folder)
    return lock


def take_lock(folder: Path, name: str) -> ProcessLock | None:
    """Take one of the locks of a data folder; return None where another process has it.

    Raises:
        FolderUnusable: the data folder cannot be written to.
    """
    try:
        return ProcessLock.take(folder / name)
    except OSError as error:
        raise FolderUnusable(path=folder, detail=reason_of(error)) from error
