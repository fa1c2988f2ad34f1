"""Takes back what a migration has not brought to its end: after a failure, and after a crash."""

from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.migration import Migration, MigrationPhase
from app.domain.vms import PowerState
from app.engine.migration import messages
from app.engine.migration.errors import TargetTouched
from app.engine.migration.outcome import completed
from app.engine.migration.reasons import NOT_OFF
from app.engine.migration.services import MigrationServices
from app.engine.migration.source import find_source, wait_for_off
from app.engine.migration.target import find_target, remove_target

NEEDS_SETTLING = frozenset(
    {
        MigrationPhase.CREATING,
        MigrationPhase.CUTTING_OVER,
        MigrationPhase.TAKING_PLACE,
        MigrationPhase.STARTING,
        MigrationPhase.DISCARDING,
    }
)
"""Phases in which something is to be done on a platform when no task works at the migration."""


class Undoing:
    """Settles one migration over open sessions; each step may be done again. Thread: any; one at a time."""

    def __init__(self, services: MigrationServices, source: Hypervisor, target: Hypervisor, log: TaskLog) -> None:
        self._services = services
        self._source = source
        self._target = target
        self._log = log

    def settle(self, migration: Migration, *, target_may_run: bool) -> Migration | None:
        """Bring a migration to a state from which it can be resumed; return it, or None when it is forgotten.

        Args:
            migration: at which no task works.
            target_may_run: True lets the cut-over stand where the target runs already, as after a crash: its guest
                may have written. False takes it back, as after a failure that was seen.

        Raises:
            OperationalError: a platform refuses, or cannot be asked; what is left stays noted.
        """
        if migration.phase is MigrationPhase.CREATING:
            remove_target(self._target, migration, self._log)
            return self._services.note(migration, phase=MigrationPhase.NEW, target_vm=None, disks=())
        if migration.phase is MigrationPhase.DISCARDING:
            remove_target(self._target, migration, self._log)
            self._services.store.remove(migration.id)
            return None
        if migration.is_cutting_over:
            return self._settle_cut_over(migration, target_may_run=target_may_run)
        return migration

    def _settle_cut_over(self, migration: Migration, *, target_may_run: bool) -> Migration:
        if migration.phase is MigrationPhase.STARTING and target_may_run and self._target_runs(migration):
            self._log.warning(messages.TARGET_RUNS, vm=migration.vm_name, name=migration.name)
            return completed(self._services, migration, self._log)
        self._take_target_back(migration)
        self._give_source_back(migration)
        self._log.warning(messages.UNDONE, vm=migration.vm_name)
        return self._services.note(
            migration, phase=MigrationPhase.COPYING, source_was_on=False, is_shutting_down=False, source_kept_as=""
        )

    def _target_runs(self, migration: Migration) -> bool:
        found = find_target(self._target, migration)
        return found is not None and found.summary.power_state is not PowerState.OFF

    def _take_target_back(self, migration: Migration) -> None:
        """Power the target off where we may have started it, and give it its temporary name.

        Raises:
            TargetTouched: somebody else has started it: the source is not started next to it.
        """
        found = find_target(self._target, migration)
        if found is None:
            return
        if found.summary.power_state is not PowerState.OFF:
            if migration.phase is not MigrationPhase.STARTING:
                raise TargetTouched(name=found.summary.name, reason=NOT_OFF)
            self._target.power_off(found.summary.id)
        if found.summary.name != migration.created_as:
            self._target.rename_vm(found.summary.id, migration.created_as)

    def _give_source_back(self, migration: Migration) -> None:
        source = find_source(self._services, self._source, migration).summary
        if migration.source_kept_as and source.name == migration.source_kept_as:
            self._source.rename_vm(source.id, migration.vm_name)
            self._log.info(messages.SOURCE_NAMED_AGAIN, vm=migration.vm_name)
        is_off = source.power_state is PowerState.OFF
        if migration.source_was_on and migration.is_shutting_down and not is_off:
            # What its guest has begun goes on: it would be off a moment after we had looked.
            services = self._services
            is_off = wait_for_off(self._source, source.id, services.settings, services.clock)
        if migration.source_was_on and is_off:
            self._source.power_on(source.id)
            self._log.info(messages.SOURCE_STARTED_AGAIN, vm=migration.vm_name)
