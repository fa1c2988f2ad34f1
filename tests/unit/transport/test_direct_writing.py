"""Writing a device past the page cache: every byte in its place, alone on the device, no wait without an end."""

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.cancel import CancelToken
from app.core.filelocks import close_locked, try_lock
from app.domain.errors import TaskCancelled
from app.transport.hotadd import output
from app.transport.hotadd.device import SECTOR_BYTES, DeviceStalled, DeviceTooShort
from app.transport.hotadd.output import DirectOutput
from tests.support.platforms import posix_only
from tests.support.waiting import wait_for_threads

pytestmark = posix_only("disks are attached to a Linux guest only")

SIZE = 3 * 1024 * 1024 + 512  # a disk need not be a whole number of large sectors
BEFORE = bytes(range(256)) * (SIZE // 256)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "device"
    path.write_bytes(BEFORE)
    return path


@pytest.fixture
def device(path: Path) -> Iterator[DirectOutput]:
    opened = DirectOutput(path, SIZE, CancelToken())
    yield opened
    opened.close()


def write(
    device: DirectOutput,
    offset: int,
    data: bytes,
    *,
    budget_bytes: int = 4 << 20,
    patience_s: float = 10.0,
    cancel: CancelToken | None = None,
) -> None:
    device.write(
        offset,
        memoryview(data),
        budget_bytes=budget_bytes,
        patience_s=patience_s,
        cancel=cancel or CancelToken(),
    )


def flush(device: DirectOutput, *, patience_s: float = 10.0, cancel: CancelToken | None = None) -> None:
    device.flush(patience_s=patience_s, cancel=cancel or CancelToken())


SPANS = st.tuples(
    st.one_of(st.integers(0, SIZE - 1), st.integers(0, SIZE // SECTOR_BYTES).map(lambda n: n * SECTOR_BYTES)),
    st.one_of(st.integers(0, 3 * SECTOR_BYTES), st.sampled_from([512, 4096, 65536, 1 << 20, SIZE])),
    st.integers(1, 255),
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spans=st.lists(SPANS, max_size=30), budget_bytes=st.sampled_from([1, 65536, 4 << 20]))
def test_whatever_is_written_in_whatever_order_lies_there_and_nothing_else_changes(
    path: Path, spans: list[tuple[int, int, int]], budget_bytes: int
) -> None:
    path.write_bytes(BEFORE)
    expected = bytearray(BEFORE)
    device = DirectOutput(path, SIZE, CancelToken())
    for offset, length_bytes, value in spans:
        data = bytes([value]) * min(length_bytes, SIZE - offset)
        expected[offset : offset + len(data)] = data
        write(device, offset, data, budget_bytes=budget_bytes)
    flush(device)
    device.close()
    assert path.read_bytes() == bytes(expected)


def test_whole_sectors_are_sent_straight_and_several_at_a_time(
    device: DirectOutput, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, gate = os.pwritev, threading.Barrier(2, timeout=20)
    seen: list[tuple[int, int]] = []

    def noted(fd: int, buffers: list[memoryview], offset: int) -> int:
        gate.wait()  # breaks unless two are under way together
        seen.append((offset, len(buffers[0])))
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", noted)
    monkeypatch.setattr(os, "preadv", lambda *_: pytest.fail("nothing has to be read for whole sectors"))
    write(device, 0, b"\x07" * (2 << 20))
    flush(device)
    assert sorted(seen) == [(0, 1 << 20), (1 << 20, 1 << 20)]
    assert path.read_bytes()[: 2 << 20] == b"\x07" * (2 << 20)


def test_writes_that_share_a_sector_are_never_under_way_together(
    device: DirectOutput, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, under_way = os.pwritev, threading.Lock()

    def alone(fd: int, buffers: list[memoryview], offset: int) -> int:
        assert under_way.acquire(blocking=False), "two writes of one sector at once"
        try:
            threading.Event().wait(0.01)
            return real(fd, buffers, offset)
        finally:
            under_way.release()

    monkeypatch.setattr(os, "pwritev", alone)
    for place in range(16):
        write(device, 100 * place, bytes([place + 1]) * 100)
    flush(device)
    assert path.read_bytes()[:1600] == b"".join(bytes([place + 1]) * 100 for place in range(16))


def test_a_short_write_goes_on_where_it_ended(
    device: DirectOutput, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwritev
    monkeypatch.setattr(os, "pwritev", lambda fd, buffers, at: real(fd, [buffers[0][: 3 * SECTOR_BYTES]], at))
    write(device, 0, b"\x09" * (10 * SECTOR_BYTES))
    flush(device)
    assert path.read_bytes()[: 10 * SECTOR_BYTES] == b"\x09" * (10 * SECTOR_BYTES)


def test_a_device_that_takes_nothing_at_all_is_a_failure(
    device: DirectOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwritev", lambda *_: 0)
    write(device, 0, bytes(SECTOR_BYTES))
    with pytest.raises(OSError, match="Input/output error"):
        flush(device)


def test_what_a_device_refuses_is_known_at_the_latest_at_the_flush(
    device: DirectOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwritev", full)
    write(device, 0, bytes(SECTOR_BYTES))
    with pytest.raises(OSError, match="No space left"):
        flush(device)


def test_what_cannot_be_made_durable_is_not_written(device: DirectOutput, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuses)
    write(device, 0, bytes(SECTOR_BYTES))
    with pytest.raises(OSError, match="Input/output error"):
        flush(device)


def test_a_device_that_ends_early_is_not_written_past_its_end(tmp_path: Path) -> None:
    path = tmp_path / "short"
    path.write_bytes(bytes(8192))
    device = DirectOutput(path, 16384, CancelToken())
    write(device, 8192 + 10, b"x")
    with pytest.raises(DeviceTooShort):
        flush(device)
    device.close()
    assert path.stat().st_size == 8192


def test_a_device_that_hangs_is_given_up_and_closed_when_it_lets_go(
    device: DirectOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, real = threading.Event(), os.pwritev
    closed: list[int] = []
    real_close = os.close

    def hangs(fd: int, buffers: list[memoryview], offset: int) -> int:
        release.wait(20)
        return real(fd, buffers, offset)

    def noted(fd: int) -> None:
        closed.append(fd)
        real_close(fd)

    monkeypatch.setattr(os, "pwritev", hangs)
    write(device, 0, bytes(SECTOR_BYTES))
    with pytest.raises(DeviceStalled):
        flush(device, patience_s=0.3)
    monkeypatch.setattr(os, "close", noted)
    device.close()
    assert not closed
    release.set()
    wait_for_threads("direct-write")
    assert len(closed) == 1


def test_a_stopped_task_does_not_wait_for_the_device(
    device: DirectOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, cancel, real = threading.Event(), CancelToken(), os.pwritev

    def hangs(fd: int, buffers: list[memoryview], offset: int) -> int:
        cancel.cancel()
        release.wait(20)
        return real(fd, buffers, offset)

    monkeypatch.setattr(os, "pwritev", hangs)
    write(device, 0, bytes(SECTOR_BYTES))
    with pytest.raises(TaskCancelled):
        flush(device, cancel=cancel)
    release.set()


def test_nothing_else_of_the_system_has_the_device_meanwhile(device: DirectOutput, path: Path) -> None:
    other = os.open(path, os.O_RDWR)
    try:
        assert not try_lock(other)
        device.close()
        assert try_lock(other)
    finally:
        close_locked(other)


def test_a_device_that_something_else_keeps_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "CLAIMED_WITHIN_S", 0.3)
    other = os.open(path, os.O_RDWR)
    try:
        assert try_lock(other)
        with pytest.raises(OSError, match="busy"):
            DirectOutput(path, SIZE, CancelToken())
    finally:
        close_locked(other)


def test_a_device_that_udev_looks_at_is_waited_for(path: Path) -> None:
    other = os.open(path, os.O_RDWR)
    assert try_lock(other)
    looking = threading.Timer(0.3, close_locked, [other])
    looking.start()
    device = DirectOutput(path, SIZE, CancelToken())
    looking.join()
    device.close()
