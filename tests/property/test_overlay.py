"""An overlay does what an array of bytes does, whatever is written, synced, compacted, killed and opened again."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.extents import Extent, align_outward
from app.nfs.overlay import OverlayDisk, OverlayLimits
from tests.unit.nfs.overlay.helpers import GRAIN, KIB, as_killed, opener, read, segments
from tests.unit.repository.helpers import random_bytes

_CAPACITIES = st.sampled_from([1, 700, GRAIN, 17 * GRAIN, 25 * GRAIN + 513, 60 * GRAIN - 1])
_PLACES = st.integers(0, 1 << 40)
_SIZES = st.one_of(st.integers(0, 3 * GRAIN), st.sampled_from([GRAIN, 2 * GRAIN, 20 * GRAIN]))
_FILLS = st.sampled_from(["random", "random", "zeros", "zeros at the end", "one bit"])
LIMITS = OverlayLimits(
    segment_bytes=32 * KIB,
    record_bytes=16 * KIB,
    pages_in_memory=16,
    open_segments=2,
    spare_segments=1,
    compaction_bytes_per_s=None,
)


def bytes_of(fill: str, size: int, seed: int) -> bytes:
    if fill == "zeros":
        return bytes(size)
    if fill == "one bit" and size:
        return bytes(size - 1) + b"\x01"
    data = random_bytes(size, seed)
    return data[: size // 2] + bytes(size - size // 2) if fill == "zeros at the end" else data


class OverlayMachine(RuleBasedStateMachine):
    """The overlay and the array."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="sf-overlay-"))
        self.folder = self.root / "overlay"
        self.disk: OverlayDisk | None = None
        self.written: list[Extent] = []
        self.number = 0

    @initialize(capacity=_CAPACITIES)
    def begin(self, capacity: int) -> None:
        self.base = random_bytes(capacity, seed=capacity)
        self.model = bytearray(self.base)
        self.open()

    def open(self) -> None:
        self.disk = OverlayDisk(opener(self.base), len(self.base), self.folder, LIMITS)

    @property
    def opened(self) -> OverlayDisk:
        assert self.disk is not None
        return self.disk

    @rule(place=_PLACES, size=_SIZES, fill=_FILLS, aligned=st.booleans(), at_once=st.booleans())
    def write(self, place: int, size: int, fill: str, aligned: bool, at_once: bool) -> None:
        offset = place % len(self.model)
        offset = offset // GRAIN * GRAIN if aligned else offset
        data = bytes_of(fill, min(size, len(self.model) - offset), self.number)
        self.number += 1
        if not at_once or not self.opened.write_now(offset, memoryview(data)):
            self.opened.write(offset, memoryview(data))
        self.model[offset : offset + len(data)] = data
        self.written.append(Extent(offset, len(data)))

    @rule(place=_PLACES, size=_SIZES)
    def read(self, place: int, size: int) -> None:
        offset = place % len(self.model)
        size = min(size, len(self.model) - offset)
        assert read(self.opened, offset, size) == self.model[offset : offset + size]
        view = memoryview(bytearray(size))
        assert not self.opened.read_now(offset, view) or view == self.model[offset : offset + size]

    @rule()
    def sync(self) -> None:
        self.opened.sync()

    @rule(most=st.integers(1, 5))
    def compact(self, most: int) -> None:
        for _ in range(most):
            if not self.opened.compact_once():
                break

    @rule()
    def reopen(self) -> None:
        self.opened.close()
        self.open()

    @rule()
    def go_on_from_what_a_kill_leaves(self) -> None:
        copy = as_killed(self.folder)
        self.opened.close()
        shutil.rmtree(self.folder)
        copy.rename(self.folder)
        self.open()

    @precondition(lambda self: self.disk is not None)
    @invariant()
    def holds_what_the_array_holds(self) -> None:
        assert read(self.opened) == self.model

    @precondition(lambda self: self.disk is not None)
    @invariant()
    def says_what_was_written_and_what_it_takes(self) -> None:
        assert self.opened.written_extents() == align_outward(self.written, GRAIN, len(self.model))
        assert self.opened.log_bytes == sum(path.stat().st_size for path in segments(self.folder))
        most = 2 * self.opened.live_bytes + (2 * LIMITS.spare_segments + 3) * LIMITS.segment_bytes
        assert self.opened.log_bytes <= most

    def teardown(self) -> None:
        if self.disk is not None:
            self.disk.close()
        shutil.rmtree(self.root)


TestOverlay = OverlayMachine.TestCase
TestOverlay.settings = settings(stateful_step_count=40)
