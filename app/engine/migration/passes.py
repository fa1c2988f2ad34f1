"""One pass over the disks of a migration: freeze the source, copy what the target lacks, let go, measure."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from app.core.context import TaskContext
from app.core.hypervisor import MarkedHistory, RevertHistory
from app.domain.errors import ChangeTrackingLost, OperationalError
from app.domain.extents import Extent
from app.domain.messages import LogLevel
from app.domain.migration import Migration, MigrationCheck, MigrationDisk
from app.domain.restore_point import HistoryMark
from app.domain.states import TaskState
from app.domain.vms import FrozenVm, PowerState, VmDetails
from app.engine import messages as task_messages
from app.engine.backup.snapshots import SnapshotScope, SnapshotTarget
from app.engine.migration import messages
from app.engine.migration.frozen import FrozenSource
from app.engine.migration.measure import PassFigures, measured
from app.engine.migration.passplan import DiskPass, compared_whole, plan_pass
from app.engine.migration.services import MigrationServices, Side
from app.engine.migration.source import find_source, refuse_other_disks, refuse_unmigratable
from app.engine.migration.target import own_target
from app.engine.platforms.disks import holding
from app.engine.tasks.running import RunningTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Both platforms of a migration."""

    source: Side
    target: Side


Check = Callable[[FrozenSource, Migration], None]
"""What is done with the frozen source after the copy, such as to compare."""


class Passes:
    """Makes passes for one task. Thread: the task's."""

    def __init__(self, services: MigrationServices, task: RunningTask, sides: Sides) -> None:
        self._services = services
        self._task = task
        self._sides = sides

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self, migration: Migration, check: Check | None = None) -> Migration:
        """Make one pass and return what is known then.

        Args:
            migration: whose target is there.
            check: is done with the frozen source after the copy.

        Raises:
            OperationalError: something was not copied; what the migration knew before is still true.
            TaskCancelled: likewise.
        """
        source = self._sides.source
        self._task.stages.enter(TaskState.QUERYING_CHANGES)
        migration, details = self._looked_at(migration)
        target = own_target(self._sides.target.hypervisor, migration)
        history = self._history_mark()  # before the freeze: what happens meanwhile counts as later
        scope = SnapshotScope(
            source.hypervisor,
            self._services.snapshots,
            self._context,
            self._snapshot_target(migration, details),
            self._services.settings,
            on_removal=lambda: self._task.stages.note(TaskState.REMOVING_SNAPSHOT),
        )
        with (
            holding(self._services.transports, source.hypervisor, migration.vm, source.modes, self._context),
            scope as frozen,
        ):
            at = self._context.clock.now()
            work = FrozenSource(self._services, self._task, source, self._sides.target, details, frozen, target)
            try:
                migration = self._copied(work, migration, frozen, history, at)
                if check is not None:
                    check(work, migration)
            finally:
                source.opener.let_go()
        return migration

    # --- before --------------------------------------------------------------------------------------------------

    def _looked_at(self, migration: Migration) -> tuple[Migration, VmDetails]:
        """Return the source as it is now, after what earlier tasks have left on it was removed."""
        services, side = self._services, self._sides.source
        details = side.patience.through(lambda: find_source(services, side.hypervisor, migration))
        refuse_unmigratable(details)
        refuse_other_disks(migration, details)
        if details.summary.id != migration.vm:
            self._context.log.warning(
                task_messages.VM_FOLLOWED, name=details.summary.name, old=migration.vm, new=details.summary.id
            )
            migration = services.note(migration, vm=details.summary.id)
        side.patience.through(
            lambda: services.remover.remove_before_run(side.hypervisor, migration.platform, details, self._context)
        )
        return migration, details

    def _snapshot_target(self, migration: Migration, details: VmDetails) -> SnapshotTarget:
        runs = details.summary.power_state is PowerState.ON
        return SnapshotTarget(
            platform=migration.platform, vm=migration.vm, quiesce=migration.options.quiesce and runs
        )

    def _history_mark(self) -> HistoryMark | None:
        hypervisor = self._sides.source.hypervisor
        if not isinstance(hypervisor, MarkedHistory):
            return None
        try:
            return hypervisor.history_mark()
        except OperationalError as error:
            self._context.log.warning(task_messages.HISTORY_NOT_MARKED, detail=error)
            return None

    # --- frozen --------------------------------------------------------------------------------------------------

    def _copied(
        self, work: FrozenSource, migration: Migration, frozen: FrozenVm, history: HistoryMark | None, at: datetime
    ) -> Migration:
        if frozen.quiesce_failure is not None:
            self._context.log.warning(task_messages.QUIESCE_GIVEN_UP, detail=frozen.quiesce_failure)
        services, wanted = self._services, migration.options.quick
        plans = plan_pass(migration.disks, frozen.disks, is_tracking_wanted=wanted)
        plans, known = self._changes(work, migration, plans)
        for planned in plans:
            if planned.reason is not None:
                self._task.log.write(LogLevel.WARNING, planned.reason)
        self._task.stages.enter(TaskState.RUNNING)
        began, read_bytes, held_bytes = time.monotonic(), 0, 0
        for planned in plans:
            key = planned.disk.key
            if planned.disk.is_blank:
                migration = services.note(migration, disks=_with(migration.disks, key, is_blank=False))
            read, held = work.bring_up_to_date(planned, known.get(key, ()), is_tracking_wanted=wanted)
            work.check_still_frozen()
            migration = self._noted(migration, planned, history)
            read_bytes += read
            held_bytes += held
        seconds = time.monotonic() - began
        is_tracked = all(planned.since is not None for planned in plans)
        figures = PassFigures(
            frozen_at=at,
            read_bytes=read_bytes,
            seconds=seconds,
            held_bytes=None if any(planned.since is not None for planned in plans) else held_bytes,
            is_tracked=is_tracked,
            can_be_tracked=wanted and all(planned.frozen.change_id is not None for planned in plans),
        )
        progress = measured(migration.progress, figures)
        self._context.log.info(
            messages.PASS_DONE, number=progress.passes, bytes=read_bytes, seconds=f"{seconds:.1f}"
        )
        return services.note(migration, progress=progress)

    def _changes(
        self, work: FrozenSource, migration: Migration, plans: tuple[DiskPass, ...]
    ) -> tuple[tuple[DiskPass, ...], dict[int, tuple[Extent, ...]]]:
        """Ask for the changes of every disk that has a change id; those that cannot be told are compared."""
        known: dict[int, tuple[Extent, ...]] = {}
        asked: list[DiskPass] = []
        for planned in plans:
            if planned.since is not None:
                try:
                    known[planned.disk.key] = tuple(work.changed(planned.frozen, planned.since))
                except ChangeTrackingLost as error:
                    reason = messages.WHOLE_LOST.fill(disk=planned.disk.label, detail=error)
                    planned = compared_whole(planned, reason)
            asked.append(planned)
        # asked last: what happens to the VM from now on changes neither the maps nor the frozen disks
        return tuple(self._without_reverted(migration, planned) for planned in asked), known

    def _without_reverted(self, migration: Migration, planned: DiskPass) -> DiskPass:
        """Compare a disk as a whole whose VM went back to an earlier snapshot since, or may have."""
        side = self._sides.source
        hypervisor = side.hypervisor
        if planned.since is None or not isinstance(hypervisor, RevertHistory):
            return planned
        mark = planned.disk.history
        if mark is None:
            return planned if not isinstance(hypervisor, MarkedHistory) else _went_back(planned)
        try:
            went_back = side.patience.through(lambda: hypervisor.reverted_since(migration.vm, mark))
        except OperationalError as error:
            self._context.log.warning(task_messages.REVERTS_UNKNOWN, detail=error)
            # What tracking leaves out then is found at the end where all is compared, else nowhere.
            return planned if migration.options.check is MigrationCheck.FULL else _went_back(planned)
        return _went_back(planned) if went_back else planned

    def _noted(self, migration: Migration, planned: DiskPass, history: HistoryMark | None) -> Migration:
        """Note that a disk of the target is that of the source as it is frozen now."""
        change_id = planned.frozen.change_id if migration.options.quick else None
        return self._services.note(
            migration, disks=_with(migration.disks, planned.disk.key, change_id=change_id, history=history)
        )


def _went_back(planned: DiskPass) -> DiskPass:
    return compared_whole(planned, messages.WHOLE_WENT_BACK.fill(disk=planned.disk.label))


def _with(disks: tuple[MigrationDisk, ...], key: int, **changes: object) -> tuple[MigrationDisk, ...]:
    return tuple(
        replace(disk, **changes) if disk.key == key else disk  # type: ignore[arg-type]
        for disk in disks
    )
