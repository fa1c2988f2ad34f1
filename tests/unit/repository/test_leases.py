import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.progress import Progress
from app.domain.extents import Extent
from app.repository import PointWriter, leases
from app.repository.documents import encode_document
from app.repository.errors import LeaseLost, RepositoryBusy
from app.repository.layout import Layout
from app.repository.leases import EXPIRY_S, Lease, LeaseKind, Leases, ProcessIdentity
from app.repository.processes import process_mark
from app.repository.values import MIB
from tests.support.waiting import wait_until
from tests.unit.repository.helpers import (
    MemoryDisk,
    back_up,
    disk_draft,
    open_repository,
    point_draft,
    random_bytes,
)

HERE = ProcessIdentity.current()
ELSEWHERE = replace(HERE, host="other-console", host_key="another machine", process=4711)


class TurnableClock:
    """A clock that moves only when it is turned, or slept on."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.wall = datetime(2026, 11, 22, tzinfo=UTC)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    with open_repository(tmp_path):
        return Layout(tmp_path / "standby")


@pytest.fixture
def clock() -> TurnableClock:
    return TurnableClock()


def book(layout: Layout, clock: TurnableClock, identity: ProcessIdentity = HERE) -> Leases:
    return Leases(layout, clock, identity)


def leave_behind(layout: Layout, kind: LeaseKind, identity: ProcessIdentity) -> Path:
    """Make the lease of an owner that stopped without giving it back."""
    lease = Lease(layout, kind, "backup", identity)
    path = layout.locks / f"{lease.id}.lease"
    content = path.read_bytes()
    lease.release()
    path.write_bytes(content)
    return path


def test_shared_leases_go_together(layout: Layout, clock: TurnableClock) -> None:
    first = book(layout, clock).acquire(LeaseKind.SHARED, "backup")
    second = book(layout, clock, ELSEWHERE).acquire(LeaseKind.SHARED, "backup")
    first.release()
    second.release()
    assert list(layout.locks.iterdir()) == []


@pytest.mark.parametrize(
    ("held", "wanted"),
    [
        (LeaseKind.SHARED, LeaseKind.EXCLUSIVE),
        (LeaseKind.EXCLUSIVE, LeaseKind.SHARED),
        (LeaseKind.EXCLUSIVE, LeaseKind.EXCLUSIVE),
    ],
)
def test_an_exclusive_lease_goes_with_no_other(
    layout: Layout, clock: TurnableClock, held: LeaseKind, wanted: LeaseKind
) -> None:
    lease = book(layout, clock, ELSEWHERE).acquire(held, "the nightly backup")
    with pytest.raises(RepositoryBusy, match=r"other-console.*the nightly backup"):
        book(layout, clock).acquire(wanted, "garbage collection")
    assert len(list(layout.locks.iterdir())) == 1, "who has to step back leaves nothing"
    lease.release()
    book(layout, clock).acquire(wanted, "garbage collection").release()


def test_a_process_that_ended_on_this_machine_is_noticed_at_once(layout: Layout, clock: TurnableClock) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True, text=True
    )
    path = leave_behind(layout, LeaseKind.EXCLUSIVE, replace(HERE, process=int(ended.stdout)))
    book(layout, clock).acquire(LeaseKind.SHARED, "backup").release()
    assert not path.exists()


def test_a_process_number_that_was_given_out_again_is_not_the_owner(layout: Layout, clock: TurnableClock) -> None:
    path = leave_behind(layout, LeaseKind.EXCLUSIVE, replace(HERE, started=HERE.started - 5000))
    book(layout, clock).acquire(LeaseKind.SHARED, "backup").release()
    assert not path.exists()


def test_a_lease_of_another_machine_is_taken_over_when_it_stood_still(
    layout: Layout, clock: TurnableClock
) -> None:
    path = leave_behind(layout, LeaseKind.EXCLUSIVE, ELSEWHERE)
    watcher = book(layout, clock)
    with pytest.raises(RepositoryBusy):
        watcher.acquire(LeaseKind.SHARED, "backup")
    clock.seconds += EXPIRY_S
    watcher.acquire(LeaseKind.SHARED, "backup").release()
    assert not path.exists()


def test_who_waits_long_enough_to_suspect_a_silent_owner_waits_until_it_counts_as_dead(
    layout: Layout, clock: TurnableClock
) -> None:
    path = leave_behind(layout, LeaseKind.EXCLUSIVE, ELSEWHERE)
    started = clock.monotonic()
    book(layout, clock).acquire(LeaseKind.SHARED, "backup", wait_s=30).release()
    assert not path.exists()
    assert EXPIRY_S <= clock.monotonic() - started < EXPIRY_S + 10


def test_a_lease_that_shows_signs_of_life_is_never_taken_over(layout: Layout, clock: TurnableClock) -> None:
    owner = book(layout, clock, ELSEWHERE).acquire(LeaseKind.EXCLUSIVE, "garbage collection")
    watcher = book(layout, clock)
    for _ in range(6):
        with pytest.raises(RepositoryBusy):
            watcher.acquire(LeaseKind.SHARED, "backup")
        clock.seconds += EXPIRY_S - 15
        owner.beat()
    owner.check()
    owner.release()


def test_no_jump_of_the_wall_clock_matters(layout: Layout, clock: TurnableClock) -> None:
    owner = book(layout, clock, ELSEWHERE).acquire(LeaseKind.EXCLUSIVE, "garbage collection")
    watcher = book(layout, clock)
    for jump in (timedelta(days=400), timedelta(days=-4000)):
        clock.wall += jump
        with pytest.raises(RepositoryBusy):
            watcher.acquire(LeaseKind.SHARED, "backup", wait_s=0)
    owner.check()
    owner.release()


def test_an_owner_whose_lease_was_taken_over_knows_it_and_does_not_come_back(
    layout: Layout, clock: TurnableClock
) -> None:
    owner = book(layout, clock, ELSEWHERE).acquire(LeaseKind.SHARED, "backup")
    path = layout.locks / f"{owner.id}.lease"
    path.unlink()
    owner.beat()
    assert not path.exists()
    with pytest.raises(LeaseLost):
        owner.check()
    owner.release()


def test_a_lease_that_cannot_be_read_excludes_until_it_was_watched(layout: Layout, clock: TurnableClock) -> None:
    path = leave_behind(layout, LeaseKind.SHARED, ELSEWHERE)
    broken = bytearray(path.read_bytes())
    broken[100] ^= 1
    path.write_bytes(broken)
    watcher = book(layout, clock)
    with pytest.raises(RepositoryBusy, match="unreadable"):
        watcher.acquire(LeaseKind.SHARED, "backup")
    clock.seconds += EXPIRY_S
    watcher.acquire(LeaseKind.SHARED, "backup").release()


def test_a_backup_whose_lease_was_taken_over_is_not_committed(tmp_path: Path) -> None:
    with open_repository(tmp_path) as repository:
        with repository.begin_point(point_draft()) as writer:
            for path in (tmp_path / "standby" / "locks").iterdir():
                path.unlink()
            with pytest.raises(LeaseLost):
                writer.commit()
        assert repository.points().points == ()


def test_one_lease_serves_all_that_a_process_does_at_once(tmp_path: Path) -> None:
    locks = tmp_path / "standby" / "locks"
    with open_repository(tmp_path) as repository:
        point = back_up(repository, MemoryDisk(b"x" * 1000))
        with repository.open_point(point.id), repository.begin_point(point_draft(1)) as writer:
            assert len(list(locks.iterdir())) == 1
            writer.save_changed_extents(2000, [], None)
        assert list(locks.iterdir()) == []


def of_an_earlier_version(path: Path, identity: ProcessIdentity) -> None:
    """Write a lease as versions before the process marks did."""
    body = {
        "format": 1,
        "id": path.stem,
        "kind": "exclusive",
        "purpose": "sweep",
        "host": identity.host,
        "host_key": identity.host_key,
        "process": identity.process,
        "process_started": identity.started,
        "beat": "000000000001",
    }
    path.write_bytes(encode_document(body))


def test_a_clock_that_was_set_makes_no_living_owner_a_dead_one(layout: Layout, clock: TurnableClock) -> None:
    """The owner runs in another process; by the wall clock it began at another time than its lease says."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as owner:
        other = replace(HERE, process=owner.pid, started=HERE.started - 3600, mark=process_mark(owner.pid))
        path = leave_behind(layout, LeaseKind.EXCLUSIVE, other)
        earlier = layout.locks / f"{'e' * 32}.lease"
        of_an_earlier_version(earlier, other)
        with pytest.raises(RepositoryBusy):
            book(layout, clock).acquire(LeaseKind.SHARED, "backup", wait_s=0)
        assert path.exists()
        assert book(layout, clock).is_alive(earlier.stem)
        owner.communicate(b"\n")
    book(layout, clock).acquire(LeaseKind.SHARED, "backup", wait_s=0).release()
    assert not path.exists()
    assert not earlier.exists()


def test_a_process_of_the_same_number_and_another_mark_is_not_the_owner(
    layout: Layout, clock: TurnableClock
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        path = leave_behind(layout, LeaseKind.EXCLUSIVE, replace(HERE, process=other.pid, mark=f"{HERE.mark}0"))
        book(layout, clock).acquire(LeaseKind.SHARED, "backup", wait_s=0).release()
        assert not path.exists()
        other.communicate(b"\n")


# --- a lease that was lost --------------------------------------------------------------------------------------


def take_leases_away(layout: Layout) -> None:
    """What another console does after this one showed no sign of life for two minutes: it slept."""
    for path in layout.locks.glob("*.lease"):
        path.unlink()


def test_after_a_lost_lease_the_next_backup_works_while_a_reader_is_open(tmp_path: Path) -> None:
    disk = MemoryDisk(b"x" * 600_000)
    with open_repository(tmp_path) as repository:
        layout = Layout(tmp_path / "standby")
        first = back_up(repository, disk)
        with repository.open_point(first.id) as reader:
            take_leases_away(layout)
            second = back_up(repository, disk, number=1)
            assert len(list(layout.locks.glob("*.lease"))) == 1, "the reader is protected again"
            assert reader.verify(progress=Progress(), cancel=CancelToken()).whole
        assert list(layout.locks.glob("*.lease")) == []
        assert {point.id for point in repository.points().points} == {first.id, second.id}


def write_and_commit(writer: PointWriter, disk: MemoryDisk) -> None:
    writer.write_disk(
        disk_draft(disk.capacity_bytes),
        disk,
        [Extent(0, disk.capacity_bytes)],
        parent=None,
        progress=Progress(),
        cancel=CancelToken(),
    )
    writer.commit()


def test_a_writer_whose_lease_was_lost_fails_cleanly_and_the_next_works(tmp_path: Path) -> None:
    disk = MemoryDisk(random_bytes(3 * MIB))
    with open_repository(tmp_path) as repository:
        layout = Layout(tmp_path / "standby")
        lost = repository.begin_point(point_draft())
        take_leases_away(layout)
        with repository.begin_point(point_draft(1)) as writer:  # takes away what the lost one has in staging
            with pytest.raises(LeaseLost), lost:
                write_and_commit(lost, disk)
            committed = writer.commit()
        assert [point.id for point in repository.points().points] == [committed.id]
        assert list(layout.locks.glob("*.lease")) == []
        back_up(repository, disk, number=2)


def test_a_reader_whose_lease_was_lost_takes_it_again_at_the_next_beat(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "HEARTBEAT_S", 0.05)
    with open_repository(tmp_path) as repository:
        layout = Layout(tmp_path / "standby")
        point = back_up(repository, MemoryDisk(b"x" * 1000))
        with repository.open_point(point.id):
            take_leases_away(layout)
            wait_until(lambda: any(layout.locks.glob("*.lease")))
        assert list(layout.locks.glob("*.lease")) == []
