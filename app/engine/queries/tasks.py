"""Queries about tasks, and the rows of the task pages."""

from dataclasses import dataclass
from datetime import datetime

from app.core.progress import ProgressSample
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import StageTime
from app.engine.queries.base import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRow:
    """An error for the reader: the stable code with its parameters, and both texts in English."""

    code: str
    params: tuple[tuple[str, str], ...]
    message: str
    hint: str
    retryable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """A task as lists show it, with its counters as they are now."""

    id: TaskId
    kind: TaskKind
    state: TaskState
    vm: VmId
    vm_name: str
    platform: PlatformId | None
    standby: StandbyId
    target_path: str = ""
    rule: RuleId | None = None
    rule_name: str
    point: PointId | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    stages: tuple[StageTime, ...]
    progress: ProgressSample
    error: ErrorRow | None
    name: str = ""
    """What the operator called it; only restores can have a name."""
    target_name: str = ""
    """The VM that a restore makes; empty when it takes the original's place, and for other tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A line of a task's log: code and parameters for translation, and the English text."""

    id: int
    at: datetime
    level: LogLevel
    code: str
    params: tuple[tuple[str, str], ...]
    text: str
    template: str = ""
    """The message's English template, which is the key of its translations; empty when it is not known here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """A task with the end of its log, oldest line first."""

    task: TaskRow
    log: tuple[LogRow, ...]


class ListTasks(Query[tuple[TaskRow, ...]], frozen=True, kw_only=True):
    """Return tasks that fit every condition given, newest first."""

    states: tuple[TaskState, ...] | None = None
    kinds: tuple[TaskKind, ...] | None = None
    vm: VmId | None = None
    platform: PlatformId | None = None
    limit: int = 200
    offset: int = 0


class TaskDetails(Query[TaskReport], frozen=True, kw_only=True):
    """Return one task with up to ``log_lines`` lines of its log."""

    task: TaskId
    log_lines: int = 1000


class TaskLogLines(Query[tuple[LogRow, ...]], frozen=True, kw_only=True):
    """Return up to ``limit`` lines of a task's log behind the line ``after``, oldest first."""

    task: TaskId
    at_least: LogLevel = LogLevel.NORMAL
    after: int = 0
    limit: int = 500


class SampleProgress(Query[dict[TaskId, ProgressSample]], frozen=True, kw_only=True):
    """Return the counters of every running task."""
