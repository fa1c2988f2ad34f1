"""Reading by VMware's library: the calls and their order, exact data, queued requests."""

import random
import shutil
import time
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest
from app.domain.errors import TaskCancelled
from app.domain.extents import Extent
from app.domain.states import TransportMode
from app.transport.vddk.reader import VddkReader
from tests.support.fakes import RecordingTaskLog
from tests.support.vddk_lab import VddkLab, built_double, quick_options
from tests.unit.transport.opening import requests, whole

pytestmark = pytest.mark.outside_tools("gcc")

MIB = 1 << 20


def content_of(size_bytes: int, seed: int = 1) -> bytes:
    """Return bytes that are nowhere the same."""
    return random.Random(seed).randbytes(size_bytes)


def read(reader: VddkReader, extents: list[Extent]) -> list[bytes]:
    """Read ranges, in their order."""
    return [bytes(request.buffer) for request in reader.read_many(requests(extents))]


def test_a_disk_is_opened_read_and_closed_in_the_documented_order(lab: VddkLab) -> None:
    content = content_of(2 * MIB)
    lab.add_disk(content)
    reader = lab.reader(len(content))
    try:
        assert b"".join(read(reader, whole(len(content), MIB))) == content
        assert reader.mode is TransportMode.NBD_SSL
        assert reader.capacity_bytes == len(content)
    finally:
        reader.close()
    assert lab.functions() == [
        "InitEx",
        "ConnectEx",
        "Open",
        "GetInfo",
        "Read",
        "Read",
        "Close",
        "Disconnect",
        "Cleanup",
        "Exit",
    ]
    assert "InitEx 8.0" in lab.calls()
    assert "ConnectEx 1 snapshot-7 nbdssl" in lab.calls()
    assert "Open [ds1] web-01/web-01.vmdk 4" in lab.calls()


@pytest.mark.parametrize(
    ("mode", "name"),
    [
        (TransportMode.SAN, "san"),
        (TransportMode.HOTADD, "hotadd"),
        (TransportMode.NBD_SSL, "nbdssl"),
        (TransportMode.NBD, "nbd"),
    ],
)
def test_each_mode_is_asked_for_alone(lab: VddkLab, mode: TransportMode, name: str) -> None:
    lab.add_disk(content_of(MIB))
    reader = lab.reader(MIB, mode=mode)
    reader.close()
    assert f"ConnectEx 1 snapshot-7 {name}" in lab.calls()
    assert reader.mode is mode


def test_ranges_of_any_place_and_length_are_exact(lab: VddkLab) -> None:
    content = content_of(3 * MIB)
    lab.add_disk(content)
    chance = random.Random(7)
    extents = [Extent(0, 1), Extent(511, 2), Extent(len(content) - 700, 700), Extent(5, 2 * MIB + 3)]
    for _ in range(60):
        start = chance.randrange(len(content))
        extents.append(Extent(start, chance.randrange(1, min(200_000, len(content) - start) + 1)))
    reader = lab.reader(len(content))
    try:
        found = read(reader, extents)
    finally:
        reader.close()
    assert found == [content[extent.start : extent.start + extent.length_bytes] for extent in extents]


def test_a_consumer_that_stops_early_leaves_the_disk_usable(lab: VddkLab) -> None:
    content = content_of(8 * MIB)
    lab.add_disk(content)
    reader = lab.reader(len(content))
    try:
        first = reader.read_many(requests(whole(len(content), 256 * 1024)))
        next(first)
        first.close()  # type: ignore[attr-defined]
        assert read(reader, [Extent(5 * MIB, 4096)]) == [content[5 * MIB : 5 * MIB + 4096]]
    finally:
        reader.close()


def test_a_request_beyond_the_end_is_refused_before_the_library_sees_it(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    reader = lab.reader(MIB)
    try:
        with pytest.raises(ValueError, match="not all on a disk"):
            read(reader, [Extent(MIB - 10, 20)])
    finally:
        reader.close()
    assert "Read" not in lab.functions()


def test_the_hosts_memory_stays_within_the_transfer_buffer(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    for buffer_bytes in (4 * MIB, MIB, 64 * 1024):
        lab.reader(MIB, options=quick_options(buffer_bytes=buffer_bytes)).close()
    sizes = [int(call.split()[1]) * 1024 for call in lab.calls() if call.startswith("buffers")]
    assert sizes == [4 * MIB, MIB, 64 * 1024]


def test_allocated_blocks_are_those_that_hold_data_and_the_odd_end(lab: VddkLab) -> None:
    content = bytearray(4 * MIB + 512 * 3)
    content[MIB : MIB + 10] = b"0123456789"
    content[2 * MIB + 65536 : 2 * MIB + 3 * 65536] = content_of(2 * 65536)
    lab.add_disk(bytes(content))
    reader = lab.reader(len(content))
    try:
        assert reader.allocated_extents() == [
            Extent(MIB, 65536),
            Extent(2 * MIB + 65536, 2 * 65536),
            Extent(4 * MIB, 512 * 3),
        ]
    finally:
        reader.close()


def test_a_large_disk_is_asked_about_in_parts(lab: VddkLab) -> None:
    capacity = (33 << 30) + 512
    file = lab.add_disk(b"")
    with file.open("r+b") as sparse:
        sparse.truncate(capacity)
        for place in (65536 * 5 + 17, (32 << 30) - 1):
            sparse.seek(place)
            sparse.write(b"12")
    reader = lab.reader(capacity)
    try:
        assert reader.allocated_extents() == [
            Extent(65536 * 5, 65536),
            Extent((32 << 30) - 65536, 2 * 65536),
            Extent(33 << 30, 512),
        ]
    finally:
        reader.close()
    questions = [call for call in lab.calls() if call.startswith("QueryAllocatedBlocks")]
    assert questions == ["QueryAllocatedBlocks 0 67108864 128", "QueryAllocatedBlocks 67108864 2097152 128"]


def test_a_library_that_does_not_say_what_is_allocated_is_believed(lab: VddkLab) -> None:
    lab.add_disk(content_of(MIB))
    lab.order("fail", "QueryAllocatedBlocks", 1, 6)
    log = RecordingTaskLog()
    reader = lab.reader(MIB, log=log)
    try:
        assert reader.allocated_extents() is None
    finally:
        reader.close()
    assert "does not report which blocks" in log.text()


def test_a_library_without_the_call_says_nothing_of_what_is_allocated(tmp_path: Path) -> None:
    lab = VddkLab(tmp_path)
    shutil.copyfile(built_double("-DWITHOUT_LISTING"), lab.file)
    lab.add_disk(content_of(MIB))
    reader = lab.reader(MIB)
    try:
        assert reader.allocated_extents() is None
    finally:
        reader.close()
    assert lab.violations() == []


def test_two_disks_have_a_process_each(lab: VddkLab) -> None:
    contents = [content_of(2 * MIB, seed) for seed in (1, 2)]
    paths = ["[ds1] web-01/web-01.vmdk", "[ds1] web-01/web-01_1.vmdk"]
    for content, path in zip(contents, paths, strict=True):
        lab.add_disk(content, path)
    readers = [lab.reader(2 * MIB, path=path) for path in paths]
    try:
        streams = [reader.read_many(requests(whole(2 * MIB, 65536))) for reader in readers]
        found = [bytearray(), bytearray()]
        for pair in zip(*streams, strict=True):
            for target, request in zip(found, pair, strict=True):
                target += request.buffer
        assert [bytes(part) for part in found] == contents
    finally:
        for reader in readers:
            reader.close()
    assert len(lab.processes()) == 2
    # The library cleans up only when no other disk is open.
    assert lab.functions().count("Cleanup") == 1


def test_a_cancelled_task_waits_for_nothing_and_closes_the_disk(lab: VddkLab) -> None:
    lab.add_disk(content_of(8 * MIB))
    lab.order("slow", "Read", 100)
    cancel = CancelToken()
    reader = lab.reader(8 * MIB, cancel=cancel)
    begun = time.monotonic()
    try:
        stream = reader.read_many(requests(whole(8 * MIB, 256 * 1024)))
        next(stream)
        cancel.cancel()
        with pytest.raises(TaskCancelled):
            for _ in stream:
                pass
    finally:
        reader.close()
    assert time.monotonic() - begun < 3.0  # what was queued is not read any more
    assert lab.functions()[-4:] == ["Close", "Disconnect", "Cleanup", "Exit"]


def test_data_comes_as_fast_as_a_disk_wants_it(lab: VddkLab) -> None:
    size = 128 * MIB
    lab.add_disk(bytes(size))  # in memory from now on
    reader = lab.reader(size)
    buffers = [memoryview(bytearray(MIB)) for _ in range(reader.window + 1)]
    asked = (ReadRequest(start, buffers[start // MIB % len(buffers)]) for start in range(0, size, MIB))
    begun = time.monotonic()
    try:
        assert sum(len(request.buffer) for request in reader.read_many(asked)) == size
    finally:
        seconds = time.monotonic() - begun
        reader.close()
    assert size / seconds > 50e6  # however busy the machine is; else it is about 1 GB/s
