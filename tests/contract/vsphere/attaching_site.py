"""A platform with a VM that counts as this machine, and what attaches disks to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import AccessMode, Attachment, DiskAddress
from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.ids import TaskId
from app.domain.vms import VmSummary
from app.simulator.server import VSphereSimulator
from app.simulator.spec import (
    DiskSpec,
    SimulatorSpec,
    VmSpec,
)
from app.simulator.vm.machine import Machine
from app.vsphere.errors import DiskNotAttachable
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.support.attaching import (
    CONSOLE,
    machine_named,
    places_of,
)
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

DISK = DiskSpec(capacity_bytes=8 << 20, filesystem=False)
WEB = VmSpec(name="web-01", disks=(DISK, DISK))
OFF = VmSpec(name="off-01", disks=(DISK,), powered_on=False)


@contextmanager
def site(folder: Path, *vms: VmSpec, **more: object) -> Iterator["Site"]:
    spec = replace(SimulatorSpec(vms=vms or (WEB, OFF, CONSOLE)), **more)  # type: ignore[arg-type]
    with (
        VSphereSimulator(spec, folder / "vc") as simulator,
        VSphereFactory(SystemClock(), timings=QUICK).connect(
            platform_of(simulator), simulator.password
        ) as hypervisor,
    ):
        yield Site(simulator, hypervisor)


class Site:
    def __init__(self, simulator: VSphereSimulator, hypervisor: VSphereHypervisor) -> None:
        self.simulator = simulator
        self.hypervisor = hypervisor
        self.attacher = hypervisor.disk_attacher
        self._tasks = 0

    @property
    def console(self) -> Machine:
        return machine_named(self.simulator, "console")

    @property
    def uuids(self) -> tuple[str, ...]:
        return (str(self.console.config.uuid),)

    def vm(self, name: str = "web-01") -> VmSummary:
        return next(vm for vm in self.hypervisor.list_vms() if vm.name == name)

    def frozen(self, name: str = "web-01", number: int = 0) -> DiskAddress:
        vm = self.vm(name)
        self._tasks += 1
        frozen = self.hypervisor.create_snapshot(
            vm.id, TaskId(f"t{self._tasks}"), quiesce=False, log=RecordingTaskLog(), cancel=CancelToken()
        )
        disk = frozen.disks[number]
        return DiskAddress(
            vm=vm.id,
            vm_name=vm.name,
            disk_key=disk.key,
            path=disk.path,
            capacity_bytes=disk.capacity_bytes,
            snapshot=frozen.snapshot,
            is_encrypted=disk.is_encrypted,
        )

    def still(self) -> DiskAddress:
        vm = self.vm("off-01")
        (disk,) = self.hypervisor.vm_details(vm.id).disks
        return DiskAddress(
            vm=vm.id, vm_name=vm.name, disk_key=disk.key, path=disk.path, capacity_bytes=disk.capacity_bytes
        )

    def plan(self, disk: DiskAddress, access: AccessMode = AccessMode.READ) -> Attachment:
        return self.attacher.plan(self.uuids, disk, access)

    def refusal(self, disk: DiskAddress, access: AccessMode = AccessMode.READ) -> str:
        before = places_of(self.console)
        with pytest.raises(DiskNotAttachable) as refused:
            self.plan(disk, access)
        assert places_of(self.console) == before
        return refused.value.message

    def remove_snapshot(self, disk: DiskAddress) -> None:
        assert disk.snapshot is not None
        self.hypervisor.remove_snapshot(disk.vm, disk.snapshot, deadline_s=30)


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as opened:
        yield opened
