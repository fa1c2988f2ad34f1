"""What follows when a migration is completed."""

from app.core.context import TaskContext
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.migration import Migration, MigrationPhase
from app.engine.migration import messages
from app.engine.migration.passes import Sides
from app.engine.migration.services import MigrationServices
from app.engine.migration.target import find_target
from app.engine.platforms.identification import note_created


class Outcome:
    """Notes that migrations are completed, and what that means for rules. Thread: the task's."""

    def __init__(self, services: MigrationServices, context: TaskContext, sides: Sides) -> None:
        self._services = services
        self._context = context
        self._sides = sides

    def done(self, migration: Migration) -> Migration:
        """Note that the target has taken the source's place; returns the migration."""
        log = self._context.log
        migration = completed(self._services, migration, log)
        log.info(
            messages.DONE, vm=migration.vm_name, name=migration.name, platform=self._sides.target.platform.name
        )
        if migration.is_within_platform and migration.target_vm is not None:
            hypervisor = self._sides.target.hypervisor
            note_created(
                self._services.rules, self._services.sessions, migration.target, hypervisor, migration.target_vm
            )
        return migration

    def copied(self, migration: Migration) -> Migration:
        """Note that the target holds what the source had, which goes on running; returns the migration.

        Raises:
            OperationalError: the target cannot be renamed.
        """
        hypervisor, log = self._sides.target.hypervisor, self._context.log
        target = find_target(hypervisor, migration)
        keeps_its_name = migration.is_within_platform and migration.name == migration.vm_name
        if target is not None and not keeps_its_name:
            hypervisor.rename_vm(target.summary.id, migration.name)
        name = migration.created_as if keeps_its_name else migration.name
        log.warning(messages.COPY_STAYS_OFF, name=name, vm=migration.vm_name)
        return end(self._services, migration)


def end(services: MigrationServices, migration: Migration) -> Migration:
    """Note that nothing is left to do, and return the migration."""
    return services.note(migration, phase=MigrationPhase.DONE, ended_at=services.clock.now(), error=None)


def completed(services: MigrationServices, migration: Migration, log: TaskLog) -> Migration:
    """Note that a target has taken its source's place, and let the source's rule follow where that can be.

    Rules are of one platform: that of a VM which went to another one goes on with the source, which is said.
    """
    migration = end(services, migration)
    if migration.target_vm is None:
        return migration
    if migration.is_within_platform:
        services.successions.follow(migration.platform, migration.vm, migration.target_vm, migration.name)
        return migration
    try:
        rule = next(
            (
                rule.name
                for rule in services.rules.all()
                if rule.platform == migration.platform and rule.vm(migration.vm) is not None
            ),
            None,
        )
        target = services.sessions.platform(migration.target).name
    except OperationalError as error:
        log.warning(messages.NOT_AS_SOURCE, detail=error)
        return migration
    if rule is not None:
        log.warning(
            messages.RULE_STAYS, rule=rule, name=migration.source_kept_as, vm=migration.name, platform=target
        )
    return migration
