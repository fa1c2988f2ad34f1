"""The VMs of platforms, for whoever looks again and again: each platform's session is kept open for a while."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from app.core.clock import Clock
from app.core.hypervisor import FollowsInventory, Hypervisor
from app.domain.ids import PlatformId
from app.domain.platforms import Platform, PlatformFacts
from app.domain.vms import VmSummary
from app.engine.platforms.sessions import Sessions

KEPT_S: Final = 600.0
"""How long a session is kept behind the last look."""


@dataclass(slots=True)
class _Kept:
    """A session on one platform. The lock is held while it is used."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    platform: Platform | None = None
    hypervisor: Hypervisor | None = None
    used_at: float = 0.0

    def close(self) -> None:
        hypervisor, self.hypervisor = self.hypervisor, None
        if hypervisor is not None:
            hypervisor.close()


class Inventories:
    """Looks at the VMs of platforms; a later look asks only for what changed. Thread: any."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[PlatformId, _Kept] = {}
        sessions.spares.append(self._give_up)

    def look(self, platform: PlatformId) -> tuple[VmSummary, ...]:
        """Return every VM of a platform that an operator may choose, and note how many they are.

        Raises:
            PlatformUnknown, PasswordMissing: as :meth:`Sessions.connect`.
            OperationalError: the platform refused or cannot be reached.
        """
        known = self._sessions.platform(platform)
        with self._lock:
            kept = self._kept.setdefault(platform, _Kept())
        with kept.lock:
            found, facts = self._look_with(kept, known)
        vms = tuple(vm for vm in found if vm.system_role is None)
        self._sessions.sightings.reached(platform, facts, vm_count=len(vms))
        return vms

    def _look_with(self, kept: "_Kept", known: Platform) -> tuple[Sequence[VmSummary], PlatformFacts]:
        if kept.platform != known:
            kept.close()
        if kept.hypervisor is None:
            kept.platform, kept.hypervisor = known, self._sessions.connect(known.id)
        hypervisor, is_followed = kept.hypervisor, False
        try:
            found, is_followed = self._vms(hypervisor)
            return found, hypervisor.facts
        finally:
            kept.used_at = self._clock.monotonic()
            with self._lock:
                is_wanted = self._kept.get(known.id) is kept  # it may have been forgotten meanwhile
            if not (is_followed and is_wanted):
                kept.close()

    @staticmethod
    def _vms(hypervisor: Hypervisor) -> tuple[Sequence[VmSummary], bool]:
        """Return the VMs, and whether it is worth while to keep the session."""
        if isinstance(hypervisor, FollowsInventory):
            return hypervisor.follow_vms(), True
        return hypervisor.list_vms(), False

    def forget(self, platform: PlatformId) -> None:
        """Log out of a platform that was changed or removed."""
        with self._lock:
            kept = self._kept.pop(platform, None)
        if kept is not None:
            with kept.lock:
                kept.close()

    def _give_up(self, platform: PlatformId) -> None:
        """Log out of a platform that has no session left, unless it is looked at just now."""
        with self._lock:
            kept = self._kept.get(platform)
        if kept is not None and kept.lock.acquire(blocking=False):
            try:
                kept.close()
            finally:
                kept.lock.release()

    def close_unused(self) -> None:
        """Log out where nobody has looked for a while; called every now and then."""
        with self._lock:
            kept = list(self._kept.items())
        oldest = self._clock.monotonic() - KEPT_S
        for platform, one in kept:
            if one.hypervisor is not None and one.used_at <= oldest and not one.lock.locked():
                # A platform that does not answer is waited for elsewhere.
                threading.Thread(
                    target=self.forget, args=(platform,), name="inventory-logout", daemon=True
                ).start()

    def close(self) -> None:
        """Log out everywhere; never raises. What is looked at just now is logged out of behind that look."""
        with self._lock:
            kept = list(self._kept)
        for platform in kept:
            self.forget(platform)
