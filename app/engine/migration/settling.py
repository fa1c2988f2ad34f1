"""Migrations at which no task works: what a crash has left is settled, and those that are ready are followed."""

import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial
from typing import Final

from app.core.tasklog import TaskLog
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import MigrationId
from app.domain.migration import Migration, MigrationPhase, MigrationWork
from app.engine.errors import TaskInterrupted
from app.engine.migration import messages
from app.engine.migration.services import MigrationServices
from app.engine.migration.undoing import NEEDS_SETTLING, Undoing

_log = logging.getLogger(__name__)

_SETTLE_AGAIN_S: Final = 60.0


class Settling:
    """Looks after migrations. Thread: any; :meth:`look` one at a time.

    Attributes:
        queue: makes a task that works at a migration.
    """

    def __init__(
        self,
        services: MigrationServices,
        *,
        log_of: Callable[[Migration], TaskLog],
        at_work: Callable[[], Collection[MigrationId]],
        aside: Callable[[str, Callable[[], None]], None],
        queue: Callable[[Migration, MigrationWork], object],
    ) -> None:
        """Prepare.

        Args:
            services: of the engine.
            log_of: returns where to write about a migration.
            at_work: returns the migrations at which a task waits or works.
            aside: runs what never raises on a thread of its own.
            queue: makes a task that works at a migration.
        """
        self._services = services
        self._log_of = log_of
        self._at_work = at_work
        self._aside = aside
        self.queue = queue
        self._tried: dict[MigrationId, float] = {}

    def note_interrupted(self) -> None:
        """Note at the start of the program which migrations a task worked at when it ended.

        Raises:
            CatalogUnavailable: that cannot be noted.
        """
        for migration in self._services.store.all():
            if migration.task is not None:
                is_ready = migration.phase is MigrationPhase.READY
                error = None if is_ready else KeptError.of(TaskInterrupted())
                self._services.note(migration, task=None, error=error)

    def look(self) -> None:
        """Settle and follow what is due now.

        Raises:
            CatalogUnavailable: the migrations cannot be read.
        """
        at_work = self._at_work()
        for migration in self._services.store.all():
            if migration.id in at_work:
                continue
            if migration.phase in NEEDS_SETTLING and self._is_due(migration, _SETTLE_AGAIN_S):
                self._aside(f"migration-{migration.id[:8]}", partial(self.settle, migration.id))
            elif migration.phase is MigrationPhase.READY and self._is_old(migration):
                self._follow(migration)

    def _is_due(self, migration: Migration, after_s: float) -> bool:
        now_s = self._services.clock.monotonic()
        tried_s = self._tried.get(migration.id)
        if tried_s is not None and now_s - tried_s < after_s:
            return False
        self._tried[migration.id] = now_s
        return True

    def _is_old(self, migration: Migration) -> bool:
        follow_s, progress = self._services.settings.migration_follow_s, migration.progress
        if not progress.is_tracked or progress.frozen_at is None:
            return False  # without change tracking each pass reads everything: it is left to the cut-over
        age = self._services.clock.now() - progress.frozen_at
        return age >= timedelta(seconds=follow_s) and self._is_due(migration, follow_s)

    def _follow(self, migration: Migration) -> None:
        try:
            self.queue(migration, MigrationWork.FOLLOW)
        except OperationalError as error:
            _log.warning("the migration of %s is followed later: %s", migration.vm_name, error)

    def settle(self, migration: MigrationId) -> None:
        """Settle one migration; never raises, what fails is in the list with its reason."""
        turn = self._services.turn(migration)
        if not turn.acquire(blocking=False):
            return
        try:
            known = self._services.store.get(migration)
            if known is not None and known.phase in NEEDS_SETTLING:
                self._settle(known)
        except OperationalError as error:
            _log.warning("what is left of the migration %s is settled later: %s", migration, error)
        finally:
            turn.release()

    def _settle(self, migration: Migration) -> None:
        services, log = self._services, self._log_of(migration)
        try:
            with (
                services.sessions.connect(migration.platform) as source,
                services.sessions.connect(migration.target) as target,
            ):
                Undoing(services, source, target, log).settle(migration, target_may_run=True)
        except OperationalError as error:
            log.error(messages.UNDONE_LATER, vm=migration.vm_name, detail=error)
            left = services.store.get(migration.id)
            if left is not None:
                services.note(left, error=KeptError.of(error))
