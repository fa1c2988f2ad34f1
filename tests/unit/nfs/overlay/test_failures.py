"""Full disks, failed writes and failed syncs: refused by name, and never taken for success."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.nfs.overlay import OverlayDisk, OverlayFull, OverlayUnavailable, log
from tests.support.platforms import posix_only
from tests.support.waiting import wait_until
from tests.unit.nfs.overlay.helpers import (
    BASE,
    GRAIN,
    IN_BACKGROUND,
    SMALL,
    EmptyDisk,
    as_killed,
    grain,
    names,
    open_overlay,
    read,
    reopened,
    segments,
)

pytestmark = posix_only("the calls that fail are POSIX'")

NOT_CLOSED = pytest.mark.allows_log("not closed properly")
Call = Callable[..., object]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "overlay"


class Refusing:
    """Stands for a call of the system that may fail."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.error: int | None = None
        self.calls = 0
        self.real: Call = getattr(os, name)
        patch.setattr(os, name, self)

    def __call__(self, *args: object) -> object:
        self.calls += 1
        if self.error is not None:
            raise OSError(self.error, os.strerror(self.error))
        return self.real(*args)


def fill(disk: OverlayDisk) -> int:
    """Write grains until the overlay refuses; return how many it took."""
    for number in range(1000):
        try:
            disk.write(number % 40 * GRAIN, grain(number))
        except OverlayFull:
            return number
    raise AssertionError("never full")


def filled(count: int) -> bytes:
    latest = {number % 40: number for number in range(count)}
    return b"".join(grain(latest[place]) for place in range(40)) + BASE[40 * GRAIN :]


def test_a_full_disk_refuses_and_goes_on_when_there_is_space(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Refusing(monkeypatch, "posix_fallocate")
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        for number in range(1, 40):
            disk.write(number * GRAIN, grain(number))
        space.error = errno.ENOSPC
        count = fill(disk)
        assert read(disk)[: count * GRAIN] == b"".join(map(grain, range(count)))
        with pytest.raises(OverlayFull, match="No space left") as caught:
            disk.write(0, grain(7))
        assert isinstance(caught.value.__cause__, OSError)
        disk.sync()
        space.error = None
        disk.write(0, grain(7))
        expected = read(disk)
        assert expected[:GRAIN] == grain(7)
    with reopened(folder) as disk:
        assert read(disk) == expected
    assert not [name for name in names(folder) if name.endswith(".tmp")]


@pytest.mark.allows_log("is not compacted for now")
def test_a_full_disk_is_helped_by_segments_in_which_nothing_is_alive(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Refusing(monkeypatch, "posix_fallocate")
    real = space.real

    def full_for_large(descriptor: int, offset: int, length: int) -> None:
        if space.error is not None and length >= 64 << 10 and len(segments(folder)) >= 3:
            raise OSError(space.error, os.strerror(space.error))
        real(descriptor, offset, length)

    monkeypatch.setattr(os, "posix_fallocate", full_for_large)
    space.error = errno.ENOSPC
    with open_overlay(folder, IN_BACKGROUND) as disk:
        for number in range(200):

            def written(number: int = number) -> bool:
                try:
                    disk.write(0, grain(number))
                except OverlayFull:
                    return False
                return True

            wait_until(written, what="space for a write")
        assert read(disk, 0, GRAIN) == grain(199)


@NOT_CLOSED
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
def test_a_write_that_finds_no_space_changes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    writes = Refusing(monkeypatch, "pwritev")
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        writes.error = error
        with pytest.raises(OverlayFull):
            disk.write(0, grain(1))
        writes.error = None
        assert read(disk) == grain(0) + BASE[GRAIN:]
        disk.write(GRAIN, grain(2))
        disk.sync()
        copy = as_killed(folder)
    with reopened(copy) as disk:
        assert read(disk) == grain(0) + grain(2) + BASE[2 * GRAIN :]


def test_an_unreachable_standby_refuses_a_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Refusing(monkeypatch, "pwritev")
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        writes.error = errno.EIO
        with pytest.raises(OverlayUnavailable) as caught:
            disk.write(0, grain(1))
        assert isinstance(caught.value.__cause__, OSError)
        writes.error = None
        disk.write(GRAIN, grain(1))
        assert read(disk) == grain(0) + grain(1) + BASE[2 * GRAIN :]


@NOT_CLOSED
def test_after_a_write_and_its_sync_failed_nothing_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes, syncs = Refusing(monkeypatch, "pwritev"), Refusing(monkeypatch, "fdatasync")
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        writes.error = syncs.error = errno.ENOSPC
        with pytest.raises(OverlayUnavailable):
            disk.write(0, grain(1))
        writes.error = syncs.error = None
        refuses_everything(disk)


def refuses_everything(disk: OverlayDisk) -> None:
    for _ in range(2):
        with pytest.raises(OverlayUnavailable, match="unknown what is durable"):
            disk.write(0, grain(5))
        with pytest.raises(OverlayUnavailable, match="unknown what is durable"):
            disk.sync()


@NOT_CLOSED
def test_a_failed_sync_is_never_taken_for_success(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Refusing(monkeypatch, "fdatasync")
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        disk.sync()
        disk.write(0, grain(1))
        syncs.error = errno.EIO
        with pytest.raises(OverlayUnavailable) as caught:
            disk.sync()
        assert isinstance(caught.value.__cause__, OSError)
        syncs.error = None  # the system reports a failure once, and has forgotten it then
        refuses_everything(disk)
        assert read(disk, 0, GRAIN) == grain(1)
        assert syncs.calls == 2
    with reopened(folder) as disk:
        disk.write(0, grain(2))
        disk.sync()
        assert read(disk, 0, GRAIN) == grain(2)


@NOT_CLOSED
def test_a_failed_seal_is_never_taken_for_success(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_overlay(folder) as disk:
        for number in range(10):
            disk.write(number * GRAIN, grain(number))
        syncs = Refusing(monkeypatch, "fsync")
        real = syncs.real
        failed: list[str] = []

        def failing_for_segments(descriptor: int) -> None:
            name = Path(f"/proc/self/fd/{descriptor}").readlink().name
            if name.endswith(".seg") and not failed:
                failed.append(name)
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", failing_for_segments)
        with pytest.raises(OverlayUnavailable):
            fill(disk)
        assert failed
        refuses_everything(disk)


class HeldSync:
    """Lets syncs of the log wait for a signal."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.calls = 0
        self.error: int | None = None
        self.waiting = 0
        real, turn = os.fdatasync, log._Turn  # noqa: SLF001 - made for each who waits

        def held(descriptor: int) -> None:
            self.calls += 1
            self.begun.release()
            assert self.go_on.wait(20)
            if self.error is not None:
                raise OSError(self.error, os.strerror(self.error))
            real(descriptor)

        def counted(target: float) -> object:
            self.waiting += 1
            return turn(target)

        patch.setattr(os, "fdatasync", held)
        patch.setattr(log, "_Turn", counted)


def run_followers(disk: OverlayDisk, held: HeldSync) -> tuple[list[threading.Thread], list[object]]:
    """Start a sync that is held, and seven more that wait for it."""
    outcomes: list[object] = []

    def work(number: int) -> None:
        disk.write(number * GRAIN, grain(number))
        try:
            disk.sync()
        except OverlayUnavailable as error:
            outcomes.append(error)
        else:
            outcomes.append(number)

    leader = threading.Thread(target=work, args=(0,), name="leader")
    leader.start()
    assert held.begun.acquire(timeout=20)
    followers = [threading.Thread(target=work, args=(n,), name=f"follower {n}") for n in range(1, 8)]
    for thread in followers:
        thread.start()
    wait_until(lambda: held.waiting == 7, what="seven waiting syncs")
    return [leader, *followers], outcomes


def test_one_sync_serves_all_that_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_overlay(folder) as disk:
        held = HeldSync(monkeypatch)
        threads, outcomes = run_followers(disk, held)
        assert outcomes == []
        held.go_on.set()
        for thread in threads:
            thread.join()
        monkeypatch.undo()
        assert sorted(outcomes, key=str) == list(range(8))
        assert held.calls == 2


@NOT_CLOSED
def test_a_failed_sync_fails_for_all_that_wait(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_overlay(folder) as disk:
        held = HeldSync(monkeypatch)
        threads, outcomes = run_followers(disk, held)
        held.error = errno.EIO
        held.go_on.set()
        for thread in threads:
            thread.join()
        monkeypatch.undo()
        assert len(outcomes) == 8
        assert all(isinstance(outcome, OverlayUnavailable) for outcome in outcomes)
        assert held.calls == 1


def test_a_sync_without_writes_asks_the_disk_for_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = Refusing(monkeypatch, "fdatasync")
    with open_overlay(folder) as disk:
        disk.sync()
        disk.write(0, grain(0))
        disk.sync()
        disk.sync()
        assert syncs.calls == 1


def test_a_map_that_cannot_be_written_changes_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capacity = 64 << 20  # 16 pages, as many as are in memory, and one more

    with OverlayDisk(lambda: EmptyDisk(capacity + GRAIN), capacity + GRAIN, folder, SMALL) as disk:
        for number in range(16):
            disk.write(number * (4 << 20), grain(number))
        extents = disk.written_extents()
        real = os.pwritev

        def refusing_for_pages(descriptor: int, parts: list[memoryview], offset: int) -> int:
            if Path(f"/proc/self/fd/{descriptor}").readlink().name == "map.cache":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, parts, offset)

        monkeypatch.setattr(os, "pwritev", refusing_for_pages)
        with pytest.raises(OverlayFull):
            disk.write(capacity, grain(16))
        monkeypatch.undo()
        assert disk.written_extents() == extents
        copy = as_killed(folder)
        with OverlayDisk(lambda: EmptyDisk(capacity + GRAIN), capacity + GRAIN, copy, SMALL) as other:
            assert other.written_extents() == extents
        disk.write(capacity, grain(16))
        assert read(disk, capacity, GRAIN) == grain(16)
        assert read(disk, 0, GRAIN) == grain(0)


def test_where_space_cannot_be_reserved_zeros_are_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    space = Refusing(monkeypatch, "posix_fallocate")
    space.error = errno.EOPNOTSUPP
    with open_overlay(folder) as disk:
        disk.write(0, grain(0))
        found = segments(folder)[0].stat()
        assert found.st_size == 64 << 10
        assert found.st_blocks * 512 >= 64 << 10
    with reopened(folder) as disk:
        assert read(disk, 0, GRAIN) == grain(0)
