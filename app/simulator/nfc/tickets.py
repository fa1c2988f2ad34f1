"""Issues one-time tickets, which permit to open a VM's disks over NFC."""

import threading
import uuid
from dataclasses import dataclass

from app.core.clock import Clock, SystemClock

LIFETIME_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """What a session id stands for."""

    vm_moid: str
    disk_key: int | None
    """Device key of the one disk, None for all files of the VM."""
    writable: bool
    expires_at: float
    """On the clock's stopwatch."""


class TicketStore:
    """Issues session ids and redeems each once.

    Thread: any.
    """

    def __init__(self, clock: Clock | None = None, *, lifetime_s: float = LIFETIME_S) -> None:
        self._clock = clock or SystemClock()
        self._lifetime_s = lifetime_s
        self._lock = threading.Lock()
        self._tickets: dict[str, Ticket] = {}

    def issue(self, vm_moid: str, disk_key: int | None, *, writable: bool) -> str:
        """Return a new session id, in the spelling of ESXi: ``52a0b1c2-…``."""
        session_id = str(uuid.uuid4())
        now = self._clock.monotonic()
        ticket = Ticket(vm_moid=vm_moid, disk_key=disk_key, writable=writable, expires_at=now + self._lifetime_s)
        with self._lock:
            self._tickets = {key: kept for key, kept in self._tickets.items() if kept.expires_at > now}
            self._tickets[session_id] = ticket
        return session_id

    def redeem(self, session_id: str) -> Ticket | None:
        """Return what a session id stands for and forget it; None when it is unknown, used or too old."""
        with self._lock:
            ticket = self._tickets.pop(session_id, None)
        return ticket if ticket is not None and ticket.expires_at > self._clock.monotonic() else None
