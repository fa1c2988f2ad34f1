"""Who is logged in: sessions, their cookies and their end, and the SessionManager."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from app.simulator.objects import Call, SimObject
from app.simulator.spec import UserSpec

if TYPE_CHECKING:
    from app.simulator.properties.state import CollectorState
    from app.simulator.world import World

COOKIE_NAME = "vmware_soap_session"
_ANONYMOUS_IDLE_S = 120.0
_LOCALE = "en"


@dataclass(slots=True, eq=False)
class Session:
    """A client's session; it exists before login too. Fields change under the world's lock."""

    cookie: str = field(repr=False)
    facts: vim.UserSession
    last_active_s: float
    address: str = ""
    user: UserSpec | None = None
    objects: dict[str, SimObject] = field(default_factory=dict)
    """Managed objects that only this session sees: views, collectors, filters."""
    collectors: "dict[str, CollectorState]" = field(default_factory=dict)
    """What each property collector holds for this session, by the collector's id."""
    calls_in_flight: int = 0
    closed: bool = False

    @property
    def key(self) -> str:
        """The session's public key, which is not its cookie."""
        return str(self.facts.key)

    def holds(self, privilege: str) -> bool:
        """Tell whether the account has a privilege."""
        if self.user is None:
            return privilege == "System.Anonymous"
        granted = self.user.privileges
        return granted is None or privilege in granted or privilege.startswith("System.")


class SessionBook:
    """All sessions by cookie. A session nobody uses for the spec's ``session_idle_s`` is forgotten.

    Thread: any; guarded by the world's lock.
    """

    def __init__(self, world: "World") -> None:
        self._world = world
        self._sessions: dict[str, Session] = {}
        self._clone_tickets: dict[str, UserSpec] = {}

    @contextmanager
    def use(self, cookie: str | None, address: str = "") -> Iterator[Session]:
        """Keep the session of a cookie awake for a call; make an anonymous one when there is none."""
        clock = self._world.clock
        with self._world.lock:
            self._forget_idle()
            session = self._sessions.get(cookie or "") or self._new(address)
            session.calls_in_flight += 1
        try:
            yield session
        finally:
            with self._world.lock:
                session.calls_in_flight -= 1
                session.last_active_s = clock.monotonic()
                session.facts.lastActiveTime = self._world.now()

    def authenticated(self, cookie: str | None) -> Session | None:
        """Return the logged-in session of a cookie, now awake again, or None."""
        with self._world.lock:
            self._forget_idle()
            session = self._sessions.get(cookie or "")
            if session is None or session.user is None:
                return None
            session.last_active_s = self._world.clock.monotonic()
            return session

    def account(self, name: str, password: str) -> UserSpec | None:
        """Return the account when the password is right, else None."""
        for user in self._world.spec.users:
            if user.name.casefold() == name.casefold() and secrets.compare_digest(
                user.password.encode(), password.encode()
            ):
                return user
        return None

    def log_in(self, session: Session, user: UserSpec, locale: str | None) -> vim.UserSession:
        """Make a session an account's."""
        with self._world.lock:
            session.user = user
            facts = session.facts
            facts.userName = facts.fullName = user.name
            facts.loginTime = facts.lastActiveTime = self._world.now()
            facts.locale = facts.messageLocale = locale or _LOCALE
            self._world.events.post(
                vim.event.UserLoginSessionEvent,
                f"User {user.name}@{session.address} logged in",
                user=user.name,
                ipAddress=session.address,
                locale=facts.locale,
                sessionId=session.key,
            )
        return facts

    def close(self, session: Session) -> None:
        """End a session: its views, filters and waits end with it."""
        with self._world.lock:
            self._sessions.pop(session.cookie, None)
            session.closed = True
            session.objects.clear()
            session.collectors.clear()
            if session.user is not None:
                self._world.events.post(
                    vim.event.UserLogoutSessionEvent,
                    f"User {session.user.name}@{session.address} logged out",
                    user=session.user.name,
                    ipAddress=session.address,
                    sessionId=session.key,
                )
            self._world.changed.notify_all()

    def close_all(self) -> None:
        """End every session."""
        for session in self.all():
            self.close(session)

    def all(self) -> list[Session]:
        """Return every logged-in session."""
        with self._world.lock:
            return [session for session in self._sessions.values() if session.user is not None]

    def by_key(self, key: str) -> Session | None:
        """Return a logged-in session by its public key, or None."""
        return next((session for session in self.all() if session.key == key), None)

    def issue_clone_ticket(self, user: UserSpec) -> str:
        """Return a ticket that logs one other session in to the same account, once."""
        ticket = f"cst-VCT-{uuid.uuid4()}"
        with self._world.lock:
            self._clone_tickets[ticket] = user
        return ticket

    def take_clone_ticket(self, ticket: str) -> UserSpec | None:
        """Return the account of a ticket, which is void afterwards, or None."""
        with self._world.lock:
            return self._clone_tickets.pop(ticket, None)

    def _new(self, address: str) -> Session:
        now = self._world.now()
        facts = vim.UserSession(
            key=str(uuid.uuid4()),
            userName="",
            fullName="",
            loginTime=now,
            lastActiveTime=now,
            locale=_LOCALE,
            messageLocale=_LOCALE,
            extensionSession=False,
            ipAddress=address,
        )
        session = Session(secrets.token_hex(20), facts, self._world.clock.monotonic(), address)
        self._sessions[session.cookie] = session
        return session

    def _forget_idle(self) -> None:
        now = self._world.clock.monotonic()
        for session in list(self._sessions.values()):
            limit = self._world.spec.session_idle_s if session.user is not None else _ANONYMOUS_IDLE_S
            if not session.calls_in_flight and now - session.last_active_s > limit:
                self.close(session)


class SimSessionManager(SimObject):
    """The SessionManager."""

    vim_type = vim.SessionManager
    volatile = frozenset({"currentSession", "sessionList"})

    def __init__(self, world: "World", moid: str) -> None:
        locales = {"supportedLocaleList": [_LOCALE], "messageLocaleList": [_LOCALE]}
        super().__init__(world, moid, defaultLocale=_LOCALE, message="", **locales)

    def read(self, name: str, session: Session | None = None) -> Any:
        """Return a property; those about sessions depend on who asks."""
        if name == "currentSession":
            return session.facts if session is not None and session.user is not None else None
        if name == "sessionList":
            return vim.UserSession.Array([one.facts for one in self.world.sessions.all()])  # type: ignore[attr-defined]
        return super().read(name, session)

    def Login(self, call: Call, *, userName: str, password: str, locale: str | None) -> vim.UserSession:
        """Log the session in.

        Raises:
            vim.fault.InvalidLogin: the account or its password is wrong, or the session is logged in already.
        """
        session = _of(call)
        user = None if session.user is not None else self.world.sessions.account(userName, password)
        if user is None:
            self.world.events.post(
                vim.event.BadUsernameSessionEvent,
                f"Cannot login {userName}@{session.address}",
                user=userName,
                ipAddress=session.address,
            )
            raise _invalid_login()
        return self.world.sessions.log_in(session, user, locale)

    def Logout(self, call: Call) -> None:
        """End the caller's session."""
        self.world.sessions.close(_of(call))

    def SessionIsActive(self, call: Call, *, sessionID: str, userName: str) -> bool:
        """Tell whether a session is logged in to an account.

        Raises:
            vmodl.fault.NotSupported: on a bare ESXi.
        """
        if not self.world.spec.is_vcenter:
            raise vmodl.fault.NotSupported(msg="SessionIsActive is not supported on a host.")
        found = self.world.sessions.by_key(sessionID)
        return found is not None and found.facts.userName == userName

    def TerminateSession(self, call: Call, *, sessionId: list[str]) -> None:
        """End sessions of others.

        Raises:
            vmodl.fault.InvalidArgument: it is the caller's own.
            vim.fault.NotFound: there is no such session.
        """
        for key in sessionId:
            if key == _of(call).key:
                raise vmodl.fault.InvalidArgument(msg="A session cannot end itself.", invalidProperty="sessionId")
            found = self.world.sessions.by_key(key)
            if found is None:
                raise vim.fault.NotFound(msg=f"There is no session {key}.")
            self.world.sessions.close(found)

    def SetLocale(self, call: Call, *, locale: str) -> None:
        """Choose the language of messages."""
        with self.world.lock:
            _of(call).facts.locale = _of(call).facts.messageLocale = locale

    def AcquireCloneTicket(self, call: Call) -> str:
        """Return a ticket with which another connection becomes the same account."""
        user = _of(call).user
        if user is None:
            raise vim.fault.NotAuthenticated(
                msg="The session is not authenticated.", object=self.ref, privilegeId="System.View"
            )
        return self.world.sessions.issue_clone_ticket(user)

    def CloneSession(self, call: Call, *, cloneTicket: str) -> vim.UserSession:
        """Log the session in with a ticket.

        Raises:
            vim.fault.InvalidLogin: the ticket is not valid, or the session is logged in already.
        """
        session = _of(call)
        user = None if session.user is not None else self.world.sessions.take_clone_ticket(cloneTicket)
        if user is None:
            raise _invalid_login()
        return self.world.sessions.log_in(session, user, None)


def _of(call: Call) -> Session:
    session = call.session
    assert session is not None, "every call over the wire has a session"
    return session


def _invalid_login() -> vim.fault.InvalidLogin:
    return vim.fault.InvalidLogin(msg="Cannot complete login due to an incorrect user name or password.")
