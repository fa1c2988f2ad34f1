"""What the catalog keeps in memory is what its tables say, after every kind of write."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.catalog.remembered import Remembered
from app.core.clock import SystemClock
from app.domain.engines import EngineBeat
from app.domain.ids import RuleId, TaskId, VmId
from app.domain.policies import OneTimePolicy
from app.domain.retry import NextTry, PendingRetry
from app.domain.rules import ProtectedVm
from app.domain.states import BackupKind
from app.domain.tasks import PointTally
from tests.unit.catalog.test_catalog import NOON, PLATFORM, STANDBY, catalog, point
from tests.unit.catalog.test_rules import RULE

__all__ = ["catalog"]  # a fixture

_STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "remove", "look"]), st.sampled_from(["a", "b"]), st.integers(1, 4)),
    max_size=12,
)


def recounted(folder: Path) -> set[PointTally]:
    """Return what a catalog says that remembers nothing yet."""
    fresh = Catalog.open(folder / "catalog.db", clock=SystemClock())
    try:
        return set(fresh.points.tallies())
    finally:
        fresh.close()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
def test_counts_of_points_follow_every_write(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("counts")
    kept = Catalog.open(folder / "catalog.db", clock=SystemClock())
    try:
        kept.standbys.put(STANDBY)
        for what, place, number in steps:
            made = point(number, vm=f"vm-{number % 2}")
            if what == "put":
                kept.points.put(STANDBY.id, place, made)
            elif what == "remove":
                kept.points.remove(STANDBY.id, place, made.id)
            else:
                kept.points.tallies()
        assert set(kept.points.tallies()) == recounted(folder)
        assert kept.points.count() == sum(tally.count for tally in kept.points.tallies())
    finally:
        kept.close()


def test_points_that_went_with_their_standby_are_not_counted(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    catalog.points.put(STANDBY.id, "a", point(1))
    assert catalog.points.count() == 1
    catalog.standbys.remove(STANDBY.id)
    assert catalog.points.count() == 0
    assert catalog.points.newest() == {}


def test_what_was_written_while_it_was_read_is_read_again() -> None:
    remembered: Remembered[int] = Remembered(is_alone=True)
    reading, written = threading.Event(), threading.Event()

    def read_slowly() -> int:
        reading.set()
        assert written.wait(10)
        return 1

    reader = threading.Thread(target=lambda: remembered.get(read_slowly))
    reader.start()
    assert reading.wait(10)
    remembered.forget()
    written.set()
    reader.join()
    assert remembered.get(lambda: 2) == 2
    assert remembered.get(lambda: 3) == 2
    remembered.change(lambda known: known + 10)
    assert remembered.get(lambda: 4) == 12


def test_nothing_is_remembered_of_tables_that_others_write_too() -> None:
    remembered: Remembered[int] = Remembered(is_alone=False)
    assert [remembered.get(lambda: 1), remembered.get(lambda: 2)] == [1, 2]


_CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "start", "policy", "move", "retry", "drop", "rename", "beat", "look"]),
        st.integers(1, 3),
    ),
    max_size=14,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=_CHANGES)
def test_rules_retries_names_and_heartbeats_are_what_a_catalog_says_that_remembers_nothing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int]]
) -> None:
    folder = tmp_path_factory.mktemp("rules")
    with Catalog.open(folder / "catalog.db", clock=SystemClock()) as kept:
        kept.platforms.put(PLATFORM)
        kept.standbys.put(STANDBY)
        kept.engines.begin(EngineBeat(id="e", host="h", pid=1, started_at=NOON, beat_at=NOON))
        for what, number in changes:
            change(kept, what, number)
        with Catalog.open(folder / "catalog.db", clock=SystemClock()) as fresh:
            assert kept.rules.all() == fresh.rules.all()
            assert kept.retries.all() == fresh.retries.all()
            assert (kept.platforms.all(), kept.standbys.all()) == (fresh.platforms.all(), fresh.standbys.all())
            assert kept.engines.all() == fresh.engines.all()


def change(catalog: Catalog, what: str, number: int) -> None:
    """Change one thing, and look at everything before, so that it is remembered."""
    for store in (catalog.rules, catalog.retries, catalog.platforms, catalog.standbys, catalog.engines):
        store.all()
    rule, vm = RuleId(f"r{number}"), VmId(f"vm-{number}")
    known = catalog.rules.get(rule)
    if what == "add" and known is None:
        vms = (ProtectedVm(vm=vm, name=f"vm {number}"),)
        catalog.rules.add(replace(RULE, id=rule, name=f"rule {5 - number}", vms=vms), NOON, NOON)
    elif what == "remove":
        catalog.rules.remove(rule)
    elif what == "start" and known is not None:
        catalog.rules.set_started(
            rule, [protected.vm for protected in known.vms], started=not known.vms[0].is_started
        )
    elif what == "policy":
        catalog.rules.set_policy(rule, OneTimePolicy(start=NOON), NOON)
    elif what == "move" and known is not None:
        catalog.rules.succeed_all(PLATFORM.id, {known.vms[0].vm: VmId(f"{known.vms[0].vm}+")}, NOON)
    elif what == "retry" and known is not None:
        due = NextTry(number=1, of=3, at=NOON)
        kind = BackupKind.FULL
        catalog.retries.put(
            PendingRetry(rule=rule, vm=known.vms[0].vm, kind=kind, next=due, failed_task=TaskId("t"))
        )
    elif what == "drop" and known is not None:
        catalog.retries.remove(rule, [known.vms[0].vm])
    elif what == "rename":
        catalog.platforms.put(replace(PLATFORM, name=f"platform {number}"))
        catalog.standbys.put(replace(STANDBY, name=f"standby {number}"))
    elif what == "beat":
        catalog.engines.beat("e", NOON + timedelta(minutes=number))
