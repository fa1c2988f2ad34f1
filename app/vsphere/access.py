"""Tickets for NFC and addresses of datastore files: what the transports need from a session.

Sources: protocols pages *NFC*, section 1, and *vSphere facts*, "Reading without VDDK over HTTPS".
"""

import contextlib
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyVmomi import VmomiSupport, vim, vmodl

from app.core.access import AccessMode, DatastoreFiles, HttpsFile, NfcTicket
from app.domain.addresses import BadAddress, ascii_host
from app.domain.ids import VmId
from app.domain.messages import Message, Sayable
from app.vsphere import messages
from app.vsphere.answers import Readable
from app.vsphere.datacenters import DatacenterFiles, datacenter_of, read_datacenters
from app.vsphere.errors import DatastoreUnknown, OperationUnsupported
from app.vsphere.faults import translated
from app.vsphere.faultwords import fault_reason
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.nfc_hosts import NfcHost, NfcHosts, host_in_maintenance
from app.vsphere.reasons import (
    HOST_TOO_OLD,
    NO_DATASTORE_PATH,
    NO_NFC_SERVICE,
    NO_SUCH_DATASTORE,
    SEVERAL_DATACENTERS,
)
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.words import Operation

_NFC_PORT = 902
_VERSION = "vim.version.version1"
_NFC_SERVICE = "vim.NfcService"
_NFC_REFERENCE = re.compile(rb"<(?:\w+:)?nfcService\b[^>]*>\s*([^<\s]+)\s*<")
_registration = threading.Lock()
_ALL_FILES = "VirtualMachine.Provisioning.GetVmFiles"
_NO_TICKET_FOR_FILES = (
    *(vim.fault.NoPermission, vmodl.fault.SecurityError, vmodl.fault.NotSupported, vmodl.fault.MethodNotFound),
    vmodl.fault.InvalidRequest,
)
"""Faults upon which the ticket for one disk is tried (protocols page *NFC*, section 4a.6)."""


class VSphereAccess:
    """Gives out tickets and addresses over one session.

    Fulfils ``NfcTickets``, ``HostsInMaintenance`` and ``DatastoreFiles``.

    Thread: any. ``_lock`` guards what is remembered: the NFC service of a login, and where datastores are.
    """

    def __init__(self, session: VSphereSession) -> None:
        self._session = session
        self._lock = threading.Lock()
        self._nfc_service: tuple[int, str] | None = None
        self._hosts = NfcHosts()
        self._datacenters: Mapping[str, DatacenterFiles] = {}

    def nfc_ticket(self, vm: VmId, disk_key: int, access: AccessMode) -> NfcTicket:
        """Ask for a one-time ticket to one disk.

        Raises:
            OperationUnsupported: the platform offers no NFC service.
            OperationalError: the platform refused or cannot be reached.
        """
        with translated(self._session.attempt(Operation.OPEN_DISK, str(vm))):
            ticket, host, note = self._session.run(
                lambda connection: self._ask_ticket(connection, vm, disk_key, access)
            )
        address = _plain(ticket.host or "") or self._session.platform.address
        is_tagged = host is not None and address in host.backup_addresses
        return NfcTicket(
            host=address,
            port=ticket.port or _NFC_PORT,
            service=ticket.service,
            session_id=ticket.sessionId,
            thumbprint_sha1=ticket.sslThumbprint or None,
            library_version=0 if host is None else host.library_version,
            known_as=host.name if host is not None and is_tagged else "",
            management_addresses=() if host is None else host.management_addresses,
            note=note,
        )

    def host_in_maintenance(self, vm: VmId) -> str | None:
        """Return the name of a VM's host when it is in maintenance mode or entering it.

        Raises:
            OperationalError: the platform cannot be asked.
        """
        with translated(self._session.attempt(Operation.OPEN_DISK, str(vm))):
            return self._session.run(lambda connection: host_in_maintenance(connection, vm))

    def _ask_ticket(
        self, connection: Connection, vm: VmId, disk_key: int, access: AccessMode
    ) -> tuple[Any, NfcHost | None, Message | None]:
        """Return a ticket, the host that it is for, and what the log should say of it.

        Raises:
            OperationUnsupported: the host is too old.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        service = self._service(connection)
        host = self._hosts.of_vm(connection, service, vm)
        if host is not None and host.is_too_old:
            raise OperationUnsupported(
                address=self._session.platform.address,
                operation=Operation.OPEN_DISKS_OVER_NFC,
                detail=HOST_TOO_OLD.fill(host=host.name, version=host.version),
            )
        arguments = {
            "vm": connection.vm(vm),
            "diskDeviceKey": disk_key,
            "hostForAccess": None if host is None else host.reference,
        }
        if access is AccessMode.WRITE:
            return service.NfcRandomAccessOpenDisk(**arguments), host, None
        try:
            return service.NfcGetVmFiles(vm=connection.vm(vm)), host, None
        except _NO_TICKET_FOR_FILES as fault:
            refused = fault
        note = messages.OTHER_TICKET.fill(privilege=_ALL_FILES, reason=fault_reason(refused))
        try:
            return service.NfcRandomAccessOpenReadonly(**arguments), host, note
        except vim.fault.NoPermission:
            raise refused from None  # the privilege of the first one is what an account should have

    def https_file(self, datastore_path: str, vm: VmId | None = None) -> HttpsFile:
        """Return where a datastore file can be fetched, with a live session's cookie.

        Args:
            datastore_path: ``[ds1] web-01/web-01.vmx``.
            vm: whose file it is; the datastore is that of the VM's datacenter. None: of the whole platform.

        Raises:
            DatastoreUnknown: the path names no datastore, or, without a VM, one of several with that name.
            OperationalError: the platform cannot be reached.
        """
        with translated(self._session.attempt(Operation.ADDRESS_FILE, datastore_path)):
            target = self._target(datastore_path, vm)
            cookie = self._session.cookie()
        return HttpsFile(
            host=self._session.platform.address,
            port=self._session.platform.port,
            target=target,
            cookie=cookie,
            thumbprint_sha256=self._session.platform.thumbprint_sha256,
        )

    def files_of(self, vm: VmId) -> DatastoreFiles:
        """Return what addresses the files of one VM, on the datastores of its datacenter."""
        return _VmFiles(self, vm)

    def _target(self, datastore_path: str, vm: VmId | None) -> str:
        name, path = self._datastore(datastore_path, vm)
        return folder_target(DatastorePath.parse(datastore_path, (name,)), path)

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
                operation=Operation.OPEN_DISKS_OVER_NFC,
                detail=NO_NFC_SERVICE,
            )
        return moid

    # ---- datastores --------------------------------------------------------------------------------------

    def _datastore(self, datastore_path: str, vm: VmId | None) -> tuple[str, str]:
        """Return the name of a path's datastore, and the inventory path of the datacenter that has it.

        Args:
            datastore_path: a datastore path.
            vm: the VM whose path it is; None when it is not known.
        """
        # Asked each time: a VM may be moved to another datacenter meanwhile.
        own = "" if vm is None else self._session.run(lambda connection: datacenter_of(connection, vm))
        found = self._with_datastore(datastore_path, own, self._datacenters)
        if not found:
            fresh = self._session.run(read_datacenters)
            with self._lock:
                self._datacenters = fresh
            found = self._with_datastore(datastore_path, own, fresh)
        if len(found) == 1:
            return found[0]
        try:
            name = DatastorePath.parse(datastore_path).datastore
        except ValueError as error:
            raise self._unknown(datastore_path, NO_DATASTORE_PATH) from error
        if found:
            paths = ", ".join(sorted(unescaped(path) for _, path in found))
            raise self._unknown(name, SEVERAL_DATACENTERS.fill(paths=paths))
        raise self._unknown(name, NO_SUCH_DATASTORE)

    @staticmethod
    def _with_datastore(text: str, own: str, datacenters: Mapping[str, DatacenterFiles]) -> list[tuple[str, str]]:
        """Return the datastores that a path may mean with their datacenters' paths; in the VM's own if known."""
        known = [datacenters[own]] if own in datacenters else datacenters.values()
        found = []
        for datacenter in known:
            with contextlib.suppress(ValueError):
                name = DatastorePath.parse(text, datacenter.datastores).datastore
                if name in datacenter.datastores:
                    found.append((name, datacenter.path))
        return found

    def _unknown(self, datastore: str, detail: Sayable) -> DatastoreUnknown:
        return DatastoreUnknown(address=self._session.platform.address, datastore=datastore, detail=detail)


@dataclass(frozen=True, slots=True)
class _VmFiles:
    """The files of one VM; fulfils ``DatastoreFiles``."""

    access: VSphereAccess
    vm: VmId

    def https_file(self, datastore_path: str) -> HttpsFile:
        return self.access.https_file(datastore_path, self.vm)


def _plain(host: str) -> str:
    """Return a ticket's host without brackets around an IPv6 address; what is no proper name stays as it is."""
    try:
        return ascii_host(host)
    except BadAddress:
        return host


def folder_target(path: DatastorePath, datacenter_path: str) -> str:
    """Return path and query of a datastore file's URL, escaped."""
    query = f"dcPath={quote(datacenter_path, safe='')}&dsName={quote(path.datastore, safe='')}"
    return f"/folder/{quote(path.file.lstrip('/'), safe='/')}?{query}"


def _parse_nfc_service(stream: Readable) -> str | None:
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
    needed = ("hostForAccess", "vim.HostSystem", _VERSION, 0, None)
    version = (0, "int", "int")
    return [
        ("getVmFiles", "NfcGetVmFiles", _VERSION, (vm,), ticket, _ALL_FILES, None),
        (
            "getServerNfcLibVersion",
            "NfcGetServerNfcLibVersion",
            _VERSION,
            (needed,),
            version,
            "System.Read",
            None,
        ),
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
