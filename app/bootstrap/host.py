"""Builds an engine with all its dependencies, from the settings of an installation."""

import hashlib
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Self

from app.bootstrap.installation import CATALOG_FILE, Installation, take_engine_lock
from app.bootstrap.texts import log_texts
from app.catalog import Catalog, CatalogCopier, CatalogGuard
from app.config import ConfigUnwritable, PackingChoice, Settings, load_settings, save_settings
from app.core.clock import Clock, SystemClock
from app.core.nfs3 import NFS_PORT, PORTMAP_PORT
from app.core.privatefiles import make_private_folder
from app.core.processlock import ProcessLock
from app.core.secrets import SecretStore
from app.core.threads import ThreadRunner
from app.domain.catalogs import CatalogChoice
from app.domain.limits import TaskLimits
from app.domain.reasons import reason_of
from app.domain.standbys import RepositoryPlace
from app.engine.door.server import DoorServer
from app.engine.engine import Engine
from app.engine.instant.shares import Keys as ServingKeys
from app.engine.instant.shares import MakeService
from app.engine.ports import RepositoryOpener, TaskRunner
from app.engine.program.limits import KeepLimits
from app.engine.program.settings import EngineSettings
from app.engine.program.vddk import vddk_folder
from app.nfs.service import NfsService
from app.paths import Folders, program_command
from app.repository import Protection, Repository, RepositoryKey
from app.secretstore.choice import open_secret_store
from app.transport.factory import NativeTransports
from app.transport.hotadd.machine import GuestMachine
from app.transport.options import TransportOptions
from app.transport.vddk.service import Vddk
from app.vsphere.factory import VSphereFactory
from app.vsphere.own_sessions import SessionMark

_log = logging.getLogger(__name__)

_DOOR_CLOSE_S = 1.0
"""How long the answers that are under way may take when the engine has ended."""
LOCATORS_FOLDER = "locators"
VDDK_FOLDER = "vddk"
NFS_FOLDER = "nfs"
MIB = 1024 * 1024


def open_secrets(installation: Installation, ask_passphrase: Callable[[], str | None]) -> SecretStore:
    """Open the place for passwords that the settings name.

    Raises:
        SecretStoreUnavailable: it does not work.
    """
    kind = installation.settings.secret_store.value
    return open_secret_store(kind, installation.folders.data, ask_passphrase)


class EngineHost:
    """A running engine with its dependencies; a context manager that closes everything in order.

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
        machine: GuestMachine | None = None,
        nfs_ports: tuple[int, int] = (NFS_PORT, PORTMAP_PORT),
    ) -> Self:
        """Open the catalog, build the engine and start it.

        Args:
            installation: where everything is.
            secrets: the place for passwords.
            runner: gives tasks their threads.
            clock: gives the time.
            machine: the machine that this program runs on, where it is not what it seems.
            nfs_ports: of NFS and of the port mapper; hosts of VMware know no others.

        Raises:
            EngineBusy: another process has done so already.
            OperationalError: the catalog cannot be used.
        """
        folder = installation.folders.data
        with ExitStack() as stack:
            lock = stack.enter_context(take_engine_lock(folder))
            host = cls._open_locked(
                installation, lock, secrets, runner or ThreadRunner(), clock or SystemClock(), machine, nfs_ports
            )
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
        machine: GuestMachine | None,
        nfs_ports: tuple[int, int],
    ) -> Self:
        folder = installation.folders.data
        catalog = Catalog.open(folder / CATALOG_FILE, clock=ticking)
        settings = engine_settings(installation.settings)
        try:
            transports = NativeTransports(
                TransportOptions(transfer_buffer_bytes=settings.transfer_buffer_mib * MIB),
                Vddk(program_command("vddk"), folder / VDDK_FOLDER, partial(vddk_folder, catalog.settings)),
                machine,
            )
            engine = Engine(
                hypervisors=VSphereFactory(ticking, mark=SessionMark(_installation_mark(catalog, folder))),
                transports=transports,
                secrets=secrets,
                catalog=catalog,
                repositories=repository_opener(installation.folders, ticking, _installation_mark(catalog, folder)),
                runner=runner,
                clock=ticking,
                settings=settings,
                texts=log_texts(),
                keep_limits=limit_keeper(installation, transports),
                serving=recovery_service(installation.folders, nfs_ports),
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
        """Disconnect callers, stop running tasks and let them clean up, close the catalog, and release it."""
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


def _installation_mark(catalog: Catalog, folder: Path) -> str:
    """Return the mark of this installation in sessions and pins: its catalog, in this folder, on this machine."""
    place = f"{catalog.identity()} {socket.gethostname()} {folder}"
    return hashlib.sha256(place.encode()).hexdigest()[:20]


def settle_catalog(installation: Installation, choice: CatalogChoice) -> None:
    """Do what was chosen about a catalog that is lost, damaged or another one; nothing of it is deleted.

    Raises:
        EngineBusy: an engine uses it.
        NoCatalogCopy, CatalogUnavailable: it could not be done.
    """
    folder = installation.folders.data
    with take_engine_lock(folder):
        CatalogGuard(folder / CATALOG_FILE).settle(choice)
    _log.warning("the catalog was settled: %s", choice.value)


def engine_settings(settings: Settings) -> EngineSettings:
    """Translate what ``system.conf`` says into the engine's own settings."""
    return EngineSettings(
        max_tasks=settings.bk_tsk_thd,
        transfer_buffer_mib=settings.i2vp_transbuffer,
        platform_outage_s=float(settings.platform_wait_s),
        may_pack_harder=settings.packing is PackingChoice.AUTO,
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
            raise ConfigUnwritable(file=file, detail=reason_of(error)) from error
        transports.use_transfer_buffer(limits.buffer_mb * MIB)

    return keep


def recovery_service(folders: Folders, ports: tuple[int, int]) -> MakeService:
    """Return the function that makes what serves VMs that run from restore points, in a process of its own."""
    nfs, portmap = ports

    def make(keys: ServingKeys) -> NfsService:
        folder = folders.data / NFS_FOLDER
        with suppress(FileExistsError):
            make_private_folder(folder)
        places = ("--locators", str(folders.local / LOCATORS_FOLDER), "--logs", str(folders.logs))
        command = program_command("nfs", *places, "--port", str(nfs), "--portmap-port", str(portmap))
        return NfsService(folder, command, keys, ports)

    return make


def repository_opener(folders: Folders, clock: Clock, holder: str) -> RepositoryOpener:
    """Return the function that opens repositories, each with its locator on this machine's own disk.

    ``holder`` is the mark of this installation in pins.
    """
    locators: Path = folders.local / LOCATORS_FOLDER

    def open_repository(
        place: RepositoryPlace, key: RepositoryKey | None, protection: Protection | None
    ) -> Repository:
        if place.repository_id is not None:
            return Repository.open(place.path, local_dir=locators, clock=clock, key=key, holder=holder)
        return Repository.open_or_create(
            place.path, local_dir=locators, clock=clock, key=key, protection=protection, holder=holder
        )

    return open_repository
