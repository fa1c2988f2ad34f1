"""SOAP calls over verified connections: pyVmomi's stub with pinning, timeouts and a door for raw answers."""

import http.client
import re
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyVmomi import VmomiSupport
from pyVmomi.SoapAdapter import SoapStubAdapter

from app.core.patience import Patience
from app.domain.reasons import http_reason
from app.vsphere.answers import (
    AnswerUnusable,
    Content,
    Readable,
    StatusRefused,
    deserialized,
    reading_an_answer,
)
from app.vsphere.certificates import Endpoint, VerifiedConnection
from app.vsphere.errors import NotVSphere
from app.vsphere.faults import is_outage, is_unavailable
from app.vsphere.reasons import NO_KNOWN_VERSION

T = TypeVar("T")

READ_TIMEOUT_S = 120.0
_POOL_SIZE = 16
_IDLE_CONNECTION_S = 25
_VERSIONS_LIMIT_BYTES = 1 << 20
USER_AGENT = "Standfast"
_SESSION_COOKIE = re.compile(r'vmware_soap_session=("[^"]*"|[^;\s]+)')
_LOST_BEFORE_AN_ANSWER = (
    http.client.RemoteDisconnected,
    ConnectionResetError,
    ConnectionAbortedError,
    BrokenPipeError,
    ssl.SSLEOFError,
    ssl.SSLZeroReturnError,
)

_REPEATABLE = frozenset(
    {
        "RetrieveServiceContent",
        "RetrieveInternalContent",
        "RetrievePropertiesEx",
        "Fetch",
        "CurrentTime",
        "QueryChangedDiskAreas",
        "CreateContainerView",
        "CreatePropertyCollector",
        "CreateFilter",
        "WaitForUpdatesEx",
        "FindAllByUuid",
        "QueryEvents",
    }
)
"""Methods that change nothing on the platform: safe on a pooled connection, and to send again."""

_HARMLESS = frozenset({"DestroyView", "DestroyPropertyCollector", "Logout", "NfcGetVmFiles"})
"""Methods that may be sent again too, but are not worth waiting for a platform that is away: what they end, or the
ticket that they ask for, ends by itself as well."""


@dataclass(frozen=True, slots=True)
class _Fault:
    """What a server answered instead of a result."""

    error: Exception


class VerifiedStub(SoapStubAdapter):
    """pyVmomi's SOAP stub over an endpoint's verified connections.

    Thread: any; each call takes a connection of its own from the pool.

    Attributes:
        read_timeout_s: how long an answer may take; calls that begin later use the new value.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        version: str,
        *,
        read_timeout_s: float = READ_TIMEOUT_S,
        patience: Callable[[], Patience | None] = lambda: None,
        user_agent: str = USER_AGENT,
    ) -> None:
        super().__init__(
            host=endpoint.address,
            port=endpoint.port,
            path="/sdk",
            version=version,
            poolSize=_POOL_SIZE,
            connectionPoolTimeout=_IDLE_CONNECTION_S,
            customHeaders={"User-Agent": user_agent},
        )
        self.read_timeout_s = read_timeout_s
        self._endpoint = endpoint
        self._tls = endpoint.context()
        self._retired = False
        self._user_agent = user_agent
        self._patience = patience
        # pyVmomi makes connections by calling ``scheme``; this is where ours come in.
        self.scheme: Any = self._new_connection
        self.schemeArgs: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<VerifiedStub {self._endpoint.address}:{self._endpoint.port}>"

    def _new_connection(self, **_ignored: object) -> VerifiedConnection:
        return self._endpoint.connection(self._tls, read_timeout_s=self.read_timeout_s)

    def GetConnection(self) -> VerifiedConnection:  # noqa: N802 - pyVmomi's name
        """Take a connection from the pool, or open one: while nothing was sent, waiting is safe for every call."""
        patience = self._patience()
        take: Callable[[], VerifiedConnection] = super().GetConnection
        connection = take() if patience is None else patience.repeat(take, is_outage)
        if connection.sock is not None:
            connection.sock.settimeout(self.read_timeout_s)
        return connection

    def ReturnConnection(self, connection: VerifiedConnection) -> None:  # noqa: N802 - pyVmomi's name
        """Put a connection back, unless the stub is not used any more."""
        if self._retired:
            connection.close()
        else:
            super().ReturnConnection(connection)

    def retire(self) -> None:
        """Close idle connections now, and busy ones when their calls end."""
        self._retired = True
        self.DropConnections()

    def InvokeMethod(  # noqa: N802 - pyVmomi's name
        self,
        mo: Any,
        info: Any,
        args: Sequence[Any],
        outerStub: Any = None,  # noqa: N803, ARG002 - pyVmomi's name; for stubs around stubs, of which there are none
    ) -> Any:
        """Call a method; what changes the platform goes over a fresh connection and is sent once only.

        Raises:
            vmodl.MethodFault: the server's fault.
            AnswerUnusable, OSError, http.client.HTTPException, xml.parsers.expat.ExpatError: no proper answer.
        """
        limits = self._endpoint.limits
        return self.invoke_raw(mo, info, args, lambda stream: deserialized(self, stream, info.result, limits))

    def invoke_raw(self, mo: Any, info: Any, args: Sequence[Any], parse: Callable[[Readable], T]) -> T:
        """Call a method and hand its SOAP envelope to ``parse``, for answers pyVmomi cannot read or reads slowly.

        Raises:
            vmodl.MethodFault: the server's fault.
        """
        return self._sent_safely(info, lambda: self._invoke_raw(mo, info, args, parse))

    def _sent_safely(self, info: Any, send: Callable[[], T]) -> T:
        repeatable = info.wsdlName in _REPEATABLE
        again = repeatable or info.wsdlName in _HARMLESS
        attempt = (lambda: _sent_again(send)) if again else (lambda: self._sent_once(send))
        patience = self._patience()
        if patience is None:
            return attempt()
        return patience.through(attempt, is_outage if repeatable else is_unavailable)

    def _sent_once(self, send: Callable[[], T]) -> T:
        # A pooled connection may have been closed by the server meanwhile; then no one could know
        # whether the call arrived.
        self.DropConnections()
        return send()

    def _invoke_raw(self, mo: Any, info: Any, args: Sequence[Any], parse: Callable[[Readable], T]) -> T:
        request = self.SerializeRequest(mo, info, args)
        headers = {
            "Cookie": self.cookie,
            "SOAPAction": self.versionId,
            "Content-Type": "text/xml; charset=UTF-8",
            "User-Agent": self._user_agent,
            "Accept-Encoding": "gzip",
        }
        connection = self.GetConnection()
        reusable = False
        try:
            connection.request("POST", self.path, request, headers)
            with connection.getresponse() as response:
                found = self._found_in(response, info, parse)
            reusable = True
            if isinstance(found, _Fault):
                raise found.error
            return found
        finally:
            if reusable:
                self.ReturnConnection(connection)
            else:
                connection.close()

    def _found_in(
        self, response: http.client.HTTPResponse, info: Any, parse: Callable[[Readable], T]
    ) -> "T | _Fault":
        """Read an answer to its end, so that its connection can be used again."""
        self._keep_cookie(response)
        if response.status not in {200, 500}:
            raise StatusRefused(response.status, response.reason)
        stream = Content(response, self._endpoint.limits)
        with reading_an_answer():
            if response.status == 200:
                found: T | _Fault = parse(stream)
            else:
                found = _Fault(deserialized(self, stream, info.result, self._endpoint.limits))
        stream.read()
        if isinstance(found, _Fault) and not isinstance(found.error, Exception):
            raise AnswerUnusable("the answer is an error that names no fault")
        return found

    def _keep_cookie(self, response: http.client.HTTPResponse) -> None:
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self.cookie = cookie

    def session_cookie(self) -> str:
        """Return the ``Cookie`` header's value for other HTTPS requests of this session; empty before login."""
        match = _SESSION_COOKIE.search(str(self.cookie))
        return match.group(0) if match else ""


def _sent_again(send: Callable[[], T]) -> T:
    try:
        return send()
    except _LOST_BEFORE_AN_ANSWER:
        return send()


def negotiated_version(endpoint: Endpoint) -> str:
    """Ask a server for its API versions and return the newest that pyVmomi knows too, as pyVmomi names it.

    Raises:
        NotVSphere: the server names none that is known.
        OSError, http.client.HTTPException: no connection.
        CertificateChanged: the certificate is not the confirmed one.
    """
    text = _versions_document(endpoint, endpoint.context())
    offered = set(re.findall(r"<version>\s*([^<\s]+)\s*</version>", text))
    for version in VmomiSupport.GetServiceVersions("vim25"):
        if VmomiSupport.versionIdMap[version] in offered:
            return str(version)
    raise NotVSphere(address=endpoint.address, detail=NO_KNOWN_VERSION)


def _versions_document(endpoint: Endpoint, context: ssl.SSLContext) -> str:
    connection = endpoint.connection(context, read_timeout_s=endpoint.connect_timeout_s)
    try:
        connection.request("GET", "/sdk/vimServiceVersions.xml", headers={"User-Agent": USER_AGENT})
        with connection.getresponse() as response:
            if response.status >= 500:  # vSphere's own proxy says so while the services behind it start
                raise StatusRefused(response.status, response.reason)
            if response.status != 200:
                raise NotVSphere(address=endpoint.address, detail=http_reason(response.status, response.reason))
            return response.read(_VERSIONS_LIMIT_BYTES).decode("utf-8", "replace")
    finally:
        connection.close()
