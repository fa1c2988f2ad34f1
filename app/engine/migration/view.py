"""Rows of migrations: what is remembered, and what is worked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.contract.migration import MigrationRow
from app.domain.ids import MigrationId, PlatformId, TaskId
from app.domain.migration import Migration, MigrationAction, MigrationPhase, MigrationState, MigrationWork
from app.domain.progress import ProgressSample
from app.domain.states import TaskState
from app.domain.tasks import TaskRecord
from app.engine.migration.services import MigrationServices
from app.engine.migration.undoing import NEEDS_SETTLING
from app.engine.ports import Catalog
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import kept_error_row
from app.engine.tasks.spec import MigrationSpec
from app.engine.tasks.stored import specs_of

_RESUMED: Final = (MigrationAction.RESUME, MigrationAction.DISCARD)
_ACTIONS: Final[Mapping[MigrationPhase, tuple[MigrationAction, ...]]] = {
    MigrationPhase.READY: (MigrationAction.CUT_OVER, MigrationAction.STOP, MigrationAction.DISCARD),
    MigrationPhase.DONE: (MigrationAction.DISCARD,),
    MigrationPhase.DISCARDING: (MigrationAction.DISCARD,),
}
_PREPARING: Final = (TaskState.PREPARING, TaskState.CREATING_VM)


@dataclass(frozen=True, slots=True)
class Work:
    """A task that waits or works at a migration."""

    task: TaskId
    work: MigrationWork
    is_waiting: bool
    state: TaskState
    sample: ProgressSample | None


class MigrationView:
    """Makes rows. Thread: any."""

    def __init__(self, services: MigrationServices, catalog: Catalog, manager: TaskManager) -> None:
        self._services = services
        self._catalog = catalog
        self._manager = manager

    def rows(self) -> tuple[MigrationRow, ...]:
        """Return all migrations, the newest first.

        Raises:
            CatalogUnavailable: they cannot be read.
        """
        work = self.at_work()
        platforms = {platform.id: platform.name for platform in self._catalog.platforms.all()}
        return tuple(
            self._row(migration, work.get(migration.id), platforms) for migration in self._services.store.all()
        )

    def at_work(self) -> dict[MigrationId, Work]:
        """Return the tasks that wait or work at migrations; of two at one, that which works."""
        samples = self._manager.samples()
        found: dict[MigrationId, Work] = {}
        for record, spec in specs_of(self._manager.unfinished(), MigrationSpec):
            is_live = self._manager.is_live(record.id)
            if is_live or spec.migration not in found:
                state = self._state_of(record) if is_live else record.state
                found[spec.migration] = Work(record.id, spec.work, not is_live, state, samples.get(record.id))
        return found

    def _state_of(self, record: TaskRecord) -> TaskState:
        known = self._catalog.tasks.get(record.id)
        return record.state if known is None else known.state

    def _row(self, migration: Migration, work: Work | None, platforms: Mapping[PlatformId, str]) -> MigrationRow:
        progress, now = migration.progress, self._services.clock.now()
        is_done = migration.phase is MigrationPhase.DONE
        return MigrationRow(
            id=migration.id,
            name=migration.name,
            vm=migration.vm,
            vm_name=migration.vm_name,
            state=state_of(migration, work),
            is_waiting=work is not None and work.is_waiting,
            percent=_percent(work),
            error=None if migration.error is None else kept_error_row(migration.error),
            task=None if work is None else work.task,
            platform=migration.platform,
            platform_name=platforms.get(migration.platform, ""),
            target=migration.target,
            target_name=platforms.get(migration.target, ""),
            placement=migration.placement,
            options=migration.options,
            passes=progress.passes,
            held_bytes=progress.held_bytes,
            last_pass_bytes=progress.last_pass_bytes,
            last_pass_at=progress.frozen_at,
            rest_bytes=None if is_done else progress.rest_bytes(now),
            change_bytes_per_s=None if is_done else progress.change_bytes_per_s,
            copy_bytes_per_s=progress.copy_bytes_per_s,
            cut_over_s=None if is_done else progress.cut_over_s(now, migration.options.check),
            target_vm=migration.target_vm,
            source_kept_as=migration.source_kept_as if is_done else "",
            since=migration.created_at,
            ended_at=migration.ended_at,
            actions=actions_of(migration, work),
        )


def state_of(migration: Migration, work: Work | None) -> MigrationState:
    """Return the state that is shown of a migration."""
    phase = migration.phase
    if phase is MigrationPhase.DONE:
        return MigrationState.COMPLETED
    if work is None or work.work is MigrationWork.DISCARD:
        return _resting_state(migration)
    if migration.is_cutting_over or (work.work is MigrationWork.CUT_OVER and not work.is_waiting):
        return MigrationState.CUTTING_OVER
    if phase is MigrationPhase.READY:
        return MigrationState.READY
    if work.is_waiting or work.state in _PREPARING:
        return MigrationState.PREPARING
    return MigrationState.MIGRATING


def _resting_state(migration: Migration) -> MigrationState:
    """Return the state of a migration at which nothing works that goes on with it."""
    if migration.phase is MigrationPhase.READY:
        return MigrationState.READY
    if migration.phase in NEEDS_SETTLING:
        return MigrationState.UNKNOWN
    return MigrationState.STOPPED if migration.error is None else MigrationState.FAILED


def actions_of(migration: Migration, work: Work | None) -> tuple[MigrationAction, ...]:
    """Return what can be done with a migration now."""
    if work is not None:
        return () if work.work is MigrationWork.DISCARD else (MigrationAction.STOP,)
    return _ACTIONS.get(migration.phase, _RESUMED)


def _percent(work: Work | None) -> int | None:
    if work is None or work.sample is None or not work.sample.total_bytes or work.work is MigrationWork.FOLLOW:
        return None
    return min(99, 100 * work.sample.done_bytes // work.sample.total_bytes)
