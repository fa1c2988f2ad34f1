"""When a backup that failed is retried automatically."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from app.domain.ids import RuleId, TaskId, VmId
from app.domain.moments import is_in_future
from app.domain.policies import LONGEST_RETRY_PAUSE_MIN, RetryPlan
from app.domain.states import BackupKind


class NoRetry(Enum):
    """Why a failed backup is not retried automatically."""

    SWITCHED_OFF = "switched_off"
    USELESS = "useless"  # the same would come of it until the operator changes something
    USED_UP = "used_up"
    STOPPED = "stopped"  # the VM was stopped in its rule, or taken out of it
    PLANNED_RUN_FIRST = "planned_run_first"


@dataclass(frozen=True, slots=True, kw_only=True)
class NextTry:
    """The try that follows a failed one."""

    number: int
    """1 for the first after the run itself."""
    of: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRetry:
    """A backup of a rule that failed and is tried again at a moment."""

    rule: RuleId
    vm: VmId
    kind: BackupKind
    next: NextTry
    failed_task: TaskId
    """The task whose failure it makes up for."""

    def is_due(self, now: datetime) -> bool:
        """Return whether its moment has come; one that is later than a pause can be comes from a wrong clock."""
        longest = timedelta(minutes=LONGEST_RETRY_PAUSE_MIN)
        return self.next.at <= now or is_in_future(self.next.at, now, longest)


def next_try(
    plan: RetryPlan,
    *,
    done: int,
    is_retryable: bool,
    is_started: bool,
    now: datetime,
    planned_run: datetime | None,
) -> NextTry | NoRetry:
    """Decide whether and when a backup that failed just now is tried again.

    Args:
        plan: what the rule says.
        done: how many automatic retries came before this failure.
        is_retryable: whether the error may pass on its own.
        is_started: whether the VM is in the rule and started there.
        now: the present.
        planned_run: the next run by plan; None when there is none.
    """
    if not is_started:
        return NoRetry.STOPPED
    if not plan.times:
        return NoRetry.SWITCHED_OFF
    if not is_retryable:
        return NoRetry.USELESS
    if done >= plan.times:
        return NoRetry.USED_UP
    at = now + timedelta(minutes=plan.pause_min)
    if planned_run is not None and planned_run <= at:
        return NoRetry.PLANNED_RUN_FIRST
    return NextTry(number=done + 1, of=plan.times, at=at)
