"""Rows of instant recoveries: what is remembered, what is served, and what is worked at."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.contract.errors import ErrorRow
from app.contract.instant import InstantRow
from app.domain.ids import RecoveryId, TaskId
from app.domain.instant import InstantAction, InstantPhase, InstantRecovery, InstantState, RecoveryPurpose
from app.domain.progress import ProgressSample
from app.domain.states import TaskState
from app.domain.tasks import TaskRecord
from app.engine.instant.errors import NotServed
from app.engine.instant.figures import Figures
from app.engine.instant.services import InstantServices
from app.engine.instant.shares import error_of
from app.engine.ports import Catalog
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import kept_error_row
from app.engine.tasks.spec import InstantFinishSpec, InstantStartSpec, RecoverySpec
from app.engine.tasks.stored import specs_of
from app.nfs.service import ServingRow, ServingState

_STATES: Final[Mapping[InstantPhase, InstantState]] = {
    InstantPhase.SERVED: InstantState.RUNNING,
    InstantPhase.STOPPED: InstantState.STOPPED,
}
_ACTIONS: Final[Mapping[InstantPhase, tuple[InstantAction, ...]]] = {
    InstantPhase.SERVED: (InstantAction.FINISH, InstantAction.STOP, InstantAction.DISCARD),
    InstantPhase.STOPPED: (InstantAction.RESUME, InstantAction.KEEP, InstantAction.DISCARD),
    InstantPhase.STARTING: (InstantAction.DISCARD,),
    InstantPhase.RESUMING: (InstantAction.STOP, InstantAction.DISCARD),
    InstantPhase.FINISHING: (InstantAction.STOP, InstantAction.DISCARD),
    InstantPhase.MOVED: (InstantAction.STOP, InstantAction.DISCARD),
    InstantPhase.STOPPING: (InstantAction.STOP, InstantAction.DISCARD),
    InstantPhase.DISCARDING: (InstantAction.DISCARD,),
}


@dataclass(frozen=True, slots=True)
class _Work:
    """A task that waits or works at a recovery."""

    task: TaskId
    spec: RecoverySpec
    state: TaskState
    sample: ProgressSample | None


class InstantView:
    """Makes rows. Thread: any."""

    def __init__(
        self, services: InstantServices, catalog: Catalog, manager: TaskManager, figures: Figures
    ) -> None:
        self._services = services
        self._catalog = catalog
        self._manager = manager
        self._figures = figures

    def rows(self) -> tuple[InstantRow, ...]:
        """Return all recoveries, the newest first; those that only wait for their turn are before the others."""
        work = self.at_work()
        served = self._services.shares.rows()
        if served is not None:
            self._figures.take(served)
        known = [one for one in self._services.store.all() if one.purpose is RecoveryPurpose.RECOVERY]
        ids = {recovery.id for recovery in known}
        waiting = [
            self._planned(one.spec, one.task)
            for one in reversed(work.values())
            if isinstance(one.spec, InstantStartSpec) and one.spec.recovery not in ids
        ]
        return (*waiting, *(self._row(recovery, work.get(recovery.id), served) for recovery in known))

    def at_work(self) -> dict[RecoveryId, _Work]:
        """Return the tasks that wait or work at recoveries."""
        samples = self._manager.samples()
        return {
            spec.recovery: _Work(record.id, spec, self._state_of(record), samples.get(record.id))
            for record, spec in specs_of(self._manager.unfinished(), RecoverySpec)
        }

    def _state_of(self, record: TaskRecord) -> TaskState:
        known = self._catalog.tasks.get(record.id) if self._manager.is_live(record.id) else None
        return record.state if known is None else known.state

    # --- one row ---------------------------------------------------------------------------------------------

    def _planned(self, spec: InstantStartSpec, task: TaskId) -> InstantRow:
        """Return the row of a recovery of which nothing was done yet."""
        record = self._catalog.tasks.get(task)
        return InstantRow(
            id=spec.recovery,
            name=spec.placement.name,
            vm_name=spec.vm_name,
            state=InstantState.PREPARING,
            task=task,
            standby=spec.standby,
            standby_name=self._standby_name(spec),
            target_path=spec.target_path,
            point=spec.point,
            point_at=self._point_at(spec),
            rule=spec.rule,
            rule_name=spec.rule_name,
            platform=spec.platform,
            platform_name=self._platform_name(spec),
            address=spec.address,
            since=record.created_at if record is not None else self._services.clock.now(),
            is_isolated=spec.placement.is_isolated,
        )

    def _row(
        self, recovery: InstantRecovery, work: _Work | None, served: Mapping[str, ServingRow] | None
    ) -> InstantRow:
        serving = None if served is None else served.get(recovery.id)
        state, error = _state(recovery, work, serving)
        free_bytes = None if serving is None else serving.free_bytes
        is_served = serving is not None and serving.state is ServingState.SERVED
        return InstantRow(
            id=recovery.id,
            name=recovery.name,
            vm_name=recovery.vm_name,
            state=state,
            percent=_percent(work),
            error=error,
            task=None if work is None else work.task,
            last_task=recovery.task if work is None else work.task,
            standby=recovery.standby,
            standby_name=self._standby_name(recovery),
            target_path=recovery.target_path,
            point=recovery.point,
            point_at=self._point_at(recovery),
            rule=recovery.rule,
            rule_name=recovery.rule_name,
            platform=recovery.platform,
            platform_name=self._platform_name(recovery),
            host_name=recovery.host_name,
            datastore=recovery.datastore,
            vm=recovery.vm,
            address=recovery.address,
            since=recovery.created_at,
            is_isolated=recovery.placement.is_isolated,
            traffic=self._figures.traffic(recovery.id) if is_served else None,
            overlay_bytes=serving.log_bytes if serving is not None and is_served else None,
            free_bytes=free_bytes,
            days_left=self._figures.days_left(recovery.id, free_bytes) if is_served else None,
            actions=() if work is not None else _ACTIONS[recovery.phase],
        )

    def _standby_name(self, what: InstantRecovery | RecoverySpec) -> str:
        known = self._catalog.standbys.get(what.standby)
        return "" if known is None else known.name

    def _platform_name(self, what: InstantRecovery | RecoverySpec) -> str:
        known = self._catalog.platforms.get(what.platform)
        return "" if known is None else known.name

    def _point_at(self, what: InstantRecovery | RecoverySpec) -> datetime | None:
        known = self._catalog.points.get(what.standby, what.target_path, what.point)
        return None if known is None else known.point.created_at


def _state(
    recovery: InstantRecovery, work: _Work | None, serving: ServingRow | None
) -> tuple[InstantState, ErrorRow | None]:
    error = None if recovery.error is None else kept_error_row(recovery.error)
    if work is not None:
        if isinstance(work.spec, InstantFinishSpec):
            return InstantState.MIGRATING, None
        if isinstance(work.spec, InstantStartSpec):
            is_creating = work.state is TaskState.CREATING_VM
            return InstantState.CREATING_VM if is_creating else InstantState.PREPARING, None
    state = _STATES.get(recovery.phase, InstantState.UNKNOWN)
    if state is InstantState.RUNNING and work is None:
        if serving is None:
            return InstantState.UNKNOWN, error or ErrorRow.of(NotServed(vm=recovery.name))
        wrong = error_of(recovery.name, serving)
        if wrong is not None:
            return InstantState.UNKNOWN, ErrorRow.of(wrong)
    return state, error


def _percent(work: _Work | None) -> int | None:
    """Return how far a move is: as the platform tells it, else by what was copied."""
    if work is None or work.sample is None or not isinstance(work.spec, InstantFinishSpec):
        return None
    sample = work.sample
    if sample.platform_percent is not None:
        return sample.platform_percent
    return None if not sample.total_bytes else min(99, 100 * sample.done_bytes // sample.total_bytes)
