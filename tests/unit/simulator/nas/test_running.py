"""VMs that run from an NFS datastore: registered, created, powered on, written by their guests, and gone again."""

import random
import struct
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from pyVmomi import vim

from app.core.nfs3 import Stability
from app.nfs import transfers
from app.simulator.storage import DiskStore, SimDatastore
from app.simulator.vm.locks import lock_name
from tests.unit.simulator.nas.conftest import NFS, Labs, NasLab
from tests.unit.simulator.vm.lab import GRAIN, MIB, DeviceSpec, disks, new_card, new_controller, new_disk

VMX = """.encoding = "UTF-8"
config.version = "8"
virtualHW.version = "19"
nvram = "web.nvram"
displayName = "web from a point"
guestOS = "debian12-64"
uuid.bios = "56 4d aa bb cc dd ee ff-00 11 22 33 44 55 66 77"
uuid.action = "keep"
memSize = "2048"
numvcpus = "2"
sched.mem.min = "512"
firmware = "efi"
scsi0.present = "TRUE"
scsi0.virtualDev = "pvscsi"
scsi0:0.present = "TRUE"
scsi0:0.deviceType = "scsi-hardDisk"
scsi0:0.fileName = "web.vmdk"
ethernet0.present = "TRUE"
ethernet0.virtualDev = "vmxnet3"
ethernet0.networkName = "VM Network"
ethernet0.addressType = "static"
ethernet0.address = "00:50:56:00:00:01"
standfast.mark = "Point 17"
"""
CONTENT = random.Random(1).randbytes(2 * MIB)


def put_disk(lab: NasLab, tmp_path: Path, folder: str = "web", name: str = "web") -> None:
    """Put a disk with content on the volume, as the server's owner does."""
    made = DiskStore({NFS: SimDatastore(NFS, tmp_path / f"made-{folder}-{name}", 1 << 30)})
    disk = made.create(f"[{NFS}] {folder}/{name}.vmdk", 4 * MIB, disk_uuid="6000c29a" + "0" * 24)
    disk.write(0, CONTENT)
    made.close()
    for file in (tmp_path / f"made-{folder}-{name}" / folder).iterdir():
        lab.put(f"{folder}/{file.name}", file.read_bytes())


def put_vm(lab: NasLab, tmp_path: Path, vmx: str = VMX) -> None:
    put_disk(lab, tmp_path)
    lab.put("web/web.vmx", vmx.encode())


def register(lab: NasLab, path: str = f"[{NFS}] web/web.vmx", name: str | None = None) -> Any:
    host = lab.datacenter.hostFolder.childEntity[0].host[0]
    folder = lab.datacenter.vmFolder
    return lab.run(folder.RegisterVM_Task(path, name, False, lab.pool, host))


def test_a_vm_is_registered_by_its_configuration_file(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    config = vm.config
    assert (config.name, config.guestId, config.firmware) == ("web from a point", "debian12_64Guest", "efi")
    assert (config.hardware.memoryMB, config.hardware.numCPU) == (2048, 2)
    assert config.uuid == "564daabb-ccdd-eeff-0011-223344556677"
    assert config.memoryAllocation.reservation == 512
    [disk] = disks(vm)
    assert (disk.backing.fileName, disk.capacityInBytes) == (f"[{NFS}] web/web.vmdk", 4 * MIB)
    [card] = [device for device in config.hardware.device if isinstance(device, vim.vm.device.VirtualVmxnet3)]
    assert (card.macAddress, getattr(card.backing, "deviceName", "")) == ("00:50:56:00:00:01", "VM Network")
    assert {option.key: option.value for option in config.extraConfig}["standfast.mark"] == "Point 17"
    assert lab.leaf(vm.name).read(0, len(CONTENT)) == CONTENT


def test_power_on_locks_the_disks_and_makes_swap_and_log(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    before = lab.names("web")
    lab.run(vm.PowerOnVM_Task())
    made = lab.names("web") - before
    swap = next(name for name in made if name.startswith("web-") and name.endswith(".vswp"))
    with lab.other_client() as other:
        locked = {lock_name(other.inode(f"/web/{name}")) for name in ("web-flat.vmdk", swap, "vmware.log")}
        assert other.size(f"/web/{swap}") == (2048 - 512) * MIB
    assert locked < made
    assert {"web.vmx.lck", "web.vmx~", "web.nvram", "vmware.log"} < made
    lock = lab.content(f"web/{next(iter(locked))}")
    assert (len(lock), lock[20:84].rstrip(b"\0")) == (84, b"esx01.lab")
    assert struct.unpack_from("<I", lock, 16) == (1,)
    assert b"displayName = web from a point" in lab.content("web/vmware.log")
    lab.run(vm.PowerOffVM_Task())
    assert lab.names("web") - before == {"web.nvram", "vmware.log"}
    assert b"left the building" in lab.content("web/vmware.log")


def test_logs_are_rotated(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    for _ in range(9):
        lab.run(vm.PowerOnVM_Task())
        lab.run(vm.PowerOffVM_Task())
    logs = {name for name in lab.names("web") if name.endswith(".log")}
    assert logs == {"vmware.log", *(f"vmware-{number}.log" for number in range(3, 9))}


def test_the_guest_writes_through_nfs(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    decode = transfers._write_arguments  # noqa: SLF001 - what the client asked for
    stabilities: set[int] = set()

    def decoded(arguments: memoryview) -> tuple[bytes, int, int, int, memoryview]:
        found = decode(arguments)
        stabilities.add(found[3])
        return found

    with mock.patch.object(transfers, "_write_arguments", decoded):
        assert lab.sim.world.guests.write_now(vm.name, MIB) >= MIB
    assert stabilities == {Stability.FILE_SYNC}
    assert lab.content("web/web-flat.vmdk", 4 * MIB) == lab.leaf(vm.name).read(0, 4 * MIB)
    assert lab.content("web/web-flat.vmdk", 4 * MIB)[: len(CONTENT)] != CONTENT


def test_another_vcenter_cannot_start_what_runs_already(labs: Labs, tmp_path: Path) -> None:
    first, second = labs.make(), labs.make()
    put_vm(first, tmp_path)
    vms = []
    for lab in (first, second):
        lab.mount()
        vms.append(register(lab))
    first.run(vms[0].PowerOnVM_Task())
    before = first.names("web")
    with second.refused(vim.fault.FileLocked) as refused:
        second.run(vms[1].PowerOnVM_Task())
    assert "Failed to lock the file" in refused.value.msg
    assert vms[1].runtime.powerState == "poweredOff"
    assert first.names("web") == before
    first.run(vms[0].PowerOffVM_Task())
    second.run(vms[1].PowerOnVM_Task())
    second.run(vms[1].PowerOffVM_Task())


def test_a_vm_is_created_in_a_folder_that_holds_its_disks(lab: NasLab, tmp_path: Path) -> None:
    put_disk(lab, tmp_path)
    put_disk(lab, tmp_path, name="data")
    attached = [new_disk(0, path=f"[{NFS}] web/{name}.vmdk") for name in ("web", "data")]
    for index, change in enumerate(attached):
        change.fileOperation = None
        change.device.key = -50 - index
        change.device.unitNumber = index
    mark = vim.option.OptionValue(key="standfast.mark", value="Point 17")
    vm = lab.create(
        "restored",
        new_controller(),
        *attached,
        new_card(),
        files=vim.vm.FileInfo(vmPathName=f"[{NFS}] web/restored.vmx"),
        extraConfig=[mark],
    )
    assert [disk.backing.fileName for disk in disks(vm)] == [
        f"[{NFS}] web/{name}.vmdk" for name in ("web", "data")
    ]
    assert b'standfast.mark = "Point 17"' in lab.content("web/restored.vmx")
    assert vm.config.files.vmPathName == f"[{NFS}] web/restored.vmx"
    lab.run(vm.PowerOnVM_Task())
    assert vm.runtime.question is None
    assert lab.leaf("restored", 2001).read(0, len(CONTENT)) == CONTENT
    lab.run(vm.PowerOffVM_Task())
    files = lab.names("web")
    vm.UnregisterVM()
    assert lab.names("web") == files
    again = register(lab, f"[{NFS}] web/restored.vmx")
    assert {option.key: option.value for option in again.config.extraConfig}["standfast.mark"] == "Point 17"
    lab.run(again.Destroy_Task())
    assert "web" not in lab.names()


def test_snapshots_and_change_tracking_work_there(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    lab.track_changes(vm)
    first = lab.snapshot(vm, "first")
    change_id = disks(first)[0].backing.changeId
    delta = lab.leaf(vm.name)
    assert delta.path.name == "web-000001.vmdk"
    with lab.other_client() as other:
        locks = {name for name in other.names("/web") if name.startswith(".lck-")}
        assert lock_name(other.inode("/web/web-000001-delta.vmdk")) in locks
        assert lock_name(other.inode("/web/web-flat.vmdk")) not in locks
    delta.write(GRAIN, b"changed")
    second = lab.snapshot(vm, "second")
    answer = vm.QueryChangedDiskAreas(second, 2000, 0, change_id)
    assert [(area.start, area.length) for area in answer.changedArea] == [(GRAIN, GRAIN)]
    lab.remove(first)
    lab.remove(second)
    assert lab.leaf(vm.name).path.name == "web.vmdk"
    assert lab.content("web/web-flat.vmdk", 7, GRAIN) == b"changed"
    assert not [name for name in lab.names("web") if "00000" in name and not name.startswith(".lck-")]
    lab.run(vm.PowerOffVM_Task())


def test_a_new_disk_is_created_there(lab: NasLab) -> None:
    vm = lab.create("fresh", new_controller(), new_disk(3 * MIB), datastore=NFS)
    lab.leaf("fresh").write(5 * GRAIN, b"written")
    assert lab.content("fresh/fresh-flat.vmdk", 7, 5 * GRAIN) == b"written"
    edited = DeviceSpec(operation="edit", device=disks(vm)[0])
    edited.device.capacityInKB, edited.device.capacityInBytes = 4096, 4 * MIB
    lab.reconfigure(vm, edited)
    with lab.other_client() as other:
        assert other.size("/fresh/fresh-flat.vmdk") == 4 * MIB
    lab.run(vm.Destroy_Task())
    assert "fresh" not in lab.names()


@pytest.mark.parametrize("field", ["layoutEx", "storage", "summary"])
def test_its_properties_are_told(lab: NasLab, tmp_path: Path, field: str) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    told = getattr(vm, field)
    if field == "layoutEx":
        assert {"config", "swap", "log", "diskDescriptor", "diskExtent"} <= {file.type for file in told.file}
    elif field == "storage":
        assert told.perDatastoreUsage[0].committed >= len(CONTENT)
    else:
        assert told.config.vmPathName == f"[{NFS}] web/web.vmx"
    lab.run(vm.PowerOffVM_Task())
