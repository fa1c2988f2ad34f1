"""Writing by VMware's library: exact data, the order of the calls, and no write that is taken for done."""

import random

import pytest

from app.domain.errors import DiskAccessFailed
from app.domain.states import TransportMode
from app.transport.errors import ModeNotOffered
from app.transport.vddk.writer import VddkWriter
from tests.support.vddk_lab import VddkLab, quick_options

pytestmark = pytest.mark.outside_tools("gcc")

MIB = 1 << 20


def test_a_disk_is_written_in_the_documented_order(lab: VddkLab) -> None:
    file = lab.add_disk(bytes(2 * MIB))
    content = random.Random(3).randbytes(2 * MIB)
    writer = lab.writer(len(content))
    try:
        writer.write(0, content)
        writer.flush()
        assert file.read_bytes() == content
        assert writer.mode is TransportMode.NBD_SSL
    finally:
        writer.close()
    assert lab.functions() == [
        *("InitEx", "ConnectEx", "Open", "GetInfo", "Write", "Write", "Flush"),
        *("Close", "Disconnect", "Cleanup", "Exit"),
    ]
    assert "ConnectEx 0 - nbdssl" in lab.calls()
    assert "Open [ds1] web-01/web-01.vmdk 0" in lab.calls()


def test_writes_of_any_place_and_length_are_those_to_a_file(lab: VddkLab) -> None:
    chance = random.Random(5)
    expected = bytearray(chance.randbytes(3 * MIB))
    file = lab.add_disk(bytes(expected))
    writer = lab.writer(len(expected))
    try:
        for _ in range(80):
            start = chance.randrange(len(expected))
            data = chance.randbytes(chance.randrange(min(100_000, len(expected) - start) + 1))
            writer.write(start, data)
            expected[start : start + len(data)] = data
        writer.flush()
    finally:
        writer.close()
    assert file.read_bytes() == bytes(expected)


def test_queued_writes_stay_within_the_transfer_buffer(lab: VddkLab) -> None:
    lab.add_disk(bytes(8 * MIB))
    lab.order("wait", "Write", 1, lab.root / "go")
    writer = lab.writer(8 * MIB, options=quick_options(call_s=2.0, buffer_bytes=2 * MIB))
    try:
        for start in (0, MIB):
            writer.write(start, bytes(MIB))
        with pytest.raises(DiskAccessFailed, match="did not return"):  # the third waits for the first
            writer.write(2 * MIB, bytes(MIB))
    finally:
        writer.close()


def _write_whole(writer: VddkWriter, mebibytes: int) -> None:
    for number in range(mebibytes):
        writer.write(number * MIB, bytes(MIB))
    writer.flush()


@pytest.mark.parametrize("order", [("fail", "Write", 2, 8), ("abort", "Write", 2), ("fail", "Flush", 1, 7)])
def test_after_a_failure_nothing_counts_as_written(lab: VddkLab, order: tuple[object, ...]) -> None:
    lab.add_disk(bytes(4 * MIB))
    lab.order(*order)
    writer = lab.writer(4 * MIB)
    try:
        with pytest.raises(DiskAccessFailed):
            _write_whole(writer, 4)
        with pytest.raises(DiskAccessFailed, match="earlier writes were lost"):
            writer.flush()
        with pytest.raises(DiskAccessFailed, match="earlier writes were lost"):
            writer.write(0, bytes(512))
    finally:
        writer.close()
    assert len(lab.processes()) == 1


def test_a_write_beyond_the_end_is_refused_before_the_library_sees_it(lab: VddkLab) -> None:
    lab.add_disk(bytes(MIB))
    writer = lab.writer(MIB)
    try:
        with pytest.raises(ValueError, match="not all on a disk"):
            writer.write(MIB - 1, b"12")
    finally:
        writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(0, b"1")
    assert "Write" not in lab.functions()


def test_san_is_not_written_and_says_why(lab: VddkLab) -> None:
    lab.add_disk(bytes(MIB))
    with pytest.raises(ModeNotOffered, match="would need a snapshot"):
        lab.writer(MIB, mode=TransportMode.SAN)
    assert lab.calls() == []
