"""Facts: past tense, frozen, with an aware UTC time. Never one per chunk.

Those of this module stay inside the engine. What leaves it is an :class:`Announcement`: ``changes.py`` and
``engine_events.py``.
"""

from dataclasses import dataclass
from datetime import datetime

from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.states import TaskState


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all events."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement(Event):
    """Base of the events that leave the engine, for windows and other callers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStateChanged(Event):
    """A task moved to another state."""

    task: TaskId
    vm: VmId
    state: TaskState


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
class PlatformRemoved(Event):
    """A virtual platform was taken off the list."""

    platform: PlatformId


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyRemoved(Event):
    """A standby machine was taken off the list; its data stays where it is."""

    standby: StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyUsabilityChanged(Event):
    """A standby machine went out of reach or cannot be written any more, or came back."""

    standby: StandbyId
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRemoved(Event):
    """A rule was deleted."""

    rule: RuleId
