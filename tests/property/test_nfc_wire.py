"""Disks over a wire that fragments, shuffles, packs and breaks as it likes equal their files."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.extents import Extent, clip, normalize
from app.domain.states import TransportMode
from app.simulator.faults import FaultScript
from app.simulator.nfc import NfcOptions
from app.simulator.nfc.resources import allocation_bitmap
from app.simulator.storage import SimDisk
from app.transport.errors import MalformedAnswer
from app.transport.nfc import wire
from app.transport.nfc.allocation import allocated_extents
from app.transport.options import Compression
from tests.support.nfc_lab import NfcLab
from tests.unit.transport.opening import options, reading, requests, writing

CAPACITY = (1 << 20) + 5 * 512

offsets = st.integers(0, CAPACITY - 1)
ranges = st.tuples(offsets, st.integers(0, 200_000)).map(
    lambda pair: Extent(pair[0], min(pair[1], CAPACITY - pair[0]))
)
buffers = st.sampled_from([4096, 12_288, 64 * 1024, 1 << 20])
modes = st.sampled_from([TransportMode.NFC, TransportMode.NFC_SSL])
drops = st.lists(st.integers(1, 400_000), max_size=3)


@dataclass
class Wire:
    """A server whose faults can be scripted, with one disk."""

    lab: NfcLab
    faults: FaultScript
    disk: SimDisk
    content: bytes


@contextmanager
def served(seed: int, *, shuffled: bool) -> Iterator[Wire]:
    """Serve a disk of random data, repetitions and holes."""
    generator = random.Random(seed)
    content = bytearray(CAPACITY)
    for start in range(0, CAPACITY, 32 * 1024):
        kind, size = generator.randrange(3), min(32 * 1024, CAPACITY - start)
        if kind == 1:
            content[start : start + size] = generator.randbytes(size)
        elif kind == 2:
            content[start : start + size] = (generator.randbytes(7) * size)[:size]
    faults = FaultScript()
    chosen = NfcOptions(shuffle_seed=seed if shuffled else None)
    with tempfile.TemporaryDirectory() as folder, NfcLab(Path(folder), faults=faults, options=chosen) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        disk.write(0, bytes(content))
        yield Wire(lab, faults, disk, bytes(content))


@settings(max_examples=40)
@given(
    extents=st.lists(ranges, min_size=1, max_size=12),
    compression=st.sampled_from(Compression),
    buffer_bytes=buffers,
    mode=modes,
    shuffled=st.booleans(),
    drops=drops,
    seed=st.integers(0, 1000),
)
def test_any_extents_read_over_any_wire_equal_the_file(
    extents: list[Extent],
    compression: Compression,
    buffer_bytes: int,
    mode: TransportMode,
    shuffled: bool,
    drops: list[int],
    seed: int,
) -> None:
    tuned = options(transfer_buffer_bytes=buffer_bytes, compression=compression, attempts=10)
    with served(seed, shuffled=shuffled) as there:
        with reading(there.lab, there.lab.address(there.disk), mode=mode, tuned=tuned) as reader:
            for after_bytes in drops:
                there.faults.drop_nfc(after_bytes)
            done = [(result.offset, bytes(result.buffer)) for result in reader.read_many(requests(extents))]
        assert done == [(extent.start, there.content[extent.start : extent.end]) for extent in extents]


@settings(max_examples=30)
@given(
    writes=st.lists(st.tuples(ranges, st.integers(0, 255)), min_size=1, max_size=12),
    compression=st.sampled_from(Compression),
    buffer_bytes=buffers,
    mode=modes,
    drops=drops,
    seed=st.integers(0, 1000),
)
def test_any_writes_over_any_wire_equal_the_same_writes_to_a_file(
    writes: list[tuple[Extent, int]],
    compression: Compression,
    buffer_bytes: int,
    mode: TransportMode,
    drops: list[int],
    seed: int,
) -> None:
    tuned = options(transfer_buffer_bytes=buffer_bytes, compression=compression, attempts=10)
    with served(seed, shuffled=False) as there:
        expected = bytearray(there.content)
        with writing(there.lab, there.lab.address(there.disk), mode=mode, tuned=tuned) as writer:
            for after_bytes in drops:
                there.faults.drop_nfc(after_bytes)
            for index, (extent, value) in enumerate(writes):
                data = (bytes([value, index]) * (extent.length_bytes // 2 + 1))[: extent.length_bytes]
                writer.write(extent.start, data)
                expected[extent.start : extent.end] = data
            writer.flush()
        assert there.disk.read(0, CAPACITY) == bytes(expected)


@settings(max_examples=25)
@given(marks=st.lists(offsets, max_size=6))
def test_every_written_byte_is_in_an_allocated_extent(marks: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder, NfcLab(Path(folder)) as lab:
        disk = lab.add_disk("web/web.vmdk", CAPACITY)
        for mark in marks:
            disk.write(mark, b"\x01")
        with reading(lab, lab.address(disk)) as reader:
            found = reader.allocated_extents()
    assert found is not None
    assert all(any(extent.start <= mark < extent.end for extent in found) for mark in marks)
    assert all(extent.start % 65536 == 0 for extent in found)


@given(
    capacity=st.one_of(st.integers(1, 1 << 26), st.integers(1, (62 << 40) // 512)).map(lambda n: n * 512),
    marks=st.lists(st.integers(0, (62 << 40) - 1), max_size=6),
)
def test_a_disk_of_any_size_is_asked_for_its_data_without_a_gap_and_with_few_questions(
    capacity: int, marks: list[int]
) -> None:
    written = normalize(Extent(mark // 65536 * 65536, 65536) for mark in marks if mark < capacity)
    asked: list[Extent] = []

    def ask(offset: int, count: int, chunk_bytes: int) -> bytes:
        assert offset % chunk_bytes == 0
        assert offset + count * chunk_bytes <= capacity
        asked.append(Extent(offset, count * chunk_bytes))
        return allocation_bitmap(written, chunk_bytes, offset, count)

    found = allocated_extents(capacity, ask)
    tail = capacity // 65536 * 65536
    assert found == normalize([*clip(written, capacity), Extent(tail, capacity - tail)])
    assert len(asked) <= 2 + capacity // (1 << 40) + len(marks) + 1


# ---- the bytes themselves ------------------------------------------------------------------------------------

u32 = st.integers(0, (1 << 32) - 1)
u64 = st.integers(0, (1 << 64) - 1)


@given(offset=u64, total=u32, data=st.data())
def test_a_fragment_decodes_to_what_was_encoded(offset: int, total: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, total))
    length = data.draw(st.integers(0, total - start))
    fragment = wire.Fragment(wire.Operation.READ, Compression.NONE, offset, total, start, length, length)
    encoded = fragment.encode(7, 99)
    header = wire.FrameHeader.decode(encoded[: wire.HEADER_BYTES])
    assert header == wire.FrameHeader(wire.FrameType.IO, wire.IO_BYTES, 7)
    assert wire.Fragment.decode(encoded[wire.HEADER_BYTES :]) == fragment


@given(junk=st.binary(max_size=80))
@pytest.mark.parametrize("decode", [wire.FrameHeader.decode, wire.Fragment.decode, wire.OpenedFile.decode])
def test_junk_is_refused_or_bounded(decode: object, junk: bytes) -> None:
    assert callable(decode)
    try:
        value = decode(junk)
    except MalformedAnswer:
        return
    if isinstance(value, wire.Fragment):
        assert value.fragment_offset + value.fragment_bytes <= value.total_bytes
    if isinstance(value, wire.FrameHeader):
        assert value.payload_bytes <= wire.LONGEST_CONTROL_BYTES
