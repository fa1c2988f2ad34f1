"""What the ESXi hosts say of their NFC, asked once for each login.

Source: protocols page *NFC*, sections 1 and 4a.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pyVmomi import vim, vmodl

from app.domain.ids import VmId
from app.vsphere.host_addresses import BACKUP_NIC, MANAGEMENT_NIC, tagged_addresses
from app.vsphere.names import unescaped
from app.vsphere.properties import read
from app.vsphere.session import Connection

_ENTERING: Final = "HostSystem.enterMaintenanceMode"
_OLDEST: Final = (6, 5)
_LIBRARIES: Final = (((8,), 11), ((7,), 7), ((6, 7), 2))
"""Library versions by release, newest first, for a host that does not say."""
_NO_ANSWER: Final = (vmodl.fault.InvalidRequest, vmodl.fault.MethodNotFound, vmodl.fault.NotSupported)
_NO_RIGHT: Final = (vim.fault.NoPermission, vmodl.fault.SecurityError)


@dataclass(frozen=True, slots=True, kw_only=True)
class NfcHost:
    """One ESXi host, as its NFC needs to be spoken to."""

    reference: Any
    name: str
    version: str
    library_version: int
    backup_addresses: frozenset[str]
    """Addresses of its VMkernel adapters that are tagged for backups."""
    management_addresses: tuple[str, ...] = ()
    """Addresses of those that are tagged for management."""

    @property
    def is_too_old(self) -> bool:
        """Whether it speaks the synchronous protocol of ESXi 6.0."""
        return bool(self.version) and _release(self.version) < _OLDEST


class NfcHosts:
    """Remembers what hosts say. Thread: any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[int, str], NfcHost] = {}

    def of_vm(self, connection: Connection, service: Any, vm: VmId) -> NfcHost | None:
        """Return the host that runs a VM; None when the platform does not say which.

        Args:
            connection: a login.
            service: its NFC service.
            vm: the VM.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        reference = read(connection.query(), connection.vm(vm), "runtime.host").get("runtime.host")
        if reference is None:
            return None
        key = connection.generation, str(reference._moId)
        found = self._known.get(key)
        if found is None:
            found = _asked(connection, service, reference)
            with self._lock:
                self._known = {known: host for known, host in self._known.items() if known[0] == key[0]}
                self._known[key] = found
        return found


def host_in_maintenance(connection: Connection, vm: VmId) -> str | None:
    """Return the name of a VM's host when it is in maintenance mode or entering it.

    That it is entering it shows in its tasks only.

    Raises:
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    query = connection.query()
    reference = read(query, connection.vm(vm), "runtime.host").get("runtime.host")
    if reference is None:
        return None
    row = read(query, reference, "name", "runtime.inMaintenanceMode", "recentTask")
    is_entering = any(_is_entering(connection, task) for task in row.get("recentTask") or ())
    if row.get("runtime.inMaintenanceMode") or is_entering:
        return unescaped(row.get("name") or "")
    return None


def _is_entering(connection: Connection, task: Any) -> bool:
    try:
        row = read(connection.query(), task, "info.descriptionId", "info.state")
    except vmodl.fault.ManagedObjectNotFound:
        return False  # it has ended meanwhile
    return (row.get("info.descriptionId"), row.get("info.state")) == (_ENTERING, "running")


def _asked(connection: Connection, service: Any, reference: Any) -> NfcHost:
    row = read(
        connection.query(),
        reference,
        *("name", "config.product.version", "config.virtualNicManagerInfo.netConfig"),
    )
    version = str(row.get("config.product.version") or "")
    library = _library(lambda: service.NfcGetServerNfcLibVersion(hostForAccess=reference), version)
    nics = row.get("config.virtualNicManagerInfo.netConfig") or ()
    return NfcHost(
        reference=reference,
        name=unescaped(row.get("name") or ""),
        version=version,
        library_version=library,
        backup_addresses=frozenset(tagged_addresses(nics, BACKUP_NIC)),
        management_addresses=tuple(tagged_addresses(nics, MANAGEMENT_NIC)),
    )


def _library(ask: Callable[[], int], version: str) -> int:
    try:
        return int(ask())
    except _NO_ANSWER:
        return 0  # ESXi 6.0 and older services do not know the question
    except _NO_RIGHT:
        release = _release(version)
        return next((library for since, library in _LIBRARIES if release >= since), 0)


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
