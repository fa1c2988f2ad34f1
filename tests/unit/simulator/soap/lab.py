"""A small world behind the real wire, without storage: folders, a datacenter and VMs that hold still."""

import itertools
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyVim.connect import SmartConnect
from pyVmomi import VmomiSupport, vim, vmodl
from pyVmomi.SoapAdapter import SoapStubAdapter

from app.core.clock import SystemClock
from app.simulator.calls import Call
from app.simulator.objects import SimObject
from app.simulator.progress import TaskProgress
from app.simulator.singletons import add_singletons
from app.simulator.soap.dispatcher import Dispatcher
from app.simulator.soap.http import HttpsServer
from app.simulator.spec import SimulatorSpec, UserSpec
from app.simulator.tls import TlsIdentity
from app.simulator.wellknown import well_known
from app.simulator.world import World, WorldObject

ADMIN = UserSpec(name="administrator@vsphere.local", password="right")
READER = UserSpec(name="reader@vsphere.local", password="right", privileges=frozenset())
SPEC = SimulatorSpec(users=(ADMIN, READER))


class Folder(WorldObject):
    vim_type = vim.Folder


class Datacenter(WorldObject):
    vim_type = vim.Datacenter


class Host(WorldObject):
    vim_type = vim.HostSystem


class Vm(WorldObject):
    """A VM that knows just enough to be asked things."""

    vim_type = vim.VirtualMachine

    def CreateSnapshot_Task(
        self, call: Call, *, name: str, description: str | None, memory: bool, quiesce: bool
    ) -> vim.Task:
        """Work in three steps; fail when quiescing is wanted, with a cause inside the fault."""

        def run(progress: TaskProgress) -> Any:
            for percent in (10, 50, 90):
                progress.report(percent)
                progress.check()
            if quiesce:
                cause = vim.fault.FileLocked(msg="locked", file="[ds1] a.vmdk")
                raise vim.fault.ApplicationQuiesceFault(msg="VSS says no", faultCause=cause)
            return vim.vm.Snapshot("snapshot-1")

        return call.start_task(self, "CreateSnapshot_Task", run, cancelable=True)

    def QueryChangedDiskAreas(
        self, call: Call, *, snapshot: Any, deviceKey: int, startOffset: int, changeId: str
    ) -> Any:
        """Answer with what was asked, so that a test sees what arrived."""
        if changeId == "stale":
            raise vmodl.fault.InvalidArgument(msg="stale", invalidProperty="changeId")
        if changeId == "bug":
            raise ZeroDivisionError("a bug of the simulator")
        extent: Any = vim.VirtualMachine.DiskChangeInfo.DiskChangeExtent
        return vim.VirtualMachine.DiskChangeInfo(
            startOffset=startOffset,
            length=1 << 40,
            changedArea=[extent(start=startOffset, length=deviceKey), extent(start=1 << 33, length=65536)],
        )


def disk(key: int, capacity_bytes: int) -> vim.vm.device.VirtualDisk:
    backing = vim.vm.device.VirtualDisk.FlatVer2BackingInfo(
        fileName=f"[ds1] vm/disk-{key}.vmdk", diskMode="persistent", thinProvisioned=True, uuid=f"uuid-{key}"
    )
    return vim.vm.device.VirtualDisk(
        key=key, capacityInKB=capacity_bytes // 1024, capacityInBytes=capacity_bytes, backing=backing
    )


class TurnedClock(SystemClock):
    """A clock that a test turns forward."""

    def __init__(self) -> None:
        self.turned_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.turned_s


@dataclass
class Lab:
    """One world behind one HTTPS server."""

    directory: Path
    spec: SimulatorSpec = SPEC
    vms: list[Vm] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = TurnedClock()
        self.world = World(self.spec, self.directory, clock=self.clock)
        self.world.faults.bind(expire_sessions=self.world.sessions.close_all, change_certificate=self._renew)
        self.tls = TlsIdentity(self.directory, "vc.lab")
        self.server = HttpsServer(Dispatcher(self.world), self.world.sessions, self.tls)
        add_singletons(self.world)
        self._numbers = itertools.count(1)
        self.root = self.world.add(
            Folder(self.world, well_known(self.spec.flavour).rootFolder, name="Datacenters", childEntity=[])
        )
        self.vm_folder = self.world.add(Folder(self.world, "group-v3", name="vm", childEntity=[]))
        others = {
            name: self.world.add(Folder(self.world, f"group-{name}", name=name, childEntity=[], parent=None))
            for name in ("host", "datastore", "network")
        }
        self.datacenter = self.world.add(
            Datacenter(
                self.world,
                "datacenter-2",
                name="Shanghai",
                parent=self.root.ref,
                vmFolder=self.vm_folder.ref,
                **{f"{name}Folder": folder.ref for name, folder in others.items()},
            )
        )
        self.vm_folder.set(parent=self.datacenter.ref)
        for folder in others.values():
            folder.set(parent=self.datacenter.ref)
        self.root.set(childEntity=[self.datacenter.ref])
        self.host = self.world.add(Host(self.world, "host-9", name="esx01.lab", vm=[], parent=others["host"].ref))
        others["host"].set(childEntity=[self.host.ref])

    def _renew(self) -> None:
        self.tls.renew()

    def add_vm(self, name: str, parent: SimObject | None = None) -> Vm:
        number = next(self._numbers)
        folder = parent or self.vm_folder
        vm = Vm(
            self.world,
            f"vm-{number}",
            name=name,
            parent=folder.ref,
            config=vim.vm.ConfigInfo(
                uuid=f"4210{number:04}-0000-0000-0000-000000000000",
                instanceUuid=f"5010{number:04}-0000-0000-0000-000000000000",
                name=name,
                changeTrackingEnabled=False,
                files=vim.vm.FileInfo(vmPathName=f"[ds1] {name}/{name}.vmx"),
                hardware=vim.vm.VirtualHardware(
                    numCPU=2, memoryMB=1024, device=[disk(2000, 64 << 20), disk(2001, 5 << 30)]
                ),
            ),
            runtime=vim.vm.RuntimeInfo(powerState="poweredOn", host=self.host.ref),
            guest=vim.vm.GuestInfo(hostName=f"{name}.example.com", ipAddress=f"10.0.0.{number}"),
            network=[],
            datastore=[vim.Datastore("datastore-7")],
        )
        self.world.add(vm)
        self.vms.append(vm)
        folder.set(childEntity=[*folder.properties["childEntity"], vm.ref])
        return vm

    def start(self) -> None:
        self.server.start()

    def stop(self) -> None:
        self.world.tasks.stop()
        with self.world.lock:
            self.world.changed.notify_all()
        self.server.stop()

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.tls.certificate_file))

    def stub(self, version: str = "vim.version.v8_0_3_0") -> Any:
        """Return a connection that is not logged in."""
        return SoapStubAdapter(
            "127.0.0.1", self.server.port, version=version, path="/sdk", sslContext=self.client_context()
        )

    @contextmanager
    def anonymous(self, version: str = "vim.version.v8_0_3_0") -> Iterator[Any]:
        stub = self.stub(version)
        try:
            yield vim.ServiceInstance("ServiceInstance", stub)
        finally:
            stub.DropConnections()

    @contextmanager
    def client(self, user: UserSpec = ADMIN) -> Iterator[Any]:
        """Log in as a real client does: version negotiation, content, login."""
        instance = SmartConnect(
            host="127.0.0.1",
            port=self.server.port,
            user=user.name,
            pwd=user.password,
            sslContext=self.client_context(),
        )
        try:
            yield instance
        finally:
            instance._stub.DropConnections()


def reference(kind: type[Any], moid: str, instance: Any) -> Any:
    """Return an object of the client's by its id."""
    return kind(moid, instance._stub)


PC = vmodl.query.PropertyCollector
Long = VmomiSupport.long


def vm_filter(view: Any, paths: list[str], *, everything: bool = False) -> Any:
    """Return the usual specification: all VMs of a view with these properties."""
    traversal = PC.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    return PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=view, skip=True, selectSet=[traversal])],
        propSet=[PC.PropertySpec(type=vim.VirtualMachine, pathSet=paths, all=everything)],
    )


def one_object(obj: Any, paths: list[str]) -> Any:
    """Return a specification of one object's properties."""
    return PC.FilterSpec(
        objectSet=[PC.ObjectSpec(obj=obj)], propSet=[PC.PropertySpec(type=type(obj), pathSet=paths)]
    )


def values_of(content: Any) -> dict[str, Any]:
    """Return the properties of an ObjectContent by name."""
    return {prop.name: prop.val for prop in content.propSet}
