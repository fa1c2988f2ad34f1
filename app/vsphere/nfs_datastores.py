"""Which datastores are on NFS servers, and what the hosts mount there."""

from typing import Any, Final

from pyVmomi import vim

from app.core.access import NfsFile
from app.domain.ids import VmId
from app.vsphere.errors import DatastoreUnknown
from app.vsphere.faults import translated
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import read
from app.vsphere.reasons import NO_SUCH_DATASTORE
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.words import Operation

_KINDS: Final = ("NFS", "NFS41")
_VOLUMES: Final = "/vmfs/volumes/"


class VSphereNfs:
    """Tells where files are on NFS servers, over one session; fulfils ``NfsDatastores``. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    def nfs_file(self, vm: VmId, datastore_path: str) -> NfsFile | None:
        """Return where a VM's file is on an NFS server; None when its datastore is on none.

        Raises:
            DatastoreUnknown: the path names none of the VM's datastores.
            OperationalError: the platform cannot be reached.
        """
        with translated(self._session.attempt(Operation.ADDRESS_FILE, datastore_path)):
            try:
                return self._session.run(lambda connection: _nfs_file(connection, vm, datastore_path))
            except ValueError as error:
                address = self._session.platform.address
                raise DatastoreUnknown(
                    address=address, datastore=datastore_path, detail=NO_SUCH_DATASTORE
                ) from error


def _nfs_file(connection: Connection, vm: VmId, datastore_path: str) -> NfsFile | None:
    """Return where a VM's file is on an NFS server; None when its datastore is on none.

    A server that the hosts speak NFS 4.1 with is named too: most speak NFS 3 as well.

    Args:
        connection: a login.
        vm: the VM.
        datastore_path: ``[ds1] web-01/web-01.vmdk``, on a datastore that the VM uses.

    Raises:
        ValueError: the path names none of the VM's datastores.
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    query = connection.query()
    references = read(query, connection.vm(vm), "datastore").get("datastore") or ()
    infos = {}
    for reference in references:
        row = read(query, reference, "name", "info")
        infos[unescaped(row.get("name") or "")] = row.get("info")
    path = DatastorePath.parse(datastore_path, tuple(infos))
    if path.datastore not in infos:
        raise ValueError(f"{datastore_path} is on none of the datastores of {vm}")
    info = infos[path.datastore]
    if not isinstance(info, vim.host.NasDatastoreInfo) or info.nas is None or info.nas.type not in _KINDS:
        return None
    return NfsFile(
        servers=_servers(info.nas),
        export=info.nas.remotePath,
        path=path.file.lstrip("/"),
        volumes=frozenset({path.datastore, _volume(info.url)} - {""}),
    )


def _servers(nas: Any) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host for host in (nas.remoteHost, *(nas.remoteHostNames or ())) if host))


def _volume(url: str | None) -> str:
    return (url or "").partition(_VOLUMES)[2].strip("/")
