"""The composition root: the only place that reads configuration and builds objects across layers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Self

import app.transport.messages
import app.vsphere.messages
from app.catalog import Catalog
from app.config import Settings, load_settings
from app.core.clock import Clock, SystemClock
from app.core.secrets import SecretStore
from app.core.threads import ThreadRunner
from app.domain.standbys import RepositoryPlace
from app.engine.api import Engine, EngineSettings
from app.engine.messages import kinds_in
from app.engine.ports import RepositoryOpener, TaskRunner
from app.paths import Folders, find_folders
from app.repository import Repository
from app.secretstore.choice import open_secret_store
from app.transport.factory import NativeTransports
from app.transport.options import TransportOptions
from app.vsphere.factory import VSphereFactory

_log = logging.getLogger(__name__)

CATALOG_FILE = "catalog.db"
LOCATORS_FOLDER = "locators"
MIB = 1024 * 1024

_MESSAGE_MODULES: tuple[ModuleType, ...] = (
    app.transport.messages,
    app.vsphere.messages,
)


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation for one user: where its files lie and what its settings say."""

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

    def open_secrets(self, ask_passphrase: Callable[[], str]) -> SecretStore:
        """Open the place for passwords that the settings name.

        Raises:
            SecretStoreUnavailable: it does not work.
        """
        return open_secret_store(self.settings.secret_store.value, self.folders.data, ask_passphrase)


class EngineHost:
    """A running engine with what it stands on; a context manager that closes both in order.

    Thread: opened and closed on one; the engine may be used from any.
    """

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self.engine = engine
        self._catalog = catalog

    @classmethod
    def open(
        cls,
        installation: Installation,
        *,
        secrets: SecretStore,
        runner: TaskRunner | None = None,
        clock: Clock | None = None,
    ) -> Self:
        """Open the catalog, build the engine and start it.

        Raises:
            OperationalError: the catalog cannot be used.
        """
        ticking = clock or SystemClock()
        catalog = Catalog.open(installation.folders.data / CATALOG_FILE, clock=ticking)
        settings = engine_settings(installation.settings)
        try:
            engine = Engine(
                hypervisors=VSphereFactory(ticking),
                transports=NativeTransports(
                    TransportOptions(transfer_buffer_bytes=settings.transfer_buffer_mib * MIB)
                ),
                secrets=secrets,
                catalog=catalog,
                repositories=repository_opener(installation.folders, ticking),
                runner=runner or ThreadRunner(),
                clock=ticking,
                settings=settings,
                kinds=kinds_in(*_MESSAGE_MODULES),
            )
            engine.start()
        except BaseException:
            catalog.close()
            raise
        return cls(engine, catalog)

    def close(self) -> None:
        """Stop what runs, let it clean up, and close the catalog."""
        if not self.engine.close():
            _log.warning("tasks were still cleaning up when the program ended; the next start goes on with it")
        self._catalog.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def engine_settings(settings: Settings) -> EngineSettings:
    """Translate what ``system.conf`` says into the engine's own settings."""
    return EngineSettings(max_tasks=settings.bk_tsk_thd, transfer_buffer_mib=settings.i2vp_transbuffer)


def repository_opener(folders: Folders, clock: Clock) -> RepositoryOpener:
    """Return the function that opens repositories, each with its locator on this machine's own disk."""
    locators: Path = folders.local / LOCATORS_FOLDER

    def open_repository(place: RepositoryPlace) -> Repository:
        if place.repository_id is not None:
            return Repository.open(place.path, local_dir=locators, clock=clock)
        return Repository.open_or_create(place.path, local_dir=locators, clock=clock)

    return open_repository
