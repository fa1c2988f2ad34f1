"""Passes while the source runs, until the rest is small."""

from datetime import timedelta

from app.domain.migration import Migration, MigrationPhase
from app.engine.migration import messages
from app.engine.migration.measure import Verdict, judged
from app.engine.migration.passes import Passes
from app.engine.migration.services import MigrationServices
from app.engine.tasks.running import RunningTask


class UntilSmall:
    """Copies again and again. Thread: the task's."""

    def __init__(self, services: MigrationServices, task: RunningTask, passes: Passes) -> None:
        self._services = services
        self._task = task
        self._passes = passes

    def run(self, migration: Migration) -> Migration:
        """Make passes until the rest is small or becomes no smaller, and return the migration as it is ready.

        Raises:
            OperationalError: a pass failed.
            TaskCancelled: the operator stopped it.
        """
        log, name = self._task.context.log, migration.vm_name
        migration = self._services.note(migration, phase=MigrationPhase.COPYING)
        migration, verdict = self._made(migration)
        if verdict is Verdict.SMALL:
            log.info(messages.READY, vm=name)
        elif migration.progress.is_tracked:
            log.warning(messages.READY_ALL_THE_SAME, vm=name)
        else:
            log.warning(messages.READY_UNTRACKED, vm=name)
        return self._services.note(migration, phase=MigrationPhase.READY)

    def catch_up(self, migration: Migration) -> Migration:
        """Copy what has changed since the last pass while the source runs still, where that is long ago.

        Raises:
            OperationalError: a pass failed.
            TaskCancelled: the operator stopped it.
        """
        progress, now = migration.progress, self._task.context.clock.now()
        stale = timedelta(seconds=self._services.settings.migration_stale_s)
        if not progress.is_tracked or progress.frozen_at is None or now - progress.frozen_at <= stale:
            return migration
        return self._made(migration)[0]

    def _made(self, migration: Migration) -> tuple[Migration, Verdict]:
        sizes: list[int] = []
        most = self._services.settings.migration_passes
        while True:
            self._task.context.cancel.check()
            migration = self._passes.run(migration)
            sizes.append(migration.progress.last_pass_bytes)
            verdict = judged(migration.progress, sizes, migration.options, most)
            if verdict is not Verdict.AGAIN:
                return migration, verdict
