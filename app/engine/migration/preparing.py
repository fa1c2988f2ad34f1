"""Before the first pass: the source is looked at, change tracking switched on, the target created."""

from app.core.context import TaskContext
from app.domain.migration import Migration, MigrationPhase
from app.domain.states import TaskState
from app.domain.vms import VmDetails
from app.engine import messages as task_messages
from app.engine.backup.snapshots import SnapshotTarget, TrackingSwitch
from app.engine.migration import messages
from app.engine.migration.passes import Sides
from app.engine.migration.services import MigrationServices
from app.engine.migration.source import find_source, refuse_unmigratable
from app.engine.migration.target import create_target, own_target
from app.engine.tasks.running import RunningTask


class Preparing:
    """Prepares one migration, or finds that it was prepared before. Thread: the task's."""

    def __init__(self, services: MigrationServices, task: RunningTask, sides: Sides) -> None:
        self._services = services
        self._task = task
        self._sides = sides

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self, migration: Migration) -> Migration:
        """Return the migration with its target.

        Raises:
            NotMigrated: the source cannot be migrated as it is.
            VmCreationFailed, VmNameTaken: the target cannot be created.
            TargetGone, TargetTouched: that of an earlier task is not what it was.
            OperationalError: a platform refuses, or cannot be asked.
            TaskCancelled: cancelled meanwhile.
        """
        services, source, target, log = self._services, self._sides.source, self._sides.target, self._context.log
        details = source.patience.through(lambda: find_source(services, source.hypervisor, migration))
        refuse_unmigratable(details)
        log.info(messages.BEGINS, vm=details.summary.name, platform=target.platform.name, name=migration.name)
        self._warn(details)
        is_new = migration.phase is MigrationPhase.NEW
        if is_new:
            migration = self._recorded(migration, details)
        self._switch_tracking_on(migration, details)
        if not is_new:
            log.info(messages.GOES_ON)
            own_target(target.hypervisor, migration)
            return migration
        self._task.stages.enter(TaskState.CREATING_VM)
        saved = source.hypervisor.save_configuration(migration.vm, log=log)
        self._context.cancel.check()
        return create_target(services, target, migration, details, saved, log)

    def _warn(self, details: VmDetails) -> None:
        log, summary = self._context.log, details.summary
        if summary.snapshot_doubt is not None:
            log.warning(task_messages.SNAPSHOT_DOUBTFUL, reason=summary.snapshot_doubt)
        if details.snapshots:
            log.warning(messages.SNAPSHOTS_STAY, vm=summary.name, count=len(details.snapshots))

    def _recorded(self, migration: Migration, details: VmDetails) -> Migration:
        """Note by what the source is known again."""
        summary = details.summary
        here = self._services.sessions.identity(migration.platform, self._sides.source.hypervisor)
        return self._services.note(
            migration,
            vm=summary.id,
            vm_name=summary.name,
            instance_uuid=summary.instance_uuid,
            bios_uuid=summary.bios_uuid,
            platform_uuid=here.instance_uuid,
        )

    def _switch_tracking_on(self, migration: Migration, details: VmDetails) -> None:
        summary, log, hypervisor = details.summary, self._context.log, self._sides.source.hypervisor
        if not migration.options.quick:
            log.info(task_messages.TRACKING_NOT_WANTED)
        elif not summary.change_tracking_supported:
            log.info(task_messages.TRACKING_UNSUPPORTED)
        elif not summary.change_tracking_enabled:
            target = SnapshotTarget(platform=migration.platform, vm=migration.vm, quiesce=False)
            switch = TrackingSwitch(
                hypervisor, self._services.snapshots, self._context, target, self._services.settings
            )
            with switch:
                is_on = hypervisor.enable_change_tracking(migration.vm, log=log, cancel=self._context.cancel)
            log.info(task_messages.TRACKING_SWITCHED_ON if is_on else task_messages.TRACKING_NOT_ON)
