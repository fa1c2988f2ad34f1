"""VMs that vSphere encrypts: read in plain by their host, never as the files that hold them."""

import http
import http.client
import ssl
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage
from app.contract.points import ListPoints
from app.contract.restore import NewVm, StartRestore
from app.core.clock import SystemClock
from app.domain.states import BackupKind, TaskState, TransportMode
from app.domain.vms import VmPlacement
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.vm.files import nvram_path, stored_file
from app.simulator.vm.virtual_machine import VirtualMachine
from app.vsphere.factory import VSphereFactory
from tests.e2e.conftest import OpenStage
from tests.support.simulated import local, platform_of
from tests.support.stage import (
    MIB,
    Made,
    assert_points_are_exact,
    explain,
    finished,
    known_point,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)

FULL = BackupKind.FULL
HTTPS_FIRST = (TransportMode.HTTPS, TransportMode.NFC_SSL)


@pytest.fixture
def stage(open_fresh_stage: OpenStage) -> Stage:
    """A vCenter with an encrypted VM and an ordinary one."""
    disks = (DiskSpec(capacity_bytes=16 * MIB),)
    sealed = VmSpec(name="sealed-01", disks=disks, encrypted=True, firmware="efi")
    return open_fresh_stage(small_spec(sealed, VmSpec(name="open-01", disks=disks, firmware="efi")))


def fetched(stage: Stage, path: str) -> bytes:
    """Fetch a file from its datastore, as the program itself would."""
    with VSphereFactory(SystemClock()).connect(platform_of(stage.simulator), stage.simulator.password) as session:
        files = session.disk_access.https
        assert files is not None
        file = files.https_file(path)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(file.host, file.port, context=context)
        try:
            connection.request("GET", file.target, headers={"Cookie": file.cookie})
            answer = connection.getresponse()
            assert answer.status == http.HTTPStatus.OK
            return answer.read()
        finally:
            connection.close()


def machine_of(stage: Stage, name: str) -> VirtualMachine:
    with stage.simulator.world.lock:
        [found] = [vm for vm in stage.simulator.world.all(VirtualMachine) if vm.name == name]
    return found


def nvram_of(stage: Stage, name: str) -> Path:
    return local(stored_file(stage.simulator.world, nvram_path(machine_of(stage, name).config)))


def test_what_the_web_server_gives_out_of_it_is_not_what_it_holds(stage: Stage) -> None:
    for name, is_sealed in (("sealed-01", True), ("open-01", False)):
        content = nvram_of(stage, name).read_bytes()
        path = str(nvram_path(machine_of(stage, name).config))
        assert (fetched(stage, path) != content) is is_sealed


@pytest.mark.parametrize("modes", [HTTPS_FIRST, HTTPS_FIRST[::-1]], ids=["https first", "nfc first"])
def test_it_is_read_in_plain_whatever_the_order_of_modes(stage: Stage, modes: tuple[TransportMode, ...]) -> None:
    vm = vm_named(stage, "sealed-01")
    report = finished(stage.engine, start_backup(stage, vm, FULL, transports=modes))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    made = Made(report.task.id, known_point(stage, report))
    assert [disk.transport for disk in made.point.disks] == [TransportMode.NFC_SSL]
    assert_points_are_exact(stage, vm.id, [made])
    assert ("the disk is encrypted" in explain(report)) is (modes is HTTPS_FIRST)


def test_over_https_alone_nothing_of_it_is_stored(stage: Stage) -> None:
    modes = (TransportMode.HTTPS,)
    report = finished(stage.engine, start_backup(stage, vm_named(stage, "sealed-01"), FULL, transports=modes))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert "the disk is encrypted" in report.task.error.message
    assert not stage.engine.ask(ListPoints(standby=stage.standby))
    assert not our_snapshots(stage)
    other = finished(stage.engine, start_backup(stage, vm_named(stage, "open-01"), FULL, transports=modes))
    assert other.task.state is TaskState.COMPLETED, explain(other)


@pytest.mark.parametrize(("name", "is_kept"), [("sealed-01", False), ("open-01", True)])
def test_its_encrypted_firmware_settings_are_not_put_into_a_vm_without_encryption(
    stage: Stage, name: str, is_kept: bool
) -> None:
    settings = nvram_of(stage, name).read_bytes() + b"Boot0000=debian"
    nvram_of(stage, name).write_bytes(settings)
    made = finished(stage.engine, start_backup(stage, vm_named(stage, name), FULL))
    point = known_point(stage, made)
    target = NewVm(placement=VmPlacement(name="again"))
    task = stage.engine.execute(
        StartRestore(standby=stage.standby, point=point.id, platform=stage.platform, target=target)
    )
    report = finished(stage.engine, task)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert ("(NVRAM) of the encrypted VM" in explain(report)) is not is_kept
    restored = nvram_of(stage, "again")
    assert (restored.exists() and restored.read_bytes() == settings) is is_kept
    if not is_kept and restored.exists():
        assert b"Boot0000" not in restored.read_bytes()
        assert restored.stat().st_size < len(settings)
