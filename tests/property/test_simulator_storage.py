"""Simulated disks against byte arrays: chains, change tracking and restarts in random order."""

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.domain.extents import Extent, clip, complement, normalize, subtract
from app.simulator.nfc.resources import allocation_bitmap
from app.simulator.storage import (
    GRAIN_BYTES,
    ChangeIdUnknown,
    DiskFrozen,
    DiskStore,
    SimDatastore,
    SimDisk,
    deltas,
    read_segments,
)
from app.simulator.storage.grains import GrainSet, grain_count, mask_extents, runs
from app.simulator.storage.sparse import SparseFile

CAPACITY = GRAIN_BYTES * 7 + 512 * 3

offsets = st.integers(0, CAPACITY - 1)
lengths = st.one_of(
    st.integers(1, 2000),
    st.sampled_from((GRAIN_BYTES - 1, GRAIN_BYTES, GRAIN_BYTES + 1, GRAIN_BYTES * 3)),
)


@dataclass
class Moment:
    """What a snapshot must hold for ever."""

    disk: SimDisk
    content: bytes


class DiskMachine(RuleBasedStateMachine):
    """A VM's disk with snapshots that are taken, removed and reverted, compared with a byte array."""

    largest_of_the_older_format = CAPACITY

    def __init__(self) -> None:
        super().__init__()
        self.formats = mock.patch.object(deltas, "_LARGEST_COWD_BYTES", self.largest_of_the_older_format)
        self.formats.start()
        self.directory = Path(tempfile.mkdtemp(prefix="standfast-"))
        self.datastore = SimDatastore("ds", self.directory, 1 << 34)
        self.store = DiskStore({"ds": self.datastore})
        self.leaf = self.store.create("[ds] vm/vm.vmdk", CAPACITY)
        self.oracle = bytearray(CAPACITY)
        self.ever_written: set[int] = set()
        self.moments: list[Moment] = []
        self.ids: dict[str, tuple[bytes, set[int]]] = {}
        """By change id: the content at that moment, and the grains written since."""
        self.number = 0

    @initialize(tracked=st.booleans())
    def begin(self, *, tracked: bool) -> None:
        if tracked:
            self.leaf.enable_tracking()

    @rule(offset=offsets, length=lengths, fill=st.integers(0, 255))
    def write(self, offset: int, length: int, fill: int) -> None:
        length = min(length, CAPACITY - offset)
        self.leaf.write(offset, bytes([fill]) * length)
        self.oracle[offset : offset + length] = bytes([fill]) * length
        grains = set(range(offset // GRAIN_BYTES, -(-(offset + length) // GRAIN_BYTES)))
        self.ever_written |= grains
        for _, dirty in self.ids.values():
            dirty |= grains

    @precondition(lambda self: len(self.moments) < 5)
    @rule()
    def take_snapshot(self) -> None:
        self.number += 1
        change_id = self.leaf.mark()
        frozen, content = self.leaf, bytes(self.oracle)
        self.leaf = frozen.branch(f"[ds] vm/vm-{self.number:06}.vmdk")
        self.moments.append(Moment(frozen, content))
        if change_id is not None:
            self.ids[change_id] = (content, set())

    @precondition(lambda self: self.moments)
    @rule(data=st.data())
    def remove_snapshot(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.moments) - 1))
        moment = self.moments.pop(index)
        (child,) = moment.disk.children
        merged = child.merge_into_parent()
        if self.leaf is child:
            self.leaf = merged
        for other in self.moments:
            if other.disk is child:
                other.disk = merged

    @precondition(lambda self: self.moments)
    @rule()
    def revert_to_the_newest_snapshot(self) -> None:
        moment = self.moments[-1]
        was_touched = self.leaf.diverged
        self.store.delete(self.leaf.path)
        self.number += 1
        self.leaf = moment.disk.branch(f"[ds] vm/vm-{self.number:06}.vmdk")
        self.oracle = bytearray(moment.content)
        if was_touched:
            self.ids.clear()

    @rule()
    def restart(self) -> None:
        paths = [(moment, moment.disk.path) for moment in self.moments]
        leaf = self.leaf.path
        self.store.close()
        self.store = DiskStore({"ds": self.datastore})
        self.leaf = self.store.open(leaf)
        for moment, path in paths:
            moment.disk = self.store.open(path)

    @invariant()
    def every_moment_reads_as_it_was(self) -> None:
        assert self.leaf.read(0, CAPACITY) == self.oracle
        for moment in self.moments:
            assert moment.disk.read(0, CAPACITY) == moment.content
            with pytest.raises(DiskFrozen):
                moment.disk.write(0, b"x")

    @invariant()
    def holes_are_zeros_and_nothing_else_is_left_out(self) -> None:
        areas = self.leaf.allocated_areas()
        assert areas == normalize(areas) == clip(areas, CAPACITY)
        for hole in complement(areas, CAPACITY):
            assert self.oracle[hole.start : hole.end] == bytes(hole.length_bytes)

    @invariant()
    def tracking_reports_exactly_what_was_written(self) -> None:
        for change_id, (content, dirty) in self.ids.items():
            areas = self.leaf.changed_areas(change_id)
            assert areas == normalize(areas)
            told = {
                grain for area in areas for grain in range(area.start // GRAIN_BYTES, -(-area.end // GRAIN_BYTES))
            }
            assert told == dirty
            rebuilt = bytearray(content)
            for area in areas:
                rebuilt[area.start : area.end] = self.leaf.read(area.start, area.length_bytes)
            assert rebuilt == self.oracle

    @invariant()
    def segments_lead_to_the_same_bytes(self) -> None:
        with self.leaf.pinned():
            buffer = bytearray(CAPACITY - 700)
            read_segments(self.leaf.segments(700, len(buffer)), memoryview(buffer))
        assert buffer == self.oracle[700:]

    def teardown(self) -> None:
        self.formats.stop()
        self.store.close()
        shutil.rmtree(self.directory)


class SeSparseMachine(DiskMachine):
    """The same with deltas of the newer format."""

    largest_of_the_older_format = 0


QUICK = settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
TestDiskAgainstBytes = DiskMachine.TestCase
TestDiskAgainstBytes.settings = QUICK
TestSeSparseAgainstBytes = SeSparseMachine.TestCase
TestSeSparseAgainstBytes.settings = QUICK

FAR = 1 << 30  # grains: a disk of 62 TiB has fewer
spans = st.lists(st.tuples(st.integers(0, FAR), st.integers(1, 200_000)), max_size=6)


@given(mine=spans, theirs=spans, looked_at=st.integers(0, FAR))
@example(mine=[(FAR - 1, 200_000)], theirs=[], looked_at=0)
def test_a_set_of_grains_is_a_set(
    mine: list[tuple[int, int]], theirs: list[tuple[int, int]], looked_at: int
) -> None:
    def made(of: list[tuple[int, int]]) -> tuple[GrainSet, list[Extent]]:
        grains = GrainSet()
        for first, length in of:
            grains.add(first, first + length)
        return grains, normalize(Extent(first, length) for first, length in of)

    def as_extents(grains: GrainSet) -> list[Extent]:
        return normalize(Extent(first, end - first) for first, end in grains.spans())

    (left, left_oracle), (right, right_oracle) = made(mine), made(theirs)
    assert as_extents(left) == left_oracle
    assert as_extents(left | right) == normalize([*left_oracle, *right_oracle])
    assert as_extents(left - right) == subtract(left_oracle, right_oracle)
    assert len(left) == sum(extent.length_bytes for extent in left_oracle)
    near = [*(first for first, _ in mine), looked_at]
    for first in near:
        told = left.mask(first, first + 300).tolist()
        assert told == [any(e.start <= grain < e.end for e in left_oracle) for grain in range(first, first + 300)]
    capacity = FAR * GRAIN_BYTES
    oracle = clip([Extent(e.start * GRAIN_BYTES, e.length_bytes * GRAIN_BYTES) for e in left_oracle], capacity)
    assert left.extents(capacity) == oracle


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


writes = st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(1, 200_000)), max_size=8)


@given(written=writes)
def test_a_sparse_file_shows_all_that_was_written(written: list[tuple[int, int]]) -> None:
    size = 3_300_000
    with tempfile.TemporaryDirectory() as name, SparseFile(Path(name, "f"), create_bytes=size) as file:
        oracle = bytearray(size)
        for offset, length in written:
            data = b"\x5a" * min(length, size - offset)
            file.write(offset, data)
            oracle[offset : offset + len(data)] = data
        ranges = file.data_ranges()
        assert ranges == normalize(ranges)
        held = bytearray(size)
        for extent in ranges:
            buffer = memoryview(held)[extent.start : extent.end]
            file.readinto(extent.start, buffer)
        assert held == oracle
        with SparseFile(Path(name, "copy"), create_bytes=size) as copy:
            for extent in ranges:
                file.copy_to(extent.start, copy, extent.start, extent.length_bytes)
            whole = bytearray(size + 10)
            copy.readinto(0, memoryview(whole))
        assert whole == oracle + bytes(10)


@given(bits=st.lists(st.booleans(), max_size=200), short=st.integers(0, GRAIN_BYTES - 1))
def test_runs_and_extents_of_a_mask_cover_its_grains(bits: list[bool], short: int) -> None:
    mask = np.array(bits, dtype=np.bool_)
    cut = list(runs(mask))
    assert [value for start, end, value in cut for _ in range(start, end)] == bits
    assert all(extent[2] != other[2] for extent, other in pairwise(cut))
    capacity = max(0, len(bits) * GRAIN_BYTES - (short // 512 * 512 if bits else 0))
    extents = mask_extents(mask, capacity)
    assert extents == normalize(extents)
    covered = {
        grain for extent in extents for grain in range(extent.start // GRAIN_BYTES, grain_count(extent.end))
    }
    assert covered == {index for index, bit in enumerate(bits) if bit}


areas = st.lists(st.builds(Extent, st.integers(0, 500_000), st.integers(1, 100_000)), max_size=6)


@given(areas=areas, chunk=st.sampled_from((512, 4096, 65536)), start=st.integers(0, 20), count=st.integers(1, 300))
def test_the_allocation_bitmap_marks_every_chunk_that_is_touched(
    areas: list[Extent], chunk: int, start: int, count: int
) -> None:
    begin = start * chunk
    bitmap = allocation_bitmap(normalize(areas), chunk, begin, count)
    assert len(bitmap) == -(-count // 32) * 4
    told = {index for index in range(len(bitmap) * 8) if bitmap[index // 8] >> index % 8 & 1}
    touched = {
        index
        for index in range(count)
        for area in areas
        if area.start < begin + (index + 1) * chunk and area.end > begin + index * chunk
    }
    assert told == touched


def test_a_change_id_of_another_disk_means_nothing(folder: Path) -> None:
    store = DiskStore({"ds": SimDatastore("ds", folder, 1 << 30)})
    disk, other = store.create("[ds] a.vmdk", CAPACITY), store.create("[ds] b.vmdk", CAPACITY)
    change_id = disk.enable_tracking().change_id()
    other.enable_tracking()
    with pytest.raises(ChangeIdUnknown):
        other.changed_areas(change_id)
    store.close()
