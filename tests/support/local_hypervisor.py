"""A hypervisor over local files: the second one that fulfils the ports of ``app.core``.

VMs are folders of raw files; snapshots are copies; change tracking works as the engine expects it of any platform:
a snapshot counts the sequence up, and a query tells the 64 KiB areas written since. It is quick, it knows nothing
of vSphere, and its :class:`Faults` break every step on demand. Its state is written beside the files whenever a
session changes something, so that it survives the process (:meth:`LocalHost.reopen`).

Thread: any; one lock.
"""

import json
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import msgspec

from app.core.access import DiskAccess, DiskAddress
from app.core.cancel import CancelToken
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.core.tasklog import TaskLog
from app.domain.change_id import ChangeId
from app.domain.errors import (
    ChangeTrackingLost,
    LoginRefused,
    PlatformUnreachable,
    PowerOperationFailed,
    SnapshotFailed,
    VmCreationFailed,
    VmNotFound,
)
from app.domain.extents import Extent, subtract
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.platforms import Platform, PlatformFacts, PlatformKind
from app.domain.vms import (
    CreatedVm,
    FrozenVm,
    PowerState,
    SavedConfiguration,
    SnapshotInfo,
    VirtualDisk,
    VmDetails,
    VmPlacement,
    VmSummary,
)
from tests.support.local_disks import DiskHost, LocalDisk, LocalReader, LocalWriter, access_failed

PASSWORD = "correct horse"


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
    power_on_failures: int = 0
    destroy_failures: int = 0
    rename_failures: int = 0
    lost_tracking: set[int] = field(default_factory=set)
    """Keys of disks whose changes cannot be told."""
    hidden_changes: list[tuple[int, Extent]] = field(default_factory=list)
    """Parts of disks, by key, that change tracking leaves out."""
    fail_read_at: int | None = None
    """The read of this number from now fails, and all later ones too."""
    garble_write_at: int | None = None
    """The write of this number from now arrives with a wrong byte."""
    tells_allocated: bool = True
    """False: the transport has no map of allocated areas."""
    on_call: Callable[[str], None] | None = None
    """Called with the name of every call and with ``read`` before every read, without the lock."""

    def strike(self, name: str) -> bool:
        """Count a fault down; tell whether it strikes now."""
        left = int(getattr(self, name))
        setattr(self, name, max(0, left - 1))
        return left > 0

    def call(self, name: str) -> None:
        """Tell the hook."""
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

    @property
    def tracking_enabled(self) -> bool:
        """Tell whether change tracking is on."""
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
        self._lock = threading.RLock()
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
        with self._lock:
            vm = LocalVm(self._next("vm"), name, str(uuid.uuid4()), {}, powered_on, tracking_supported)
            for number, capacity in enumerate(capacities):
                disk = self._new_disk(vm.id, 2000 + number, f"Hard disk {number + 1}", capacity)
                vm.disks[disk.key] = disk
            self._state.vms[vm.id] = vm
            self.save()
            return VmId(vm.id)

    def write(self, vm: VmId, key: int, offset: int, data: bytes) -> None:
        """Write to a disk as its guest does."""
        with self._lock:
            self.vm(vm).disks[key].write(self.root, offset, data)

    def content(self, vm: VmId, key: int) -> bytes:
        """Return what is on a disk now."""
        with self._lock:
            return (self.root / self.vm(vm).disks[key].file).read_bytes()

    def vm(self, vm: VmId) -> LocalVm:
        """Return a VM."""
        with self._lock:
            found = self._state.vms.get(vm)
            if found is None:
                raise VmNotFound(vm=vm, address=self.address)
            return found

    def named(self, name: str) -> VmId:
        """Return the VM of a name; there must be exactly one."""
        with self._lock:
            (found,) = [vm.id for vm in self._state.vms.values() if vm.name == name]
            return VmId(found)

    @property
    def names(self) -> list[str]:
        """Names of all VMs, sorted."""
        with self._lock:
            return sorted(vm.name for vm in self._state.vms.values())

    def our_snapshots(self) -> list[str]:
        """Return the names of the snapshots that bear our prefix."""
        with self._lock:
            every = [shot.name for vm in self._state.vms.values() for shot in vm.snapshots.values()]
        return [name for name in every if name.startswith(SNAPSHOT_PREFIX)]

    def take_snapshot(self, vm: VmId, name: str) -> SnapshotId:
        """Take a snapshot as somebody else may."""
        with self._lock:
            return SnapshotId(self._freeze(self.vm(vm), name, "").id)

    def revert(self, vm: VmId, snapshot: SnapshotId) -> None:
        """Bring a VM back to a snapshot, its change tracking too."""
        with self._lock:
            owner = self.vm(vm)
            for key, frozen in owner.snapshots[snapshot].disks.items():
                shutil.copyfile(self.root / frozen.file, self.root / owner.disks[key].file)
                owner.disks[key] = frozen.frozen_as(owner.disks[key].file)
            owner.reverted_at = datetime.now(UTC)
            self.save()

    def resize(self, vm: VmId, key: int, capacity_bytes: int) -> None:
        """Change a disk's capacity."""
        with self._lock:
            disk = self.vm(vm).disks[key]
            disk.capacity_bytes = capacity_bytes
            with (self.root / disk.file).open("r+b") as file:
                file.truncate(capacity_bytes)
            self.save()

    def read_bytes(self, vm: VmId, key: int) -> int:
        """Return how many bytes of a disk were read since :meth:`forget_reads`."""
        with self._lock:
            return sum(extent.length_bytes for owner, disk, extent in self.reads if (owner, disk) == (vm, key))

    def forget_reads(self) -> None:
        """Count reads from zero again."""
        with self._lock:
            self.reads.clear()

    # --- disks -------------------------------------------------------------------------------------------------

    def reader(self, address: DiskAddress) -> LocalReader:
        """Open a frozen disk, or one of a VM that does not run."""
        self.faults.call("open_reader")
        with self._lock:
            vm = self.vm(address.vm)
            if address.snapshot is not None:
                if address.snapshot not in vm.snapshots:
                    raise access_failed(address, "opened", "the snapshot is gone")
                disk = vm.snapshots[address.snapshot].disks[address.disk_key]
            elif vm.powered_on:
                raise access_failed(address, "opened", "the VM runs")
            else:
                disk = vm.disks[address.disk_key]
            assert disk.file == address.path
            assert disk.capacity_bytes == address.capacity_bytes

            def on_read(extent: Extent) -> None:
                self._on_read(address, extent)

            return LocalReader(self.root / disk.file, disk, on_read, tells_allocated=self.faults.tells_allocated)

    def _on_read(self, address: DiskAddress, extent: Extent) -> None:
        self.faults.call("read")
        with self._lock:
            if self.faults.fail_read_at is not None:
                if self.faults.fail_read_at <= 0:
                    raise access_failed(address, "read", "the connection was lost")
                self.faults.fail_read_at -= 1
            self.reads.append((address.vm, address.disk_key, extent))

    def writer(self, address: DiskAddress) -> LocalWriter:
        """Open a disk of a VM that does not run."""
        self.faults.call("open_writer")
        with self._lock:
            vm = self.vm(address.vm)
            if vm.powered_on:
                raise access_failed(address, "opened", "the VM runs")
            disk = vm.disks[address.disk_key]

        def put(offset: int, data: bytes) -> None:
            self._put(disk, offset, data)

        return LocalWriter(disk, put)

    def _put(self, disk: LocalDisk, offset: int, data: bytes) -> None:
        self.faults.call("write")
        with self._lock:
            if self.faults.garble_write_at is not None:
                self.faults.garble_write_at -= 1
                if self.faults.garble_write_at < 0:
                    self.faults.garble_write_at = None
                    data = bytes([data[0] ^ 0xFF]) + data[1:]
            disk.write(self.root, offset, data)

    # --- what sessions do --------------------------------------------------------------------------------------

    def summaries(self) -> list[VmSummary]:
        """Return the inventory."""
        with self._lock:
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
        )

    def snapshots_of(self, vm: LocalVm) -> tuple[SnapshotInfo, ...]:
        """Return the snapshots on a VM."""
        return tuple(
            SnapshotInfo(id=SnapshotId(one.id), vm=VmId(vm.id), name=one.name, description=one.description)
            for one in vm.snapshots.values()
        )

    def _freeze(self, vm: LocalVm, name: str, description: str) -> LocalSnapshot:
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

    def _new_disk(self, vm: str, key: int, label: str, capacity_bytes: int) -> LocalDisk:
        file = f"{vm}-{key}.raw"
        with (self.root / file).open("wb") as new:
            new.truncate(capacity_bytes)
        return LocalDisk(key, label, str(uuid.uuid4()), capacity_bytes, file)


class LocalSession:
    """Fulfils ``Hypervisor``, ``ResettableTracking`` and ``RevertHistory`` of the core. Thread: any."""

    def __init__(self, host: LocalHost) -> None:
        self._host = host
        self._faults = host.faults
        self._lock = host._lock
        self.closed = False

    @property
    def facts(self) -> PlatformFacts:
        """What the host tells of itself."""
        return PlatformFacts(
            kind=PlatformKind.ESXI,
            full_name="Local files 1.0",
            version="1.0",
            api_version="1",
            build="1",
            instance_uuid=None,
        )

    @property
    def disk_access(self) -> DiskAccess:
        """Nothing: the transports know the host."""
        return DiskAccess()

    def _call(self, name: str) -> None:
        assert not self.closed, "the session was closed"
        self._faults.call(name)
        if self._faults.unreachable:
            raise PlatformUnreachable(address=self._host.address, port=443, detail="the network is down")

    # --- inventory ---------------------------------------------------------------------------------------------

    def list_vms(self) -> Sequence[VmSummary]:
        """Return the inventory."""
        self._call("list_vms")
        return self._host.summaries()

    def vm_details(self, vm: VmId) -> VmDetails:
        """Return one VM."""
        self._call("vm_details")
        with self._lock:
            found = self._host.vm(vm)
            return VmDetails(
                summary=self._host.summary(found),
                disks=tuple(_virtual(disk) for disk in found.disks.values()),
                snapshots=self._host.snapshots_of(found),
            )

    # --- tracking and snapshots --------------------------------------------------------------------------------

    def enable_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Switch tracking on, unless there are snapshots."""
        self._call("enable_change_tracking")
        with self._lock:
            found = self._host.vm(vm)
            if not found.tracking_enabled and found.tracking_supported and not found.snapshots:
                for disk in found.disks.values():
                    disk.tracking.start()
                self._host.save()
            return found.tracking_enabled

    def reset_change_tracking(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Begin a new generation."""
        self._call("reset_change_tracking")
        with self._lock:
            found = self._host.vm(vm)
            if found.snapshots:
                return False
            for disk in found.disks.values():
                disk.tracking.start()
            self._host.save()
            return True

    def reverted_since(self, vm: VmId, moment: datetime) -> bool:
        """Tell whether the VM was brought back to a snapshot."""
        self._call("reverted_since")
        with self._lock:
            reverted_at = self._host.vm(vm).reverted_at
        return reverted_at is not None and reverted_at >= moment

    def create_snapshot(
        self, vm: VmId, task: TaskId, *, quiesce: bool, log: TaskLog, cancel: CancelToken
    ) -> FrozenVm:
        """Copy the disks."""
        self._call("create_snapshot")
        cancel.check()
        name = SNAPSHOT_PREFIX + task
        with self._lock:
            found = self._host.vm(vm)
            if self._faults.strike("half_snapshots"):
                self._host._freeze(found, name, "half")
                raise PlatformUnreachable(address=self._host.address, port=443, detail="the connection was lost")
            if self._faults.strike("snapshot_failures"):
                raise SnapshotFailed(vm=found.name, operation="created", detail="no space")
            failed = quiesce and self._faults.strike("quiesce_failures")
            shot = self._host._freeze(found, name, "made by Standfast")
        self._faults.call("snapshot_created")
        return FrozenVm(
            snapshot=SnapshotId(shot.id),
            disks=tuple(_virtual(disk) for disk in shot.disks.values()),
            crash_consistent=not quiesce or failed,
            quiesce_failure="the guest did not answer" if failed else None,
        )

    def remove_snapshot(self, vm: VmId, snapshot: SnapshotId, *, deadline_s: float) -> None:
        """Delete the copies."""
        self._call("remove_snapshot")
        with self._lock:
            found = self._host.vm(vm)
            if self._faults.strike("removal_failures"):
                raise SnapshotFailed(vm=found.name, operation="removed", detail="a file is locked")
            shot = found.snapshots.pop(snapshot, None)
            self._host.save()
            for disk in shot.disks.values() if shot else ():
                (self._host.root / disk.file).unlink()

    def find_snapshots(self, prefix: str) -> Sequence[SnapshotInfo]:
        """Return the snapshots of a prefix."""
        self._call("find_snapshots")
        with self._lock:
            every = [one for vm in self._host._state.vms.values() for one in self._host.snapshots_of(vm)]
        return [one for one in every if one.name.startswith(prefix)]

    def changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        """Return what was written since a change id, or ever."""
        self._call("changed_extents")
        with self._lock:
            disk = self._host.vm(vm).snapshots[snapshot].disks[disk_key]
            assert disk.capacity_bytes == capacity_bytes
            if disk_key in self._faults.lost_tracking or not disk.tracking.enabled:
                raise ChangeTrackingLost(disk=disk.label, change_id=since, detail="the tracking file is broken")
            found = disk.extents_of(disk.written if since is None else _since(disk, since))
        hidden = [extent for key, extent in self._faults.hidden_changes if key == disk_key]
        return subtract(found, hidden)

    # --- configuration and creation ----------------------------------------------------------------------------

    def save_configuration(self, vm: VmId, *, log: TaskLog) -> SavedConfiguration:
        """Describe the VM."""
        self._call("save_configuration")
        with self._lock:
            found = self._host.vm(vm)
            disks = [
                {"key": disk.key, "label": disk.label, "capacity_bytes": disk.capacity_bytes}
                for disk in found.disks.values()
            ]
            described = {"name": found.name, "instance_uuid": found.instance_uuid, "disks": disks}
        return SavedConfiguration(files={"config.json": json.dumps(described).encode()})

    def create_vm(self, saved: SavedConfiguration, placement: VmPlacement, *, log: TaskLog) -> CreatedVm:
        """Make a VM with empty disks."""
        self._call("create_vm")
        described = json.loads(saved.files["config.json"])
        with self._lock:
            if self._faults.strike("creation_failures"):
                raise VmCreationFailed(vm=placement.name, detail="no space")
            capacities = [disk["capacity_bytes"] for disk in described["disks"]]
            identity = self._host.add_vm(placement.name, capacities, powered_on=False)
            created = self._host.vm(identity)
            if placement.keep_identity:
                created.instance_uuid = described["instance_uuid"]
            self._host.save()
            pairs = tuple(
                (old["key"], _virtual(new))
                for old, new in zip(described["disks"], created.disks.values(), strict=True)
            )
        self._faults.call("vm_created")
        return CreatedVm(id=identity, disks=pairs)

    def rename_vm(self, vm: VmId, name: str) -> None:
        """Rename."""
        self._call("rename_vm")
        with self._lock:
            found = self._host.vm(vm)
            if self._faults.strike("rename_failures"):
                raise VmCreationFailed(vm=found.name, detail="it cannot be renamed")
            found.name = name
            self._host.save()

    def power_on(self, vm: VmId) -> None:
        """Start."""
        self._call("power_on")
        with self._lock:
            if self._faults.strike("power_on_failures"):
                raise PowerOperationFailed(vm=vm, operation="on", detail="no memory")
            self._host.vm(vm).powered_on = True
            self._host.save()

    def power_off(self, vm: VmId) -> None:
        """Stop."""
        self._call("power_off")
        with self._lock:
            self._host.vm(vm).powered_on = False
            self._host.save()

    def destroy_vm(self, vm: VmId) -> None:
        """Delete with all files; one that is gone is fine."""
        self._call("destroy_vm")
        with self._lock:
            if self._faults.strike("destroy_failures"):
                raise PowerOperationFailed(vm=vm, operation="off", detail="it is locked")
            found = self._host._state.vms.pop(vm, None)
            self._host.save()
            if found is None:
                return
            every = [*found.disks.values(), *(d for one in found.snapshots.values() for d in one.disks.values())]
            for disk in every:
                (self._host.root / disk.file).unlink()

    def close(self) -> None:
        """Log out."""
        self.closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class LocalFactory:
    """Fulfils :class:`app.core.hypervisor.HypervisorFactory` for hosts by address. Thread: any."""

    def __init__(self, *hosts: LocalHost) -> None:
        self._hosts = {host.address: host for host in hosts}
        self.sessions: list[LocalSession] = []

    def connect(self, platform: Platform, password: str) -> LocalSession:
        """Log in."""
        host = self._hosts.get(platform.address)
        if host is None or host.faults.unreachable:
            raise PlatformUnreachable(address=platform.address, port=platform.port, detail="no route")
        host.faults.call("connect")
        if password != PASSWORD:
            raise LoginRefused(address=platform.address, user=platform.user)
        session = LocalSession(host)
        self.sessions.append(session)
        return session


def _virtual(disk: LocalDisk) -> VirtualDisk:
    return VirtualDisk(
        key=disk.key,
        label=disk.label,
        uuid=disk.uuid,
        capacity_bytes=disk.capacity_bytes,
        path=disk.file,
        thin=True,
        unsupported_reason=disk.unsupported_reason,
        change_id=disk.tracking.change_id,
    )


def _since(disk: LocalDisk, since: str) -> list[int]:
    asked = ChangeId.parse(since)
    if asked.generation != disk.tracking.generation:
        raise ChangeTrackingLost(disk=disk.label, change_id=since, detail="tracking was started anew")
    return [block for block, sequence in disk.tracking.blocks.items() if sequence >= asked.sequence]
