"""Reading a device past the page cache: every byte in its place, whatever is asked, and no wait without an end."""

import ctypes
import mmap
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.disks import ReadRequest, page_aligned
from app.domain.errors import TaskCancelled
from app.transport.hotadd.device import THREADS, DeviceStalled, DeviceTooShort
from app.transport.hotadd.input import DirectInput
from tests.support.platforms import posix_only
from tests.support.waiting import wait_for_threads

pytestmark = posix_only("disks are attached to a Linux guest only")

SIZE = 3 * 1024 * 1024 + 512  # a disk need not be a whole number of large sectors


@pytest.fixture
def content() -> bytes:
    return random.Random(7).randbytes(SIZE)


@pytest.fixture
def device(tmp_path: Path, content: bytes) -> Iterator[DirectInput]:
    path = tmp_path / "device"
    path.write_bytes(content)
    file = DirectInput(path, SIZE)
    yield file
    file.close()


def read(
    device: DirectInput,
    requests: list[ReadRequest],
    *,
    patience_s: float = 10.0,
    cancel: CancelToken | None = None,
) -> list[ReadRequest]:
    reading = device.read_many(
        iter(requests),
        window=4,
        budget_bytes=1 << 20,
        patience_s=patience_s,
        cancel=cancel or CancelToken(),
    )
    return list(reading)


def request(offset: int, length_bytes: int) -> ReadRequest:
    return ReadRequest(offset, memoryview(bytearray(length_bytes)))


def test_any_range_is_read_exactly_and_in_order(device: DirectInput, content: bytes) -> None:
    chance = random.Random(3)
    spans = [(0, SIZE), (SIZE - 512, 512), (511, 2), (4095, 4098), (SIZE - 1, 1)]
    for _ in range(200):
        start = chance.randrange(SIZE)
        spans.append((start, min(SIZE - start, chance.choice([1, 512, 4096, 65536, 1 << 20]))))
    wanted = [request(*span) for span in spans]
    done = read(device, wanted)
    assert [id(result) for result in done] == [id(result) for result in wanted]
    for result in done:
        assert bytes(result.buffer) == content[result.offset : result.offset + len(result.buffer)]


def whole(offset: int, length_bytes: int) -> ReadRequest:
    return ReadRequest(offset, page_aligned(length_bytes), is_exchangeable=True)


def where(buffer: memoryview) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


def test_whole_buffers_are_exchanged_and_none_is_given_out_twice(device: DirectInput, content: bytes) -> None:
    size = 64 * 1024
    free = [page_aligned(size) for _ in range(8)]
    given, chance = {where(buffer) for buffer in free}, random.Random(5)

    def requests() -> Iterator[ReadRequest]:
        for offset in range(0, 3 << 20, size):
            if chance.random() < 0.3:
                yield request(offset + 7, size)
            yield ReadRequest(offset, free.pop(), is_exchangeable=True)

    seen = set()
    reading = device.read_many(requests(), window=4, budget_bytes=1 << 20, patience_s=10, cancel=CancelToken())
    for done in reading:
        assert bytes(done.buffer) == content[done.offset : done.offset + size]
        if done.is_exchangeable:
            assert where(done.buffer) not in {where(buffer) for buffer in free}
            done.buffer[:] = b"\xee" * size
            seen.add(where(done.buffer))
            free.append(done.buffer)
    assert len(free) == 8
    assert seen - given, "nothing was exchanged"
    assert len(seen | given) <= 8 + THREADS


def test_what_cannot_be_exchanged_is_copied(device: DirectInput, content: bytes) -> None:
    wanted = [whole(0, 65536), whole(512, 65536), whole(65536, 4096), whole(SIZE - 512, 512)]
    kept = [where(item.buffer) for item in wanted]
    done = read(device, wanted)
    assert [where(item.buffer) for item in done][1:] == kept[1:]
    for item in done:
        assert bytes(item.buffer) == content[item.offset : item.offset + len(item.buffer)]


def test_a_device_that_ends_early_gives_no_data_in_exchange(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(12288))
    device = DirectInput(path, 16384)
    wanted = whole(8192, 8192)
    with pytest.raises(DeviceTooShort):
        read(device, [wanted])
    device.close()


def test_what_lies_beyond_the_disk_is_refused(device: DirectInput) -> None:
    with pytest.raises(ValueError, match="not all on a disk"):
        read(device, [request(SIZE - 1, 2)])


def test_a_device_that_ends_early_gives_no_data(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(8192))
    device = DirectInput(path, 16384)
    with pytest.raises(DeviceTooShort):
        read(device, [request(4096, 8192)])
    device.close()


def test_direct_io_is_used_where_there_is_any(device: DirectInput, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    real = os.preadv

    def noted(fd: int, buffers: list[memoryview], offset: int) -> int:
        seen.append((offset, len(buffers[0])))
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", noted)
    read(device, [request(1000, 5000)])
    assert seen == [(0, 8192)]


@pytest.mark.parametrize("make", [request, whole], ids=["copied", "exchanged"])
def test_a_device_that_hangs_is_given_up_and_left_alone(
    device: DirectInput, monkeypatch: pytest.MonkeyPatch, make: Callable[[int, int], ReadRequest]
) -> None:
    release, real = threading.Event(), os.preadv

    def hangs(fd: int, buffers: list[memoryview], offset: int) -> int:
        release.wait(20)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", hangs)
    wanted = make(0, 4096)
    with pytest.raises(DeviceStalled):
        read(device, [wanted], patience_s=0.3)
    device.close()
    wanted.buffer[:] = b"\xff" * 4096
    release.set()
    wait_for_threads("direct-read")
    assert bytes(wanted.buffer) == b"\xff" * 4096  # an answer that came too late changes nothing


def test_a_stopped_task_does_not_wait_for_the_device(device: DirectInput, monkeypatch: pytest.MonkeyPatch) -> None:
    release, cancel = threading.Event(), CancelToken()
    real = os.preadv

    def hangs(fd: int, buffers: list[memoryview], offset: int) -> int:
        cancel.cancel()
        release.wait(20)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", hangs)
    with pytest.raises(TaskCancelled):
        read(device, [request(0, 4096)], cancel=cancel)
    release.set()


def test_a_reader_that_stops_in_the_middle_can_read_again(device: DirectInput, content: bytes) -> None:
    reading = device.read_many(
        (request(offset, 65536) for offset in range(0, 1 << 20, 65536)),
        window=4,
        budget_bytes=1 << 20,
        patience_s=10,
        cancel=CancelToken(),
    )
    assert bytes(next(reading).buffer) == content[:65536]
    reading.close()
    (again,) = read(device, [request(1 << 20, 4096)])
    assert bytes(again.buffer) == content[1 << 20 : (1 << 20) + 4096]


def test_memory_is_bounded_by_the_threads(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "another"
    path.write_bytes(content)
    made: list[int] = []
    real = mmap.mmap

    def counted(fileno: int, length: int) -> mmap.mmap:
        made.append(length)
        return real(fileno, length)

    monkeypatch.setattr("app.transport.hotadd.device.mmap.mmap", counted)
    device = DirectInput(path, SIZE)
    read(device, [request(offset, 65536) for offset in range(0, 3 << 20, 65536)])
    device.close()
    assert len(made) == THREADS
