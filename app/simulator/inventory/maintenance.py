"""Maintenance mode of ESXi hosts, entered once nothing runs on the host any more, and their connection to vCenter.

Clusters here are without DRS, so that somebody has to move the VMs or to switch them off meanwhile.
"""

from enum import Enum
from typing import Final, Literal

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.inventory.entity import Entity
from app.simulator.objects import SimObject
from app.simulator.progress import TaskProgress
from app.simulator.world import World

_LOOK_S: Final = 0.05


HostConnection = Literal["connected", "notResponding", "disconnected"]
"""What ``runtime.connectionState`` of a host can be."""


class Maintenance(Enum):
    """Whether a host is in use."""

    NORMAL = "normal"
    ENTERING = "entering"
    ENTERED = "entered"


class Maintainable(Entity):
    """A host that enters and leaves maintenance mode, and whose connection can be lost.

    Attributes:
        maintenance: whether it is in maintenance mode, or entering it.
        connection: whether vCenter reaches it.
    """

    def __init__(self, world: World, moid: str, name: str, parent: SimObject) -> None:
        super().__init__(world, moid, name, parent, vm=[])
        self.maintenance = Maintenance.NORMAL
        self.connection: HostConnection = "connected"

    def set_connection(self, connection: HostConnection) -> None:
        """Let vCenter lose the host, or reach it again; its VMs follow."""
        with self.world.lock:
            self.connection = connection
            self.set(runtime=self.builders["runtime"](self))
            for vm in self.world.inventory.vms.values():
                if vm.host is self:
                    vm.refresh("runtime", "summary")

    def DisconnectHost_Task(self, call: Call) -> vim.Task:
        """Let the host go; vCenter keeps what it knows of its VMs."""
        return call.start_task(self, "DisconnectHost_Task", lambda _: self.set_connection("disconnected"))

    def ReconnectHost_Task(
        self,
        call: Call,
        *,
        cnxSpec: vim.host.ConnectSpec | None = None,
        reconnectSpec: vim.HostSystem.ReconnectSpec | None = None,
    ) -> vim.Task:
        """Take the host back."""
        return call.start_task(self, "ReconnectHost_Task", lambda _: self.set_connection("connected"))

    def EnterMaintenanceMode_Task(
        self,
        call: Call,
        *,
        timeout: int,
        evacuatePoweredOffVms: bool | None = None,
        maintenanceSpec: vim.host.MaintenanceSpec | None = None,
    ) -> vim.Task:
        """Enter maintenance mode once nothing runs here any more, within ``timeout`` seconds unless that is 0.

        Raises:
            vim.fault.InvalidState: it is in that mode, or entering it.
        """
        if self.maintenance is not Maintenance.NORMAL:
            raise vim.fault.InvalidState(msg="The host is in maintenance mode already.")

        def run(progress: TaskProgress) -> None:
            self._turn(Maintenance.ENTERING)
            try:
                self._wait_until_empty(progress, timeout, also_off=bool(evacuatePoweredOffVms))
            except BaseException:
                self._turn(Maintenance.NORMAL)
                raise
            self._turn(Maintenance.ENTERED)

        return call.start_task(self, "EnterMaintenanceMode_Task", run, cancelable=True)

    def ExitMaintenanceMode_Task(self, call: Call, *, timeout: int) -> vim.Task:
        """Leave maintenance mode.

        Raises:
            vim.fault.InvalidState: it is not in that mode.
        """
        if self.maintenance is not Maintenance.ENTERED:
            raise vim.fault.InvalidState(msg="The host is not in maintenance mode.")
        return call.start_task(self, "ExitMaintenanceMode_Task", lambda _: self._turn(Maintenance.NORMAL))

    def _turn(self, maintenance: Maintenance) -> None:
        with self.world.lock:
            self.maintenance = maintenance
            self.set(runtime=self.builders["runtime"](self))

    def _wait_until_empty(self, progress: TaskProgress, timeout_s: int, *, also_off: bool) -> None:
        until_s = self.world.clock.monotonic() + timeout_s
        while self._is_in_use(also_off=also_off):
            progress.check()
            if timeout_s > 0 and self.world.clock.monotonic() > until_s:
                raise vim.fault.Timedout(msg="Operation timed out.")
            progress.pause(_LOOK_S)

    def _is_in_use(self, *, also_off: bool) -> bool:
        with self.world.lock:
            vms = [vm for vm in self.world.inventory.vms.values() if vm.host is self]
        return any(also_off or vm.is_running for vm in vms)
