"""Mounting what this machine serves as datastores of hosts, and unmounting it.

Source: ``HostDatastoreSystem`` (``CreateNasDatastore``, ``RemoveDatastore``) and ``HostNasVolume`` of the vSphere
Web Services reference: to a platform, server and path as they were given identify a volume, and its name may be
another one than was asked for. Neither call is a task, so before one is sent again it is looked what is there.
"""

import ipaddress
from collections.abc import Callable
from typing import Any, Final

from pyVmomi import vim, vmodl

from app.core.nfshosting import MountedDatastore, NfsMount
from app.domain.errors import NfsMountFailed, NfsMountInUse
from app.domain.messages import Sayable
from app.vsphere import tasks
from app.vsphere.errors import PlatformRefused
from app.vsphere.faults import FAILURES, translate
from app.vsphere.faultwords import fault_reason
from app.vsphere.names import escaped, unescaped
from app.vsphere.nfs_faults import mount_reason, without_path
from app.vsphere.properties import Row, read, read_all, read_many
from app.vsphere.reasons import NFS_NAME_TAKEN, NFS_NOT_ACCESSIBLE, NFS_NOT_SHOWN
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline
from app.vsphere.words import Operation

_CALL_S: Final = 300.0
_SEEN_S: Final = 15.0
"""How long a vCenter may take to notice what its host mounted without it."""
_ACCESSIBLE_S: Final = 60.0
"""How long a host may take to reach the server of a datastore that it has mounted for long."""
_PAUSE_S: Final = 0.5


class NfsMounts:
    """Mounts and unmounts over one session. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    def mount(self, host: str, mount: NfsMount) -> MountedDatastore:
        """Mount a datastore on a host; see ``RunsFromNfs.mount_nfs``.

        Raises:
            NfsMountFailed: the host refuses, or does not reach the server.
            OperationalError: the account may not, or the platform cannot be reached.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        deadline = Deadline.after(self._session.clock, _CALL_S)
        row = tasks.through_outage(self._session, lambda: self._mounted(host, mount), deadline)
        row = self._until(_ACCESSIBLE_S, lambda: self._looked_at(row.ref), _is_accessible) or row
        if not _is_accessible(row):
            raise self._failed(host, mount, NFS_NOT_ACCESSIBLE)
        return MountedDatastore(id=row.moid, name=unescaped(row.get("name") or ""))

    def unmount(self, host: str, mount: NfsMount) -> None:
        """Unmount a datastore from a host; see ``RunsFromNfs.unmount_nfs``.

        Raises:
            NfsMountInUse: something is on it still.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        deadline = Deadline.after(self._session.clock, _CALL_S)
        tasks.through_outage(self._session, lambda: self._unmounted(host, mount), deadline)

    def hosts_mounting(self, mount: NfsMount) -> tuple[str, ...]:
        """Return the ids of the hosts that mount it; see ``RunsFromNfs.hosts_mounting``.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """

        def look(connection: Connection) -> set[str]:
            rows = read_all(connection.query(), {vim.Datastore: ("info", "host")})
            found = [row for row in rows if is_of(row.get("info"), mount)]
            return {str(entry.key._moId) for row in found for entry in row.get("host") or ()}

        return tuple(sorted(self._session.run(look)))

    # ---- mounting ----------------------------------------------------------------------------------------

    def _mounted(self, host: str, mount: NfsMount) -> Row:
        found = self._found(host, mount)
        if found is not None:
            return found
        try:
            return self._looked_at(self._created(host, mount))
        except (vim.fault.AlreadyExists, vim.fault.DuplicateName) as fault:
            found = self._noticed(host, mount, fault)
            if found is not None:
                return found
            is_name = isinstance(fault, vim.fault.DuplicateName)
            raise self._failed(host, mount, NFS_NAME_TAKEN if is_name else NFS_NOT_SHOWN) from fault
        except vim.fault.NotAuthenticated:
            raise
        except vmodl.MethodFault as fault:
            ours = translate(fault, self._session.attempt(Operation.MOUNT_NFS, mount.name))
            if not isinstance(ours, PlatformRefused):
                raise ours from fault
            raise self._failed(host, mount, mount_reason(fault)) from fault

    def _created(self, host: str, mount: NfsMount) -> Any:
        try:
            return self._session.run(lambda connection: _create(connection, host, mount))
        except vmodl.MethodFault as fault:
            without_path(fault, mount.path)
            raise

    def _noticed(self, host: str, mount: NfsMount, fault: Any) -> Row | None:
        """Return what is mounted already, as soon as the platform shows it.

        The answer to an earlier call was lost, or the operator has mounted it at the host itself.
        """
        other = getattr(fault, "object", None)
        if other is not None and not self._is_ours(other._moId, mount):
            return None
        return self._until(_SEEN_S, lambda: self._found(host, mount), lambda row: row is not None)

    def _is_ours(self, datastore: str, mount: NfsMount) -> bool:
        def look(connection: Connection) -> bool:
            row = read(connection.query(), connection.object(vim.Datastore, datastore), "info")
            return is_of(row.get("info"), mount)

        try:
            return self._session.run(look)
        except vmodl.fault.ManagedObjectNotFound:
            return False

    def _found(self, host: str, mount: NfsMount) -> Row | None:
        rows = self._session.run(lambda connection: _mounted_on(connection, host, mount))
        return rows[0] if rows else None

    def _looked_at(self, datastore: Any) -> Row:
        def look(connection: Connection) -> Row:
            reference = connection.object(vim.Datastore, datastore._moId)
            return read(connection.query(), reference, "name", "summary.accessible")

        return self._session.run(look)

    def _until(
        self, seconds: float, look: Callable[[], Row | None], is_enough: Callable[[Row | None], bool]
    ) -> Row | None:
        """Look again and again; return what was seen at last."""
        deadline = Deadline.after(self._session.clock, seconds)
        found = look()
        while not is_enough(found) and not deadline.has_passed:
            self._session.clock.sleep(_PAUSE_S)
            found = look()
        return found

    def _failed(self, host: str, mount: NfsMount, detail: Sayable) -> NfsMountFailed:
        return NfsMountFailed(host=self._name_of(host), datastore=mount.name, server=mount.server, detail=detail)

    # ---- unmounting --------------------------------------------------------------------------------------

    def _unmounted(self, host: str, mount: NfsMount) -> None:
        try:
            self._session.run(lambda connection: _remove(connection, host, mount))
        except vmodl.fault.ManagedObjectNotFound:  # the host itself
            return
        except (vim.fault.ResourceInUse, vim.fault.HostConfigFault) as fault:
            without_path(fault, mount.path)
            raise NfsMountInUse(
                host=self._name_of(host), datastore=mount.name, detail=fault_reason(fault)
            ) from fault

    def _name_of(self, host: str) -> str:
        """Return a host's name for an error; its id where the name cannot be read."""
        try:
            row = self._session.run(
                lambda connection: read(connection.query(), connection.object(vim.HostSystem, host), "name")
            )
        except FAILURES:
            return host
        return unescaped(row.get("name") or host)


def is_of(info: Any, mount: NfsMount) -> bool:
    """Return whether a datastore, by its ``info``, is a mount: server and path are the same, whatever its name."""
    if not isinstance(info, vim.host.NasDatastoreInfo) or info.nas is None or info.nas.remotePath != mount.path:
        return False
    servers = [info.nas.remoteHost, *(info.nas.remoteHostNames or ())]
    return _plain(mount.server) in {_plain(server) for server in servers if server}


def _plain(server: str) -> str:
    """Return an address as it can be compared: IPv6 has many forms, names have letters of both cases."""
    text = server.strip("[]")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.casefold()


def _is_accessible(row: Row | None) -> bool:
    return row is not None and row.get("summary.accessible") is not False


def _mounted_on(connection: Connection, host: str, mount: NfsMount) -> list[Row]:
    query = connection.query()
    references = read(query, connection.object(vim.HostSystem, host), "datastore").get("datastore") or ()
    rows = read_many(query, references, "name", "info", "summary.accessible")
    return [row for row in rows if is_of(row.get("info"), mount)]


def _datastore_system(connection: Connection, host: str) -> Any:
    path = "configManager.datastoreSystem"
    return read(connection.query(), connection.object(vim.HostSystem, host), path).need(path)


def _create(connection: Connection, host: str, mount: NfsMount) -> Any:
    spec = vim.host.NasVolume.Specification(
        remoteHost=mount.server,
        remotePath=mount.path,
        localPath=escaped(mount.name),
        accessMode=vim.host.MountInfo.AccessMode.readWrite,
        type="NFS",
    )
    return _datastore_system(connection, host).CreateNasDatastore(spec=spec)


def _remove(connection: Connection, host: str, mount: NfsMount) -> None:
    for row in _mounted_on(connection, host, mount):
        try:
            _datastore_system(connection, host).RemoveDatastore(datastore=row.ref)
        except (vim.fault.NotFound, vim.fault.NasVolumeNotMounted, vmodl.fault.ManagedObjectNotFound):
            continue  # someone else was quicker
