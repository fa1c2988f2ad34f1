"""Whole backups by VMware's library, with our stand-in for it, over the simulated vSphere."""

import hashlib
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm
from app.contract.restore import NewVm, StartRestore
from app.contract.tasks import TaskReport
from app.contract.vddk import ReadVddk, SetVddkFolder
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.spec import Flavour
from tests.e2e.conftest import OpenStage
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    back_up,
    explain,
    finished,
    known_point,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)
from tests.support.vddk_lab import unpack_double

pytestmark = pytest.mark.outside_tools("gcc")

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL
NBD_SSL = TransportMode.NBD_SSL


class Double:
    """The stand-in, serving the datastores of a stage."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self.file = unpack_double(folder)
        self._stage = stage
        simulator = stage.simulator
        certificate = ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate((simulator.host, simulator.port)))
        digits = hashlib.sha1(certificate, usedforsecurity=False).hexdigest().upper()
        thumbprint = ":".join(digits[at : at + 2] for at in range(0, 40, 2))
        self.order("login", simulator.host, simulator.port, simulator.user, simulator.password, thumbprint)
        self.order("snapshot", "*")
        stage.engine.execute(SetVddkFolder(folder=str(folder)))

    def order(self, *fields: object) -> None:
        """Add an order; they are listed at the head of the stand-in's source."""
        with (self.file.parent / "double.conf").open("a", encoding="utf-8") as file:
            file.write("\t".join(map(str, fields)) + "\n")

    def serve(self, root: Path) -> None:
        """Serve every plain disk below the simulator's datastores."""
        for flat in root.rglob("*-flat.vmdk"):
            store, *rest = flat.relative_to(root).parts
            path = "/".join(rest).replace("-flat.vmdk", ".vmdk")
            self.order("disk", f"[{store}] {path}", flat)

    def functions(self) -> list[str]:
        """Return the functions that were called, without those of examining the folder."""
        lines = (self.file.parent / "calls").read_text(encoding="utf-8").splitlines()
        return [line.split()[1] for line in lines if line.split()[1] != "buffers"]

    def violations(self) -> str:
        """Return what no documentation explains."""
        file = self.file.parent / "violations"
        return file.read_text(encoding="utf-8") if file.exists() else ""


def backed_up(stage: Stage, kind: BackupKind) -> tuple[Made, TaskReport]:
    task = start_backup(stage, vm_named(stage, "web-01"), kind, transports=(NBD_SSL,))
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(report.task.id, known_point(stage, report))
    assert {disk.transport for disk in made.point.disks} == {NBD_SSL}
    return made, report


@pytest.mark.parametrize("flavour", [Flavour.VCENTER, Flavour.ESXI])
def test_a_vm_is_held_frozen_read_and_let_go(
    open_fresh_stage: OpenStage, tmp_path: Path, flavour: Flavour
) -> None:
    stage = open_fresh_stage(replace(small_spec(), flavour=flavour))
    double = Double(stage, tmp_path / "vddk")
    double.serve(tmp_path / "vsphere" / "datastores")
    vm = vm_named(stage, "web-01")
    whole, report = backed_up(stage, FULL)
    stage.simulator.world.guests.write_now(vm.id, MIB)
    part, _ = backed_up(stage, INCREMENTAL)
    assert 0 < part.point.read_bytes < whole.point.read_bytes
    assert_points_are_exact(stage, vm.id, [whole, part])
    assert not our_snapshots(stage)
    assert double.violations() == ""
    codes = [line.code for line in report.log]
    steps = ["transport.vm_held", "snapshot.created", "snapshot.removed", "transport.vm_let_go"]
    if flavour is Flavour.VCENTER:
        assert [code for code in codes if code in steps] == steps
    else:
        assert "PrepareForAccess" not in double.functions()
    assert (tmp_path / "vddk" / "lib64").is_dir()


def test_a_library_that_dies_in_the_middle_costs_a_process_and_no_data(
    open_fresh_stage: OpenStage, tmp_path: Path
) -> None:
    stage = open_fresh_stage()
    double = Double(stage, tmp_path / "vddk")
    double.serve(tmp_path / "vsphere" / "datastores")
    double.order("abort", "Read", 3, "once")
    made, report = backed_up(stage, FULL)
    assert_points_are_exact(stage, vm_named(stage, "web-01").id, [made])
    assert "transport.connection_lost" in [line.code for line in report.log]
    assert double.violations() == ""


def test_a_folder_that_vanished_is_named_and_another_mode_is_taken(
    open_fresh_stage: OpenStage, tmp_path: Path
) -> None:
    stage = open_fresh_stage()
    Double(stage, tmp_path / "vddk")
    (tmp_path / "vddk").rename(tmp_path / "elsewhere")
    row = stage.engine.ask(ReadVddk())
    assert row.error is not None
    assert "there is no such folder" in row.error.message
    modes = (TransportMode.SAN, TransportMode.NFC_SSL)
    task = start_backup(stage, vm_named(stage, "web-01"), FULL, transports=modes)
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "SAN is not used" in explain(report)
    assert "there is no such folder" in explain(report)


def test_a_vm_is_restored_by_the_library(open_fresh_stage: OpenStage, tmp_path: Path) -> None:
    stage = open_fresh_stage()
    root = tmp_path / "vsphere" / "datastores"
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, FULL)
    double = Double(stage, tmp_path / "vddk")
    for flat in root.rglob("web-01/*-flat.vmdk"):  # where those of the new VM will be
        new = flat.parent.with_name("copy-01") / flat.name.replace("web-01", "copy-01")
        store = new.relative_to(root).parts[0]
        double.order("disk", f"[{store}] copy-01/{new.name.replace('-flat', '')}", new)
    command = StartRestore(
        standby=stage.standby,
        point=made.point.id,
        platform=stage.platform,
        target=NewVm(placement=VmPlacement(name="copy-01")),
        transports=(NBD_SSL,),
    )
    report = finished(stage.engine, stage.engine.execute(command))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    new_disks = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm_named(stage, "copy-01").id)).disks
    for old, disk in zip(made.point.disks, new_disks, strict=True):
        # The file itself: the simulator does not know of what is written past it.
        store, _, path = disk.path.removeprefix("[").partition("] ")
        restored = root / store / path.replace(".vmdk", "-flat.vmdk")
        assert compare_files(stage.frozen_copy(vm.id, made.task, old.key), restored) is None, disk.label
    assert "Write" in double.functions()
    assert double.violations() == ""
