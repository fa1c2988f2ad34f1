"""Who is overdue: a VM whose newest point is older than its policy wants, once a run had time to finish."""

from datetime import UTC, datetime, time, timedelta

from hypothesis import given
from hypothesis import strategies as st

from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import BackupPolicy, OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit, Weekday
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import BackupKind
from app.engine.history.overdue import last_run, overdue_vms, point_wanted
from app.engine.history.overview import newest_points, next_runs

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)  # a Wednesday
A, B, C = VmId("vm-a"), VmId("vm-b"), VmId("vm-c")


def plan(unit: PolicyUnit, *times: time, weekdays: frozenset[Weekday] = frozenset()) -> Plan:
    return Plan(unit=unit, kind=BackupKind.INCREMENTAL, times=times, weekdays=weekdays)


NIGHTLY = PeriodicPolicy(plans=(plan(PolicyUnit.DAILY, time(2)),))
HOURLY = PeriodicPolicy(plans=(plan(PolicyUnit.DAILY, *(time(hour) for hour in range(24))),))


def rule(policy: BackupPolicy = NIGHTLY, *, stopped: VmId | None = None) -> BackupRule:
    return BackupRule(
        id=RuleId("r1"),
        name="nightly",
        platform=PlatformId("p1"),
        standby=StandbyId("s1"),
        target_path="x",
        vms=tuple(ProtectedVm(vm=vm, name=str(vm), is_started=vm != stopped) for vm in (A, B, C)),
        policy=policy,
    )


def wanted(policy: BackupPolicy, covered_until: datetime, now: datetime = NOON) -> datetime | None:
    return point_wanted(policy, covered_until, now, UTC)


def test_a_point_of_last_night_is_enough() -> None:
    assert wanted(NIGHTLY, NOON.replace(hour=2, minute=1)) is None


def test_a_missed_night_is_told_once_the_run_had_time_to_finish() -> None:
    yesterday = NOON.replace(day=3, hour=2, minute=1)
    assert wanted(NIGHTLY, yesterday, NOON.replace(hour=7, minute=59)) is None
    assert wanted(NIGHTLY, yesterday, NOON.replace(hour=8)) == NOON.replace(hour=8)


def test_a_run_that_follows_soon_ends_the_time_to_finish() -> None:
    assert wanted(HOURLY, NOON - timedelta(minutes=59), NOON) is None
    assert wanted(HOURLY, NOON - timedelta(minutes=61), NOON) == NOON


def test_a_one_time_rule_is_overdue_when_its_only_run_made_no_point() -> None:
    once = OneTimePolicy(start=NOON - timedelta(hours=7))
    assert wanted(once, NOON - timedelta(hours=8)) == NOON - timedelta(hours=1)
    assert wanted(once, NOON - timedelta(hours=6)) is None


def test_only_started_vms_that_are_not_at_work_are_overdue() -> None:
    old, fresh = NOON - timedelta(days=3), NOON.replace(hour=3)
    long_ago = NOON - timedelta(days=30)

    def names(**more: object) -> list[str]:
        found = overdue_vms(rule(), {A: old, B: fresh}, long_ago, NOON, UTC, **more)  # type: ignore[arg-type]
        return [late.name for late in found]

    assert names() == ["vm-a", "vm-c"], "the third has no point at all"
    assert names(busy=[A]) == ["vm-c"]
    assert [late.name for late in overdue_vms(rule(stopped=C), {A: old, B: fresh}, long_ago, NOON, UTC)] == [
        "vm-a"
    ]


def test_a_vm_without_points_counts_from_its_rule_on() -> None:
    assert overdue_vms(rule(), {}, NOON.replace(hour=9), NOON, UTC) == []
    (first, *_) = overdue_vms(rule(), {}, NOON - timedelta(days=2), NOON, UTC)
    assert first.newest_point is None
    assert first.expected_by == NOON.replace(day=3, hour=8)


def test_a_vm_whose_newest_point_is_in_the_future_is_overdue() -> None:
    ahead = NOON.replace(year=2035)
    newest, long_ago = {A: ahead, B: NOON.replace(hour=3)}, NOON - timedelta(days=30)
    (found,) = overdue_vms(rule(stopped=C), newest, long_ago, NOON, UTC)
    assert (found.vm, found.newest_point) == (A, None)
    assert wanted(NIGHTLY, ahead) == NOON.replace(hour=8)
    assert wanted(OneTimePolicy(start=NOON + timedelta(days=1)), ahead) is None


def test_a_rule_that_was_made_in_the_future_does_not_hide_its_vms() -> None:
    assert len(overdue_vms(rule(), {}, NOON.replace(year=2035), NOON, UTC)) == 3


def test_the_last_run_is_found_across_every_gap_between_plans() -> None:
    quarterly = PeriodicPolicy(plans=(plan(PolicyUnit.QUARTERLY, time(2)),))
    assert last_run(NIGHTLY, NOON, UTC) == NOON.replace(hour=2)
    assert last_run(quarterly, NOON.replace(month=3, day=31), UTC) == datetime(2026, 1, 1, 2, tzinfo=UTC)
    assert last_run(OneTimePolicy(start=NOON + timedelta(days=1)), NOON, UTC) is None


@given(
    times=st.lists(st.integers(0, 23), min_size=1, max_size=4, unique=True),
    days=st.frozensets(st.sampled_from(Weekday), min_size=1),
    ages_h=st.lists(st.integers(0, 24 * 20), min_size=3, max_size=3),
    now_h=st.integers(0, 24 * 7),
)
def test_the_quick_way_over_a_rule_says_the_same_as_asking_for_each_vm(
    times: list[int], days: frozenset[Weekday], ages_h: list[int], now_h: int
) -> None:
    now = NOON + timedelta(hours=now_h)
    weekly = plan(PolicyUnit.WEEKLY, *(time(hour) for hour in sorted(times)), weekdays=days)
    policy = PeriodicPolicy(plans=(weekly,))
    newest = {vm: now - timedelta(hours=age) for vm, age in zip((A, B, C), ages_h, strict=True)}
    found = {late.vm: late.expected_by for late in overdue_vms(rule(policy), newest, NOON, now, UTC)}
    one_by_one = {vm: by for vm, at in newest.items() if (by := point_wanted(policy, at, now, UTC)) is not None}
    assert found == one_by_one


def test_points_of_a_vm_whose_place_was_taken_count_for_the_one_that_took_it() -> None:
    older, newer = NOON - timedelta(days=2), NOON - timedelta(days=1)
    assert newest_points({A: newer, B: older, C: older}, {A: B, B: C}) == {C: newer}
    assert newest_points({A: older, B: newer}, {A: B, B: A}).keys() <= {A, B}, "a circle ends"


def test_next_runs_are_those_of_rules_with_started_vms_soonest_first() -> None:
    late, soon = rule(), rule(HOURLY)
    assert next_runs([late, soon], NOON, UTC) == [
        (NOON + timedelta(hours=1), "nightly"),
        (NOON.replace(day=5, hour=2), "nightly"),
    ]
    idle = BackupRule(
        id=RuleId("r2"),
        name="idle",
        platform=PlatformId("p1"),
        standby=StandbyId("s1"),
        target_path="x",
        vms=(ProtectedVm(vm=A, name="a", is_started=False),),
        policy=NIGHTLY,
    )
    assert next_runs([idle], NOON, UTC) == []
