"""Turns what is remembered into rows for the reader."""

from collections.abc import Collection, Mapping

from app.contract.errors import ErrorRow
from app.contract.log import LogRow
from app.contract.tasks import TaskRow
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import TaskId
from app.domain.progress import ProgressSample
from app.domain.states import TaskKind, shown_state
from app.domain.tasks import LogLine, TaskRecord
from app.engine.messages import MessageCatalogue
from app.engine.tasks.spec import NewVmTarget, RestoreSpec, TaskSpec
from app.engine.tasks.stages import sample_of
from app.engine.tasks.stored import readable_spec


def task_row(
    record: TaskRecord, samples: Mapping[TaskId, ProgressSample], stopping: Collection[TaskId]
) -> TaskRow:
    """Make the row of a task, with live counters where it runs; ``stopping`` are those that were asked to stop."""
    restore = readable_spec(record) if record.kind is TaskKind.RESTORE else None
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
