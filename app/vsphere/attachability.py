"""Whether a disk can be attached to the VM that this program runs in, and why not."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from pyVmomi import vim

from app.core.access import DiskAddress
from app.domain.ids import VmId
from app.vsphere import reasons
from app.vsphere.datacenters import datacenter_of
from app.vsphere.names import DatastorePath, unescaped
from app.vsphere.properties import read, read_many
from app.vsphere.reasons import Unsuitable
from app.vsphere.session import Connection
from app.vsphere.snapshots import snapshot_devices

_device = vim.vm.device
_MACHINE: Final = (
    *("name", "config.instanceUuid", "config.hardware.device", "config.files.vmPathName"),
    *("config.flags.diskUuidEnabled", "config.extraConfig", "runtime.host"),
)
_SOURCE: Final = ("name", "runtime.powerState", "runtime.consolidationNeeded", "config.hardware.device")
_SERIALS: Final = "disk.enableuuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The VM that this program runs in."""

    id: VmId
    name: str
    instance_uuid: str
    devices: Sequence[Any]
    host: Any
    home: str
    """Datastore path of its configuration."""
    shows_serials: bool

    @classmethod
    def read(cls, connection: Connection, vm: VmId) -> Self:
        """Read it.

        Raises:
            Unsuitable: it could not be told from others later.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        row = read(connection.query(), connection.vm(vm), *_MACHINE)
        name = unescaped(row.get("name") or vm)
        if not row.need("config.instanceUuid"):
            raise Unsuitable(reasons.NO_INSTANCE_UUID.fill(machine=name))
        options = {str(option.key).lower(): str(option.value) for option in row.get("config.extraConfig") or ()}
        return cls(
            id=vm,
            name=name,
            instance_uuid=row.need("config.instanceUuid"),
            devices=row.need("config.hardware.device") or (),
            host=row.need("runtime.host"),
            home=row.need("config.files.vmPathName") or "",
            shows_serials=bool(row.get("config.flags.diskUuidEnabled"))
            or options.get(_SERIALS, "").lower() == "true",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The VM whose disk is to be attached, and the disk as its snapshot holds it."""

    name: str
    disk: Any
    controller: Any
    is_running: bool
    needs_consolidation: bool

    @classmethod
    def read(cls, connection: Connection, address: DiskAddress) -> Self:
        """Read it.

        Raises:
            Unsuitable: there is no such disk at that path.
            vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
        """
        row = read(connection.query(), connection.vm(address.vm), *_SOURCE)
        devices = row.need("config.hardware.device") or ()
        if address.snapshot is not None:
            devices = snapshot_devices(connection, address.snapshot)
        name = unescaped(row.get("name") or address.vm)
        disk = next((device for device in devices if device.key == address.disk_key), None)
        if disk is None or getattr(disk.backing, "fileName", None) != address.path:
            raise Unsuitable(reasons.NOT_THERE.fill(vm=name))
        return cls(
            name=name,
            disk=disk,
            controller=next((device for device in devices if device.key == disk.controllerKey), None),
            is_running=address.snapshot is None and row.need("runtime.powerState") != "poweredOff",
            needs_consolidation=bool(row.need("runtime.consolidationNeeded")),
        )

    @property
    def disk_uuid(self) -> str:
        """What the guest will see as the serial number."""
        return str(getattr(self.disk.backing, "uuid", None) or "").lower()


def chain_of(disk: Any) -> Iterator[Any]:
    """Yield what a disk is made of, its parents last."""
    backing = disk.backing
    while backing is not None:
        yield backing
        backing = getattr(backing, "parent", None)


def refuse_unattachable(connection: Connection, machine: Machine, source: Source, address: DiskAddress) -> None:
    """Refuse a disk that cannot be attached, or that could be taken for another one.

    Raises:
        Unsuitable: why not.
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    _refuse_kind(machine, source, address)
    _refuse_twin(machine, source)
    if not machine.shows_serials:
        raise Unsuitable(reasons.NO_SERIALS.fill(machine=machine.name))
    if datacenter_of(connection, machine.id) != datacenter_of(connection, address.vm):
        raise Unsuitable(reasons.OTHER_DATACENTER.fill(vm=source.name, machine=machine.name))
    _refuse_storage(connection, machine, source)


def refuse_unwritable(connection: Connection, source: Source, address: DiskAddress) -> None:
    """Refuse a disk that must not be written through another machine.

    A thin disk grows while it is written. Where its datastore becomes full over that, the host stops the machine
    that writes, which is this one, and asks a question; over NFC it only refuses the write.

    Raises:
        Unsuitable: why not.
        vmodl.MethodFault, OSError, http.client.HTTPException: untranslated.
    """
    if address.snapshot is not None or len(list(chain_of(source.disk))) > 1:
        raise Unsuitable(reasons.HAS_PARENTS)
    backing = source.disk.backing
    if not getattr(backing, "thinProvisioned", None):
        return
    row = read(connection.query(), backing.datastore, "name", "summary.freeSpace")
    if (row.need("summary.freeSpace") or 0) < address.capacity_bytes:
        name = unescaped(row.get("name") or "?")
        raise Unsuitable(reasons.NO_ROOM_TO_GROW.fill(datastore=name, bytes=address.capacity_bytes))


def _refuse_kind(machine: Machine, source: Source, address: DiskAddress) -> None:
    if machine.id == address.vm:
        raise Unsuitable(reasons.OWN_DISK)
    if address.is_encrypted:
        raise Unsuitable(reasons.ENCRYPTED_DISK)
    if any(isinstance(backing, _RAW) for backing in chain_of(source.disk)):
        raise Unsuitable(reasons.RAW_DEVICE)
    if isinstance(source.controller, _device.VirtualIDEController):
        raise Unsuitable(reasons.IDE_DISK)
    if source.is_running:
        raise Unsuitable(reasons.RUNS_ON_IT.fill(vm=source.name))
    if source.needs_consolidation:
        raise Unsuitable(reasons.STILL_CONSOLIDATING.fill(vm=source.name))


_RAW: Final = (
    _device.VirtualDisk.RawDiskMappingVer1BackingInfo,
    _device.VirtualDisk.RawDiskVer2BackingInfo,
    _device.VirtualDisk.PartitionedRawDiskVer2BackingInfo,
)


def _refuse_twin(machine: Machine, source: Source) -> None:
    """Refuse a disk that the machine has already, or could not tell from one that it has."""
    paths = {getattr(backing, "fileName", None) for backing in chain_of(source.disk)}
    for device in machine.devices:
        if not isinstance(device, _device.VirtualDisk):
            continue
        uuid = str(getattr(device.backing, "uuid", None) or "").lower()
        if getattr(device.backing, "fileName", None) in paths or uuid == source.disk_uuid:
            raise Unsuitable(reasons.HAS_IT_ALREADY.fill(machine=machine.name))
    if not source.disk_uuid:
        raise Unsuitable(reasons.NOT_THERE.fill(vm=source.name))


def _refuse_storage(connection: Connection, machine: Machine, source: Source) -> None:
    """Refuse a disk on a datastore that the machine's host does not see, or cannot mix with the machine's own."""
    query = connection.query()
    host = read(query, machine.host, "name", "datastore")
    rows = {row.moid: row for row in read_many(query, host.need("datastore") or (), "name", "summary.type")}
    kinds = {unescaped(row.get("name") or ""): row.get("summary.type") for row in rows.values()}
    own_kind = kinds.get(_datastore_in(machine.home, kinds))
    for backing in chain_of(source.disk):
        reference = getattr(backing, "datastore", None)
        name = _datastore_in(backing.fileName, kinds)
        seen = rows.get(reference._moId) if reference is not None else None
        if seen is None:
            raise Unsuitable(
                reasons.DATASTORE_NOT_SEEN.fill(host=host.get("name") or "?", machine=machine.name, datastore=name)
            )
        if (seen.get("summary.type") == _VSAN) != (own_kind == _VSAN):
            raise Unsuitable(reasons.OTHER_STORAGE.fill(vm=source.name, machine=machine.name))


_VSAN: Final = "vsan"


def _datastore_in(path: str, names: Iterable[str]) -> str:
    try:
        return DatastorePath.parse(path, tuple(names)).datastore
    except ValueError:
        return path
