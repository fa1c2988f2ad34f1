"""A whole simulator and a pyVmomi client that is logged in to it."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim, vmodl

from app.simulator.server import VSphereSimulator
from app.simulator.spec import Flavour, SimulatorSpec, UserSpec
from app.simulator.storage import SimDisk
from app.simulator.tasks import SimTask
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.support.simulated import local

KIB = 1 << 10
MIB = 1 << 20
GRAIN = 64 * KIB
ADMIN = UserSpec(name="root", password="pässwörd")
DEADLINE_S = 20.0

DeviceSpec = vim.vm.device.VirtualDeviceSpec


class VmLab:
    """A simulator and a client. The client's objects are Any: pyVmomi's stubs know them by other names."""

    def __init__(self, directory: Path, spec: SimulatorSpec) -> None:
        self.sim = VSphereSimulator(spec, directory / "sim")
        self.si: Any = None

    def __enter__(self) -> Self:
        self.sim.start()
        self.si = self.login(self.sim.user, self.sim.password)
        return self

    def __exit__(self, *exc: object) -> None:
        if self.si is not None:
            self.logout(self.si)
        self.sim.stop()

    def login(self, user: str, password: str) -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return SmartConnect(host=self.sim.host, port=self.sim.port, user=user, pwd=password, sslContext=context)

    def logout(self, si: Any) -> None:
        Disconnect(si)
        si._stub.DropConnections()

    @contextmanager
    def as_user(self, user: UserSpec) -> Iterator[Any]:
        si = self.login(user.name, user.password)
        try:
            yield si
        finally:
            self.logout(si)

    # ---- finding ---------------------------------------------------------------------------------------

    @property
    def datacenter(self) -> Any:
        return self.si.content.rootFolder.childEntity[0]

    @property
    def pool(self) -> Any:
        return self.datacenter.hostFolder.childEntity[0].resourcePool

    def machine(self, name: str) -> VirtualMachine:
        machines: list[VirtualMachine] = list(self.sim.world.inventory.vms.values())
        return next(machine for machine in machines if machine.name == name)

    def vm(self, name: str) -> Any:
        return vim.VirtualMachine(self.machine(name).moid, self.si._stub)

    def leaf(self, name: str, key: int = 2000) -> SimDisk:
        leaf = self.machine(name).trees[key].leaf
        assert leaf is not None
        return leaf

    def file(self, datastore_path: str) -> Path:
        name, _, relative = datastore_path[1:].partition("] ")
        return local(self.sim.world.datastores[name].root) / relative

    def events(self) -> list[str]:
        return [event.fullFormattedMessage for event in self.sim.world.events.all()]

    # ---- tasks -----------------------------------------------------------------------------------------

    def wait_until(self, condition: Any) -> None:
        """Wait for something that the world announces."""
        world = self.sim.world
        with world.changed:
            assert world.changed.wait_for(condition, DEADLINE_S), "the deadline passed"

    def run(self, task: Any) -> Any:
        """Return a task's result, or raise its error."""
        found = self.sim.world.get(task._moId)
        assert isinstance(found, SimTask)
        self.wait_until(lambda: found.finished_at is not None)
        info = task.info
        if info.error is not None:
            raise info.error
        return info.result

    @contextmanager
    def refused(self, fault: type[vmodl.MethodFault]) -> Iterator[pytest.ExceptionInfo[Any]]:
        """Expect exactly this fault, not one of its children."""
        with pytest.raises(fault) as caught:
            yield caught
        assert type(caught.value) is fault

    # ---- doing -----------------------------------------------------------------------------------------

    def snapshot(self, vm: Any, name: str = "s", *, memory: bool = False, quiesce: bool = False) -> Any:
        return self.run(vm.CreateSnapshot_Task(name, "", memory, quiesce))

    def remove(self, snapshot: Any, *, children: bool = False, consolidate: bool = True) -> None:
        self.run(snapshot.RemoveSnapshot_Task(children, consolidate))

    def reconfigure(self, vm: Any, *changes: Any, **fields: Any) -> None:
        self.run(vm.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=list(changes), **fields)))

    def track_changes(self, vm: Any) -> None:
        """Switch change tracking on and let it come into force."""
        self.reconfigure(vm, changeTrackingEnabled=True)
        self.remove(self.snapshot(vm, "cycle"))

    def create(self, name: str, *changes: Any, datastore: str = "ds1", **fields: Any) -> Any:
        fields.setdefault("files", vim.vm.FileInfo(vmPathName=f"[{datastore}]"))
        spec = vim.vm.ConfigSpec(
            name=name, memoryMB=512, numCPUs=1, guestId="debian12_64Guest", deviceChange=list(changes), **fields
        )
        return self.run(self.datacenter.vmFolder.CreateVM_Task(spec, self.pool))


def new_controller(bus: int = 0, key: int = -1) -> Any:
    controller = vim.vm.device.ParaVirtualSCSIController(key=key, busNumber=bus, sharedBus="noSharing")
    return DeviceSpec(operation="add", device=controller)


def new_disk(
    capacity_bytes: int = MIB,
    *,
    controller: int = -1,
    unit: int | None = None,
    path: str = "",
    mode: str = "persistent",
) -> Any:
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(fileName=path, diskMode=mode, thinProvisioned=True)
    device = vim.vm.device.VirtualDisk(
        key=-50, controllerKey=controller, unitNumber=unit, capacityInKB=capacity_bytes // KIB, backing=backing
    )
    return DeviceSpec(operation="add", fileOperation="create", device=device)


def attached_disk(path: str, *, controller: int = 1000, mode: str = "persistent") -> Any:
    spec = new_disk(0, controller=controller, path=path, mode=mode)
    spec.fileOperation = None
    return spec


def new_card(network: str = "VM Network", *, mac: str | None = None) -> Any:
    backing = vim.vm.device.VirtualEthernetCard.NetworkBackingInfo(deviceName=network)
    card = vim.vm.device.VirtualVmxnet3(key=-60, backing=backing)
    if mac is not None:
        card.addressType, card.macAddress = "manual", mac
    return DeviceSpec(operation="add", device=card)


def edit(device: Any) -> Any:
    return DeviceSpec(operation="edit", device=device)


def removal(device: Any, *, destroy: bool = False) -> Any:
    return DeviceSpec(operation="remove", device=device, fileOperation="destroy" if destroy else None)


def disks(of: Any) -> list[Any]:
    """Return the disks of a VM or a snapshot."""
    return [device for device in of.config.hardware.device if isinstance(device, vim.vm.device.VirtualDisk)]


def devices(of: Any, kind: type[Any]) -> list[Any]:
    return [device for device in of.config.hardware.device if isinstance(device, kind)]


def device(of: Any, kind: type[Any]) -> Any:
    return devices(of, kind)[0]


def areas(answer: Any) -> list[tuple[int, int]]:
    """Return the areas of an answer in grains: (first, how many)."""
    return [(area.start // GRAIN, area.length // GRAIN) for area in answer.changedArea]


def spec_of(*vms: Any, flavour: Flavour = Flavour.VCENTER, **fields: Any) -> SimulatorSpec:
    fields.setdefault("users", (ADMIN,))
    return SimulatorSpec(flavour=flavour, vms=vms, **fields)
