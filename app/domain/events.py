"""Facts the engine publishes: past tense, frozen, with an aware UTC time. Never one per chunk."""

from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PlatformId, PointId, SnapshotId, TaskId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.states import TaskKind, TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskQueued(Event):
    """A task was accepted and waits for its slot."""

    task: TaskId
    kind: TaskKind
    vm: VmId
    vm_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStateChanged(Event):
    """A task moved to another state."""

    task: TaskId
    vm: VmId
    state: TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLogged(Event):
    """A task wrote a line to its log."""

    task: TaskId
    level: LogLevel
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFailed(Event):
    """A task ended with an error; ``code`` is stable, the texts are English."""

    task: TaskId
    vm: VmId
    code: str
    message: str
    hint: str
    is_tried_again: bool = False
    """Whether its rule retries it automatically: then this is no reason to alarm anyone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotCreated(Event):
    """A snapshot of ours is on a production VM."""

    task: TaskId
    platform: PlatformId
    vm: VmId
    snapshot: SnapshotId


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRemoved(Event):
    """A snapshot of ours is gone from a production VM."""

    task: TaskId
    platform: PlatformId
    vm: VmId
    snapshot: SnapshotId


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePointCommitted(Event):
    """A restore point is complete and durable."""

    task: TaskId
    point: PointId
