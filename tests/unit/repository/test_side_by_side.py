"""Requests filled on several threads come in their order, once each; afterwards no buffer is touched."""

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.disks import ReadRequest
from app.repository.framecache import FrameCache
from app.repository.sidebyside import WINDOW, Fill, SideBySide
from tests.support.waiting import wait_for_threads


def requests(count: int) -> list[ReadRequest]:
    return [ReadRequest(number, memoryview(bytearray(1))) for number in range(count)]


def each(fill_one: Callable[[ReadRequest], object]) -> Fill:
    def fill(asked: Sequence[ReadRequest]) -> None:
        for request in asked:
            fill_one(request)

    return fill


def marking() -> Fill:
    def fill(request: ReadRequest) -> None:
        request.buffer[:] = b"\x01"

    return each(fill)


@pytest.fixture
def beside() -> Iterator[SideBySide]:
    made = SideBySide(marking)
    yield made
    made.close()
    wait_for_threads("disk-reader")


@settings(deadline=None, max_examples=40)
@given(counts=st.lists(st.integers(0, 70), min_size=1, max_size=4))
def test_all_are_filled_once_and_in_order(counts: list[int]) -> None:
    filled: list[int] = []
    made = SideBySide(lambda: each(lambda request: filled.append(request.offset)))
    for count in counts:
        filled.clear()
        asked = requests(count)
        assert list(made.in_order(iter(asked))) == asked
        assert sorted(filled) == list(range(count))
    made.close()


def test_a_thread_that_is_stuck_holds_up_only_its_own() -> None:
    """Who waits fills what no other thread has begun, so that reading goes on beside one that hangs."""
    go_on, done = threading.Event(), threading.Event()
    filled: list[int] = []

    def make() -> Fill:
        def fill(request: ReadRequest) -> None:
            if request.offset == 0:
                go_on.wait(20)
            filled.append(request.offset)
            if len(filled) == WINDOW - 8:
                done.set()

        return each(fill)

    made = SideBySide(make)
    reader = threading.Thread(target=lambda: list(made.in_order(iter(requests(40)))))
    reader.start()
    assert done.wait(20), "what is in the window is not filled beside the request that hangs"
    go_on.set()
    reader.join()
    made.close()
    assert sorted(filled) == list(range(40))


def test_an_error_comes_in_its_turn_behind_what_was_filled() -> None:
    def make() -> Fill:
        def fill(request: ReadRequest) -> None:
            if request.offset == 13:
                raise ValueError("the thirteenth")

        return each(fill)

    made = SideBySide(make)
    reading = made.in_order(iter(requests(40)))
    seen = [next(reading).offset for _ in range(13)]
    with pytest.raises(ValueError, match="the thirteenth"):
        next(reading)
    made.close()
    assert seen == list(range(13))


def test_what_was_left_is_not_touched_any_more(beside: SideBySide) -> None:
    asked = requests(60)
    reading = beside.in_order(iter(asked))
    next(reading)
    reading.close()
    for request in asked:
        request.buffer[:] = b"\x00"
    assert list(beside.in_order(iter(again := requests(20)))) == again
    assert all(bytes(request.buffer) == b"\x00" for request in asked)


def test_a_source_that_fails_leaves_nothing_under_way(beside: SideBySide) -> None:
    def source() -> Iterator[ReadRequest]:
        yield from requests(6)
        raise RuntimeError("no more requests")

    with pytest.raises(RuntimeError, match="no more requests"):
        list(beside.in_order(source()))
    assert list(beside.in_order(iter(again := requests(9)))) == again


def test_frames_are_kept_up_to_a_number_of_bytes_and_the_oldest_go_first() -> None:
    cache = FrameCache(most_bytes=100)
    for number in range(5):
        cache.put((1, 0, number), bytes(40))
        cache.put((1, 0, number), bytes(40))  # counted once
    assert [cache.get((1, 0, number)) is None for number in range(5)] == [True, True, True, False, False]
    cache.clear()
    assert cache.get((1, 0, 4)) is None
