"""Watches the standbys under VMs that run from restore points, and reports once that one is away and its return.

The serving process knows what the standby refuses; here it becomes news: a line of the log, a changed row, and a
concern of the overview for as long as it lasts.
"""

import threading

from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.errors import OperationalError
from app.domain.ids import RecoveryId
from app.domain.instant import InstantPhase, InstantRecovery, RecoveryPurpose
from app.engine.instant import messages
from app.engine.instant.services import InstantServices
from app.engine.instant.shares import error_of
from app.engine.log.journal import Journal
from app.nfs.service import ServingRow


class InstantWatch:
    """Remembers which VMs have trouble with their standby. Thread: any."""

    def __init__(self, services: InstantServices, journal: Journal, changes: ChangeFeed) -> None:
        self._services = services
        self._journal = journal
        self._changes = changes
        self._lock = threading.Lock()
        self._known: dict[RecoveryId, OperationalError] = {}

    @property
    def count(self) -> int:
        """How many VMs have trouble at the moment."""
        return len(self._known)

    def look(self) -> None:
        """Look at all that is served, and report what has changed since the last look."""
        served = [one for one in self._services.store.all() if _is_watched(one)]
        rows = self._services.shares.rows() if served else {}
        if rows is None:  # the process starts; what it finds is news once it says so
            return
        with self._lock:
            before = self._known
            found = {
                one.id: error for one in served if (error := self._error_of(one, rows.get(one.id))) is not None
            }
            self._known = found
        for one in served:
            self._report(one, before.get(one.id), found.get(one.id))

    def _error_of(self, recovery: InstantRecovery, row: ServingRow | None) -> OperationalError | None:
        """Return what is wrong; what is just being opened is as it was."""
        return self._known.get(recovery.id) if row is None else error_of(recovery.name, row)

    def _report(
        self, recovery: InstantRecovery, before: OperationalError | None, now: OperationalError | None
    ) -> None:
        if (before is None or now is None) and before is not now:
            log = self._journal.about(recovery.name, "instant.watch", vm=recovery.vm, rule=recovery.rule)
            if now is not None:
                log.error(messages.STANDBY_LOST, name=recovery.name, detail=now)
            else:
                log.info(messages.STANDBY_BACK, name=recovery.name)
        if _said(before) != _said(now):
            self._changes.note(Subject.INSTANT, [recovery.id])


def _said(error: OperationalError | None) -> tuple[object, ...]:
    return () if error is None else (error.code, str(error))


def _is_watched(recovery: InstantRecovery) -> bool:
    return recovery.phase is InstantPhase.SERVED and recovery.purpose is RecoveryPurpose.RECOVERY
