"""Attaches disks to the VM that this program runs in, and detaches them.

To be read, a disk is attached *independent, non-persistent*: what the guest writes goes to a redo log that the
host drops, never to the disk. A host lets several VMs have a frozen parent open in this way, while the VM itself
runs on its delta. To be written it is attached *independent, persistent*: a snapshot that somebody makes of this
machine meanwhile leaves it alone, so that no write ends in a delta of this machine's. Nothing here ever asks a
host to delete a file.

Sources: vSphere's API reference (``VirtualDeviceConfigSpec``, ``VirtualDiskMode``); "Best Practices for HotAdd
Transport" of the VDDK programming guide (SCSI only, detach before the snapshot is removed); the Broadcom article
306343 (vSAN and other datastores do not mix). That the backing may be described as flat whatever format the file
has, and how a redo log shows in it, is no documented fact: a host that refuses leads to the next transport mode,
and an attached disk is known by its place, its UUID and a file of its chain.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pyVmomi import vim, vmodl

from app.core.access import AccessMode, Attachment, DiskAddress
from app.domain.errors import PrivilegeMissing
from app.domain.ids import VmId
from app.vsphere import reasons, tasks
from app.vsphere.attachability import Machine, Source, chain_of, refuse_unattachable, refuse_unwritable
from app.vsphere.errors import DiskNotAttachable, DiskNotDetached
from app.vsphere.faults import FAILURES, error_reason, translated
from app.vsphere.names import unescaped
from app.vsphere.privileges import has_privileges
from app.vsphere.properties import read, read_many
from app.vsphere.reasons import Unsuitable
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.slots import USABLE, controller_on, device_at, free_slot
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_device = vim.vm.device
_ATTACH_S = 300.0
_DETACH_S = 600.0
_CONTROLLER_KEY, _DISK_KEY = -101, -102
"""Names of new devices within a specification; the host gives them keys of their own."""
_NEEDED = ("VirtualMachine.Config.AddExistingDisk", "VirtualMachine.Config.RemoveDisk")
_FOR_CONTROLLER = "VirtualMachine.Config.AddRemoveDevice"


class VSphereAttacher:
    """Attaches disks over one session; fulfils ``DiskAttacher``. Thread: any."""

    def __init__(self, session: VSphereSession) -> None:
        self._session = session

    # ---- planning ----------------------------------------------------------------------------------------

    def plan(self, bios_uuids: Sequence[str], disk: DiskAddress, access: AccessMode) -> Attachment:
        """Decide where a disk would be attached; changes nothing.

        Raises:
            DiskNotAttachable: it cannot be, and why.
            OperationalError: the platform cannot be asked.
        """
        with translated(self._session.attempt(Operation.ATTACH_DISK, disk.vm_name)):
            try:
                return self._session.run(lambda connection: self._plan(connection, bios_uuids, disk, access))
            except Unsuitable as reason:
                raise DiskNotAttachable(path=disk.path, detail=reason) from reason

    def _plan(
        self, connection: Connection, bios_uuids: Sequence[str], disk: DiskAddress, access: AccessMode
    ) -> Attachment:
        machine = Machine.read(connection, self._own_vm(connection, bios_uuids))
        source = Source.read(connection, disk)
        refuse_unattachable(connection, machine, source, disk)
        if access is AccessMode.WRITE:
            refuse_unwritable(connection, source, disk)
        slot = free_slot(machine.devices)
        if slot is None:
            raise Unsuitable(reasons.NO_FREE_PLACE.fill(machine=machine.name))
        _require(connection, machine, (*_NEEDED, *([_FOR_CONTROLLER] if slot.is_new else [])))
        return Attachment(
            machine=machine.id,
            machine_uuid=machine.instance_uuid,
            machine_name=machine.name,
            path=disk.path,
            disk_uuid=source.disk_uuid,
            bus=slot.bus,
            unit=slot.unit,
            owns_controller=slot.is_new,
            is_writable=access is AccessMode.WRITE,
            capacity_bytes=disk.capacity_bytes,
        )

    def _own_vm(self, connection: Connection, bios_uuids: Sequence[str]) -> VmId:
        index = connection.content.searchIndex
        found = {
            reference._moId: reference
            for uuid in bios_uuids
            for reference in index.FindAllByUuid(uuid=uuid, vmSearch=True, instanceUuid=False) or ()
        }
        if len(found) == 1:
            return VmId(next(iter(found)))
        if not found:
            address = self._session.platform.address
            raise Unsuitable(reasons.NOT_ON_PLATFORM.fill(address=address, uuids=", ".join(bios_uuids)))
        rows = read_many(connection.query(), list(found.values()), "name")
        names = sorted(unescaped(row.get("name") or "?") for row in rows)
        raise Unsuitable(reasons.SEVERAL_MACHINES.fill(names=", ".join(names)))

    # ---- attaching ---------------------------------------------------------------------------------------

    def attach(self, attachment: Attachment) -> None:
        """Attach a disk as planned.

        Raises:
            DiskNotAttachable: the place was taken meanwhile.
            OperationalError: it is not certain to be attached.
        """
        with translated(self._session.attempt(Operation.ATTACH_DISK, attachment.machine_name)):
            self._reconfigure(attachment.machine, list(self._additions(attachment)), _ATTACH_S)

    def _additions(self, attachment: Attachment) -> Iterator[Any]:
        devices = self._session.run(lambda connection: _devices(connection, attachment.machine))
        if device_at(devices, attachment.bus, attachment.unit) is not None:
            taken = reasons.PLACE_TAKEN.fill(bus=attachment.bus, unit=attachment.unit)
            raise DiskNotAttachable(path=attachment.path, detail=taken)
        controller = controller_on(devices, attachment.bus)
        if controller is None:
            added = _device.ParaVirtualSCSIController(
                key=_CONTROLLER_KEY, busNumber=attachment.bus, sharedBus="noSharing"
            )
            yield _device.VirtualDeviceSpec(operation="add", device=added)
        backing = _device.VirtualDisk.FlatVer2BackingInfo(fileName=attachment.path, diskMode=_mode_of(attachment))
        disk = _device.VirtualDisk(
            key=_DISK_KEY,
            controllerKey=_CONTROLLER_KEY if controller is None else controller.key,
            unitNumber=attachment.unit,
            capacityInKB=attachment.capacity_bytes // 1024,
            backing=backing,
        )
        yield _device.VirtualDeviceSpec(operation="add", device=disk)  # without a file operation: the file exists

    # ---- detaching ---------------------------------------------------------------------------------------

    def detach(self, attachment: Attachment) -> bool:
        """Detach a disk, and the controller that was added for it when it holds nothing else.

        Returns:
            False when there was nothing to detach.

        Raises:
            DiskNotDetached: it is still there.
            OperationalError: it may still be there.
        """
        with translated(self._session.attempt(Operation.DETACH_DISK, attachment.machine_name)):
            machine = self._machine_of(attachment)
            if machine is None:
                return False
            self._await_reconfigurations(machine)
            was_there = self._remove_disk(machine, attachment)
            if attachment.owns_controller:
                self._remove_controller(machine, attachment)
            return was_there

    def _machine_of(self, attachment: Attachment) -> VmId | None:
        """Return the id that the VM of an attachment has now, None when it is gone.

        Raises:
            DiskNotDetached: it is not certain which one it is.
        """
        by_id = self._session.run(lambda connection: _instance_uuid(connection, attachment.machine))
        if _same(by_id, attachment.machine_uuid):
            return attachment.machine
        found = self._session.run(
            lambda connection: connection.content.searchIndex.FindAllByUuid(
                uuid=attachment.machine_uuid, vmSearch=True, instanceUuid=True
            )
        )
        if len(found or ()) > 1:
            name = attachment.machine_name
            raise self._not_detached(attachment, reasons.ANOTHER_MACHINE.fill(machine=name))
        return VmId(found[0]._moId) if found else None

    def _await_reconfigurations(self, machine: VmId) -> None:
        """Wait until changes end that may still be under way, for their answers may have been lost."""
        deadline = Deadline.after(self._session.clock, _ATTACH_S)
        tasks.wait_for_unknown(self._session, lambda connection: connection.vm(machine), "reconfig", deadline)

    def _remove_disk(self, machine: VmId, attachment: Attachment) -> bool:
        disk = self._session.run(lambda connection: _ours(connection, machine, attachment))
        if disk is None:
            return False
        removal = _device.VirtualDeviceSpec(operation="remove", device=disk)  # no file operation: files stay
        try:
            self._reconfigure(machine, [removal], _DETACH_S)
        except FAILURES as error:
            if self._session.run(lambda connection: _ours(connection, machine, attachment)) is not None:
                raise self._not_detached(attachment, error_reason(error)) from error
        if self._session.run(lambda connection: _ours(connection, machine, attachment)) is not None:
            raise self._not_detached(attachment, reasons.STILL_ATTACHED.fill())
        return True

    def _remove_controller(self, machine: VmId, attachment: Attachment) -> None:
        devices = self._session.run(lambda connection: _devices(connection, machine))
        controller = controller_on(devices, attachment.bus)
        is_ours = isinstance(controller, USABLE[0])
        if not is_ours or any(device.controllerKey == controller.key for device in devices):
            return
        removal = _device.VirtualDeviceSpec(operation="remove", device=controller)
        self._reconfigure(machine, [removal], _DETACH_S)

    def _not_detached(self, attachment: Attachment, detail: object) -> DiskNotDetached:
        return DiskNotDetached(path=attachment.path, machine=attachment.machine_name, detail=detail)

    def _reconfigure(self, machine: VmId, changes: list[Any], seconds: float) -> None:
        spec = vim.vm.ConfigSpec(deviceChange=changes)
        waiting = Waiting(
            operation=Operation.RECONFIGURE_VM, deadline=Deadline.after(self._session.clock, seconds)
        )
        tasks.run_task(
            self._session, lambda connection: connection.vm(machine).ReconfigVM_Task(spec=spec), waiting
        )


def _require(connection: Connection, machine: Machine, privileges: Sequence[str]) -> None:
    """Refuse before anything is attached that could not be detached again.

    Raises:
        PrivilegeMissing: the account lacks one on the machine.
    """
    granted = has_privileges(connection, connection.vm(machine.id), privileges)
    missing = [privilege for privilege in privileges if privilege not in granted]
    if missing:
        raise PrivilegeMissing(privilege=", ".join(missing), target=machine.name)


def _devices(connection: Connection, machine: VmId) -> list[Any]:
    row = read(connection.query(), connection.vm(machine), "config.hardware.device")
    return list(row.need("config.hardware.device") or ())


def _instance_uuid(connection: Connection, machine: VmId) -> str | None:
    try:
        row = read(connection.query(), connection.vm(machine), "config.instanceUuid")
    except vmodl.fault.ManagedObjectNotFound:
        return None
    return row.need("config.instanceUuid") or None


def _ours(connection: Connection, machine: VmId, attachment: Attachment) -> Any:
    """Return the disk of an attachment, None when what is at its place, if anything, is another one."""
    disk = device_at(_devices(connection, machine), attachment.bus, attachment.unit)
    if not isinstance(disk, _device.VirtualDisk):
        return None
    backing = disk.backing
    is_ours = (
        getattr(backing, "diskMode", None) == _mode_of(attachment)
        and _same(getattr(backing, "uuid", None), attachment.disk_uuid)
        and any(getattr(file, "fileName", None) == attachment.path for file in chain_of(disk))
    )
    return disk if is_ours else None


def _mode_of(attachment: Attachment) -> str:
    return "independent_persistent" if attachment.is_writable else "independent_nonpersistent"


def _same(one: str | None, other: str | None) -> bool:
    return bool(one) and (one or "").lower() == (other or "").lower()
