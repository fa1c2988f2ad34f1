"""What the engine remembers of tasks, and what gives them threads."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol

from app.core.access import Attachment
from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, RuleId, TaskId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import LogLine, RestoreTrace, TaskRecord, TransferTotals


class TaskStore(Protocol):
    """Remembers tasks with their logs. Thread: any."""

    def add(self, record: TaskRecord) -> None:
        """Remember a task that was just asked for."""
        ...

    def enter(self, task: TaskId, state: TaskState, at: datetime) -> None:
        """Note that a task moved to another state."""
        ...

    def set_error(self, task: TaskId, error: KeptError) -> None:
        """Note why a task fails."""
        ...

    def set_totals(self, task: TaskId, totals: TransferTotals) -> None:
        """Note what a task has moved."""
        ...

    def set_point(self, task: TaskId, point: PointId) -> None:
        """Note which restore point a task made."""
        ...

    def set_vm(self, task: TaskId, vm: VmId) -> None:
        """Note that the VM of a task has another id."""
        ...

    def set_priority(self, task: TaskId, priority: int) -> None:
        """Note that a waiting task goes before others."""
        ...

    def newest_of_rules(
        self, only: Collection[RuleId] | None = None, *, ended: bool = False, until: datetime | None = None
    ) -> tuple[TaskRecord, ...]:
        """Return the newest backup of each VM in each rule, or in some, without stages; ``ended``: that ended.

        What was asked for after ``until`` counts only for VMs that have nothing else.
        """
        ...

    def get(self, task: TaskId) -> TaskRecord | None:
        """Return one, or None, also where it cannot be read."""
        ...

    def is_known(self, task: TaskId) -> bool:
        """Tell whether there is such a task, also one that cannot be read."""
        ...

    def find(
        self,
        *,
        states: Collection[TaskState] | None = None,
        kinds: Collection[TaskKind] | None = None,
        vm: VmId | None = None,
        platform: PlatformId | None = None,
        ids: Collection[TaskId] | None = None,
        limit: int | None = None,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return the tasks that fit every condition given, newest first."""
        ...

    def many(self, ids: Collection[TaskId]) -> tuple[TaskRecord, ...]:
        """Return those of up to some hundred tasks that are known, newest first."""
        ...

    def ended(
        self,
        *,
        rule: RuleId | None = None,
        vm: VmId | None = None,
        only_failed: bool = False,
        limit: int,
        offset: int = 0,
    ) -> tuple[TaskRecord, ...]:
        """Return ended tasks without their stages, failed ones first, then newest first."""
        ...

    def named(self, words: Collection[str], limit: int) -> tuple[TaskRecord, ...]:
        """Return the newest tasks of VMs in whose name, or whose rule's name, every word occurs."""
        ...

    def log(self, task: TaskId, at: datetime, level: LogLevel, message: Message) -> None:
        """Append a line to a task's log."""
        ...

    def read_log(
        self, task: TaskId, *, at_least: LogLevel = LogLevel.NORMAL, after: int = 0, limit: int = 1000
    ) -> tuple[LogLine, ...]:
        """Return up to ``limit`` lines behind the line ``after``, oldest first."""
        ...


class SnapshotJournal(Protocol):
    """Remembers on this machine which snapshots may exist on which VM, written before they are created."""

    def opened(self, task: TaskId, platform: PlatformId, vm: VmId) -> None:
        """Note that a snapshot for this task is about to be created."""
        ...

    def closed(self, task: TaskId) -> None:
        """Note that it is gone for sure."""
        ...

    def open_entries(self) -> Sequence[tuple[TaskId, PlatformId, VmId]]:
        """Return what may still be on a production host."""
        ...


class AttachmentJournal(Protocol):
    """Remembers on this machine which disks may be attached to the VM that it is. Thread: any."""

    def opened(self, task: TaskId, platform: PlatformId, attachment: Attachment) -> None:
        """Note, durably, that a disk is about to be attached for this task."""
        ...

    def closed(self, task: TaskId, attachment: Attachment) -> None:
        """Note that it is detached for sure."""
        ...

    def open_entries(self) -> Sequence[tuple[TaskId, PlatformId, Attachment]]:
        """Return what may still be attached, oldest first."""
        ...


class RestoreJournal(Protocol):
    """Remembers on this machine which VMs a restore may have created. Thread: any."""

    def note(self, trace: RestoreTrace) -> None:
        """Write down, durably, how far a restore has come."""
        ...

    def closed(self, task: TaskId) -> None:
        """Note that the restore left nothing to clean up."""
        ...

    def open_traces(self) -> Sequence[RestoreTrace]:
        """Return what restores that did not end may have left."""
        ...


class TaskRunner(Protocol):
    """Gives work a thread of its own. Thread: any."""

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Run ``work`` on a new thread and return at once; ``work`` never raises.

        Args:
            name: what the thread is called in logs and debuggers.
            work: what it does.
        """
        ...

    def join(self, timeout_s: float) -> bool:
        """Wait until everything started has ended; return False when the time was up first."""
        ...
