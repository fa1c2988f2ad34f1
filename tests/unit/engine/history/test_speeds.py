"""Speed has one definition: what was read from the source in the last ten seconds."""

import pytest

from app.domain.ids import TaskId
from app.engine.history.speeds import WINDOW_S, Speeds

A, B = TaskId("a"), TaskId("b")


def test_a_task_has_no_speed_before_it_was_seen_for_a_while() -> None:
    speeds = Speeds()
    assert speeds.of(A) is None
    speeds.note(0.0, {A: 500}, 500)
    assert speeds.of(A) is None
    assert speeds.total() == 0
    speeds.note(1.0, {A: 1500}, 1500)
    assert speeds.of(A) == speeds.total() == 1000


def test_only_the_last_ten_seconds_count() -> None:
    speeds = Speeds()
    for second in range(31):
        speeds.note(float(second), {A: min(second, 20) * 100}, min(second, 20) * 100)
        expected = {5: 100, 20: 100, 25: 50, 30: 0}.get(second)
        if expected is not None:
            assert speeds.of(A) == expected
    assert WINDOW_S == 10.0


def test_looks_that_are_not_a_second_apart_count_by_their_time() -> None:
    speeds = Speeds()
    for at_s, read in ((0.0, 0), (4.0, 400), (13.0, 2200), (15.5, 2200)):
        speeds.note(at_s, {A: read}, read)
    assert speeds.of(A) == pytest.approx((2200 - 400) / 11.5), "the last look before the window is its edge"


def test_each_task_has_a_speed_of_its_own_and_one_that_ended_has_none_while_its_bytes_count_in_the_total() -> None:
    speeds = Speeds()
    speeds.note(0.0, {A: 0, B: 0}, 0)
    speeds.note(2.0, {A: 200, B: 600}, 800)
    assert speeds.of_each([A, B, TaskId("c")]) == {A: 100, B: 300}
    speeds.note(4.0, {B: 600}, 1000)
    assert speeds.of(A) is None
    assert (speeds.of(B), speeds.total()) == (150, 250)


def test_after_a_pause_in_which_nothing_was_looked_at_speed_begins_anew() -> None:
    speeds = Speeds()
    speeds.note(0.0, {A: 0}, 0)
    speeds.note(1.0, {A: 1000}, 1000)
    speeds.note(301.0, {B: 0}, 1000)
    assert speeds.total() == 0
    speeds.note(302.0, {B: 500}, 1500)
    assert speeds.of(B) == speeds.total() == 500
