"""When a failed backup is tried again: a table of situations."""

from datetime import UTC, datetime, timedelta

import pytest

from app.domain.ids import RuleId, TaskId, VmId
from app.domain.policies import PlanProblem, RetryPlan
from app.domain.retry import NextTry, NoRetry, PendingRetry, next_try
from app.domain.states import BackupKind

NOW = datetime(2026, 3, 2, 10, 10, tzinfo=UTC)
TEN = timedelta(minutes=10)


@pytest.mark.parametrize(
    ("times", "done", "retryable", "started", "planned", "expected"),
    [
        (3, 0, True, True, None, NextTry(number=1, of=3, at=NOW + TEN)),
        (3, 2, True, True, None, NextTry(number=3, of=3, at=NOW + TEN)),
        (3, 3, True, True, None, NoRetry.USED_UP),
        (3, 9, True, True, None, NoRetry.USED_UP),
        (0, 0, True, True, None, NoRetry.SWITCHED_OFF),
        (3, 0, False, True, None, NoRetry.USELESS),
        (3, 0, True, False, None, NoRetry.STOPPED),
        (3, 0, True, True, NOW + TEN, NoRetry.PLANNED_RUN_FIRST),
        (3, 0, True, True, NOW + TEN + timedelta(minutes=1), NextTry(number=1, of=3, at=NOW + TEN)),
    ],
)
def test_what_follows_a_failure(
    times: int, done: int, retryable: bool, started: bool, planned: datetime | None, expected: NextTry | NoRetry
) -> None:
    found = next_try(
        RetryPlan(times=times),
        done=done,
        is_retryable=retryable,
        is_started=started,
        now=NOW,
        planned_run=planned,
    )
    assert found == expected


@pytest.mark.parametrize(
    ("at", "due"),
    [
        (NOW - TEN, True),
        (NOW, True),
        (NOW + TEN, False),
        (NOW + timedelta(hours=24), False),
        (NOW + timedelta(days=3650), True),  # the clock was wrong when it was noted
    ],
)
def test_a_try_is_due_at_its_moment_and_never_later_than_a_pause_can_be(at: datetime, due: bool) -> None:
    retry = PendingRetry(
        rule=RuleId("r"),
        vm=VmId("vm-1"),
        kind=BackupKind.FULL,
        next=NextTry(number=1, of=3, at=at),
        failed_task=TaskId("t"),
    )
    assert retry.is_due(NOW) is due


@pytest.mark.parametrize(
    ("plan", "fits"),
    [
        (RetryPlan(), True),
        (RetryPlan(times=0), True),
        (RetryPlan(times=10, pause_min=1440), True),
        (RetryPlan(times=11), False),
        (RetryPlan(times=-1), False),
        (RetryPlan(pause_min=0), False),
        (RetryPlan(pause_min=1441), False),
    ],
)
def test_numbers_out_of_range_are_refused(plan: RetryPlan, fits: bool) -> None:
    assert plan.problems() == (() if fits else (PlanProblem.RETRY_OUT_OF_RANGE,))
