"""Traffic: bytes are preserved from seconds to hours, gaps stay gaps, and a restart loses nothing written."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.catalog.traffic import HOUR_S, KEPT_S, MINUTE_S, SECOND_S
from app.core.clock import SystemClock
from app.domain.history import Moved, TrafficSlice
from app.domain.ids import RuleId, VmId

START_S = 1_772_352_000  # a full hour
FAR_S = START_S + 10 * HOUR_S
R1, R2 = RuleId("r1"), RuleId("r2")
A, B = VmId("vm-a"), VmId("vm-b")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


def moved(at_s: int, read: int = 100, written: int = 10, *, rule: RuleId | None = R1, vm: VmId = A) -> Moved:
    return Moved(at_s=at_s, rule=rule, vm=vm, read_bytes=read, written_bytes=written)


def read_all(
    catalog: Catalog, slice_s: int, *, rule: RuleId | None = None, vm: VmId | None = None
) -> tuple[TrafficSlice, ...]:
    return catalog.traffic.read(slice_s, START_S, FAR_S, rule=rule, vm=vm)


def test_a_second_is_seen_at_every_resolution_before_and_after_it_is_rolled_up(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S + 70)])
    for _ in range(2):
        assert read_all(catalog, SECOND_S, rule=R1, vm=A) == (TrafficSlice(START_S + 70, 100, 10),)
        assert read_all(catalog, MINUTE_S, rule=R1) == (TrafficSlice(START_S + 60, 100, 10),)
        assert read_all(catalog, HOUR_S) == (TrafficSlice(START_S, 100, 10),)
        catalog.traffic.roll_up(START_S + 121)


def test_a_minute_that_is_not_over_is_not_rolled_up(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S + 5)])
    catalog.traffic.roll_up(START_S + 59)
    catalog.traffic.add([moved(START_S + 59)])
    catalog.traffic.roll_up(START_S + 60)
    catalog.traffic.roll_up(START_S + 180)
    assert read_all(catalog, MINUTE_S) == (TrafficSlice(START_S, 200, 20),)


def test_a_second_without_bytes_is_no_gap_and_a_second_without_tasks_is_one(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S, 0, 0), moved(START_S + 2)])
    assert read_all(catalog, SECOND_S) == (TrafficSlice(START_S, 0, 0), TrafficSlice(START_S + 2, 100, 10))


def test_a_clock_that_is_set_back_loses_no_byte(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S + 10)])
    catalog.traffic.roll_up(START_S + 100)
    catalog.traffic.add([moved(START_S + 10), moved(START_S + 11)])
    catalog.traffic.roll_up(START_S + 200)
    for slice_s in (SECOND_S, MINUTE_S, HOUR_S):
        assert sum(part.read_bytes for part in read_all(catalog, slice_s)) == 300


def test_each_resolution_is_kept_as_long_as_promised(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S)])
    catalog.traffic.roll_up(START_S + KEPT_S[SECOND_S])
    assert read_all(catalog, SECOND_S)
    catalog.traffic.roll_up(START_S + KEPT_S[SECOND_S] + 1)
    assert not read_all(catalog, SECOND_S)
    catalog.traffic.forget_old(START_S + KEPT_S[MINUTE_S])
    assert read_all(catalog, MINUTE_S)
    catalog.traffic.forget_old(START_S + KEPT_S[MINUTE_S] + 1)
    assert not read_all(catalog, MINUTE_S)
    assert read_all(catalog, HOUR_S)
    catalog.traffic.forget_old(START_S + KEPT_S[HOUR_S] + 1)
    assert not read_all(catalog, HOUR_S)


def test_deleting_a_rule_takes_its_traffic_and_leaves_the_whole(catalog: Catalog) -> None:
    catalog.traffic.add([moved(START_S), moved(START_S, rule=R2, vm=B)])
    catalog.traffic.roll_up(START_S + 100)
    catalog.traffic.add([moved(START_S + 101), moved(START_S + 101, rule=R2, vm=B)])
    catalog.figures.forget_rule(R1)
    for slice_s in (SECOND_S, MINUTE_S, HOUR_S):
        assert read_all(catalog, slice_s, rule=R1) == ()
        assert read_all(catalog, slice_s, rule=R2, vm=B)
    assert sum(part.read_bytes for part in read_all(catalog, HOUR_S)) == 300, (
        "what was rolled up stays in the whole"
    )


_OWNERS: list[tuple[RuleId | None, VmId]] = [(R1, A), (R1, B), (R2, B), (None, A)]
_moves = st.builds(
    lambda after_s, owner, read, written: moved(START_S + after_s, read, written, rule=owner[0], vm=owner[1]),
    st.integers(0, 400),
    st.sampled_from(_OWNERS),
    st.integers(0, 10**12),
    st.integers(0, 10**12),
)
_events = st.lists(st.one_of(_moves, st.integers(0, 400), st.just("restart")), max_size=30)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=_events)
def test_bytes_are_preserved_across_resolutions_and_restarts(
    tmp_path_factory: pytest.TempPathFactory, events: list[Moved | int | str]
) -> None:
    path = tmp_path_factory.mktemp("traffic") / "catalog.db"
    expected: Counter[tuple[RuleId | None, VmId]] = Counter()
    catalog = Catalog.open(path, clock=SystemClock())
    try:
        for event in events:
            if isinstance(event, Moved):
                expected[event.rule, event.vm] += event.read_bytes
                catalog.traffic.add([event])
            elif isinstance(event, int):
                catalog.traffic.roll_up(START_S + event)
            else:
                catalog.close()
                catalog = Catalog.open(path, clock=SystemClock())
        for slice_s in (SECOND_S, MINUTE_S, HOUR_S):
            whole = read_all(catalog, slice_s)
            assert sum(part.read_bytes for part in whole) == expected.total()
            assert all(part.at_s % slice_s == 0 for part in whole)
            assert [part.at_s for part in whole] == sorted({part.at_s for part in whole})
            for rule in (R1, R2):
                for vm in (A, B):
                    found = read_all(catalog, slice_s, rule=rule, vm=vm)
                    assert sum(part.read_bytes for part in found) == expected[rule, vm]
                found = read_all(catalog, slice_s, rule=rule)
                assert sum(part.read_bytes for part in found) == expected[rule, A] + expected[rule, B]
            found = read_all(catalog, slice_s, vm=A)
            assert sum(part.read_bytes for part in found) == expected[R1, A] + expected[None, A]
    finally:
        catalog.close()
