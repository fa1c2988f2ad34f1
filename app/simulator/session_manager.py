"""The SessionManager: login, logout and what clients may ask about sessions."""

from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.client_sessions import LOCALE
from app.simulator.world import World, WorldObject


class SimSessionManager(WorldObject):
    """The SessionManager."""

    vim_type = vim.SessionManager
    volatile = frozenset({"currentSession", "sessionList"})

    def __init__(self, world: World, moid: str) -> None:
        locales = {"supportedLocaleList": [LOCALE], "messageLocaleList": [LOCALE]}
        super().__init__(world, moid, defaultLocale=LOCALE, message="", **locales)

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; those about sessions depend on who asks."""
        if name == "currentSession":
            return session.facts if session is not None and session.user is not None else None
        if name == "sessionList":
            if session is None or not session.holds("Sessions.TerminateSession"):
                raise vim.fault.NoPermission(
                    msg="Permission to perform this operation was denied.",
                    object=self.ref,
                    privilegeId="Sessions.TerminateSession",
                )
            return vim.UserSession.Array([other.facts for other in self.world.sessions.all()])  # type: ignore[attr-defined]
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
        """Return whether a session is logged in to an account.

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


def _of(call: Call) -> ClientSession:
    session = call.session
    assert session is not None, "every call over the wire has a session"
    return session


def _invalid_login() -> vim.fault.InvalidLogin:
    return vim.fault.InvalidLogin(msg="Cannot complete login due to an incorrect user name or password.")
