"""Opens, finds and ends the sessions of clients by their cookies."""

import secrets
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from pyVmomi import vim

from app.core.clock import Clock
from app.simulator.client_session import ClientSession
from app.simulator.events import EventLog
from app.simulator.objects import ObjectStore
from app.simulator.spec import SimulatorSpec, UserSpec

COOKIE_NAME = "vmware_soap_session"
_ANONYMOUS_IDLE_S = 120.0
LOCALE = "en"
"""The language of messages, unless a client chooses another."""


class OutOfSessions(Exception):
    """There are as many sessions as may be; the server answers with status 503 (issue 2747 of kops)."""


class ClientSessions:
    """All sessions by cookie. A session that is not used for the spec's ``session_idle_s`` is forgotten.

    Thread: any; guarded by the world's lock.

    Attributes:
        limit: how many there may be, those that are not logged in included; None: any number.
        most_at_once: how many there have been at the same time.
    """

    def __init__(self, store: ObjectStore, clock: Clock, events: EventLog, spec: SimulatorSpec) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._spec = spec
        self._sessions: dict[str, ClientSession] = {}
        self._clone_tickets: dict[str, UserSpec] = {}
        self.limit = spec.most_sessions
        self.most_at_once = 0

    @contextmanager
    def use(self, cookie: str | None, address: str = "", agent: str = "") -> Iterator[ClientSession]:
        """Keep the session of a cookie awake for a call; make an anonymous one when there is none.

        Raises:
            OutOfSessions: there are as many as may be.
        """
        with self._store.lock:
            self._forget_idle()
            session = self._sessions.get(cookie or "") or self._new(address, agent)
            self.most_at_once = max(self.most_at_once, len(self._sessions))
            session.calls_in_flight += 1
        try:
            yield session
        finally:
            with self._store.lock:
                session.calls_in_flight -= 1
                session.last_active_s = self._clock.monotonic()
                session.facts.lastActiveTime = self._clock.now()

    def authenticated(self, cookie: str | None) -> ClientSession | None:
        """Return the logged-in session of a cookie, now awake again, or None."""
        with self._store.lock:
            self._forget_idle()
            session = self._sessions.get(cookie or "")
            if session is None or session.user is None:
                return None
            session.last_active_s = self._clock.monotonic()
            return session

    def account(self, name: str, password: str) -> UserSpec | None:
        """Return the account when the password is right, else None."""
        for user in self._spec.users:
            if user.name.casefold() == name.casefold() and secrets.compare_digest(
                user.password.encode(), password.encode()
            ):
                return user
        return None

    def log_in(self, session: ClientSession, user: UserSpec, locale: str | None) -> vim.UserSession:
        """Make a session an account's."""
        with self._store.lock:
            session.user = user
            facts = session.facts
            facts.userName = facts.fullName = user.name
            facts.loginTime = facts.lastActiveTime = self._clock.now()
            facts.locale = facts.messageLocale = locale or LOCALE
            self._events.post(
                vim.event.UserLoginSessionEvent,
                f"User {user.name}@{session.address} logged in",
                user=user.name,
                ipAddress=session.address,
                locale=facts.locale,
                sessionId=session.key,
            )
        return facts

    def close(self, session: ClientSession) -> None:
        """End a session: its views, filters and waits end with it."""
        with self._store.lock:
            self._sessions.pop(session.cookie, None)
            session.end()
            if session.user is not None:
                self._events.post(
                    vim.event.UserLogoutSessionEvent,
                    f"User {session.user.name}@{session.address} logged out",
                    user=session.user.name,
                    ipAddress=session.address,
                    sessionId=session.key,
                )
            self._store.changed.notify_all()

    def close_all(self) -> None:
        """End every session."""
        for session in self.all():
            self.close(session)

    def all(self) -> list[ClientSession]:
        """Return every logged-in session."""
        with self._store.lock:
            return [session for session in self._sessions.values() if session.user is not None]

    def by_key(self, key: str) -> ClientSession | None:
        """Return a logged-in session by its public key, or None."""
        return next((session for session in self.all() if session.key == key), None)

    def issue_clone_ticket(self, user: UserSpec) -> str:
        """Return a ticket that logs one other session in to the same account, once."""
        ticket = f"cst-VCT-{uuid.uuid4()}"
        with self._store.lock:
            self._clone_tickets[ticket] = user
        return ticket

    def take_clone_ticket(self, ticket: str) -> UserSpec | None:
        """Return the account of a ticket, which is void afterwards, or None."""
        with self._store.lock:
            return self._clone_tickets.pop(ticket, None)

    def _new(self, address: str, agent: str) -> ClientSession:
        if self.limit is not None and len(self._sessions) >= self.limit:
            raise OutOfSessions
        now = self._clock.now()
        facts = vim.UserSession(
            key=str(uuid.uuid4()),
            userName="",
            fullName="",
            loginTime=now,
            lastActiveTime=now,
            locale=LOCALE,
            messageLocale=LOCALE,
            extensionSession=False,
            ipAddress=address,
            userAgent=agent,
            callCount=0,
        )
        session = ClientSession(secrets.token_hex(20), facts, self._clock.monotonic(), address)
        self._sessions[session.cookie] = session
        return session

    def _forget_idle(self) -> None:
        now = self._clock.monotonic()
        for session in list(self._sessions.values()):
            limit = self._spec.session_idle_s if session.user is not None else _ANONYMOUS_IDLE_S
            if not session.calls_in_flight and now - session.last_active_s > limit:
                self.close(session)
