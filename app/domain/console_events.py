"""Facts about what is registered, what is known of restore points, and what the operator has seen."""

from dataclasses import dataclass

from app.domain.events import Event
from app.domain.history import LogSubject
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, VmId
from app.domain.messages import LogLevel, Message
from app.domain.tasks import VerificationState


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRegistered(Event):
    """A virtual platform was added."""

    platform: PlatformId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformRemoved(Event):
    """A virtual platform was taken off the list."""

    platform: PlatformId


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyRegistered(Event):
    """A standby machine was added."""

    standby: StandbyId
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyRemoved(Event):
    """A standby machine was taken off the list; its data stays where it is."""

    standby: StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsRefreshed(Event):
    """The list of a standby's restore points was read again."""

    standby: StandbyId


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePointDeleted(Event):
    """A restore point is in the trash of its repository."""

    standby: StandbyId
    point: PointId


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePointVerified(Event):
    """A restore point was read back and every chunk was checked."""

    standby: StandbyId
    point: PointId
    verification: VerificationState


@dataclass(frozen=True, slots=True, kw_only=True)
class LineLogged(Event):
    """A line that belongs to no task was written to the log."""

    subject: LogSubject
    level: LogLevel
    message: Message


@dataclass(frozen=True, slots=True, kw_only=True)
class LogCleared(Event):
    """The operator deleted lines of the log."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsViewed(Event):
    """The operator looked at the failed tasks of a rule, of a VM in it, or (with neither) at all of them."""

    rule: RuleId | None
    vm: VmId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandbyUsabilityChanged(Event):
    """A standby machine went out of reach or cannot be written any more, or came back."""

    standby: StandbyId
    usable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChanged(Event):
    """A rule was created, or its policy, its VMs or what is started of it changed."""

    rule: RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRemoved(Event):
    """A rule was deleted."""

    rule: RuleId


@dataclass(frozen=True, slots=True, kw_only=True)
class VmSucceeded(Event):
    """A restored VM took the place of its original on the platform, under another id."""

    platform: PlatformId
    old: VmId
    new: VmId
    rule: RuleId | None
    """The rule that goes on with the new one; None when the VM was in none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChanged(Event):
    """Other limits of tasks hold from now on."""

    max_tasks: int
    transfer_buffer_mib: int
