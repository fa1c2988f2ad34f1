"""Someone else who works on the same platform: plain pyVmomi, which knows nothing of our adapter."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from pyVim.connect import Disconnect, SmartConnect
from pyVmomi import vim

from app.simulator.server import VSphereSimulator
from tests.support.waiting import wait_until


class OtherClient:
    """Another product's session. Thread: one."""

    def __init__(self, simulator: VSphereSimulator) -> None:
        self._simulator = simulator
        self._instance: Any = None

    def __enter__(self) -> Self:
        simulator = self._simulator
        self._instance = SmartConnect(
            host=simulator.host,
            port=simulator.port,
            user=simulator.user,
            pwd=simulator.password,
            disableSslCertValidation=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        Disconnect(self._instance)
        self._instance._stub.DropConnections()

    def vm(self, moid: str) -> Any:
        """Return a VM."""
        return vim.VirtualMachine(moid, self._instance._stub)

    def take_snapshot(self, moid: str, name: str) -> Any:
        """Take a snapshot without memory and return it."""
        return self.done(
            lambda: self.vm(moid).CreateSnapshot_Task(name=name, description="", memory=False, quiesce=False)
        )

    def order_vms(self, vapp: str, order: list[vim.vApp.EntityConfigInfo]) -> None:
        """Set when VMs of a vApp are started and stopped."""
        spec = vim.vApp.VAppConfigSpec(entityConfig=order)
        vim.VirtualApp(vapp, self._instance._stub).UpdateVAppConfig(spec=spec)

    def relocate(self, moid: str, datastore: str) -> None:
        """Move a VM with its disks and snapshots to another datastore, as storage vMotion does."""
        target = next(
            candidate for candidate in self.vm(moid).runtime.host.datastore if candidate.name == datastore
        )
        self.done(lambda: self.vm(moid).RelocateVM_Task(vim.vm.RelocateSpec(datastore=target)))

    def host_of(self, moid: str) -> Any:
        """Return the host that a VM is on."""
        return self.vm(moid).runtime.host

    def move_away(self, moid: str) -> None:
        """Move a VM to another host, as vMotion does; its files stay."""
        here = self.host_of(moid)
        target = next(host for host in here.parent.host if host != here)
        self.done(lambda: self.vm(moid).RelocateVM_Task(vim.vm.RelocateSpec(host=target)))

    def remove_snapshots(self, moid: str) -> None:
        """Remove every snapshot of a VM, whoever's."""
        self.done(lambda: self.vm(moid).RemoveAllSnapshots_Task(consolidate=True))

    def done(self, start: Callable[[], Any]) -> Any:
        """Run a task to its end and return its result."""
        task = start()
        wait_until(lambda: task.info.state in {"success", "error"}, what="another client's task", deadline_s=30)
        assert task.info.state == "success", task.info.error
        return task.info.result
