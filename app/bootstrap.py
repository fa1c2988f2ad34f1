"""The composition root: the only place that reads configuration and builds objects across layers."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Self

import app.transport.messages
import app.vsphere.messages
from app.catalog import Catalog, CatalogChoice, CatalogCopier, CatalogGuard
from app.catalog.errors import CatalogForeign, CatalogLost
from app.config import ConfigUnwritable, Settings, load_settings, save_settings
from app.core.clock import Clock, SystemClock
from app.core.processlock import ProcessLock, noted_holder
from app.core.secrets import SecretStore
from app.core.threads import ThreadRunner
from app.domain.limits import TaskLimits
from app.domain.standbys import RepositoryPlace
from app.engine.api import Engine, EngineSettings
from app.engine.desks.limits import KeepLimits
from app.engine.door import Door
from app.engine.messages import kinds_in
from app.engine.ports import RepositoryOpener, TaskRunner
from app.engine.remote.client import RemoteDoor
from app.engine.remote.errors import EngineAway, EngineBusy
from app.engine.remote.server import DoorServer
from app.paths import Folders, FolderUnusable, find_folders
from app.repository import Protection, Repository, RepositoryKey
from app.secretstore.choice import open_secret_store
from app.transport.factory import NativeTransports
from app.transport.options import TransportOptions
from app.vsphere.factory import VSphereFactory

_log = logging.getLogger(__name__)

CATALOG_FILE = "catalog.db"
ENGINE_LOCK = "engine.lock"
"""Held by the one process whose engine uses the catalog."""
WINDOW_LOCK = "window.lock"
"""Held by the one process that shows the window."""
DOOR_PATIENCE_S = 15.0
"""How long an engine that is starting or ending may take before it counts as away."""
_LOOK_AGAIN_S = 0.25
_DOOR_CLOSE_S = 1.0
"""How long the answers that are under way may take when the engine has ended."""
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

    def open_secrets(self, ask_passphrase: Callable[[], str | None]) -> SecretStore:
        """Open the place for passwords that the settings name.

        Raises:
            SecretStoreUnavailable: it does not work.
        """
        return open_secret_store(self.settings.secret_store.value, self.folders.data, ask_passphrase)


class EngineHost:
    """A running engine with what it stands on; a context manager that closes everything in order.

    Holding it is holding the catalog: there is one engine per data folder.

    Thread: opened and closed on one; the engine may be used from any.
    """

    def __init__(self, engine: Engine, catalog: Catalog, folder: Path, lock: ProcessLock, clock: Clock) -> None:
        self.engine = engine
        self._catalog = catalog
        self._folder = folder
        self._lock = lock
        self._server: DoorServer | None = None
        self._copier = CatalogCopier(CatalogGuard(folder / CATALOG_FILE), clock)
        self._copier.start()

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
            EngineBusy: another process has done so already.
            OperationalError: the catalog cannot be used.
        """
        folder = installation.folders.data
        with ExitStack() as stack:
            lock = stack.enter_context(_engine_lock(folder))
            host = cls._open_locked(installation, lock, secrets, runner or ThreadRunner(), clock or SystemClock())
            stack.pop_all()
        return host

    @classmethod
    def _open_locked(
        cls,
        installation: Installation,
        lock: ProcessLock,
        secrets: SecretStore,
        runner: TaskRunner,
        ticking: Clock,
    ) -> Self:
        folder = installation.folders.data
        catalog = Catalog.open(folder / CATALOG_FILE, clock=ticking)
        settings = engine_settings(installation.settings)
        try:
            transports = NativeTransports(
                TransportOptions(transfer_buffer_bytes=settings.transfer_buffer_mib * MIB)
            )
            engine = Engine(
                hypervisors=VSphereFactory(ticking),
                transports=transports,
                secrets=secrets,
                catalog=catalog,
                repositories=repository_opener(installation.folders, ticking),
                runner=runner,
                clock=ticking,
                settings=settings,
                kinds=kinds_in(*_MESSAGE_MODULES),
                keep_limits=limit_keeper(installation, transports),
            )
            engine.start()
        except BaseException:
            catalog.close()
            raise
        return cls(engine, catalog, folder, lock, ticking)

    def let_others_in(self) -> None:
        """Open the door for other programs of this user: the window, ``debugctl``.

        Raises:
            DoorUnusable: the system refused.
        """
        self._server = DoorServer.open(self.engine, self._folder)

    def close(self) -> None:
        """Cut callers off, stop what runs, let it clean up, close the catalog, and let go of it."""
        if self._server is not None:
            self._server.cut_off()
        if not self.engine.close():
            _log.warning("tasks were still cleaning up when the program ended; the next start goes on with it")
        if self._server is not None:
            self._server.close(_DOOR_CLOSE_S)
        self._copier.close()
        self._catalog.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class OpenDoor:
    """The door to this installation's engine, in this process or in another; a context manager.

    Attributes:
        door: what the engine is used through.
        host: the engine when it is in this process, else None.
        is_ours: whether the engine was started for this door, and ends with it.
    """

    def __init__(
        self, door: Door, close: Callable[[], None], *, host: EngineHost | None = None, is_ours: bool = False
    ) -> None:
        self.door = door
        self.host = host
        self.is_ours = is_ours
        self._close = close

    def close(self) -> None:
        """End the engine when it is ours, else the connection to it."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


StartOwn = Callable[[], OpenDoor]
"""Starts an engine for oneself and opens its door; raises EngineBusy when another process holds the catalog."""


def open_door(
    installation: Installation,
    *,
    open_secrets: Callable[[], SecretStore],
    runner: TaskRunner | None = None,
    clock: Clock | None = None,
    patience_s: float = DOOR_PATIENCE_S,
) -> OpenDoor:
    """Start the engine in this process when nobody holds the catalog, else connect to the one that does.

    Args:
        installation: whose engine.
        open_secrets: opens the place for passwords; called only for an engine in this process.
        runner: gives the tasks of an engine in this process their threads.
        clock: tells the time.
        patience_s: how long one that is just starting or ending is waited for.

    Raises:
        EngineAway: somebody holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """

    def start_here() -> OpenDoor:
        host = EngineHost.open(installation, secrets=open_secrets(), runner=runner, clock=clock)
        try:
            host.let_others_in()
        except BaseException:
            host.close()
            raise
        return OpenDoor(host.engine, host.close, host=host, is_ours=True)

    return start_or_attach(installation, start_here, clock=clock, patience_s=patience_s)


def start_or_attach(
    installation: Installation,
    start_own: StartOwn,
    *,
    clock: Clock | None = None,
    patience_s: float = DOOR_PATIENCE_S,
) -> OpenDoor:
    """Start an engine when nobody holds the catalog, else connect to the one that does.

    Args:
        installation: whose engine.
        start_own: called only when nobody holds the catalog, so that nobody is asked for a passphrase that another
            engine has already.
        clock: tells the time.
        patience_s: how long one that is just starting or ending is waited for.

    Raises:
        EngineAway: somebody holds the catalog, but does not open the door.
        OperationalError: the engine cannot be started or used.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            _engine_lock(installation.folders.data).release()
            return start_own()
        except EngineBusy:
            pass  # the usual case of an engine without a window
        remote = RemoteDoor(installation.folders.data, clock=clock)
        try:
            remote.wait_until_connected(_LOOK_AGAIN_S)
        except EngineAway:
            remote.close()
            if time.monotonic() > deadline:
                raise
        except BaseException:
            remote.close()
            raise
        else:
            return OpenDoor(remote, remote.close)


def lost_catalog(installation: Installation) -> CatalogLost | CatalogForeign | None:
    """Return why the catalog would not be opened, when it is lost; None where another process has it open.

    Raises:
        FolderUnusable: the data folder cannot be written to.
    """
    folder = installation.folders.data
    lock = _lock_in(folder, ENGINE_LOCK)
    if lock is None:
        return None
    with lock:
        try:
            CatalogGuard(folder / CATALOG_FILE).refuse_loss()
        except (CatalogLost, CatalogForeign) as error:
            return error
    return None


def settle_catalog(installation: Installation, choice: CatalogChoice) -> None:
    """Do what was chosen about a catalog that is lost, damaged or another one; nothing of it is deleted.

    Raises:
        EngineBusy: an engine uses it.
        NoCatalogCopy, CatalogUnavailable: it could not be done.
    """
    folder = installation.folders.data
    with _engine_lock(folder):
        CatalogGuard(folder / CATALOG_FILE).settle(choice)
    _log.warning("the catalog was settled: %s", choice.value)


def claim_window(installation: Installation) -> ProcessLock | None:
    """Become the one process that shows the window; return None when another does, which is to be raised instead.

    Raises:
        FolderUnusable: the data folder cannot be written to.
    """
    return _lock_in(installation.folders.data, WINDOW_LOCK)


def _engine_lock(folder: Path) -> ProcessLock:
    lock = _lock_in(folder, ENGINE_LOCK)
    if lock is None:
        raise EngineBusy(pid=noted_holder(folder / ENGINE_LOCK) or "?", folder=folder)
    return lock


def _lock_in(folder: Path, name: str) -> ProcessLock | None:
    try:
        return ProcessLock.take(folder / name)
    except OSError as error:
        raise FolderUnusable(path=folder, detail=error.strerror or error) from error


def engine_settings(settings: Settings) -> EngineSettings:
    """Translate what ``system.conf`` says into the engine's own settings."""
    return EngineSettings(
        max_tasks=settings.bk_tsk_thd,
        transfer_buffer_mib=settings.i2vp_transbuffer,
        platform_outage_s=float(settings.platform_wait_s),
    )


def limit_keeper(installation: Installation, transports: NativeTransports) -> KeepLimits:
    """Return the function that writes changed limits to the operator's file and hands the buffer on."""
    file = installation.folders.user_config_file

    def keep(limits: TaskLimits) -> None:
        now = load_settings(installation.folders.shipped_config_file, file)
        changed = replace(now, bk_tsk_thd=limits.tasks, i2vp_transbuffer=limits.buffer_mb)
        try:
            save_settings(file, now, changed)
        except OSError as error:
            raise ConfigUnwritable(file=file, detail=error.strerror or error) from error
        transports.use_transfer_buffer(limits.buffer_mb * MIB)

    return keep


def repository_opener(folders: Folders, clock: Clock) -> RepositoryOpener:
    """Return the function that opens repositories, each with its locator on this machine's own disk."""
    locators: Path = folders.local / LOCATORS_FOLDER

    def open_repository(
        place: RepositoryPlace, key: RepositoryKey | None, protection: Protection | None
    ) -> Repository:
        if place.repository_id is not None:
            return Repository.open(place.path, local_dir=locators, clock=clock, key=key)
        return Repository.open_or_create(
            place.path, local_dir=locators, clock=clock, key=key, protection=protection
        )

    return open_repository
