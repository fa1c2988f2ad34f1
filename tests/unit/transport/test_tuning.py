"""The manner of reading and writing is measured: the fastest is found, whatever line, host and data are like."""

from collections import deque
from collections.abc import Callable
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.messages import Message
from app.transport import messages
from app.transport.nfc.tuning import (
    READING,
    REOPENED_AFTER_BYTES,
    WORTH_BYTES,
    WORTH_S,
    WRITING,
    Direction,
    Manner,
    Slice,
    Tuner,
)
from app.transport.options import MIB, Compression, TransportOptions

CAPACITY = 8 << 30
PACKINGS = list(Compression)
Speed = Callable[[Manner], float]
"""Returns how many bytes a second a line gives in a manner."""


class Line:
    """A line on which each packing has its speed; requests are answered in their order."""

    def __init__(
        self, speed: Speed, direction: Direction = READING, buffers: tuple[int, ...] = (), **options: object
    ) -> None:
        self.speed = speed
        self.said: list[Message] = []
        self.now_s = 0.0
        self.used: list[Manner] = []
        self.shares: dict[Compression, float] = {}
        """What part of its bytes travels in each packing."""
        chosen = TransportOptions(**options)  # type: ignore[arg-type]
        self.tuner = Tuner(
            chosen, CAPACITY, self.said.append, lambda: self.now_s, direction=direction, buffers=buffers
        )
        self._open: deque[tuple[Slice, Manner]] = deque()

    def read(self, size_bytes: int) -> None:
        for _ in range(size_bytes // MIB):
            while len(self._open) * MIB >= self.tuner.manner.in_flight_bytes:
                self._answer()
            manner = self.tuner.manner
            self.used.append(manner)
            self._open.append((self.tuner.asked(MIB), manner))
        while self._open:
            self._answer()

    def refuse(self, packing: Compression) -> None:
        """Let the host refuse the first request in a packing, and the connection be made anew."""
        while self.tuner.manner.compression is not packing:
            self.read(MIB)
        self.tuner.refused(self.tuner.asked(MIB))
        self.lose()

    def lose(self) -> None:
        self._open.clear()
        self.tuner.interrupted()

    def _answer(self) -> None:
        asked, manner = self._open.popleft()
        self.now_s += MIB / self.speed(manner)
        self.tuner.answered(asked, MIB, int(MIB * self.shares.get(manner.compression, 1.0)))


def by_packing(**speeds: float) -> Speed:
    return lambda manner: speeds.get(manner.compression.name, 1.0) * MIB


@pytest.mark.parametrize("best", PACKINGS, ids=lambda packing: packing.name)
def test_the_fastest_packing_is_found_within_64_mb(best: Compression) -> None:
    line = Line(by_packing(**{best.name: 9.0}))
    line.read(64 * MIB)
    assert line.tuner.manner.compression is best
    assert messages.PACKING_CHOSEN in [message.kind for message in line.said]


def test_what_brings_nothing_is_left_alone() -> None:
    line = Line(by_packing(NONE=10.0, SKIPZ=10.5, ZLIB=10.9, FASTLZ=3.0))
    line.read(256 * MIB)
    assert line.tuner.manner.compression is Compression.NONE
    assert {manner.compression for manner in line.used[100:]} == {Compression.NONE}


def test_a_hopeless_packing_costs_one_short_slice() -> None:
    line = Line(by_packing(NONE=100.0, SKIPZ=100.0, ZLIB=90.0, FASTLZ=2.0))
    line.read(256 * MIB)
    assert [manner.compression for manner in line.used].count(Compression.FASTLZ) == 1


def test_what_is_read_in_a_moment_is_read_as_it_is() -> None:
    speed = 100.0
    line = Line(by_packing(NONE=speed, SKIPZ=speed, ZLIB=speed / 2, FASTLZ=2.0))
    line.read(int(0.6 * WORTH_S * speed) * MIB)
    line.tuner.paused()
    line.now_s += 60.0  # what it is not read in does not count
    line.read(int(0.3 * WORTH_S * speed) * MIB)
    assert {manner.compression for manner in line.used} == {Compression.NONE}
    line.read(256 * MIB)
    assert {manner.compression for manner in line.used} == set(PACKINGS)


def test_as_much_is_asked_ahead_as_helps() -> None:
    long_line = Line(lambda manner: float(manner.in_flight_bytes))
    long_line.read(256 * MIB)
    assert long_line.tuner.manner.in_flight_bytes == 4 * MIB
    short_line = Line(lambda _: 100.0 * MIB)
    short_line.read(256 * MIB)
    assert short_line.tuner.manner.in_flight_bytes == MIB


def test_what_is_asked_ahead_counts_as_it_travels() -> None:
    line = Line(by_packing(ZLIB=9.0))
    line.shares = {Compression.ZLIB: 0.5}
    line.read(128 * MIB)
    assert line.tuner.ahead_bytes == pytest.approx(2 * line.tuner.manner.in_flight_bytes, rel=0.01)
    line.shares = {Compression.ZLIB: 0.001}  # zeros
    line.read(64 * MIB)
    assert line.tuner.ahead_bytes == 4 * line.tuner.manner.in_flight_bytes


def test_a_speed_that_changes_is_measured_again() -> None:
    speeds = {"NONE": 100.0}
    line = Line(lambda manner: speeds.get(manner.compression.name, 10.0) * MIB)
    line.read(1024 * MIB)
    assert line.used[-1].compression is Compression.NONE
    speeds.update(NONE=2.0, ZLIB=20.0)  # the way now leads over a slow line
    line.read(1024 * MIB)
    assert line.tuner.manner.compression is Compression.ZLIB


def test_a_fixed_packing_is_not_measured() -> None:
    line = Line(by_packing(ZLIB=9.0), compression=Compression.SKIPZ)
    line.read(256 * MIB)
    assert {manner.compression for manner in line.used} == {Compression.SKIPZ}
    assert line.said == []


def test_a_small_disk_is_read_as_it_is() -> None:
    said: list[Message] = []
    tuner = Tuner(TransportOptions(), WORTH_BYTES - 1, said.append)
    assert {tuner.manner.compression for _ in range(100) if tuner.asked(MIB)} == {Compression.NONE}


def test_a_host_without_memory_is_asked_for_less_and_less() -> None:
    line = Line(by_packing(SKIPZ=9.0))
    for expected in (2 * MIB, MIB, 512 * 1024, 256 * 1024, 256 * 1024):
        line.tuner.interrupted()
        line.tuner.back_off()
        assert line.tuner.manner.in_flight_bytes == expected
    line.read(128 * MIB)
    assert line.tuner.manner == Manner(Compression.SKIPZ, 256 * 1024)


@given(
    st.fixed_dictionaries({packing.name: st.floats(0.5, 500.0) for packing in PACKINGS}),
    st.lists(st.integers(1, 120), max_size=5),
)
def test_lost_connections_do_not_keep_the_best_from_being_found(
    speeds: dict[str, float], lost_after: list[int]
) -> None:
    line = Line(by_packing(**speeds))
    for mib in lost_after:
        line.read(mib * MIB)
        line.lose()
    line.read(512 * MIB)
    chosen = speeds[line.tuner.manner.compression.name]
    assert chosen * 1.2 >= max(speeds.values())


def test_what_is_written_is_packed_as_we_can_pack() -> None:
    line = Line(by_packing(FASTLZ=9.0, ZLIB=5.0), direction=WRITING)
    line.read(256 * MIB)
    assert line.tuner.manner.compression is Compression.ZLIB
    assert Compression.FASTLZ not in {manner.compression for manner in line.used}
    assert messages.WRITTEN_IN_MANNER in [message.kind for message in line.said]


def test_a_packing_that_the_host_refuses_is_not_asked_for_again() -> None:
    line = Line(by_packing(SKIPZ=9.0, ZLIB=5.0))
    line.refuse(Compression.SKIPZ)
    line.used.clear()
    line.read(256 * MIB)
    assert line.tuner.manner.compression is Compression.ZLIB
    assert Compression.SKIPZ not in {manner.compression for manner in line.used}


def test_a_packing_that_has_worked_is_not_given_up_for_a_refusal() -> None:
    line = Line(by_packing(SKIPZ=9.0))
    line.read(128 * MIB)
    line.tuner.refused(line.tuner.asked(MIB))
    line.lose()
    line.read(128 * MIB)
    assert line.tuner.manner.compression is Compression.SKIPZ


@pytest.mark.parametrize("best", [2 * MIB, MIB // 2])
def test_buffers_are_compared_once_much_is_read(best: int) -> None:
    line = Line(lambda manner: (20.0 if manner.buffer_bytes == best else 10.0) * MIB, buffers=(2 * MIB, MIB // 2))
    line.read(REOPENED_AFTER_BYTES // 2)
    assert {manner.buffer_bytes for manner in line.used} == {0}
    line.read(REOPENED_AFTER_BYTES)
    assert line.tuner.manner.buffer_bytes == best
    assert [message.kind for message in line.said].count(messages.BUFFERS_CHOSEN) == 1
    line.read(2 * REOPENED_AFTER_BYTES)
    sizes = [size for size, _ in groupby(manner.buffer_bytes for manner in line.used)]
    assert sizes == ([0, 2 * MIB, MIB // 2, 2 * MIB] if best == 2 * MIB else [0, 2 * MIB, MIB // 2])


def test_one_size_of_buffers_is_not_compared() -> None:
    line = Line(by_packing(), buffers=(2 * MIB,))
    line.read(2 * REOPENED_AFTER_BYTES)
    assert {manner.buffer_bytes for manner in line.used} == {0}
