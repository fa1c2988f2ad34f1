"""Tasks on standbys that cannot be written, or are full: restores and checks go on, and say how."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.contract.points import DeletePoint, StartExport
from app.contract.restore import NewVm
from app.contract.standbys import StartGarbageCollection
from app.domain.states import TaskState
from app.domain.vms import VmPlacement
from tests.support.engine_lab import EngineLab, codes_of, filled_vm, text_of
from tests.support.small_mounts import fill, mounted, read_only

WITHOUT_LEASE = "point.read_without_lease"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[EngineLab]:
    with mounted(tmp_path / "standby"), EngineLab(tmp_path) as opened:
        yield opened


def reads_everything(lab: EngineLab, folder: Path, *, without_lease: bool) -> None:
    (point,) = lab.points()
    assert lab.listed() == [point.id]
    folder.mkdir()
    export = lab.engine.execute(StartExport(standby=lab.standby, point=point.id, folder=str(folder)))
    copy = NewVm(placement=VmPlacement(name="copy"))
    reports = [lab.finished(export), lab.verify(point), lab.restore(point, copy)]
    for report in reports:
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        assert (WITHOUT_LEASE in codes_of(report)) is without_lease


def test_a_point_on_a_read_only_standby_is_restored_verified_and_exported(lab: EngineLab, tmp_path: Path) -> None:
    lab.backup(filled_vm(lab))
    with read_only(tmp_path / "standby"):
        reads_everything(lab, tmp_path / "export", without_lease=True)


def test_a_point_on_a_full_standby_is_restored_verified_and_exported(lab: EngineLab, tmp_path: Path) -> None:
    lab.backup(filled_vm(lab))
    fill(tmp_path / "standby")
    reads_everything(lab, tmp_path / "export", without_lease=False)


def test_a_full_standby_gets_its_space_back_by_deletion_and_garbage_collection(
    lab: EngineLab, tmp_path: Path
) -> None:
    vm = filled_vm(lab)
    first, second = lab.backup(vm), lab.backup(filled_vm(lab, name="db"))
    fill(tmp_path / "standby")
    lab.engine.execute(DeletePoint(standby=lab.standby, point=first.id))
    assert lab.listed() == [second.id]
    collection = lab.finished(lab.engine.execute(StartGarbageCollection(standby=lab.standby)))
    assert collection.task.state is TaskState.COMPLETED, text_of(collection)
