"""Ends the sessions that an earlier run of this installation left logged in: after a kill nobody logs out.

A session is ours when its user agent carries this installation's mark, of another run, and it came from the same
address as this run. Nobody else knows the mark: the list of sessions can only be read with the privilege to end
them (``Sessions.TerminateSession``). Without it nothing is done; the platform forgets idle sessions by itself.
"""

import logging
import secrets
from dataclasses import dataclass, field
from typing import Any

from app.vsphere.faults import FAILURES
from app.vsphere.properties import read
from app.vsphere.session import Connection, VSphereSession, own_session
from app.vsphere.wire import USER_AGENT

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SessionMark:
    """By what the sessions of one run of one installation are known."""

    installation: str
    run: str = field(default_factory=lambda: secrets.token_hex(8))

    @property
    def user_agent(self) -> str:
        """What the platform's list of sessions shows."""
        return f"{self._begin}{self.run})"

    @property
    def _begin(self) -> str:
        return f"{USER_AGENT} ({self.installation}; "

    def is_of_earlier_run(self, user_agent: str) -> bool:
        """Return whether a session is of this installation, and of another run of it."""
        return user_agent.startswith(self._begin) and user_agent != self.user_agent


def end_left_behind(session: VSphereSession, mark: SessionMark) -> int:
    """End what an earlier run left logged in, where the account may; return how many sessions that were."""
    try:
        ended = session.run(lambda connection: _end(connection, mark))
    except FAILURES as error:
        _log.info("sessions of earlier runs at %s stay: %s", session.platform.address, type(error).__name__)
        return 0
    if ended:
        _log.info("%d sessions of an earlier run at %s were ended", ended, session.platform.address)
    return ended


def _end(connection: Connection, mark: SessionMark) -> int:
    manager = connection.content.sessionManager
    own = own_session(connection)
    listed = read(connection.query(), manager, "sessionList").get("sessionList") or ()
    keys = [other.key for other in listed if _is_left(other, own, mark)]
    if keys:
        manager.TerminateSession(sessionId=keys)
    return len(keys)


def _is_left(other: Any, own: Any, mark: SessionMark) -> bool:
    return (
        other.key != own.key
        and bool(own.ipAddress)
        and other.ipAddress == own.ipAddress
        and mark.is_of_earlier_run(other.userAgent or "")
    )
