"""The standby goes away under a VM that runs from its restore point: the VM waits, loses nothing, and goes on.

Everything is real but the platform: the engine, the serving process, NFS over libnfs, and the file system, to
which the kernel does what is said. The guest knows which of its writes were acknowledged.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.contract.instant import KeepInstantRecovery, ResumeInstantRecovery, StopInstantRecovery
from app.domain.errors import OperationalError
from app.domain.instant import FinishWay, InstantState
from app.domain.states import TaskState
from tests.support import libnfs
from tests.support.away_lab import NAME, AwayLab, away_lab, digest_of
from tests.support.logguard import LogGuard
from tests.support.standby_mount import StandbyMount, hanging_standby_mount, standby_mount
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed"),
    pytest.mark.timeout(300),
]
IS_DEEP = os.environ.get("STANDFAST_HYPOTHESIS") == "deep"
ROUNDS = 4 if IS_DEEP else 1
"""How often a standby goes away in a test."""
AWAY = ("nfs.standby_away", "standby.unavailable", "repository.missing")
LOST, BACK = "instant.standby_lost", "instant.standby_back"


@pytest.fixture
def mount(tmp_path: Path, log_guard: LogGuard) -> Iterator[StandbyMount]:
    """The file system of the standby; that the service is started again is said in the log."""
    log_guard.allow("the NFS service does not answer and is started again")
    with standby_mount(tmp_path / "standby") as mount:
        yield mount


def refused(away: AwayLab, way: FinishWay) -> None:
    """Make sure that a move is refused for the standby, before anything of it is done."""
    report = away.lab.finished(away.finish(way))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code in (*AWAY, "instant.not_serving", "nfs.writes_elsewhere")
    assert away.lab.machine(NAME).power_state == "poweredOn", "nothing was done to it"


def test_a_guest_waits_for_a_broken_standby_and_goes_on_after_its_repair(
    tmp_path: Path, mount: StandbyMount
) -> None:
    """Everything answers EIO, then everything that writes EROFS, each until the file system is mounted again."""
    with away_lab(tmp_path) as away:
        breaks: tuple[Callable[[StandbyMount], None], ...] = (StandbyMount.shut_down, StandbyMount.abort)
        with away.bounded():
            for break_it in breaks * ROUNDS:
                break_it(mount)
                away.wait_for_trouble(*AWAY)
                answered = away.guest.acknowledged
                refused(away, FinishWay.COLD)
                with pytest.raises(OperationalError, match="not stopped"):
                    away.lab.engine.execute(KeepInstantRecovery(recovery=away.row.id))
                assert away.guest.acknowledged == answered, "nothing was acknowledged that nobody keeps"
                mount.mount_again()
                away.wait_until_well()
        assert away.said() == [LOST, BACK] * 2 * ROUNDS, (
            "it is said once that it is away, and once that it is back"
        )
        away.check_whole(FinishWay.COLD)


def test_an_empty_folder_under_the_path_is_not_taken_for_the_standby(tmp_path: Path, mount: StandbyMount) -> None:
    """A share is detached while it is in use; the folder that it was mounted at is there, and empty."""
    with away_lab(tmp_path) as away:
        for _ in range(ROUNDS):
            mount.detach()
            away.wait_for_trouble(*AWAY)
            away.guest.wait_for_writes()  # into the files that are open, which are where they were
            refused(away, FinishWay.COLD)
            away.kill()
            wait_until(lambda: away.code == "repository.missing", deadline_s=60, what="the next process")
            away.kill_engine()
            away.wait_for_trouble("repository.missing")
            assert list(mount.directory.iterdir()) == [], "nothing is written into another folder"
            mount.mount()
            away.wait_until_well()
        assert away.said().count(LOST) <= 3 * ROUNDS, "each of the three engines says it once"
        away.check_whole(FinishWay.COLD)


@pytest.mark.skipif(not IS_DEEP, reason="long; set STANDFAST_HYPOTHESIS=deep")
def test_an_older_copy_under_the_path_is_neither_served_nor_touched(tmp_path: Path, mount: StandbyMount) -> None:
    """A replica of the share is mounted in its place: it lacks what was acknowledged since."""
    with away_lab(tmp_path) as away:
        copy = tmp_path / "copy"
        shutil.copytree(mount.directory, copy, ignore=shutil.ignore_patterns("lost+found"))
        away.guest.wait_for_writes(200)
        mount.detach()
        shutil.copytree(copy, mount.directory, dirs_exist_ok=True)
        before = digest_of(mount.directory)
        away.wait_for_trouble("nfs.writes_elsewhere")
        away.guest.wait_for_writes()
        away.kill()
        away.wait_for_trouble("nfs.writes_elsewhere")
        answered = away.guest.acknowledged
        away.kill_engine()
        away.wait_for_trouble("nfs.writes_elsewhere")
        refused(away, FinishWay.LIVE)
        assert away.guest.acknowledged == answered
        assert digest_of(mount.directory) == before, "nothing is written into another folder"
        mount.mount()
        away.wait_until_well()
        away.check_whole(FinishWay.LIVE)


@pytest.mark.skipif(not IS_DEEP, reason="long; set STANDFAST_HYPOTHESIS=deep")
def test_a_renamed_folder_is_found_again(tmp_path: Path, log_guard: LogGuard) -> None:
    log_guard.allow("the NFS service does not answer and is started again")
    with away_lab(tmp_path) as away:
        (tmp_path / "standby").rename(tmp_path / "elsewhere")
        away.wait_for_trouble(*AWAY)
        away.guest.wait_for_writes()
        away.kill()
        away.wait_for_trouble(*AWAY)
        (tmp_path / "elsewhere").rename(tmp_path / "standby")
        away.wait_until_well()
        away.check_whole(FinishWay.COLD)


def test_a_full_standby_refuses_writes_only_and_takes_them_when_there_is_room(
    tmp_path: Path, log_guard: LogGuard
) -> None:
    log_guard.allow("the NFS service does not answer and is started again")
    with (
        standby_mount(tmp_path / "standby", 512 << 20) as mount,  # the log of so much, several segments long
        away_lab(tmp_path, disk_bytes=32 << 20, block_bytes=1 << 20) as away,
    ):
        others = mount.fill()
        row = away.wait_for_trouble("nfs.standby_full")
        assert row.overlay_bytes is not None, "it is served"
        wait_until(lambda: away.guest.refused > 5, deadline_s=60, what="refusals")
        read = away.guest.reads
        wait_until(
            lambda: away.guest.reads > read + 20, deadline_s=60, what="reads that are answered all the same"
        )
        away.kill()
        away.wait_for_trouble("nfs.standby_full")
        assert away.guest.failures == []
        others.unlink()
        away.wait_until_well()
        assert away.said() in ([LOST, BACK], [LOST, BACK] * 2), "the next process hears of it at the next write"
        away.check_whole(FinishWay.LIVE)


def test_a_standby_that_hangs_hangs_nothing_but_its_vm(tmp_path: Path, log_guard: LogGuard) -> None:
    """The disk of the standby does not answer for a while, as one behind a network that is down."""
    log_guard.allow("the NFS service does not answer and is started again")
    with hanging_standby_mount(tmp_path / "standby") as disk, away_lab(tmp_path) as away:
        disk.suspend()
        try:
            away.wait_for_trouble(*AWAY)
            assert away.row.error is not None
            assert "nfs.no_answer" in str(away.row.error.params)
            answered = away.guest.acknowledged
            refused(away, FinishWay.LIVE)
            assert away.guest.acknowledged == answered
        finally:
            disk.resume()
        away.wait_until_well()
        assert away.said() == [LOST, BACK]
        away.check_whole(FinishWay.COLD)


def test_a_vm_is_not_stopped_without_its_standby_unless_nothing_is_to_be_kept(
    tmp_path: Path, mount: StandbyMount
) -> None:
    """A host would wait for files that are to be kept; what is to be deleted stays listed until it is deleted."""
    with away_lab(tmp_path) as away:
        lab = away.lab
        mount.detach()
        away.wait_for_trouble(*AWAY)
        recovery = away.row.id
        report = lab.finished(lab.engine.execute(StopInstantRecovery(recovery=recovery)))
        assert report.task.error is not None
        assert report.task.error.code in AWAY
        away.guest.wait_for_writes()
        away.guest.stop()
        lab.finished(lab.engine.execute(StopInstantRecovery(recovery=recovery, discard=True)))
        (row,) = lab.rows()
        assert row.error is not None, "it is not forgotten while it cannot be deleted"
        assert NAME not in lab.names()
        assert list(mount.directory.iterdir()) == []
        mount.mount()
        assert list((mount.directory / "recoveries").iterdir()), "nothing was deleted"
        lab.completed(lab.engine.execute(StopInstantRecovery(recovery=recovery, discard=True)))
        assert lab.rows() == ()
        assert not list((mount.directory / "recoveries").iterdir())


@pytest.mark.skipif(not IS_DEEP, reason="long; set STANDFAST_HYPOTHESIS=deep")
def test_a_stopped_recovery_is_not_started_from_an_empty_folder(tmp_path: Path, mount: StandbyMount) -> None:
    with away_lab(tmp_path) as away:
        lab = away.lab
        away.guest.stop()
        recovery = away.row.id
        lab.completed(lab.engine.execute(StopInstantRecovery(recovery=recovery)))
        recoveries, hidden = mount.directory / "recoveries", tmp_path / "hidden"
        shutil.copytree(recoveries, hidden)
        shutil.rmtree(recoveries)
        report = lab.finished(lab.engine.execute(ResumeInstantRecovery(recovery=recovery)))
        assert report.task.error is not None
        assert report.task.error.code == "nfs.writes_elsewhere"
        assert not recoveries.exists(), "no empty disk is begun in its place"
        shutil.copytree(hidden, recoveries)
        lab.completed(lab.engine.execute(ResumeInstantRecovery(recovery=recovery)))
        assert away.row.state is InstantState.RUNNING
        assert lab.content(NAME) == away.guest.expected
