"""Tickets for NFC and addresses of datastore files: what the transports need from a session.

Sources: protocols pages *NFC*, section 1, and *vSphere facts*, "Reading without VDDK over HTTPS".
"""

import re
import threading
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import quote

from pyVmomi import VmomiSupport, vim

from app.core.access import AccessMode, HttpsFile, NfcTicket
from app.domain.ids import VmId
from app.vsphere.errors import DatastoreUnknown, OperationUnsupported
from app.vsphere.faults import translated
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import read_all
from app.vsphere.session import Connection, VSphereSession

_NFC_PORT = 902
_VERSION = "vim.version.version1"
_NFC_SERVICE = "vim.NfcService"
_NFC_REFERENCE = re.compile(rb"<(?:\w+:)?nfcService\b[^>]*>\s*([^<\s]+)\s*<")
_MAX_DEPTH = 64
_registration = threading.Lock()


class VSphereAccess:
    """Gives out tickets and addresses over one session; fulfils ``NfcTickets`` and ``DatastoreFiles``.

    Thread: any. ``_lock`` guards what is remembered: the NFC service of a login, and where datastores are.
    """

    def __init__(self, session: VSphereSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._nfc_service: tuple[int, str] | None = None
        self._datacenters: Mapping[str, frozenset[str]] = {}

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Ask for a one-time ticket to one disk.

        Raises:
            OperationUnsupported: the platform offers no NFC service.
            OperationalError: the platform refused or cannot be reached.
        """

        def ask(connection: Connection) -> Any:
            service = self._service(connection)
            arguments = {"vm": connection.vm(vm), "diskDeviceKey": disk_key, "hostForAccess": None}
            if access is AccessMode.WRITE:
                return service.NfcRandomAccessOpenDisk(**arguments)
            return service.NfcRandomAccessOpenReadonly(**arguments)

        with translated(self._session.attempt(f"open disk {disk_key} for {access.value}", str(vm))):
            ticket = self._session.run(ask)
        return NfcTicket(
            host=ticket.host or self._session.platform.address,
            port=ticket.port or _NFC_PORT,
            service=ticket.service,
            session_id=ticket.sessionId,
            thumbprint_sha1=ticket.sslThumbprint or None,
        )

    def https_file(self, datastore_path: str) -> HttpsFile:
        """Return where a datastore file can be fetched, with a live session's cookie.

        Raises:
            DatastoreUnknown: the path names no datastore, or one of several with that name.
            OperationalError: the platform cannot be reached.
        """
        with translated(self._session.attempt("address a datastore file", datastore_path)):
            target = self._target(datastore_path)
            cookie = self._session.cookie()
        return HttpsFile(
            host=self._session.platform.address,
            port=self._session.platform.port,
            target=target,
            cookie=cookie,
            thumbprint_sha256=self._session.platform.thumbprint_sha256,
        )

    def _target(self, datastore_path: str) -> str:
        try:
            path = DatastorePath.parse(datastore_path)
        except ValueError as error:
            raise self._unknown(datastore_path, "it is not a datastore path") from error
        return folder_target(path, self._datacenter_path(path.datastore))

    # ---- NFC ---------------------------------------------------------------------------------------------

    def _service(self, connection: Connection) -> Any:
        known = self._nfc_service
        if known is None or known[0] != connection.generation:
            moid = self._find_service(connection)
            known = (connection.generation, moid)
            with self._lock:
                self._nfc_service = known
        return nfc_service_type()(known[1], connection.stub)

    def _find_service(self, connection: Connection) -> str:
        moid = connection.stub.invoke_raw(
            vim.ServiceInstance("ServiceInstance", connection.stub), _INTERNAL_CONTENT, (), _parse_nfc_service
        )
        if moid is None:
            raise OperationUnsupported(
                address=self._session.platform.address,
                operation="open disks over NFC",
                detail="it names no NFC service.",
            )
        return moid

    # ---- datastores --------------------------------------------------------------------------------------

    def _datacenter_path(self, datastore: str) -> str:
        found = self._datacenters.get(datastore)
        if found is None:
            fresh = self._session.run(_datacenters_of_datastores)
            with self._lock:
                self._datacenters = fresh
            found = fresh.get(datastore, frozenset())
        if len(found) != 1:
            raise self._unknown(
                datastore, "several datacenters have one of that name" if found else "there is none of that name"
            )
        return next(iter(found))

    def _unknown(self, datastore: str, detail: str) -> DatastoreUnknown:
        return DatastoreUnknown(address=self._session.platform.address, datastore=datastore, detail=detail)


def folder_target(path: DatastorePath, datacenter_path: str) -> str:
    """Return path and query of a datastore file's URL, escaped."""
    query = f"dcPath={quote(datacenter_path, safe='')}&dsName={quote(path.datastore, safe='')}"
    return f"/folder/{quote(path.file.lstrip('/'), safe='/')}?{query}"


def _parse_nfc_service(stream: IO[bytes]) -> str | None:
    match = _NFC_REFERENCE.search(stream.read())
    return match[1].decode() if match else None


# The rest of the answer holds types that pyVmomi does not know; only the NFC service is read from it.
_INTERNAL_CONTENT = VmomiSupport.Object(
    name="retrieveInternalContent",
    wsdlName="RetrieveInternalContent",
    version=_VERSION,
    params=(),
    isTask=False,
    result=object,
    resultFlags=VmomiSupport.F_OPTIONAL,
)


def nfc_service_type() -> Any:
    """Return the managed type ``vim.NfcService``, which pyVmomi's public types lack."""
    with _registration:
        if not VmomiSupport.TypeDefExists(_NFC_SERVICE):
            VmomiSupport.CreateManagedType(
                _NFC_SERVICE, "NfcService", "vmodl.ManagedObject", _VERSION, None, _nfc_methods()
            )
    return VmomiSupport.GetVmodlType(_NFC_SERVICE)


def _nfc_methods() -> list[Any]:
    optional = VmomiSupport.F_OPTIONAL
    vm = ("vm", "vim.VirtualMachine", _VERSION, 0, None)
    disk = ("diskDeviceKey", "int", _VERSION, 0, None)
    host = ("hostForAccess", "vim.HostSystem", _VERSION, optional, None)
    ticket = (0, "vim.HostServiceTicket", "vim.HostServiceTicket")
    read, write = "VirtualMachine.Provisioning.DiskRandomRead", "VirtualMachine.Provisioning.DiskRandomAccess"
    return [
        (
            "randomAccessOpenReadonly",
            "NfcRandomAccessOpenReadonly",
            _VERSION,
            (vm, disk, host),
            ticket,
            read,
            None,
        ),
        ("randomAccessOpenDisk", "NfcRandomAccessOpenDisk", _VERSION, (vm, disk, host), ticket, write, None),
    ]


def _datacenters_of_datastores(connection: Connection) -> Mapping[str, frozenset[str]]:
    """Return for each datastore's name the inventory paths of the datacenters that have it."""
    paths = {
        vim.Folder: ("name", "parent"),
        vim.Datacenter: ("name", "parent", "datastore"),
        vim.Datastore: ("name",),
    }
    rows = {row.moid: row for row in read_all(connection.query(), paths)}
    found: dict[str, set[str]] = {}
    for row in rows.values():
        if not isinstance(row.ref, vim.Datacenter):
            continue
        names = [row.get("name")]
        parent = row.get("parent")
        while parent is not None and parent._moId in rows and len(names) < _MAX_DEPTH:
            names.append(rows[parent._moId].get("name"))
            parent = rows[parent._moId].get("parent")
        path = "/".join(reversed(names))
        for datastore in row.get("datastore") or ():
            if datastore._moId in rows:
                found.setdefault(unescaped(rows[datastore._moId].get("name")), set()).add(path)
    return {name: frozenset(datacenters) for name, datacenters in found.items()}
