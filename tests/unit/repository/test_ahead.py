"""Work on several things at once hands its results out in the order of the things."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.repository.ahead import run_ahead


@pytest.fixture(scope="module")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(3) as opened:
        yield opened


@given(things=st.lists(st.integers(), max_size=40), most=st.integers(1, 9))
def test_every_thing_is_worked_on_once_and_comes_in_its_turn(
    pool: ThreadPoolExecutor, things: list[int], most: int
) -> None:
    taken: list[int] = []
    handed = 0

    def watched() -> Iterator[int]:
        for thing in things:
            taken.append(thing)
            assert len(taken) - handed <= most
            yield thing

    results = []
    for result in run_ahead(pool, lambda thing: thing * 2, watched(), most):
        handed += 1
        results.append(result)
    assert results == [thing * 2 for thing in things]


def test_a_slow_thing_holds_up_no_thread() -> None:
    others = threading.Event()
    seen: list[int] = []

    def work(thing: int) -> int:
        if thing == 0:
            assert others.wait(10), "the others wait for the slow one"
        seen.append(thing)
        if len(seen) == 5:
            others.set()
        return thing

    with ThreadPoolExecutor(2) as pool:
        assert list(run_ahead(pool, work, range(9), 6)) == list(range(9))
    assert seen[:5] == [1, 2, 3, 4, 5]


def test_what_goes_wrong_is_raised_in_its_turn_and_nothing_else_is_begun() -> None:
    begun: list[int] = []

    def work(thing: int) -> int:
        begun.append(thing)
        if thing == 3:
            raise ValueError(thing)
        return thing

    with ThreadPoolExecutor(1) as pool:
        results = run_ahead(pool, work, range(100), 4)
        assert [next(results) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="3"):
            next(results)
    assert max(begun) <= 7
