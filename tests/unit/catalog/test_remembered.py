"""What the catalog keeps in memory is what its tables say, after every kind of write."""

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.catalog.remembered import Remembered
from app.core.clock import SystemClock
from app.domain.tasks import PointTally
from tests.unit.catalog.test_catalog import STANDBY, catalog, point

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
