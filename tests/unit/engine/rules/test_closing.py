"""Repositories that are open to other users are closed as a task, and what stays open is named."""

import os
from pathlib import Path

import pytest

from app.contract.standbys import OpenEntriesRow, ReadOpenEntries, RegisterStandby, StartClosing
from app.contract.tasks import CancelTask, TaskReport
from app.core.clock import SystemClock
from app.domain.standbys import Standby
from app.domain.states import TaskKind, TaskState
from app.engine.doctor.kinds import StandbyOpenToOthers
from app.engine.doctor.rule import _standby
from app.engine.errors import EntriesNotClosed, LinkedNotClosed, RightsNotKept
from app.repository import Repository
from tests.support.engine_lab import text_of
from tests.support.rule_lab import RuleLab
from tests.support.small_mounts import mounted_exfat


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_a_repository_that_is_open_to_others_is_found_and_closed_and_nothing_else_is(
    lab: RuleLab, tmp_path: Path
) -> None:
    root = tmp_path / "disk"
    standby = lab.engine.execute(RegisterStandby(name="disk", root_path=str(root)))
    with Repository.create(root / "vms", local_dir=tmp_path / "elsewhere", clock=SystemClock()):
        pass
    (root / "somebody else's").mkdir(mode=0o755)
    for path in (root, root / "vms", root / "vms" / "packs", root / "somebody else's"):
        path.chmod(0o755)
    assert [finding.code for finding in _standby(standby, ()) if finding.code == StandbyOpenToOthers.code]
    found = lab.engine.ask(ReadOpenEntries(standby=standby.id))
    assert found == OpenEntriesRow(path=str(root), count=2, linked=0, is_complete=True)
    report = lab.finished(lab.engine.execute(StartClosing(standby=standby.id)))
    assert (report.task.kind, report.task.state) == (TaskKind.CLOSING, TaskState.COMPLETED)
    assert report.task.progress.fraction == 1
    assert not [finding.code for finding in _standby(standby, ()) if finding.code == StandbyOpenToOthers.code]
    assert (root / "somebody else's").stat().st_mode & 0o777 == 0o755
    assert (root / "vms" / "packs").stat().st_mode & 0o777 == 0o700


def open_repository(lab: RuleLab, root: Path) -> Standby:
    """Register a standby machine with a repository that other users can enter."""
    standby = lab.engine.execute(RegisterStandby(name="disk", root_path=str(root)))
    with Repository.create(root / "vms", local_dir=root.with_name("elsewhere"), clock=SystemClock()):
        pass
    (root / "vms").chmod(0o755)
    return standby


def closed(lab: RuleLab, standby: Standby) -> TaskReport:
    return lab.finished(lab.engine.execute(StartClosing(standby=standby.id)))


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_what_cannot_be_closed_fails_the_task_which_names_it_with_the_remedy(
    lab: RuleLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standby = open_repository(lab, tmp_path / "disk")
    fchmod, refused = os.fchmod, (tmp_path / "disk" / "vms" / "packs").stat().st_ino
    (tmp_path / "disk" / "vms" / "packs").chmod(0o755)

    def refuse(descriptor: int, mode: int) -> None:
        if os.fstat(descriptor).st_ino == refused:
            raise PermissionError(1, "Operation not permitted")
        fchmod(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", refuse)
    report = closed(lab, standby)
    error = report.task.error
    assert error is not None
    assert error.code == EntriesNotClosed.code
    assert f"{tmp_path / 'disk' / 'vms' / 'packs'} (this account has no right to do that)" in error.message
    assert error.details == "[Errno 1] Operation not permitted"
    assert "chmod go=" in error.hint
    assert "packs could not be closed to other users" in text_of(report)
    assert (tmp_path / "disk" / "vms").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_a_file_with_a_name_elsewhere_is_left_open_and_said_so(lab: RuleLab, tmp_path: Path) -> None:
    standby = open_repository(lab, tmp_path / "disk")
    (tmp_path / "precious").touch()
    (tmp_path / "precious").chmod(0o644)
    os.link(tmp_path / "precious", tmp_path / "disk" / "vms" / "planted")
    assert lab.engine.ask(ReadOpenEntries(standby=standby.id)).linked == 1
    error = closed(lab, standby).task.error
    assert error is not None
    assert (error.code, "planted" in error.message) == (LinkedNotClosed.code, True)
    assert (tmp_path / "precious").stat().st_mode & 0o777 == 0o644


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_a_standby_machine_that_is_a_link_of_the_operator_is_closed_too(lab: RuleLab, tmp_path: Path) -> None:
    open_repository(lab, tmp_path / "disk")
    with Repository.create(tmp_path / "real", local_dir=tmp_path / "elsewhere", clock=SystemClock()):
        pass
    (tmp_path / "real").chmod(0o755)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    standby = lab.engine.execute(RegisterStandby(name="link", root_path=str(tmp_path / "link")))
    assert closed(lab, standby).task.state is TaskState.COMPLETED
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o700


def test_a_file_system_without_rights_is_told_plainly(lab: RuleLab, tmp_path: Path) -> None:
    with mounted_exfat(tmp_path / "exfat") as exfat:
        standby = lab.engine.execute(RegisterStandby(name="usb", root_path=str(exfat.directory)))
        with Repository.create(exfat.directory / "vms", local_dir=tmp_path / "elsewhere", clock=SystemClock()):
            pass
        error = closed(lab, standby).task.error
    assert error is not None
    assert (error.code, "fmask=" in error.hint) == (RightsNotKept.code, True)


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
def test_a_closing_that_is_stopped_ends_as_stopped(
    lab: RuleLab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standby = open_repository(lab, tmp_path / "disk")
    fchmod = os.fchmod

    def stop(descriptor: int, mode: int) -> None:
        fchmod(descriptor, mode)
        for row in lab.tasks():
            lab.engine.execute(CancelTask(task=row.id))

    monkeypatch.setattr(os, "fchmod", stop)
    report = closed(lab, standby)
    assert report.task.state is TaskState.STOPPED
    assert "1 file or folder was closed to other users; the others are as they were" in text_of(report)
