"""What another client does to a VM while its frozen disks are read: storage vMotion, and a removed snapshot."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import DiskAccessFailed
from app.domain.ids import TaskId
from app.domain.vms import FrozenVm, VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.transport.https import HttpsReader
from app.transport.nfc.reader import NfcReader
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog
from tests.support.other_client import OtherClient
from tests.support.simulated import platform_of
from tests.unit.transport.opening import channel, options, requests, whole

CAPACITY = 4 << 20
STEP = 256 << 10
CONTENT = random.Random(12).randbytes(CAPACITY)
DISK = DiskSpec(capacity_bytes=CAPACITY, filesystem=False)
SPEC = SimulatorSpec(vms=(VmSpec(name="web", disks=(DISK, DISK)),))


class Stage:
    """A running VM whose disks a snapshot of ours has frozen, and another client of its platform."""

    def __init__(self, simulator: VSphereSimulator, vsphere: VSphereHypervisor, other: OtherClient) -> None:
        self.simulator, self.vsphere, self.other = simulator, vsphere, other
        self.vm: VmSummary = vsphere.list_vms()[0]
        machine = simulator.world.inventory.vms[self.vm.id]
        machine.trees[2000].leaf.write(0, CONTENT)
        vsphere.enable_change_tracking(self.vm.id, log=RecordingTaskLog(), cancel=CancelToken())
        self.frozen: FrozenVm = vsphere.create_snapshot(
            self.vm.id, TaskId("t"), quiesce=False, log=RecordingTaskLog(), cancel=CancelToken()
        )
        machine.trees[2000].leaf.write(0, b"later")

    @property
    def snapshot(self) -> Any:
        """Our snapshot as the other client sees it."""
        return self.other.vm(self.vm.id).snapshot.currentSnapshot

    def address(self, path: str) -> DiskAddress:
        """How the first disk is opened at a path."""
        return DiskAddress(vm=self.vm.id, vm_name=self.vm.name, disk_key=2000, path=path, capacity_bytes=CAPACITY)

    def over_nfc(self, path: str) -> NfcReader:
        """Open the first disk at a path."""
        tickets = self.vsphere.disk_access.nfc
        assert tickets is not None
        return NfcReader(channel(tickets, self.address(path)))

    def over_https(self, path: str) -> HttpsReader:
        """Open the first disk at a path as a file."""
        files = self.vsphere.disk_access.https
        assert files is not None
        return HttpsReader(
            files, self.address(path), options=options(), log=RecordingTaskLog(), cancel=CancelToken()
        )


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with VSphereSimulator(SPEC, tmp_path / "vc") as simulator:
        platform = platform_of(simulator)
        with (
            VSphereFactory(SystemClock()).connect(platform, simulator.password) as vsphere,
            OtherClient(simulator) as other,
        ):
            yield Stage(simulator, vsphere, other)


def read_all(reader: NfcReader | HttpsReader) -> bytes:
    try:
        return b"".join(
            bytes(request.buffer) for request in reader.read_many(requests(whole(reader.capacity_bytes, STEP)))
        )
    finally:
        reader.close()


def paths(of: Any) -> dict[int, list[str]]:
    """Return the files of each disk of a VM or a snapshot, the top of the chain first."""
    found: dict[int, list[str]] = {}
    for device in of.config.hardware.device:
        if isinstance(device, vim.vm.device.VirtualDisk):
            found[device.key] = []
            backing: Any = device.backing
            while backing is not None:
                found[device.key].append(backing.fileName)
                backing = backing.parent
    return found


# ---- storage vMotion ---------------------------------------------------------------------------------------


def test_storage_vmotion_gives_the_disks_of_vm_and_snapshots_new_paths(stage: Stage) -> None:
    stage.other.take_snapshot(stage.vm.id, "theirs")
    ours = stage.other.vm(stage.vm.id).snapshot.rootSnapshotList[0].snapshot
    change_ids = [disk.change_id for disk in stage.frozen.disks]
    assert paths(ours) == {2000: ["[ds1] web/web.vmdk"], 2001: ["[ds1] web/web_1.vmdk"]}
    stage.other.relocate(stage.vm.id, "ds2")
    assert paths(ours) == {2000: ["[ds2] web/web.vmdk"], 2001: ["[ds2] web/web_1.vmdk"]}
    assert paths(stage.snapshot)[2000] == ["[ds2] web/web-000001.vmdk", "[ds2] web/web.vmdk"]
    assert paths(stage.other.vm(stage.vm.id))[2000] == [
        "[ds2] web/web-000002.vmdk",
        "[ds2] web/web-000001.vmdk",
        "[ds2] web/web.vmdk",
    ]
    assert ours.config.files.vmPathName == "[ds2] web/web.vmx"
    kept = [
        device.backing.changeId for device in ours.config.hardware.device if hasattr(device.backing, "changeId")
    ]
    assert kept == change_ids
    assert None not in change_ids


def test_after_storage_vmotion_old_paths_are_gone_and_new_ones_hold_what_was_frozen(stage: Stage) -> None:
    stage.other.relocate(stage.vm.id, "ds2")
    with pytest.raises(DiskAccessFailed, match=r"error 0x03.*web has no disk \[ds1\] web/web.vmdk"):
        stage.over_nfc("[ds1] web/web.vmdk")
    with pytest.raises(DiskAccessFailed, match="there is no file web-flat"):
        stage.over_https("[ds1] web/web.vmdk")
    assert read_all(stage.over_nfc("[ds2] web/web.vmdk")) == CONTENT
    assert read_all(stage.over_https("[ds2] web/web.vmdk")) == CONTENT


def test_storage_vmotion_ends_the_reading_of_a_disk_that_is_open(stage: Stage) -> None:
    reader = stage.over_nfc("[ds1] web/web.vmdk")
    try:
        stream = reader.read_many(requests(whole(CAPACITY, STEP)))
        next(stream)
        stage.other.relocate(stage.vm.id, "ds2")
        with pytest.raises(DiskAccessFailed, match="0x03"):
            list(stream)
    finally:
        reader.close()


@pytest.mark.parametrize("mode", ["nfc", "https"])
def test_scripted_storage_vmotion_comes_in_the_middle_of_reading(stage: Stage, mode: str) -> None:
    reader = (stage.over_nfc if mode == "nfc" else stage.over_https)("[ds1] web/web.vmdk")
    stage.simulator.faults.cut_reads(CAPACITY // 2, meanwhile=lambda: stage.other.relocate(stage.vm.id, "ds2"))
    with pytest.raises(DiskAccessFailed, match="0x03" if mode == "nfc" else "there is no file"):
        read_all(reader)
    assert read_all(stage.over_nfc("[ds2] web/web.vmdk")) == CONTENT


def test_moved_vm_goes_back_to_its_snapshot_and_keeps_it_when_it_is_registered_again(stage: Stage) -> None:
    stage.other.relocate(stage.vm.id, "ds2")
    vm = stage.other.vm(stage.vm.id)
    stage.other.done(lambda: stage.snapshot.RevertToSnapshot_Task(suppressPowerOn=True))
    assert vm.config.files.vmPathName == "[ds2] web/web.vmx"
    folder, pool, name = vm.parent, vm.resourcePool, stage.snapshot.config.files.vmPathName
    vm.UnregisterVM()
    again = stage.other.done(lambda: folder.RegisterVM_Task(path=name, asTemplate=False, pool=pool))
    assert paths(again.snapshot.currentSnapshot)[2000] == ["[ds2] web/web.vmdk"]


# ---- a snapshot that another client removes ----------------------------------------------------------------


def test_snapshot_that_is_removed_between_two_connections_leaves_nothing_to_read(stage: Stage) -> None:
    reader = stage.over_nfc("[ds1] web/web.vmdk")
    stage.simulator.faults.cut_reads(CAPACITY // 2, meanwhile=lambda: stage.other.remove_snapshots(stage.vm.id))
    with pytest.raises(DiskAccessFailed, match="multiwriter mode"):
        read_all(reader)
    assert stage.other.vm(stage.vm.id).snapshot is None
    with pytest.raises(DiskAccessFailed, match="403"):
        stage.over_https("[ds1] web/web.vmdk")


def test_snapshot_that_is_removed_under_an_open_disk_is_read_to_its_end(stage: Stage) -> None:
    reader = stage.over_nfc("[ds1] web/web.vmdk")
    stage.simulator.faults.halt_reads(CAPACITY // 2, action=lambda: stage.other.remove_snapshots(stage.vm.id))
    assert read_all(reader) == CONTENT
    vm = stage.other.vm(stage.vm.id)
    assert vm.snapshot is None
    assert vm.runtime.consolidationNeeded


def test_questions_about_a_snapshot_that_was_removed_find_no_snapshot(stage: Stage) -> None:
    vm, snapshot = stage.other.vm(stage.vm.id), stage.snapshot
    stage.other.remove_snapshots(stage.vm.id)
    with pytest.raises(vim.fault.NotFound):
        vm.QueryChangedDiskAreas(snapshot, 2000, 0, "*")
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        snapshot.RemoveSnapshot_Task(removeChildren=False)
