"""What a pass reads, when a rest is small, and what is shown: pure functions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.errors import KeptError
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.migration import (
    Migration,
    MigrationAction,
    MigrationCheck,
    MigrationDisk,
    MigrationOptions,
    MigrationPhase,
    MigrationProgress,
    MigrationState,
    MigrationWork,
)
from app.domain.states import TaskState
from app.domain.vms import VirtualDisk, VmPlacement
from app.engine.migration.measure import PassFigures, Verdict, judged, measured
from app.engine.migration.passplan import plan_pass
from app.engine.migration.view import Work, actions_of, state_of

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
MIB = 1 << 20
DISK = MigrationDisk(
    key=2000,
    label="Hard disk 1",
    uuid="d1",
    capacity_bytes=100 * MIB,
    target_key=2000,
    target_path="[ds1] web/web.vmdk",
    is_blank=False,
    change_id="generation/7",
)
FROZEN = VirtualDisk(
    key=2000,
    label="Hard disk 1",
    uuid="d1",
    capacity_bytes=100 * MIB,
    path="[ds1] a/a.vmdk",
    thin=True,
    change_id="generation/9",
)


# --- what a pass reads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("disk", "frozen", "since", "is_compared", "reason"),
    [
        (DISK, FROZEN, "generation/7", False, None),
        (replace(DISK, is_blank=True, change_id=None), FROZEN, None, False, None),
        (replace(DISK, change_id=None), FROZEN, None, True, None),
        (DISK, replace(FROZEN, change_id=None), None, True, "migration.whole_not_tracked"),
        (DISK, replace(FROZEN, change_id="other/9"), None, True, "migration.whole_reset"),
        (DISK, replace(FROZEN, uuid="d2"), None, True, "migration.whole_reset"),
        (DISK, replace(FROZEN, change_id="generation/7"), None, True, "migration.whole_went_back"),
        (DISK, replace(FROZEN, change_id="generation/3"), None, True, "migration.whole_went_back"),
        (DISK, replace(FROZEN, change_id="nonsense"), None, True, "migration.whole_lost"),
    ],
)
def test_changes_are_read_only_where_they_are_certainly_the_difference(
    disk: MigrationDisk, frozen: VirtualDisk, since: str | None, is_compared: bool, reason: str | None
) -> None:
    (planned,) = plan_pass((disk,), (frozen,), is_tracking_wanted=True)
    assert (planned.since, planned.is_compared) == (since, is_compared)
    assert (None if planned.reason is None else planned.reason.kind.code) == reason


def test_without_change_tracking_everything_is_compared() -> None:
    (planned,) = plan_pass((DISK,), (FROZEN,), is_tracking_wanted=False)
    assert planned.is_compared


# --- when a rest is small ------------------------------------------------------------------------------------


def passed(
    before: MigrationProgress, read_bytes: int, *, after_s: float, seconds: float = 1.0
) -> MigrationProgress:
    is_first = before.frozen_at is None
    return measured(
        before,
        PassFigures(
            frozen_at=(before.frozen_at or NOON) + timedelta(seconds=after_s),
            read_bytes=read_bytes,
            seconds=seconds,
            held_bytes=read_bytes if is_first else None,
            is_tracked=not is_first,
            can_be_tracked=True,
        ),
    )


def test_rates_and_the_length_of_the_cut_over_follow_from_two_passes() -> None:
    first = passed(MigrationProgress(), 1000 * MIB, after_s=0, seconds=10)
    assert first.rest_bytes(NOON) is None, "how fast it changes is not known yet"
    second = passed(first, 50 * MIB, after_s=100, seconds=1)
    assert second.change_bytes_per_s == MIB / 2
    later = NOON + timedelta(seconds=100 + 20)
    assert second.rest_bytes(later) == 10 * MIB
    assert second.cut_over_s(later, MigrationCheck.SAMPLE) == pytest.approx(20 / 50)
    assert second.cut_over_s(later, MigrationCheck.FULL) == pytest.approx((10 + 1000) / 50)


def test_a_first_pass_is_never_enough_where_changes_are_tracked() -> None:
    progress = passed(MigrationProgress(), MIB, after_s=0)
    assert judged(progress, [MIB], MigrationOptions(), 20) is Verdict.AGAIN
    assert judged(passed(progress, MIB, after_s=1), [MIB, MIB], MigrationOptions(), 20) is Verdict.SMALL


def test_a_large_rest_that_is_copied_fast_is_small() -> None:
    progress = passed(passed(MigrationProgress(), 10_000 * MIB, after_s=0), 1000 * MIB, after_s=10, seconds=5)
    options = MigrationOptions(ready_below_bytes=0, ready_within_s=30)
    assert judged(progress, [10_000 * MIB, 1000 * MIB], options, 20) is Verdict.SMALL
    assert judged(progress, [1, 1], replace(options, ready_within_s=1), 20) is Verdict.AGAIN


@pytest.mark.parametrize(
    ("sizes", "verdict"),
    [
        ([1000, 500, 250, 125], Verdict.AGAIN),
        ([1000, 500, 480, 490, 470], Verdict.USELESS),
        ([1000, 500, 480, 200, 190], Verdict.AGAIN),
        ([1000, 900, 800], Verdict.AGAIN),
        ([100] * 20, Verdict.USELESS),
    ],
)
def test_passes_end_when_they_become_no_smaller(sizes: list[int], verdict: Verdict) -> None:
    options = MigrationOptions(ready_below_bytes=0, ready_within_s=0)
    progress = passed(passed(MigrationProgress(), MIB, after_s=0), sizes[-1], after_s=10)
    assert judged(progress, sizes, options, 20) is verdict


def test_what_is_not_tracked_becomes_no_smaller() -> None:
    progress = replace(passed(MigrationProgress(), MIB, after_s=0), is_tracked=False)
    assert judged(progress, [MIB], MigrationOptions(), 20) is Verdict.USELESS


# --- what is shown -------------------------------------------------------------------------------------------

MIGRATION = Migration(
    id=MigrationId("a" * 32),
    created_at=NOON,
    platform=PlatformId("p1"),
    vm=VmId("vm-1"),
    vm_name="web",
    target=PlatformId("p2"),
    placement=VmPlacement(name="web"),
)
FAILURE = KeptError(code="x", params=())


def at_work(work: MigrationWork, state: TaskState = TaskState.RUNNING, *, is_waiting: bool = False) -> Work:
    return Work(TaskId("t"), work, is_waiting, state, None)


@pytest.mark.parametrize(
    ("phase", "error", "work", "state"),
    [
        (MigrationPhase.NEW, None, at_work(MigrationWork.COPY, is_waiting=True), MigrationState.PREPARING),
        (
            MigrationPhase.CREATING,
            None,
            at_work(MigrationWork.COPY, TaskState.CREATING_VM),
            MigrationState.PREPARING,
        ),
        (MigrationPhase.COPYING, None, at_work(MigrationWork.COPY), MigrationState.MIGRATING),
        (MigrationPhase.READY, None, at_work(MigrationWork.FOLLOW), MigrationState.READY),
        (MigrationPhase.READY, None, at_work(MigrationWork.CUT_OVER, is_waiting=True), MigrationState.READY),
        (MigrationPhase.READY, None, at_work(MigrationWork.CUT_OVER), MigrationState.CUTTING_OVER),
        (MigrationPhase.TAKING_PLACE, None, at_work(MigrationWork.COPY), MigrationState.CUTTING_OVER),
        (MigrationPhase.READY, None, None, MigrationState.READY),
        (MigrationPhase.COPYING, None, None, MigrationState.STOPPED),
        (MigrationPhase.COPYING, FAILURE, None, MigrationState.FAILED),
        (MigrationPhase.CUTTING_OVER, FAILURE, None, MigrationState.UNKNOWN),
        (MigrationPhase.DONE, None, None, MigrationState.COMPLETED),
    ],
)
def test_the_documented_states_are_shown(
    phase: MigrationPhase, error: KeptError | None, work: Work | None, state: MigrationState
) -> None:
    assert state_of(replace(MIGRATION, phase=phase, error=error), work) is state


def test_what_works_can_be_stopped_and_what_stands_can_go_on_or_be_discarded() -> None:
    stopped = replace(MIGRATION, phase=MigrationPhase.COPYING)
    assert actions_of(stopped, at_work(MigrationWork.COPY)) == (MigrationAction.STOP,)
    assert actions_of(stopped, at_work(MigrationWork.DISCARD)) == ()
    assert actions_of(stopped, None) == (MigrationAction.RESUME, MigrationAction.DISCARD)
    assert actions_of(replace(stopped, phase=MigrationPhase.DONE), None) == (MigrationAction.DISCARD,)
