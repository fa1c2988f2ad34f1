"""Exports and NBD offers through the engine's door, judged by qemu-img against the simulator's own disk."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage
from app.contract.offers import ListOffers, OfferPoint, WithdrawPoint
from app.contract.points import StartExport
from app.domain.images import ImageFormat
from app.domain.states import BackupKind, TaskState
from app.engine.export.formats import format_of
from tests.support.stage import back_up, explain, finished, vm_named

pytestmark = pytest.mark.qemu


def identical(frozen: Path, other: str, driver: str) -> bool:
    command = ["qemu-img", "compare", "-f", "raw", "-F", driver, str(frozen), other]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="access lists there")
@pytest.mark.parametrize("umask", [0o000, 0o022], ids=oct)
@pytest.mark.parametrize("image", list(ImageFormat))
def test_an_exported_image_is_its_users_alone(
    stage: Stage, tmp_path: Path, image: ImageFormat, umask: int
) -> None:
    made = back_up(stage, vm_named(stage, "web-01"), BackupKind.FULL)
    folder = tmp_path / "exported"
    folder.mkdir()
    before = os.umask(umask)
    try:
        task = stage.engine.execute(
            StartExport(standby=stage.standby, point=made.point.id, folder=str(folder), image=image)
        )
        report = finished(stage.engine, task)
    finally:
        os.umask(before)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


@pytest.mark.parametrize("image", [ImageFormat.RAW, ImageFormat.VMDK_SPARSE])
def test_an_export_writes_every_disk_into_a_file_of_its_own(
    stage: Stage, tmp_path: Path, image: ImageFormat
) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    folder = tmp_path / "exported"
    folder.mkdir()
    task = stage.engine.execute(
        StartExport(standby=stage.standby, point=made.point.id, folder=str(folder), image=image)
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    files = sorted(folder.iterdir())
    assert len(files) == len(made.point.disks)
    for file, disk in zip(files, made.point.disks, strict=True):
        assert identical(stage.frozen_copy(vm.id, made.task, disk.key), str(file), format_of(image).driver)
    assert report.task.progress.done_bytes == made.point.capacity_bytes


def test_a_folder_that_is_not_there_fails_the_export_with_its_name(stage: Stage, tmp_path: Path) -> None:
    made = back_up(stage, vm_named(stage, "web-01"), BackupKind.FULL)
    nowhere = tmp_path / "nowhere"
    task = stage.engine.execute(StartExport(standby=stage.standby, point=made.point.id, folder=str(nowhere)))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert str(nowhere) in report.task.error.message


def test_an_offered_point_can_be_read_until_it_is_withdrawn(stage: Stage) -> None:
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    offer = stage.engine.execute(OfferPoint(standby=stage.standby, point=made.point.id))
    assert stage.engine.execute(OfferPoint(standby=stage.standby, point=made.point.id)) == offer
    assert stage.engine.ask(ListOffers()) == (offer,)
    for disk in offer.disks:
        assert identical(stage.frozen_copy(vm.id, made.task, disk.key), disk.address, "raw")
    stage.engine.execute(WithdrawPoint(standby=stage.standby, point=made.point.id))
    assert stage.engine.ask(ListOffers()) == ()
    assert not identical(stage.frozen_copy(vm.id, made.task, offer.disks[0].key), offer.disks[0].address, "raw")
