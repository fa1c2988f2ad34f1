"""Turns what is remembered into rows for the reader."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from app.contract.errors import ErrorRow
from app.contract.log import LogRow
from app.contract.tasks import TaskRow
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import TaskId
from app.domain.progress import ProgressSample
from app.domain.states import TaskKind, TaskState, shown_state
from app.domain.tasks import LogLine, TaskRecord
from app.engine.history.speeds import Speeds
from app.engine.messages import MessageCatalogue
from app.engine.ports import PlatformStore, StandbyStore
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import InstantStartSpec, NewVmTarget, RestoreSpec, TaskSpec
from app.engine.tasks.stages import sample_of
from app.engine.tasks.stored import readable_spec

MOVING: Final = (TaskState.RUNNING, TaskState.VERIFYING)
"""States in which a task moves data."""
_WITH_TARGETS: Final = frozenset({TaskKind.RESTORE, TaskKind.INSTANT_START})
"""Kinds of tasks that name the VM that they make."""


class TaskRows:
    """Makes the rows of tasks, with live counters and speeds where they run. Thread: any."""

    def __init__(
        self, platforms: PlatformStore, standbys: StandbyStore, manager: TaskManager, speeds: Speeds
    ) -> None:
        self._platforms = platforms
        self._standbys = standbys
        self._manager = manager
        self._speeds = speeds

    def rows(self, records: Sequence[TaskRecord]) -> tuple[TaskRow, ...]:
        """Make the rows of tasks, in their order.

        Raises:
            CatalogUnavailable: the names of platforms and standbys cannot be read.
        """
        if not records:
            return ()
        samples, stopping = self._manager.samples(), self._manager.stopping()
        platforms = {platform.id: platform.name for platform in self._platforms.all()}
        standbys = {standby.id: standby.name for standby in self._standbys.all()}
        return tuple(
            replace(
                task_row(record, samples, stopping),
                platform_name="" if record.platform is None else platforms.get(record.platform, ""),
                standby_name=standbys.get(record.standby, ""),
                read_bytes_per_s=self._speeds.of(record.id) if record.state in MOVING else mean_speed(record),
            )
            for record in records
        )


def mean_speed(record: TaskRecord) -> float | None:
    """Return the bytes per second that an ended task read over the whole of its run."""
    if record.started_at is None or record.ended_at is None:
        return None
    seconds = (record.ended_at - record.started_at).total_seconds()
    return record.totals.read_bytes / seconds if seconds > 0 else None


def task_row(
    record: TaskRecord, samples: Mapping[TaskId, ProgressSample], stopping: Collection[TaskId]
) -> TaskRow:
    """Make the row of a task, with live counters where it runs; ``stopping`` are those that were asked to stop."""
    restore = readable_spec(record) if record.kind in _WITH_TARGETS else None
    return TaskRow(
        id=record.id,
        kind=record.kind,
        state=shown_state(record.state, is_asked_to_stop=record.id in stopping),
        vm=record.vm,
        vm_name=record.vm_name,
        platform=record.platform,
        standby=record.standby,
        target_path=record.target_path,
        rule=record.rule,
        rule_name=record.rule_name,
        point=record.point,
        created_at=record.created_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        stages=record.stages,
        progress=samples.get(record.id) or sample_of(record.totals),
        error=None if record.error is None else kept_error_row(record.error),
        name=restore.name if isinstance(restore, RestoreSpec) else "",
        target_name=_target_name(restore),
    )


def _target_name(spec: TaskSpec | None) -> str:
    if isinstance(spec, RestoreSpec) and isinstance(spec.target, NewVmTarget):
        return spec.target.placement.name
    if isinstance(spec, InstantStartSpec):
        return spec.placement.name
    return ""


def log_row(line: LogLine, texts: MessageCatalogue) -> LogRow:
    """Make the row of a log line, with its English text."""
    return LogRow(
        id=line.id,
        at=line.at,
        level=line.level,
        code=line.code,
        params=line.params,
        text=texts.text(line.code, line.params),
        template=texts.template(line.code) or "",
    )


def kept_error_row(kept: KeptError) -> ErrorRow:
    """Make the row of an error that was kept.

    One without templates, of an older version of the program, is shown as it is.
    """
    if kept.template:
        return ErrorRow(
            code=kept.code,
            template=kept.template,
            hint_template=kept.hint_template,
            params=kept.params,
            retryable=kept.retryable,
        )
    return ErrorRow(
        code=kept.code,
        template=" ".join([kept.code, *(f"{name}={{{name}}}" for name, _ in kept.params)]),
        hint_template=OperationalError.hint_template,
        params=kept.params,
    )
