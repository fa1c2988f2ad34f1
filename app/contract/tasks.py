"""Tasks: backing up, stopping, repeating and looking at them."""

from dataclasses import dataclass
from datetime import datetime

from app.contract.base import Command, Query
from app.contract.errors import ErrorRow
from app.contract.log import LogRow
from app.domain.changetracking import ChangeTracking
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel
from app.domain.progress import ProgressSample
from app.domain.states import BackupKind, TaskKind, TaskState, TransportMode
from app.domain.tasks import StageTime


class StartBackup(Command[TaskId], frozen=True, kw_only=True):
    """Queue a backup of one VM."""

    platform: PlatformId
    vm: VmId
    vm_name: str
    standby: StandbyId
    target_path: str = ""
    """Directory of the repository on the standby, relative to its root."""
    rule: RuleId | None = None
    """The rule that it runs for: its retention is applied afterwards."""
    rule_name: str
    kind: BackupKind = BackupKind.INCREMENTAL
    tracking: ChangeTracking = ChangeTracking.AUTOMATIC
    quiesce: bool = False
    transports: tuple[TransportMode, ...] = ()
    """Modes to try, in order; empty takes those of the platform."""
    lan_free: bool = False
    """Whether the platform's LAN-free modes are tried first; without it they are not tried at all."""
    priority: int = 0
    host: str = ""
    """ESXi host of the VM, when it is known: it limits how many tasks read from it at once."""
    retry: int = 0
    """How many times its rule has retried it automatically; 0 for the run itself."""


class StartConsolidation(Command[TaskId], frozen=True, kw_only=True):
    """Queue the consolidation of a VM's disks: what removed snapshots have left is merged."""

    platform: PlatformId
    vm: VmId
    vm_name: str
    """As it was seen: a VM of another name is left alone."""
    priority: int = 0


class CancelTask(Command[None], frozen=True, kw_only=True):
    """Ask a task to stop; it ends as stopped once it has cleaned up. One that has ended is left alone."""

    task: TaskId


class RetryTask(Command[TaskId], frozen=True, kw_only=True):
    """Queue once more what an ended task was asked for; return the new task."""

    task: TaskId


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
    platform_name: str = ""
    standby_name: str = ""
    """What the operator calls them now; empty for what is not registered any more."""
    read_bytes_per_s: float | None = None
    """Over the last ten seconds while data moves, else the mean of the run."""


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
    ids: tuple[TaskId, ...] | None = None
    """Only those of these that fit; for lists that are shown already."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskProgress:
    """How far a running task is, and how fast."""

    task: TaskId
    vm: VmId
    rule: RuleId | None
    """Of backups only: the rule whose rows show them."""
    progress: ProgressSample
    read_bytes_per_s: float | None
    """What it read from its source in the last ten seconds; None when it has just begun."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksProgress:
    """How far everything is that runs now."""

    tasks: tuple[TaskProgress, ...]
    read_bytes_per_s: float
    """Of all tasks together, in the last ten seconds."""


class SampleProgress(Query[TasksProgress], frozen=True, kw_only=True):
    """Return how far and how fast every running task is; cheap enough for four times a second."""
