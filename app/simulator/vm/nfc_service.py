"""The NFC service: tickets for reading and writing disks (protocols page *NFC*, section 1)."""

from typing import Any

from pyVmomi import vim, vmodl

from app.simulator import vmomi
from app.simulator.calls import Call
from app.simulator.nfc.profiles import profile_of
from app.simulator.spec import License
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import disks_of
from app.simulator.wellknown import well_known
from app.simulator.world import World, WorldObject

"""Where every host of the simulator is reached, whatever it is called."""


def nfc_service_name(world: World) -> str:
    """Return what a ticket calls the service on port 902."""
    return "vpxa-nfc" if world.spec.is_vcenter else "nfc"


class NfcService(WorldObject):
    """Gives out tickets. It is no part of pyVmomi's public types."""

    vim_type = vmomi.internal_types()["NfcService"]

    def __init__(self, world: World) -> None:
        super().__init__(world, well_known(world.spec.flavour).nfcService)
        self._profile = profile_of(world.spec.version)

    def NfcGetVmFiles(self, call: Call, *, vm: vim.VirtualMachine) -> vim.HostServiceTicket:
        """Return a ticket that reads all files of a VM."""
        machine = self._machine(vm)
        call.require("VirtualMachine.Provisioning.GetVmFiles", machine)
        machine.create_missing_disks()
        return self._ticket(machine, None, writable=False)

    def NfcRandomAccessOpenReadonly(
        self,
        call: Call,
        *,
        vm: vim.VirtualMachine,
        diskDeviceKey: int,
        hostForAccess: vim.HostSystem | None = None,
    ) -> vim.HostServiceTicket:
        """Return a ticket that reads one disk."""
        machine = self._machine(vm)
        call.require("VirtualMachine.Provisioning.DiskRandomRead", machine)
        return self._disk_ticket(machine, diskDeviceKey, hostForAccess, writable=False)

    def NfcRandomAccessOpenDisk(
        self,
        call: Call,
        *,
        vm: vim.VirtualMachine,
        diskDeviceKey: int,
        hostForAccess: vim.HostSystem | None = None,
    ) -> vim.HostServiceTicket:
        """Return a ticket that reads and writes one disk."""
        machine = self._machine(vm)
        call.require("VirtualMachine.Provisioning.DiskRandomAccess", machine)
        if self.world.spec.license is License.FREE:
            raise vim.fault.RestrictedVersion(
                msg="Current license or ESXi version prohibits execution of the requested operation."
            )
        return self._disk_ticket(machine, diskDeviceKey, hostForAccess, writable=True)

    def NfcGetServerNfcLibVersion(self, call: Call, *, hostForAccess: vim.HostSystem) -> int:
        """Return the version of the library that a host speaks."""
        self.world.inventory.host_of(hostForAccess)
        return self._profile.library_version

    def _machine(self, ref: vim.VirtualMachine) -> Machine:
        found = self.world.get(ref)
        if not isinstance(found, Machine):
            raise vmodl.fault.ManagedObjectNotFound(msg="The virtual machine does not exist.", obj=ref)
        found.refuse_unconnected()
        return found

    def _disk_ticket(
        self, machine: Machine, key: int, host: vim.HostSystem | None, *, writable: bool
    ) -> vim.HostServiceTicket:
        if host is None and self._profile.random_access_needs_host:
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: hostForAccess", invalidProperty="hostForAccess"
            )
        self.world.inventory.host_of(host)
        snapshots = [snapshot.config for snapshot in machine.every_snapshot()]
        known = {disk.key for made in (machine.config, *snapshots) for disk in disks_of(made.hardware.device)}
        if key not in known:
            raise vmodl.fault.InvalidArgument(
                msg="A specified parameter was not correct: diskDeviceKey", invalidProperty="diskDeviceKey"
            )
        machine.create_missing_disks()
        return self._ticket(machine, key, writable=writable)

    def _host_of_tickets(self) -> str | None:
        spec = self.world.spec
        return spec.ticket_host or spec.backup_address or (spec.address if spec.is_vcenter else None)

    def _ticket(self, machine: Machine, key: int | None, *, writable: bool) -> vim.HostServiceTicket:
        session_id: Any = self.world.tickets.issue(machine.moid, key, writable=writable)
        return vim.HostServiceTicket(
            host=self._host_of_tickets(),
            port=self.world.nfc_port,
            sslThumbprint=self.world.host_thumbprint_sha1,
            service=nfc_service_name(self.world),
            serviceVersion="1.1",
            sessionId=session_id,
        )
