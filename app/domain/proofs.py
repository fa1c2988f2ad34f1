"""Proofs of restore (恢复验证): what shows that a restore point can be used, and how often that is tried."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from enum import Enum
from typing import Final

from app.domain.ids import PlatformId, RuleId, TaskId, VmId
from app.domain.messages import Message
from app.domain.moments import believed


class ProofKind(Enum):
    """What a proof shows of a restore point."""

    BOOTS = "boots"  # 可启动: its VM was started from it, and the guest system came up
    STRUCTURE = "structure"  # 已验证: its partition tables and file systems were read and are in order


class ProofOutcome(Enum):
    """How a proof ended."""

    PROVEN = "proven"
    NOT_PROVEN = "not_proven"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreProof:
    """The newest proof of a restore point, whichever way it ended."""

    kind: ProofKind
    """What was tried."""
    outcome: ProofOutcome
    at: datetime
    """When it ended."""
    reason: Message
    """Why it counts as proven, or why it does not."""
    task: TaskId | None = None
    """The task that did it; its log says more."""
    seconds: float = 0.0
    """How long it took until that was known."""
    has_picture: bool = False
    """Whether there is a picture of the VM's console."""

    @property
    def is_proven(self) -> bool:
        """Whether it shows that the point can be used."""
        return self.outcome is ProofOutcome.PROVEN


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenVm:
    """When a restore point of a VM in a rule was last proven; it outlives that point."""

    kind: ProofKind
    at: datetime


class ProofWhen(Enum):
    """When a rule's restore points are proven automatically."""

    OFF = "off"
    AFTER_BACKUP = "after_backup"
    EVERY_DAYS = "every_days"


class ProofWhich(Enum):
    """Which restore points of a VM are proven automatically."""

    NEWEST = "newest"
    EACH = "each"


class ProofProblem(Enum):
    """What is wrong with the settings of proofs, for the message next to the field."""

    DAYS_OUT_OF_RANGE = "proof_days_out_of_range"
    TIME_ZONED = "proof_time_zoned"
    LIMIT_OUT_OF_RANGE = "proof_limit_out_of_range"
    CPUS_OUT_OF_RANGE = "proof_cpus_out_of_range"
    MEMORY_OUT_OF_RANGE = "proof_memory_out_of_range"
    AT_ONCE_OUT_OF_RANGE = "proof_at_once_out_of_range"
    BUDGET_OUT_OF_RANGE = "proof_budget_out_of_range"
    WARNING_OUT_OF_RANGE = "proof_warning_out_of_range"


DAYS_MAX: Final = 90
LIMIT_MIN_MAX: Final = 240
CPUS_MAX: Final = 64
MEMORY_MIB_MIN: Final = 128
MEMORY_MIB_MAX: Final = 1 << 20
AT_ONCE_MAX: Final = 16
MINUTES_MAX: Final = 24 * 60
WARN_DAYS_MAX: Final = 365


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofPolicy:
    """恢复验证: when and how the restore points of a rule are proven."""

    when: ProofWhen = ProofWhen.OFF
    every_days: int = 7
    """Only for ``EVERY_DAYS``."""
    at: time = time(3, 0)
    """Naive local time of day from which on proofs of ``EVERY_DAYS`` begin."""
    which: ProofWhich = ProofWhich.NEWEST
    limit_min: int = 15
    """Minutes within which a guest system has to come up."""
    cpus: int = 2
    """At most so many virtual CPUs for a VM that is started; it never gets more than it had."""
    memory_mib: int = 4096
    """At most so much memory; likewise."""
    platform: PlatformId | None = None
    """Where VMs are started; None: on the platform that the rule backs up."""
    host: str = ""
    """Id or name of the host; empty: the platform's choice."""
    at_once: int = 1
    """How many proofs of the rule run at the same time."""
    minutes_per_day: int = 120
    """How long automatic proofs of the rule may take on one local day, all together."""
    warn_after_days: int = 0
    """A VM of which no point was proven for so many days is a warning; 0: never."""

    def problems(self) -> tuple[ProofProblem, ...]:
        """Return what is wrong with it; empty when nothing is."""
        ranges = (
            (1 <= self.every_days <= DAYS_MAX, ProofProblem.DAYS_OUT_OF_RANGE),
            (self.at.tzinfo is None, ProofProblem.TIME_ZONED),
            (1 <= self.limit_min <= LIMIT_MIN_MAX, ProofProblem.LIMIT_OUT_OF_RANGE),
            (1 <= self.cpus <= CPUS_MAX, ProofProblem.CPUS_OUT_OF_RANGE),
            (is_memory(self.memory_mib), ProofProblem.MEMORY_OUT_OF_RANGE),
            (1 <= self.at_once <= AT_ONCE_MAX, ProofProblem.AT_ONCE_OUT_OF_RANGE),
            (self.limit_min <= self.minutes_per_day <= MINUTES_MAX, ProofProblem.BUDGET_OUT_OF_RANGE),
            (0 <= self.warn_after_days <= WARN_DAYS_MAX, ProofProblem.WARNING_OUT_OF_RANGE),
        )
        return tuple(problem for is_right, problem in ranges if not is_right)


def is_memory(mib: int) -> bool:
    """Return whether a VM can have so much memory."""
    return MEMORY_MIB_MIN <= mib <= MEMORY_MIB_MAX and mib % 4 == 0


def newest_planned(policy: ProofPolicy, last: datetime | None, now: datetime, zone: tzinfo) -> datetime | None:
    """Return the moment from which on a VM's proof by the calendar is due now; None while it is not.

    Args:
        policy: of the rule, which proves every so many days.
        last: when a point of the VM was last proven or that was tried; None: never.
        now: the present.
        zone: the operator's time zone.
    """
    local_now = now.astimezone(zone)
    begin = local_now.replace(
        hour=policy.at.hour, minute=policy.at.minute, second=policy.at.second, microsecond=0, fold=0
    )
    if begin > local_now:
        begin -= timedelta(days=1)
    known = believed(last, now)
    if known is None:
        return begin
    days = (begin.date() - _night_of(known, policy.at, zone)).days
    return begin if days >= policy.every_days else None


def _night_of(moment: datetime, at: time, zone: tzinfo) -> date:
    """Return the day on which the night began that a moment belongs to: nights begin at a time of day."""
    local = moment.astimezone(zone)
    return local.date() if local.time().replace(tzinfo=None) >= at else local.date() - timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnprovenVm:
    """A VM of which no restore point was proven for longer than its rule says."""

    rule: RuleId
    vm: VmId
    name: str
    last_proven: datetime | None
    """None: never, as far as is known."""
    expected_by: datetime


def unproven_since(
    policy: ProofPolicy, last_proven: datetime | None, entered_at: datetime, now: datetime
) -> datetime | None:
    """Return by when a proof was expected of a VM; None while it is not late.

    Args:
        policy: of the VM's rule.
        last_proven: when a point of it was last proven.
        entered_at: since when the rule is there; a VM that was never proven has time from then on.
        now: the present.
    """
    if not policy.warn_after_days:
        return None
    covered = believed(last_proven, now) or believed(entered_at, now) or now
    expected_by = covered + timedelta(days=policy.warn_after_days)
    return expected_by if expected_by <= now else None
