"""A logged-in session that stays logged in."""

import contextlib
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from pyVmomi import vim

from app.core.clock import Clock
from app.core.patience import Patience
from app.domain.errors import LoginRefused, SessionsExhausted
from app.domain.platforms import Platform, PlatformFacts, PlatformKind
from app.vsphere.answers import LIMITS, AnswerLimits, StatusRefused
from app.vsphere.certificates import CONNECT_TIMEOUT_S, Endpoint
from app.vsphere.errors import SessionClosed
from app.vsphere.faults import FAILURES, Attempt, is_outage, is_unavailable, translated
from app.vsphere.properties import Query, read, read_all
from app.vsphere.reasons import NO_SESSION
from app.vsphere.wire import READ_TIMEOUT_S, USER_AGENT, VerifiedStub, negotiated_version
from app.vsphere.words import Operation

_log = logging.getLogger(__name__)
T = TypeVar("T")

_LOGOUT_TIMEOUT_S = 5.0
_NO_UUID = "00000000-0000-0000-0000-000000000000"
"""What a board without a UUID of its own says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """Time limits of a session, in seconds."""

    connect_timeout_s: float = CONNECT_TIMEOUT_S
    read_timeout_s: float = READ_TIMEOUT_S
    limits: AnswerLimits = LIMITS
    user_agent: str = USER_AGENT
    """What the platform's list of sessions calls ours."""
    keep_alive_s: float = 600.0
    """An idle session dies after 30 minutes (protocols page *vSphere facts*, "Session and tasks")."""


@dataclass(frozen=True, slots=True, eq=False)
class Connection:
    """One login: its stub and service content. Valid until the session expires.

    Thread: any.
    """

    stub: VerifiedStub
    content: Any
    """``vim.ServiceInstanceContent``"""
    generation: int

    def object(self, vim_type: type[Any], moid: str) -> Any:
        """Return a managed object by its id, without asking the platform."""
        return vim_type(moid, self.stub)

    def vm(self, moid: str) -> Any:
        """Return a VM by its id, without asking the platform."""
        return vim.VirtualMachine(moid, self.stub)

    def query(self) -> Query:
        """Return the reader of properties."""
        return Query(self.stub, self.content)


class VSphereSession:
    """Keeps one login to a platform alive and replaces it when it expires.

    Thread: any. ``_lock`` guards which connection is current and is held during a login.
    """

    def __init__(
        self, platform: Platform, password: str, *, clock: Clock, options: SessionOptions | None = None
    ) -> None:
        self.platform = platform
        self.clock = clock
        self._options = options or SessionOptions()
        self._password = password
        self._endpoint = Endpoint(
            address=platform.address,
            port=platform.port,
            thumbprint_sha256=platform.thumbprint_sha256,
            connect_timeout_s=self._options.connect_timeout_s,
            limits=self._options.limits,
        )
        self._lock = threading.Lock()
        self._connection: Connection | None = None
        self._patience: Patience | None = None
        self._closing = threading.Event()
        self._keeper = threading.Thread(target=self._keep_alive, name="vsphere-keep-alive", daemon=True)

    def __repr__(self) -> str:
        return f"<VSphereSession {self.platform.user} at {self.platform.address}>"

    @property
    def password(self) -> str:
        """The account's password, for a library that logs in by itself; never to be shown or stored."""
        return self._password

    @property
    def endpoint(self) -> Endpoint:
        """Where the platform answers."""
        return self._endpoint

    def be_patient(self, patience: Patience) -> None:
        """Wait while the platform cannot be reached, from now on."""
        self._patience = patience

    @property
    def patience(self) -> Patience | None:
        """How the caller's thread waits for the platform; None: not at all."""
        if self._closing.is_set() or threading.current_thread() is self._keeper:
            return None
        return self._patience

    def through(self, action: Callable[[], T]) -> T:
        """Do something that may be done twice, again and again while the platform cannot be reached."""
        patience = self.patience
        return action() if patience is None else patience.through(action, is_outage)

    def attempt(self, operation: Operation, target: str = "") -> Attempt:
        """Describe what is about to be tried, for the error that may come of it."""
        return Attempt(
            address=self.platform.address,
            port=self.platform.port,
            user=self.platform.user,
            operation=operation,
            target=target,
        )

    def open(self) -> PlatformFacts:
        """Log in, keep the session alive from now on, and return what the platform says of itself.

        Raises:
            PlatformUnreachable, LoginRefused, CertificateChanged, CertificateUntrusted, NotVSphere: as they say.
        """
        with translated(self.attempt(Operation.LOG_IN)):
            connection = self._connection = self._log_in(generation=1)
        self._keeper.start()
        facts = _facts_of(connection.content.about)
        if facts.instance_uuid is None and facts.kind is PlatformKind.ESXI:
            return replace(facts, instance_uuid=self._hardware_uuid())
        return facts

    def _hardware_uuid(self) -> str | None:
        """Return what identifies a single host, for it has no instance UUID; None where it does not say."""
        try:
            hosts = self.run(
                lambda connection: list(read_all(connection.query(), {vim.HostSystem: ("summary.hardware.uuid",)}))
            )
        except FAILURES as error:
            _log.info("the hardware of %s is not known: %s", self.platform.address, type(error).__name__)
            return None
        found = {row.get("summary.hardware.uuid") for row in hosts} - {None, "", _NO_UUID}
        return str(found.pop()) if len(found) == 1 else None

    def run(self, action: Callable[[Connection], T]) -> T:
        """Run ``action`` with a live connection; once more, from its beginning, when the session had expired.

        ``action`` makes all its managed objects from the connection that it is given.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
            OperationalError: the new login failed.
        """
        connection = self.current()
        try:
            return action(connection)
        except vim.fault.NotAuthenticated:
            connection = self._log_in_again(connection.generation)
        try:
            return action(connection)
        except vim.fault.NotAuthenticated:  # a platform that starts may forget a session that it has just begun
            if self.patience is None:
                raise
            connection = self._log_in_again(connection.generation)
        return action(connection)

    def cookie(self) -> str:
        """Return a ``Cookie`` header that is good right now.

        Raises:
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        self.run(require_login)
        return self.current().stub.session_cookie()

    def close(self) -> None:
        """Log out and release all connections; never raises."""
        self._closing.set()
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.stub.read_timeout_s = _LOGOUT_TIMEOUT_S
            with contextlib.suppress(*FAILURES):
                connection.content.sessionManager.Logout()
            connection.stub.retire()
        if self._keeper.is_alive():
            self._keeper.join(_LOGOUT_TIMEOUT_S)

    def current(self) -> Connection:
        """Return the connection as it is, without a check whether it still works.

        Raises:
            SessionClosed: the session was closed.
        """
        connection = self._connection
        if connection is None:
            raise SessionClosed(address=self.platform.address)
        return connection

    def _log_in_again(self, expired_generation: int) -> Connection:
        with self._lock:
            current = self.current()
            if current.generation != expired_generation:
                return current
            _log.info("session at %s expired, logging in again", self.platform.address)
            fresh = self.through(lambda: self._log_in(generation=expired_generation + 1))
            self._connection = fresh
        current.stub.retire()
        return fresh

    def _log_in(self, *, generation: int) -> Connection:
        version = negotiated_version(self._endpoint)
        stub = VerifiedStub(
            self._endpoint,
            version,
            read_timeout_s=self._options.read_timeout_s,
            patience=lambda: self.patience,
            user_agent=self._options.user_agent,
        )
        try:
            content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
            self._authenticate(content)
        except StatusRefused as error:
            stub.retire()
            if not is_unavailable(error):
                raise
            raise self._no_session() from error
        except BaseException:
            stub.retire()
            raise
        return Connection(stub, content, generation)

    def _no_session(self) -> SessionsExhausted:
        """Return the error of a platform whose web server has just answered, and that opens no session.

        vCenter answers status 503 to the first call of a session beyond its limit, and its log says "Out of HTTP
        sessions: Limited to 2000". The limit is ``config.vmacore.soap.maxSessionCount``, 3000 on vCenter 8.0 U3.
        Sources: Broadcom's article 375546, issue 2747 of kubernetes/kops. No fault of the API is documented, nor
        what ESXi does; its web server is made of the same parts.
        """
        return SessionsExhausted(address=self.platform.address, port=self.platform.port, detail=NO_SESSION)

    def _authenticate(self, content: Any) -> None:
        try:
            content.sessionManager.Login(self.platform.user, self._password, None)
        except vim.fault.NotAuthenticated:  # a kind of NoPermission, but it says nothing about the account
            raise
        except vim.fault.NoPermission as refusal:
            # The password is right, but the account has no role at all on this platform.
            raise LoginRefused(address=self.platform.address, user=self.platform.user) from refusal

    def _keep_alive(self) -> None:
        while not self._closing.wait(self._options.keep_alive_s):
            try:
                self.run(require_login)
            except FAILURES as error:
                if self._closing.is_set():
                    return
                # The next call of a task reports it to the operator, if it is still so then.
                _log.info("keep-alive at %s failed: %s", self.platform.address, type(error).__name__)


def own_session(connection: Connection) -> Any:
    """Return what the platform says of the connection's session; counts as activity.

    Raises:
        vim.fault.NotAuthenticated: the platform does not know the session any more.
    """
    row = read(connection.query(), connection.content.sessionManager, "currentSession")
    session = row.get("currentSession")
    if session is None:
        raise vim.fault.NotAuthenticated
    return session


def require_login(connection: Connection) -> None:
    """Raise ``NotAuthenticated`` unless the platform still knows the session; counts as activity."""
    own_session(connection)


def _facts_of(about: Any) -> PlatformFacts:
    return PlatformFacts(
        kind=PlatformKind.VCENTER if about.apiType == "VirtualCenter" else PlatformKind.ESXI,
        full_name=about.fullName,
        version=about.version,
        api_version=about.apiVersion,
        build=about.build,
        instance_uuid=about.instanceUuid,
    )
