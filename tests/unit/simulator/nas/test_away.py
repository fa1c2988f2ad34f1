"""The NFS server goes away, is killed, and comes back: APD, and what becomes of those who wait."""

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from msgspec import structs
from pyVmomi import vim

from app.core.nfs3 import Status
from app.nfs import FileContent, Volume
from app.nfs.errors import NfsError
from app.nfs.names import Node
from app.nfs.service import ServedFile
from app.simulator.nas import NasSettings, Presence
from app.simulator.storage import DatastoreFull, DatastoreLost
from tests.support import libnfs
from tests.support.nfs_service import DISK, PLACE, ServiceLab
from tests.support.waiting import wait_until
from tests.unit.simulator.nas.conftest import NFS, Labs, NasLab
from tests.unit.simulator.nas.test_running import put_vm, register
from tests.unit.simulator.vm.lab import ADMIN, MIB, VmLab, spec_of


@pytest.fixture
def lab(labs: Labs) -> NasLab:
    """A vCenter whose hosts wait for a second only."""
    made = labs.make(nas={"apd_timeout_s": 0.5})
    made.mount()
    return made


def datastore_of(lab: VmLab) -> Any:
    return next(store for store in lab.datacenter.datastore if store.name == NFS)


def wait_for(lab: NasLab, presence: Presence) -> None:
    wait_until(lambda: lab.nas().mount.presence is presence, what=f"{presence}")


def in_thread(call: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=call)
    thread.start()
    return thread


def test_a_datastore_is_inaccessible_while_its_server_is_away(lab: NasLab) -> None:
    datastore, port = datastore_of(lab), lab.site.server.port
    lab.site.stop()
    wait_for(lab, Presence.AWAY)
    info = datastore.host[0].mountInfo
    assert (info.accessible, info.inaccessibleReason) == (False, "AllPathsDown_Start")
    assert not datastore.summary.accessible
    wait_for(lab, Presence.LOST)
    assert datastore.host[0].mountInfo.inaccessibleReason == "AllPathsDown_Timeout"
    lab.site.start(port)
    wait_for(lab, Presence.THERE)
    info = datastore.host[0].mountInfo
    assert (info.accessible, info.inaccessibleReason, datastore.summary.accessible) == (True, None, True)


def test_a_guest_stands_still_and_goes_on(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    port = lab.site.server.port
    lab.site.stop()
    writing = in_thread(lambda: lab.sim.world.guests.write_now(vm.name, MIB))
    wait_for(lab, Presence.LOST)
    assert writing.is_alive()
    assert (vm.runtime.powerState, vm.summary.config.name) == ("poweredOn", vm.name), "the API answers meanwhile"
    lab.site.start(port)
    writing.join()
    assert lab.sim.world.guests.of(vm.name).written_bytes >= MIB
    assert lab.content("web/web-flat.vmdk", 4 * MIB) == lab.leaf(vm.name).read(0, 4 * MIB)
    lab.run(vm.PowerOffVM_Task())


def test_the_hosts_own_work_waits_and_is_refused_in_the_end(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm, browser = register(lab), datastore_of(lab).browser
    port = lab.site.server.port
    lab.site.stop()
    waiting = vm.PowerOnVM_Task()
    wait_for(lab, Presence.LOST)
    with lab.refused(vim.fault.CannotAccessFile):
        lab.run(waiting)
    with lab.refused(vim.fault.CannotAccessFile):
        lab.run(browser.SearchDatastore_Task(f"[{NFS}] web", None))
    lab.site.start(port)
    wait_for(lab, Presence.THERE)
    lab.run(vm.PowerOnVM_Task())
    lab.run(vm.PowerOffVM_Task())


def test_a_datastore_is_removed_while_its_server_is_away(lab: NasLab, tmp_path: Path) -> None:
    put_vm(lab, tmp_path)
    vm, datastore = register(lab), datastore_of(lab)
    lab.site.stop()
    wait_for(lab, Presence.AWAY)
    with lab.refused(vim.fault.ResourceInUse):
        lab.system().RemoveDatastore(datastore)
    vm.UnregisterVM()
    lab.system().RemoveDatastore(datastore)
    assert not lab.sim.world.nas_mounts
    assert not [thread for thread in threading.enumerate() if thread.name == f"nas-{NFS}"]
    lab.site.start()


def test_the_simulator_ends_while_a_guest_waits_for_the_server(labs: Labs, tmp_path: Path) -> None:
    lab = labs.make()
    lab.mount()
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    machine = lab.machine(vm.name)
    lab.sim.world.guests.stopped(machine)
    machine.workload_bytes_per_s = MIB
    lab.sim.world.guests.started(machine)
    workload = lab.sim.world.guests.of(machine)
    wait_until(lambda: workload.written_bytes > 0, what="the guest writes")
    lab.site.stop()
    wait_for(lab, Presence.AWAY)
    began = time.monotonic()
    lab.logout(lab.si)
    lab.si = None
    lab.sim.stop()
    assert time.monotonic() - began < 10
    lab.site.start()


@pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")
@pytest.mark.allows_log("the NFS service does not answer and is started again")
def test_nothing_is_lost_when_the_serving_process_is_killed(tmp_path: Path) -> None:
    content = bytes(range(256)) * (4 * MIB // 256)
    service = ServiceLab(tmp_path / "service", content)
    service.export = structs.replace(service.export, files=tuple(_small_files()))
    settings = NasSettings(port=service.port, heartbeat_s=0.1, silence_s=0.2)
    with service.running() as running, VmLab(tmp_path / "lab", spec_of(users=(ADMIN,), nas=settings)) as lab:
        service.client()
        export = vim.host.NasVolume.Specification(
            remoteHost="127.0.0.1", remotePath=f"/{service.export.name}", localPath=NFS, accessMode="readWrite"
        )
        host = lab.datacenter.hostFolder.childEntity[0].host[0]
        host.configManager.datastoreSystem.CreateNasDatastore(export)
        folder = lab.datacenter.vmFolder
        vm = lab.run(folder.RegisterVM_Task(f"[{NFS}] {PLACE}/web-01.vmx", None, False, lab.pool, host))
        lab.run(vm.PowerOnVM_Task())
        leaf = lab.leaf("web-01")
        leaf.write(0, b"before")
        for number in range(3):
            status = running.status()
            assert status is not None
            os.kill(status.pid, signal.SIGKILL)
            writing = in_thread(partial(leaf.write, 4096, b"during %d" % number))
            running.look()
            writing.join()
            assert leaf.read(0, 6) + leaf.read(4096, 8) == b"beforeduring %d" % number
        assert leaf.read(2 * MIB, 4096) == content[2 * MIB : 2 * MIB + 4096]
        lab.run(vm.PowerOffVM_Task())


def _small_files() -> list[ServedFile]:
    stem = DISK.removesuffix("-flat.vmdk")
    vmx = (
        'config.version = "8"\nvirtualHW.version = "19"\ndisplayName = "web-01"\nguestOS = "other-64"\n'
        'memSize = "64"\nuuid.action = "keep"\nscsi0.present = "TRUE"\nscsi0.virtualDev = "pvscsi"\n'
        'scsi0:0.present = "TRUE"\nscsi0:0.fileName = "web-01.vmdk"\n'
    )
    descriptor = (
        f'# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="vmfs"\n'
        f'RW {4 * MIB // 512} VMFS "web-01-flat.vmdk"\nddb.uuid = "60 00 C2 9a 00 00 00 00-00 00 00 00 00 '
        '00 00 00"\nddb.adapterType = "lsilogic"\nddb.thinProvisioned = "1"\n'
    )
    return [
        ServedFile(path=f"{stem}.vmx", data=vmx.encode()),
        ServedFile(path=f"{stem}.vmdk", data=descriptor.encode()),
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [(Status.NOSPC, DatastoreFull), (Status.STALE, DatastoreLost), (Status.IO, DatastoreLost)],
)
def test_what_the_server_refuses_is_an_error_of_storage(
    lab: NasLab, tmp_path: Path, status: Status, error: type[Exception]
) -> None:
    put_vm(lab, tmp_path)
    leaf = lab.leaf(register(lab).name)

    def refuse(*_: object) -> None:
        raise NfsError(status)

    with mock.patch.object(Volume, "content", refuse), pytest.raises(error):
        leaf.write(0, b"refused")


def test_what_the_server_asks_to_repeat_later_is_repeated(lab: NasLab, tmp_path: Path) -> None:
    """A server whose standby is away answers JUKEBOX; a host waits and tries again, and the guest stands still."""
    put_vm(lab, tmp_path)
    vm = register(lab)
    lab.run(vm.PowerOnVM_Task())
    content, refusals = Volume.content, [NfsError(Status.JUKEBOX)] * 5

    def refuse(volume: Volume, node: Node) -> FileContent:
        if refusals:
            raise refusals.pop()
        return content(volume, node)

    with mock.patch.object(Volume, "content", refuse):
        lab.leaf(vm.name).write(0, b"in the end")
        assert lab.leaf(vm.name).read(0, 10) == b"in the end"
    assert not refusals
    lab.run(vm.PowerOffVM_Task())
