"""The machine behind the local hypervisor: VMs of raw files, snapshots as copies, and what goes wrong on it.

Its state is written next to the files whenever something changes it, so that it survives the process
(:meth:`LocalHost.reopen`). Thread: any; one lock.
"""

import shutil
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from app.core.access import DiskAddress
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.domain.errors import (
    VmNotFound,
)
from app.domain.extents import Extent
from app.domain.ids import SnapshotId, VmId
from app.domain.platforms import PlatformKind, PrivilegeCheck
from app.domain.vms import (
    DiskLeftOut,
    PowerState,
    SnapshotInfo,
    VmSummary,
)
from tests.support.local_disks import DiskHost, LocalDisk, LocalReader, LocalWriter, access_failed
from tests.support.said import said


@dataclass
class Faults:
    """What goes wrong; counters count down, hooks are called every time."""

    unreachable: bool = False
    quiesce_failures: int = 0
    snapshot_failures: int = 0
    half_snapshots: int = 0
    """Snapshots that are created although the call fails."""
    removal_failures: int = 0
    creation_failures: int = 0
    half_creations: int = 0
    """VMs that are created although the call fails."""
    power_on_failures: int = 0
    destroy_failures: int = 0
    rename_failures: int = 0
    lost_tracking: set[int] = field(default_factory=set)
    """Keys of disks whose changes cannot be determined."""
    hidden_changes: list[tuple[int, Extent]] = field(default_factory=list)
    """Parts of disks, by key, that change tracking leaves out."""
    fail_read_at: int | None = None
    """The read of this number from now fails, and all later ones too."""
    garble_write_at: int | None = None
    """The write of this number from now arrives with a wrong byte."""
    refuse_license: bool = False
    tells_allocated: bool = True
    """False: the transport has no map of allocated areas."""
    on_call: Callable[[str], None] | None = None
    """Called with the name of every call and with ``read`` before every read, without the lock."""

    def strike(self, name: str) -> bool:
        """Count a fault down; return whether it strikes now."""
        left = int(getattr(self, name))
        setattr(self, name, max(0, left - 1))
        return left > 0

    def call(self, name: str) -> None:
        """Call the hook."""
        if self.on_call is not None:
            self.on_call(name)


@dataclass
class LocalSnapshot:
    """A snapshot: copies of the disks."""

    id: str
    name: str
    description: str
    disks: dict[int, LocalDisk]


@dataclass
class LocalVm:
    """A VM."""

    id: str
    name: str
    instance_uuid: str
    disks: dict[int, LocalDisk]
    powered_on: bool = False
    tracking_supported: bool = True
    snapshots: dict[str, LocalSnapshot] = field(default_factory=dict)
    reverted_at: datetime | None = None
    mark: str = ""
    needs_consolidation: bool = False
    unsupported_reason: str | None = None
    snapshot_doubt: str | None = None

    @property
    def tracking_enabled(self) -> bool:
        """Return whether change tracking is on."""
        return any(disk.tracking.enabled for disk in self.disks.values())


@dataclass
class _State:
    vms: dict[str, LocalVm] = field(default_factory=dict)
    counter: int = 0


class LocalHost(DiskHost):
    """The machine with its VMs. Guests write with :meth:`write`; tests look with :meth:`content`."""

    def __init__(self, root: Path, *, address: str = "kvm.test") -> None:
        self.root = root
        self.address = address
        self.faults = Faults()
        self.reads: list[tuple[VmId, int, Extent]] = []
        """Every read of a disk since :meth:`forget_reads`."""
        self.open_disks: list[DiskAddress] = []
        """The disks that are open for reading now."""
        self.platform_uuid: str | None = None
        """What distinguishes this platform from others; None: it does not say."""
        self.platform_kind = PlatformKind.ESXI
        self.privileges: tuple[PrivilegeCheck, ...] = ()
        """What the account may do; empty: there are no privileges here."""
        self.lock = threading.RLock()
        self._state = _State()
        root.mkdir(parents=True, exist_ok=True)

    @classmethod
    def reopen(cls, root: Path) -> Self:
        """Open a host that another process has left."""
        host = cls(root)
        host._state = msgspec.json.decode((root / "state.json").read_bytes(), type=_State)
        return host

    def save(self) -> None:
        """Write the state so that it survives this process."""
        fresh = self.root / "state.new"
        fresh.write_bytes(msgspec.json.encode(self._state))
        fresh.replace(self.root / "state.json")

    # --- what tests do -----------------------------------------------------------------------------------------

    def add_vm(
        self,
        name: str,
        capacities: Iterable[int] = (4 * 1024 * 1024,),
        *,
        powered_on: bool = True,
        tracking_supported: bool = True,
    ) -> VmId:
        """Make a VM with empty disks, keyed from 2000 on."""
        with self.lock:
            vm = LocalVm(self._next("vm"), name, str(uuid.uuid4()), {}, powered_on, tracking_supported)
            for number, capacity in enumerate(capacities):
                disk = self.new_disk(vm.id, 2000 + number, f"Hard disk {number + 1}", capacity)
                vm.disks[disk.key] = disk
            self._state.vms[vm.id] = vm
            self.save()
            return VmId(vm.id)

    def write(self, vm: VmId, key: int, offset: int, data: bytes) -> None:
        """Write to a disk as its guest does."""
        with self.lock:
            self.vm(vm).disks[key].write(self.root, offset, data)

    def content(self, vm: VmId, key: int) -> bytes:
        """Return what is on a disk now."""
        with self.lock:
            return (self.root / self.vm(vm).disks[key].file).read_bytes()

    def vm(self, vm: VmId) -> LocalVm:
        """Return a VM."""
        with self.lock:
            found = self._state.vms.get(vm)
            if found is None:
                raise VmNotFound(vm=vm, address=self.address)
            return found

    @property
    def vms(self) -> dict[str, LocalVm]:
        """Every VM by id; hold the lock while using it."""
        return self._state.vms

    def named(self, name: str) -> VmId:
        """Return the VM of a name; there must be exactly one."""
        with self.lock:
            (found,) = [vm.id for vm in self._state.vms.values() if vm.name == name]
            return VmId(found)

    @property
    def names(self) -> list[str]:
        """Names of all VMs, sorted."""
        with self.lock:
            return sorted(vm.name for vm in self._state.vms.values())

    def our_snapshots(self) -> list[str]:
        """Return the names of the snapshots that bear our prefix."""
        with self.lock:
            every = [shot.name for vm in self._state.vms.values() for shot in vm.snapshots.values()]
        return [name for name in every if name.startswith(SNAPSHOT_PREFIX)]

    def take_snapshot(self, vm: VmId, name: str) -> SnapshotId:
        """Take a snapshot as someone else may."""
        with self.lock:
            return SnapshotId(self.freeze(self.vm(vm), name, "").id)

    def revert(self, vm: VmId, snapshot: SnapshotId) -> None:
        """Bring a VM back to a snapshot, its change tracking too."""
        with self.lock:
            owner = self.vm(vm)
            for key, frozen in owner.snapshots[snapshot].disks.items():
                shutil.copyfile(self.root / frozen.file, self.root / owner.disks[key].file)
                owner.disks[key] = frozen.frozen_as(owner.disks[key].file)
            owner.reverted_at = datetime.now(UTC)
            self.save()

    def relocate(self, vm: VmId, folder: str) -> None:
        """Move all files of a VM to another place, those of its snapshots too, as a storage vMotion does."""
        with self.lock:
            owner = self.vm(vm)
            (self.root / folder).mkdir(exist_ok=True)
            snapshots = (disk for snapshot in owner.snapshots.values() for disk in snapshot.disks.values())
            for disk in (*owner.disks.values(), *snapshots):
                moved = f"{folder}/{Path(disk.file).name}"
                (self.root / disk.file).rename(self.root / moved)
                disk.file = moved
            self.save()

    def drop_snapshots(self, vm: VmId) -> None:
        """Delete every snapshot of a VM as someone else may; what is open stays readable."""
        with self.lock:
            self.vm(vm).snapshots.clear()
            self.save()

    def resize(self, vm: VmId, key: int, capacity_bytes: int) -> None:
        """Change a disk's capacity."""
        with self.lock:
            disk = self.vm(vm).disks[key]
            disk.capacity_bytes = capacity_bytes
            with (self.root / disk.file).open("r+b") as file:
                file.truncate(capacity_bytes)
            self.save()

    def read_bytes(self, vm: VmId, key: int) -> int:
        """Return how many bytes of a disk were read since :meth:`forget_reads`."""
        with self.lock:
            return sum(extent.length_bytes for owner, disk, extent in self.reads if (owner, disk) == (vm, key))

    def forget_reads(self) -> None:
        """Count reads from zero again."""
        with self.lock:
            self.reads.clear()

    # --- disks -------------------------------------------------------------------------------------------------

    def reader(self, address: DiskAddress) -> LocalReader:
        """Open a frozen disk, or one of a VM that does not run."""
        self.faults.call("open_reader")
        with self.lock:
            vm = self.vm(address.vm)
            if address.snapshot is not None:
                if address.snapshot not in vm.snapshots:
                    raise access_failed(address, "opened", "the snapshot is gone")
                disk = vm.snapshots[address.snapshot].disks[address.disk_key]
            elif vm.powered_on:
                raise access_failed(address, "opened", "the VM runs")
            else:
                disk = vm.disks[address.disk_key]
            if disk.file != address.path:
                raise access_failed(address, "opened", "no such file")
            assert disk.capacity_bytes == address.capacity_bytes

            def on_read(extent: Extent) -> None:
                self._on_read(address, extent)

            self.open_disks.append(address)
            return LocalReader(
                self.root / disk.file,
                disk,
                on_read,
                lambda: self.open_disks.remove(address),
                tells_allocated=self.faults.tells_allocated,
            )

    def _on_read(self, address: DiskAddress, extent: Extent) -> None:
        self.faults.call("read")
        with self.lock:
            if not (self.root / address.path).exists():
                raise access_failed(address, "read", "no such file")
            if self.faults.fail_read_at is not None:
                if self.faults.fail_read_at <= 0:
                    raise access_failed(address, "read", "the connection was lost")
                self.faults.fail_read_at -= 1
            self.reads.append((address.vm, address.disk_key, extent))

    def writer(self, address: DiskAddress) -> LocalWriter:
        """Open a disk of a VM that does not run."""
        self.faults.call("open_writer")
        with self.lock:
            vm = self.vm(address.vm)
            if vm.powered_on:
                raise access_failed(address, "opened", "the VM runs")
            disk = vm.disks[address.disk_key]
            if disk.file != address.path:
                raise access_failed(address, "opened", "no such file")

        def put(offset: int, data: bytes) -> None:
            self._put(disk, offset, data)

        return LocalWriter(disk, put)

    def _put(self, disk: LocalDisk, offset: int, data: bytes) -> None:
        self.faults.call("write")
        with self.lock:
            if self.faults.garble_write_at is not None:
                self.faults.garble_write_at -= 1
                if self.faults.garble_write_at < 0:
                    self.faults.garble_write_at = None
                    data = bytes([data[0] ^ 0xFF]) + data[1:]
            disk.write(self.root, offset, data)

    # --- what sessions do --------------------------------------------------------------------------------------

    def summaries(self) -> list[VmSummary]:
        """Return the inventory."""
        with self.lock:
            return [self.summary(vm) for vm in self._state.vms.values()]

    def summary(self, vm: LocalVm) -> VmSummary:
        """Return one row of the inventory."""
        return VmSummary(
            id=VmId(vm.id),
            name=vm.name,
            power_state=PowerState.ON if vm.powered_on else PowerState.OFF,
            instance_uuid=vm.instance_uuid,
            bios_uuid=None,
            guest="Debian GNU/Linux 12 (64-bit)",
            hostname=None,
            host=self.address,
            datacenter="local",
            folder=(),
            datastores=("files",),
            disk_bytes=sum(disk.capacity_bytes for disk in vm.disks.values()),
            change_tracking_supported=vm.tracking_supported,
            change_tracking_enabled=vm.tracking_enabled,
            snapshot_count=len(vm.snapshots),
            is_template=False,
            disk_count=len(vm.disks),
            disks_left_out=tuple(
                DiskLeftOut(label=disk.label, reason=said(disk.unsupported_reason))
                for disk in vm.disks.values()
                if disk.unsupported_reason is not None
            ),
            unsupported_reason=None if vm.unsupported_reason is None else said(vm.unsupported_reason),
            snapshot_doubt=None if vm.snapshot_doubt is None else said(vm.snapshot_doubt),
            needs_consolidation=vm.needs_consolidation,
        )

    def snapshots_of(self, vm: LocalVm) -> tuple[SnapshotInfo, ...]:
        """Return the snapshots on a VM."""
        return tuple(
            SnapshotInfo(
                id=SnapshotId(snapshot.id), vm=VmId(vm.id), name=snapshot.name, description=snapshot.description
            )
            for snapshot in vm.snapshots.values()
        )

    def freeze(self, vm: LocalVm, name: str, description: str) -> LocalSnapshot:
        """Copy a VM's disks and count their tracking up; hold the lock meanwhile."""
        identity = self._next("snapshot")
        disks: dict[int, LocalDisk] = {}
        for key, disk in vm.disks.items():
            if disk.unsupported_reason is not None:
                continue
            file = f"{vm.id}-{key}-{identity}.raw"
            shutil.copyfile(self.root / disk.file, self.root / file)
            if disk.tracking.enabled:
                disk.tracking.sequence += 1
            disks[key] = disk.frozen_as(file)
        vm.snapshots[identity] = LocalSnapshot(identity, name, description, disks)
        self.save()
        return vm.snapshots[identity]

    def _next(self, kind: str) -> str:
        self._state.counter += 1
        return f"{kind}-{self._state.counter}"

    def new_disk(self, vm: str, key: int, label: str, capacity_bytes: int) -> LocalDisk:
        file = f"{vm}-{key}.raw"
        with (self.root / file).open("wb") as new:
            new.truncate(capacity_bytes)
        return LocalDisk(key, label, str(uuid.uuid4()), capacity_bytes, file)
