"""What the serving process is told: which recoveries are in the share, and who may mount it."""

import hashlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.contract.errors import error_from
from app.core.nfshosting import DiskFiles, NfsMount, ServedFolder
from app.core.secrets import SecretStoreUnavailable
from app.domain.errors import OperationalError
from app.domain.ids import RecoveryId
from app.domain.instant import InstantPhase, InstantRecovery
from app.engine.encryption.keystore import KeyStore
from app.engine.instant.errors import InstantUnavailable, KeyNotGiven, NotServed
from app.engine.tasks.rows import kept_error_row
from app.nfs.failures import StandbyFullUnderVm
from app.nfs.service import (
    Answer,
    Export,
    ExportFolder,
    ExportUnreadable,
    ServedDisk,
    ServedFile,
    ServingRow,
    ServingState,
    new_export_name,
)

_log = logging.getLogger(__name__)

DATASTORE_PREFIX: Final = "Standfast-"
_DIGITS: Final = 8

Keys = Callable[[], Mapping[str, bytes]]
"""Returns keys of encrypted repositories, by the ids of the repositories."""


class RecoveryService(Protocol):
    """The serving process, seen from here. Thread: any."""

    @property
    def exports(self) -> ExportFolder:
        """What is to be served."""
        ...

    def look(self) -> Answer:
        """Have it served, by a process that is started where there is none."""
        ...

    def status(self) -> Answer | None:
        """Return how things are; None while no process serves."""
        ...

    def port_problem(self) -> OperationalError | None:
        """Return what keeps the process from its ports, None when nothing does or it has them."""
        ...

    def stop(self) -> None:
        """End the process, where one serves."""
        ...

    def close(self) -> None:
        """Watch no more; the process goes on."""
        ...


MakeService = Callable[[Keys], RecoveryService]
"""Makes what serves, which asks for keys whenever it needs them."""


class NoService:
    """Stands for the serving process where an engine has none. Fulfils :class:`RecoveryService`."""

    exports: Final = ExportFolder(Path("/nonexistent"))

    def look(self) -> Answer:
        """Refuse.

        Raises:
            InstantUnavailable: always.
        """
        raise InstantUnavailable

    def status(self) -> Answer | None:
        """Return that nobody serves."""
        return None

    def port_problem(self) -> OperationalError | None:
        """Return that this engine cannot serve."""
        return InstantUnavailable()

    def stop(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What is to be served of a restore point, and to whom."""

    repository: Path
    repository_id: str
    folder: Path
    """Where what the VM writes is kept."""
    served: ServedFolder
    clients: tuple[str, ...]
    address: str


class Shares:
    """Publishes and withdraws recoveries. Thread: any; one publication at a time."""

    def __init__(self, make_service: MakeService, keystore: KeyStore) -> None:
        self._keystore = keystore
        self._lock = threading.Lock()
        self._service = make_service(self._needed_keys)

    def _needed_keys(self) -> Mapping[str, bytes]:
        return needed_keys(self.all(), self._keystore)

    @property
    def exports(self) -> ExportFolder:
        """What is to be served."""
        return self._service.exports

    def publish(self, recovery: InstantRecovery, wanted: Publication) -> Export:
        """Have a restore point served, and return how.

        Raises:
            NotServed: it is not.
            KeyNotGiven: its repository is encrypted, and the key is not known.
            OperationalError: the service does not start.
        """
        served = wanted.served
        with self._lock:
            export = Export(
                id=recovery.id,
                name=self._share_at(wanted.address),
                place=f"{served.name[:200]}-{recovery.id[:_DIGITS]}",
                number=recovery.number,
                clients=wanted.clients,
                address=wanted.address,
                repository=str(wanted.repository),
                repository_id=wanted.repository_id,
                point=recovery.point,
                folder=str(wanted.folder),
                disks=tuple(ServedDisk(key=disk.key, path=disk.data) for disk in served.disks),
                is_begun=recovery.phase is InstantPhase.RESUMING,
                files=tuple(ServedFile(path=file.name, data=file.data) for file in served.files),
            )
            self.serve(recovery.vm_name, export)
        return export

    def require_standby(self, recovery: InstantRecovery) -> None:
        """Make sure that the standby of a recovery that is served is there; a full one is.

        Raises:
            OperationalError: it is not, or nobody serves.
        """
        rows = self.rows()
        if rows is None or recovery.id not in rows:
            raise NotServed(vm=recovery.name)
        error = _away(recovery, rows[recovery.id])
        if error is not None:
            raise error

    def standby_trouble(self, recovery: InstantRecovery) -> OperationalError | None:
        """Return why hosts are asked to wait for a recovery; None where they are not, or nobody serves."""
        rows = self.rows()
        row = None if rows is None else rows.get(recovery.id)
        return None if row is None else _away(recovery, row)

    def serve(self, vm_name: str, export: Export) -> None:
        """Have an export served as it is now.

        Raises:
            NotServed, KeyNotGiven: it is not.
            OperationalError: the service does not start.
        """
        self.exports.put(export)
        row = next((row for row in self._service.look().rows if row.id == export.id), None)
        if row is None:
            raise NotServed(vm=vm_name)
        error = error_of(vm_name, row)
        if error is not None:
            raise error

    def _share_at(self, address: str) -> str:
        """Return the share of an address: that of the recoveries that are there, else a new one."""
        for export in self.all():
            if export.address == address:
                return export.name
        return new_export_name()

    def all(self) -> Sequence[Export]:
        """Return what is to be served."""
        return [export for export_id in self.exports.ids() if (export := self.read(export_id)) is not None]

    def read(self, export_id: str) -> Export | None:
        """Return one, None when there is none, also when it cannot be read."""
        try:
            return self.exports.read(export_id)
        except (ExportUnreadable, OSError) as error:
            _log.warning("the export %s cannot be read: %s", export_id, error)
            return None

    def withdraw(self, recovery: RecoveryId) -> None:
        """Serve a recovery no more; one that is not served is fine. Without any the process ends.

        Raises:
            OperationalError: the service does not start.
        """
        with self._lock:
            if recovery not in set(self.exports.ids()):
                return
            self.exports.remove(recovery)
            if next(self.exports.ids(), None) is None:
                self._service.stop()
            else:
                self._service.look()

    def pause(self, recovery: RecoveryId) -> Export:
        """Close what a VM reads and writes, so that it can be read here; its datastore stays mounted.

        Raises:
            NotServed: it is not served.
            OperationalError: the service does not start.
        """
        with self._lock:
            export = self.read(recovery)
            if export is None:
                raise NotServed(vm=recovery)
            self.exports.put(msgspec.structs.replace(export, is_paused=True))
            self._service.look()
        return export

    def go_on(self, vm_name: str, export: Export) -> None:
        """Serve again what was paused; what fails is tried again by the service. Never raises."""
        with self._lock:
            try:
                self.serve(vm_name, msgspec.structs.replace(export, is_paused=False))
            except (OperationalError, OSError) as error:
                _log.error("%s is not served again: %s", vm_name, error)

    def rows(self) -> Mapping[str, ServingRow] | None:
        """Return how each is served, by the ids of the recoveries; None while nobody serves."""
        answer = self._service.status()
        return None if answer is None else {row.id: row for row in answer.rows}

    def port_problem(self) -> OperationalError | None:
        """Return what keeps VMs from running from here, None when nothing is known that does."""
        return self._service.port_problem()

    def close(self) -> None:
        """Watch over the process no more; it goes on."""
        self._service.close()

    def look(self) -> None:
        """Have everything served that is to be.

        Raises:
            OperationalError: the service does not start.
        """
        self._service.look()


def error_of(vm_name: str, row: ServingRow) -> OperationalError | None:
    """Return why a recovery is not served, or what its standby refuses; None where all is well."""
    if row.error is not None:
        return error_from(kept_error_row(row.error))
    return KeyNotGiven(vm=vm_name) if row.state is ServingState.LOCKED else None


def _away(recovery: InstantRecovery, row: ServingRow) -> OperationalError | None:
    """Return why a recovery cannot be read or written; that its standby is full is no reason."""
    error = error_of(recovery.name, row)
    return None if error is not None and error.code == StandbyFullUnderVm.code else error


def mount_of(export: Export) -> NfsMount:
    """Return what a host mounts; the datastore's name tells installations apart and gives nothing away."""
    digest = hashlib.sha256(export.name.encode()).hexdigest()[:_DIGITS]
    return NfsMount(server=export.address, path=f"/{export.name}", name=f"{DATASTORE_PREFIX}{digest}")


def disk_paths(datastore: str, export: Export, disks: Sequence[DiskFiles]) -> tuple[tuple[int, str], ...]:
    """Return where a VM finds its disks, by their keys."""
    return tuple((disk.key, f"[{datastore}] {export.place}/{disk.attached}") for disk in disks)


def needed_keys(exports: Sequence[Export], keystore: KeyStore) -> dict[str, bytes]:
    """Return the keys of the encrypted repositories that are served; what is not known is left out."""
    found: dict[str, bytes] = {}
    for repository_id in {export.repository_id for export in exports}:
        try:
            key = keystore.master(repository_id)
        except SecretStoreUnavailable:
            continue
        if key is not None:
            found[repository_id] = key.text.encode("ascii")
    return found
