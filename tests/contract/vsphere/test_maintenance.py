"""Hosts in maintenance mode: known from the platform, waited for, and left for the host that the VM moves to."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from app.core.access import DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.domain.errors import NoTransportAvailable, TaskCancelled
from app.domain.states import TransportMode
from app.simulator.releases import RELEASES, Version
from app.simulator.server import VSphereSimulator
from app.simulator.spec import DiskSpec, SimulatorSpec, VmSpec
from app.transport import messages
from app.transport.factory import NativeTransports
from app.vsphere.access import VSphereAccess
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.support.fakes import RecordingTaskLog
from tests.support.other_client import OtherClient
from tests.support.simulated import platform_of
from tests.support.waiting import wait_until
from tests.unit.transport.opening import options

DISK = DiskSpec(capacity_bytes=4 << 20, filesystem=False)
MODES = (TransportMode.NFC_SSL, TransportMode.NFC)


class Site:
    """A vCenter with two hosts and one VM, somebody who works on it, and our session."""

    def __init__(self, hypervisor: VSphereHypervisor, other: OtherClient) -> None:
        self.hypervisor = hypervisor
        self.other = other
        [vm] = hypervisor.list_vms()
        self.vm = vm
        self.host = other.host_of(vm.id)
        self.log = RecordingTaskLog()

    @property
    def in_maintenance(self) -> str | None:
        access = self.hypervisor.disk_access.nfc
        assert isinstance(access, VSphereAccess)
        return access.host_in_maintenance(self.vm.id)

    def begin_maintenance(self) -> Any:
        return self.host.EnterMaintenanceMode_Task(timeout=0)

    def first_sector(self, *, wait_s: float = 30.0, cancel: CancelToken | None = None) -> bytes:
        [disk] = self.hypervisor.vm_details(self.vm.id).disks
        address = DiskAddress(
            vm=self.vm.id, vm_name="web-01", disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
        )
        patient = replace(options(), maintenance_wait_s=wait_s, maintenance_pause_s=0.05)
        reader = NativeTransports(patient).open_reader(
            self.hypervisor.disk_access, address, preferred=MODES, log=self.log, cancel=cancel or CancelToken()
        )
        try:
            request = ReadRequest(0, memoryview(bytearray(512)))
            list(reader.read_many([request]))
            return bytes(request.buffer)
        finally:
            reader.close()

    @contextmanager
    def once_waited_for(self, action: Callable[[], None]) -> Iterator[None]:
        """Do something as soon as the log says that the host is waited for."""

        def act() -> None:
            wait_until(lambda: messages.WAITING_FOR_HOST in self.log.kinds(), what="a line that says so")
            action()

        thread = threading.Thread(target=act)
        thread.start()
        try:
            yield
        finally:
            thread.join()


@contextmanager
def site(folder: Path, *, is_running: bool = False, version: Version = "8.0.3") -> Iterator[Site]:
    spec = SimulatorSpec(version=version, vms=(VmSpec(name="web-01", disks=(DISK,), powered_on=is_running),))
    with (
        VSphereSimulator(spec, folder) as simulator,
        VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as hypervisor,
        OtherClient(simulator) as other,
    ):
        yield Site(hypervisor, other)


def test_a_host_that_enters_maintenance_mode_is_known_before_and_after_it_is_in_it(tmp_path: Path) -> None:
    with site(tmp_path, is_running=True) as here:
        assert here.in_maintenance is None
        task = here.begin_maintenance()
        wait_until(lambda: here.in_maintenance == here.host.name, what="the host to be entering")
        assert not here.host.runtime.inMaintenanceMode, "a VM runs on it"
        here.other.done(here.other.vm(here.vm.id).PowerOffVM_Task)
        wait_until(lambda: task.info.state == "success", what="the task to end")
        assert here.host.runtime.inMaintenanceMode
        assert here.in_maintenance == here.host.name
        here.other.done(lambda: here.host.ExitMaintenanceMode_Task(timeout=0))
        assert here.in_maintenance is None


def test_entering_maintenance_mode_ends_in_time(tmp_path: Path) -> None:
    with site(tmp_path, is_running=True) as here:
        task = here.host.EnterMaintenanceMode_Task(timeout=1)
        wait_until(lambda: task.info.state == "error", what="the task to end")
        assert isinstance(task.info.error, vim.fault.Timedout)
        assert here.in_maintenance is None


@pytest.mark.parametrize("version", list(RELEASES))
def test_a_disk_is_opened_on_the_host_that_its_vm_moves_to(tmp_path: Path, version: Version) -> None:
    with site(tmp_path, version=version) as here:
        here.other.done(here.begin_maintenance)
        with here.once_waited_for(lambda: here.other.move_away(here.vm.id)):
            assert here.first_sector() == bytes(512)
        assert here.in_maintenance is None
        assert here.log.kinds().count(messages.WAITING_FOR_HOST) == 1


def test_a_disk_is_opened_when_its_host_is_back(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        here.other.done(here.begin_maintenance)
        with here.once_waited_for(lambda: here.other.done(lambda: here.host.ExitMaintenanceMode_Task(timeout=0))):
            assert here.first_sector() == bytes(512)


def test_a_host_that_stays_in_maintenance_mode_is_named(tmp_path: Path) -> None:
    with site(tmp_path) as here:
        here.other.done(here.begin_maintenance)
        with pytest.raises(NoTransportAvailable) as refused:
            here.first_sector(wait_s=0.2)
        assert here.host.name in str(refused.value)
        assert "maintenance mode" in str(refused.value)
        assert refused.value.retryable
        assert here.log.kinds().count(messages.WAITING_FOR_HOST) == 1, "the second mode does not wait again"


def test_waiting_for_a_host_can_be_cancelled(tmp_path: Path) -> None:
    cancel = CancelToken()
    with site(tmp_path) as here:
        here.other.done(here.begin_maintenance)
        with here.once_waited_for(cancel.cancel), pytest.raises(TaskCancelled):
            here.first_sector(cancel=cancel)
