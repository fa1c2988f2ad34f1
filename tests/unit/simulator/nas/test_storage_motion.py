"""A VM that runs from an NFS datastore is moved to another one while its guest writes."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.spec import License
from app.simulator.tasks import SimTask
from tests.unit.nfs.conftest import SECRET
from tests.unit.simulator.nas.conftest import NFS, Labs, NasLab
from tests.unit.simulator.nas.test_running import CONTENT, put_vm, register
from tests.unit.simulator.vm.lab import GRAIN, MIB, disks


def target(lab: NasLab, name: str = "ds1") -> Any:
    [found] = [store for store in lab.datacenter.datastore if store.name == name]
    return vim.vm.RelocateSpec(datastore=found)


@contextmanager
def a_writing_guest(lab: NasLab, name: str) -> Iterator[list[int]]:
    """Let the guest write all the time; yields how often it has."""
    times, ended = [0], threading.Event()

    def write() -> None:
        while not ended.is_set():
            lab.sim.world.guests.write_now(name, 4096)
            times[0] += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield times
    finally:
        ended.set()
        thread.join()


def test_a_running_vm_moves_with_what_its_guest_writes_meanwhile(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    with a_writing_guest(lab, vm.name) as times:
        while not times[0]:
            pass
        lab.run(vm.RelocateVM_Task(target(lab), None))
        after = times[0]
        while times[0] < after + 3:
            pass
    assert vm.config.files.vmPathName == "[ds1] web/web.vmx"
    assert [disk.backing.fileName for disk in disks(vm)] == ["[ds1] web/web.vmdk"]
    assert [store.name for store in vm.datastore] == ["ds1"]
    assert vm.runtime.powerState == "poweredOn"
    assert "web" not in lab.names(), "nothing is left on the server"
    assert {file.name for file in lab.file("[ds1] web").iterdir()} == {
        "web.vmx", "web.vmdk", "web-flat.vmdk", "web.nvram", "vmware.log",
    }  # fmt: skip
    leaf = lab.leaf(vm.name)
    assert lab.file("[ds1] web/web-flat.vmdk").read_bytes() == leaf.read(0, 4 * MIB)
    lab.system().RemoveDatastore(next(store for store in lab.datacenter.datastore if store.name == NFS))


def test_every_byte_arrives(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    lab.track_changes(vm)
    snapshot = lab.snapshot(vm, "held")
    lab.leaf(vm.name).write(3 * GRAIN, bytes(GRAIN))
    lab.run(vm.RelocateVM_Task(target(lab), None))
    leaf = lab.leaf(vm.name)
    assert leaf.read(0, len(CONTENT)) == CONTENT[: 3 * GRAIN] + bytes(GRAIN) + CONTENT[4 * GRAIN :]
    later = lab.snapshot(vm, "later")
    changed = vm.QueryChangedDiskAreas(later, 2000, 0, disks(snapshot)[0].backing.changeId)
    assert [(area.start, area.length) for area in changed.changedArea] == [(3 * GRAIN, GRAIN)]
    lab.remove(snapshot, children=True)
    assert lab.leaf(vm.name).read(0, 2 * GRAIN) == CONTENT[: 2 * GRAIN]
    assert lab.names() == set()


def test_a_vm_that_is_off_moves_there_and_back(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.RelocateVM_Task(target(lab), None))
    assert lab.names() == set()
    lab.run(vm.RelocateVM_Task(target(lab, NFS), None))
    assert lab.names("web") == {"web.vmx", "web.vmdk", "web-flat.vmdk", "web.nvram"}
    assert lab.content("web/web-flat.vmdk", len(CONTENT)) == CONTENT
    assert not lab.file("[ds1] web").exists()


def test_a_cancelled_move_leaves_everything_where_it_was(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    before = lab.names("web")
    lab.sim.faults.hang_task("RelocateVM_Task")
    task = vm.RelocateVM_Task(target(lab), None)
    assert task.info.cancelable
    task.CancelTask()
    with lab.refused(vmodl.fault.RequestCanceled):
        lab.run(task)
    assert lab.names("web") == before
    assert not lab.file("[ds1] web/web.vmdk").exists()
    assert disks(vm)[0].backing.fileName == f"[{NFS}] web/web.vmdk"


def test_a_move_that_is_cancelled_while_it_copies(lab: NasLab, tmp_path: Path, monkeypatch: Any) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    tasks: list[SimTask] = []

    def cancel(*_: object) -> None:
        for task in lab.sim.world.tasks.running_on(lab.machine(vm.name)):
            task.cancel_wanted = True
            tasks.append(task)

    monkeypatch.setattr("app.simulator.progress.TaskProgress.report", cancel)
    with lab.refused(vmodl.fault.RequestCanceled):
        lab.run(vm.RelocateVM_Task(target(lab), None))
    assert tasks
    assert not list(lab.file("[ds1] web").iterdir())
    lab.leaf(vm.name).write(0, b"goes on")
    assert lab.content("web/web-flat.vmdk", 7) == b"goes on"


def test_a_license_without_storage_vmotion_moves_only_what_is_off(labs: Labs, tmp_path: Path) -> None:
    lab = labs.make(license=License.ESSENTIALS)
    lab.mount()
    put_vm(lab, tmp_path)
    vm = register(lab)
    assert not vm.runtime.host.capability.storageVMotionSupported
    lab.run(vm.PowerOnVM_Task())
    with lab.refused(vim.fault.StorageVMotionNotSupported):
        vm.RelocateVM_Task(target(lab), None)
    lab.run(vm.PowerOffVM_Task())
    lab.run(vm.RelocateVM_Task(target(lab), None))
    assert lab.file("[ds1] web/web.vmx").exists()


def test_a_vm_moves_from_one_export_to_another(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    lab.put("inner/file", b"")
    lab.system().CreateNasDatastore(lab.export(name="inner", path=f"/{SECRET}/inner"))
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    lab.run(vm.RelocateVM_Task(target(lab, "inner"), None))
    assert "web" not in lab.names()
    assert [name for name in lab.names("inner/web") if name.startswith(".lck-")]
    lab.run(vm.PowerOffVM_Task())
    assert not [name for name in lab.names("inner/web") if name.startswith(".lck-")]
    assert lab.content("inner/web/web-flat.vmdk", len(CONTENT)) == CONTENT
