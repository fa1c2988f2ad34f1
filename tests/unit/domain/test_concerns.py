"""Only when nothing at all stands against it is all well."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.concerns import (
    Concern,
    ConcernKind,
    PlatformCoverage,
    RuleStops,
    StandbyCondition,
    concerns,
)
from app.domain.ids import PlatformId, RuleId

GB = 10**9
PLATFORM = PlatformCoverage(
    platform=PlatformId("p1"), name="vc-1", reachable=True, vm_count=10, protected_count=10
)
STANDBY = StandbyCondition(name="nas", reachable=True, is_locked=False, total_bytes=1000 * GB, free_bytes=500 * GB)
STOPS = RuleStops(rule=RuleId("r1"), name="web", stopped_count=0, vm_count=3)


def found(
    failed: int = 0,
    overdue: int = 0,
    platforms: tuple[PlatformCoverage, ...] = (PLATFORM,),
    stops: tuple[RuleStops, ...] = (STOPS,),
    standbys: tuple[StandbyCondition, ...] = (STANDBY,),
) -> tuple[Concern, ...]:
    return concerns(
        failed_count=failed, overdue_count=overdue, platforms=platforms, stops=stops, standbys=standbys
    )


def test_all_is_well_when_everything_is() -> None:
    assert found() == ()


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        (replace(PLATFORM, vm_count=12), ConcernKind.UNPROTECTED),
        (replace(PLATFORM, protected_count=0), ConcernKind.UNPROTECTED),
        (replace(PLATFORM, reachable=False), ConcernKind.PLATFORM_UNREACHABLE),
        (replace(PLATFORM, vm_count=None), ConcernKind.PLATFORM_NEVER_READ),
        (replace(PLATFORM, vm_count=None, reachable=None), ConcernKind.PLATFORM_NEVER_READ),
        (replace(PLATFORM, vm_count=None, reachable=False), ConcernKind.PLATFORM_UNREACHABLE),
    ],
)
def test_every_platform_counts_not_only_the_first(changed: PlatformCoverage, kind: ConcernKind) -> None:
    second = replace(changed, platform=PlatformId("p2"), name="vc-2")
    (concern,) = found(platforms=(PLATFORM, second))
    assert (concern.kind, concern.name) == (kind, "vc-2")


def test_unprotected_vms_of_one_platform_are_not_hidden_by_another() -> None:
    more = replace(PLATFORM, platform=PlatformId("p2"), name="vc-2", vm_count=1, protected_count=9)
    (concern,) = found(platforms=(replace(PLATFORM, vm_count=12), more))
    assert (concern.kind, concern.count) == (ConcernKind.UNPROTECTED, 2)


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        (replace(STANDBY, reachable=False), ConcernKind.STANDBY_MISSING),
        (replace(STANDBY, is_locked=True), ConcernKind.STANDBY_LOCKED),
        (replace(STANDBY, free_bytes=50 * GB), ConcernKind.STANDBY_FULL),
        (replace(STANDBY, free_bytes=0), ConcernKind.STANDBY_FULL),
        (replace(STANDBY, free_bytes=150 * GB), ConcernKind.STANDBY_NEARLY_FULL),
    ],
)
def test_a_standby_that_cannot_take_backups_is_named(changed: StandbyCondition, kind: ConcernKind) -> None:
    (concern,) = found(standbys=(STANDBY, replace(changed, name="old")))
    assert (concern.kind, concern.name) == (kind, "old")


@pytest.mark.parametrize(("total", "free"), [(None, None), (0, 0), (0, None)])
def test_an_unknown_size_is_not_full(total: int | None, free: int | None) -> None:
    assert found(standbys=(replace(STANDBY, total_bytes=total, free_bytes=free),)) == ()


def test_stopped_vms_are_reported_with_their_rule() -> None:
    (concern,) = found(stops=(replace(STOPS, stopped_count=2),))
    assert concern == Concern(kind=ConcernKind.STOPPED, count=2, name="web", rule=RuleId("r1"), of=3)


@given(
    failed=st.integers(0, 3),
    overdue=st.integers(0, 3),
    stopped=st.integers(0, 3),
    bare=st.integers(0, 3),
    reachable=st.booleans(),
)
def test_nothing_is_forgotten_and_the_worst_stands_first(
    failed: int, overdue: int, stopped: int, bare: int, *, reachable: bool
) -> None:
    told = found(
        failed,
        overdue,
        platforms=(replace(PLATFORM, vm_count=10 + bare),),
        stops=(replace(STOPS, stopped_count=stopped),),
        standbys=(replace(STANDBY, reachable=reachable),),
    )
    kinds = [concern.kind for concern in told]
    assert (ConcernKind.FAILED in kinds) == (failed > 0)
    assert (ConcernKind.OVERDUE in kinds) == (overdue > 0)
    assert (ConcernKind.STOPPED in kinds) == (stopped > 0)
    assert (ConcernKind.UNPROTECTED in kinds) == (bare > 0)
    assert (ConcernKind.STANDBY_MISSING in kinds) == (not reachable)
    assert [kind.is_urgent for kind in kinds] == sorted((kind.is_urgent for kind in kinds), reverse=True)
