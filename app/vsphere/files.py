"""Small files on datastores, fetched and stored over HTTPS: a VM's .vmx and NVRAM."""

import http.client

from app.domain.ids import VmId
from app.domain.messages import Message, MessageKind
from app.domain.reasons import http_reason
from app.vsphere.access import VSphereAccess
from app.vsphere.answers import StatusRefused
from app.vsphere.errors import PlatformRefused
from app.vsphere.names import DatastorePath
from app.vsphere.reasons import LARGER_THAN
from app.vsphere.session import VSphereSession
from app.vsphere.words import READ_FILE, WRITE_FILE

_LIMIT_BYTES = 64 << 20
_TIMEOUT_S = 60.0
_AWAY = frozenset({http.client.BAD_GATEWAY, http.client.SERVICE_UNAVAILABLE, http.client.GATEWAY_TIMEOUT})
"""What the platform's web server answers while the services behind it are away."""


class SmallFiles:
    """Reads and writes whole files. Thread: any; each call has a connection of its own."""

    def __init__(self, session: VSphereSession, access: VSphereAccess) -> None:
        self._session = session
        self._endpoint = session.endpoint
        self._access = access

    def fetch(self, path: DatastorePath, vm: VmId | None = None, *, limit_bytes: int = _LIMIT_BYTES) -> bytes:
        """Return a file's content; the path is one of the VM's.

        Raises:
            PlatformRefused: there is no such file, or it may not be read.
            OperationalError, OSError, http.client.HTTPException: the platform cannot be reached.
        """
        status, body = self._session.through(lambda: self._request("GET", path, None, vm, limit_bytes))
        if status != http.client.OK:
            raise self._refused(READ_FILE, path, http_reason(status))
        if len(body) > limit_bytes:
            raise self._refused(READ_FILE, path, LARGER_THAN.fill(mib=limit_bytes >> 20))
        return body

    def store(self, path: DatastorePath, data: bytes, vm: VmId | None = None) -> None:
        """Create or replace a file; the path is one of the VM's.

        Raises:
            PlatformRefused: it may not be written.
            OperationalError, OSError, http.client.HTTPException: the platform cannot be reached.
        """
        status, _ = self._session.through(lambda: self._request("PUT", path, data, vm))
        if status not in {http.client.OK, http.client.CREATED, http.client.NO_CONTENT}:
            raise self._refused(WRITE_FILE, path, http_reason(status))

    def _request(
        self,
        method: str,
        path: DatastorePath,
        body: bytes | None,
        vm: VmId | None,
        limit_bytes: int = _LIMIT_BYTES,
    ) -> tuple[int, bytes]:
        file = self._access.https_file(str(path), vm)
        connection = self._endpoint.connection(self._endpoint.context(), read_timeout_s=_TIMEOUT_S)
        headers = {"Cookie": file.cookie, "User-Agent": "Standfast"}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            connection.request(method, file.target, body=body, headers=headers)
            with connection.getresponse() as response:
                if response.status in _AWAY:
                    raise StatusRefused(response.status, response.reason)
                return response.status, response.read(limit_bytes + 1)
        finally:
            connection.close()

    def _refused(self, act: MessageKind, path: DatastorePath, detail: Message) -> PlatformRefused:
        return PlatformRefused(address=self._endpoint.address, operation=act.fill(path=path), detail=detail)
