"""A hypervisor over local files: the second one that fulfils the ports of ``app.core``.

Change tracking works as the engine expects it of any platform: a snapshot counts the sequence up, and a query
tells the 64 KiB areas written since. It is quick, it knows nothing of vSphere, and the host's
:class:`tests.support.local_host.Faults` break every step on demand.
"""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Self

from app.core.access import DiskAccess
from app.core.cancel import CancelToken
from app.core.hypervisor import SNAPSHOT_PREFIX
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.change_id import ChangeId
from app.domain.errors import (
    ChangeTrackingLost,
    LicenseRefused,
    LoginRefused,
    PlatformUnreachable,
    PowerOperationFailed,
    SnapshotFailed,
    SnapshotGone,
    VmCreationFailed,
)
from app.domain.extents import Extent, subtract
from app.domain.ids import SnapshotId, TaskId, VmId
from app.domain.platforms import (
    Platform,
    PlatformFacts,
    PrivilegeCheck,
    ServerCertificate,
)
from app.domain.vms import (
    CreatedVm,
    FrozenVm,
    SavedConfiguration,
    SnapshotInfo,
    VirtualDisk,
    VmDetails,
    VmPlacement,
    VmSummary,
)
from app.domain.words import Done
from tests.support.local_disks import LocalDisk
from tests.support.local_host import LocalHost, LocalSnapshot
from tests.support.said import said

PASSWORD = "correct horse"


class LocalSession:
    """Fulfils ``Hypervisor``, ``ResettableTracking``, ``RevertHistory`` and ``MarkedVms``. Thread: any."""

    def __init__(self, host: LocalHost) -> None:
        self._host = host
        self._faults = host.faults
        self._lock = host.lock
        self.closed = False

    @property
    def facts(self) -> PlatformFacts:
        """What the host says of itself."""
        return PlatformFacts(
            kind=self._host.platform_kind,
            full_name="Local files 1.0",
            version="1.0",
            api_version="1",
            build="1",
            instance_uuid=self._host.platform_uuid,
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

    # --- examination -------------------------------------------------------------------------------------------

    def check_license(self) -> None:
        """Refuse where a test wants it."""
        if self._faults.refuse_license:
            raise LicenseRefused(address=self._host.address, operation="create snapshots")

    def license_name(self) -> str:
        """Return the name of the license."""
        return "Local files licence"

    def check_privileges(self, vm: VmId | None = None) -> Sequence[PrivilegeCheck]:
        """Return what the account may do."""
        return self._host.privileges

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
        """Return whether the VM was brought back to a snapshot."""
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
                self._host.freeze(found, name, "half")
                raise PlatformUnreachable(address=self._host.address, port=443, detail="the connection was lost")
            if self._faults.strike("snapshot_failures"):
                raise SnapshotFailed(vm=found.name, operation=Done.CREATED, detail="no space")
            failed = quiesce and self._faults.strike("quiesce_failures")
            shot = self._host.freeze(found, name, "made by Standfast")
        self._faults.call("snapshot_created")
        return FrozenVm(
            snapshot=SnapshotId(shot.id),
            disks=tuple(_virtual(disk) for disk in shot.disks.values()),
            crash_consistent=not quiesce or failed,
            quiesce_failure=said("the guest did not answer") if failed else None,
        )

    def frozen_disks(self, vm: VmId, snapshot: SnapshotId) -> tuple[VirtualDisk, ...]:
        """Return where the copies are."""
        self._call("frozen_disks")
        with self._lock:
            return tuple(_virtual(disk) for disk in self._frozen(vm, snapshot).disks.values())

    def _frozen(self, vm: VmId, snapshot: SnapshotId) -> LocalSnapshot:
        found = self._host.vm(vm)
        if snapshot not in found.snapshots:
            raise SnapshotGone(vm=found.name)
        return found.snapshots[snapshot]

    def remove_snapshot(
        self, vm: VmId, snapshot: SnapshotId, *, deadline_s: float, watch: RemovalWatch | None = None
    ) -> None:
        """Delete the copies."""
        self._call("remove_snapshot")
        with self._lock:
            found = self._host.vm(vm)
            if self._faults.strike("removal_failures"):
                raise SnapshotFailed(vm=found.name, operation="removed", detail="a file is locked")
            still_open = [address for address in self._host.open_disks if address.snapshot == snapshot]
            assert not still_open, f"a snapshot is removed while its disks are read: {still_open}"
            shot = found.snapshots.pop(snapshot, None)
            self._host.save()
            for disk in shot.disks.values() if shot else ():
                (self._host.root / disk.file).unlink()

    def consolidate_disks(self, vm: VmId, *, on_progress: Callable[[int], None], cancel: CancelToken) -> None:
        """Report half of it, then do it unless it is cancelled."""
        found = self._host.vm(vm)
        on_progress(50)
        self._call("consolidate_disks")
        cancel.check()
        if self._faults.strike("removal_failures"):
            raise SnapshotFailed(vm=found.name, operation="removed", detail="a file is locked")
        found.needs_consolidation = False

    def find_snapshots(self, prefix: str) -> Sequence[SnapshotInfo]:
        """Return the snapshots of a prefix."""
        self._call("find_snapshots")
        with self._lock:
            every = [snapshot for vm in self._host.vms.values() for snapshot in self._host.snapshots_of(vm)]
        return [snapshot for snapshot in every if snapshot.name.startswith(prefix)]

    def changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        """Return what was written since a change id, or ever."""
        self._call("changed_extents")
        with self._lock:
            disk = self._frozen(vm, snapshot).disks[disk_key]
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
            created.mark = placement.mark
            if placement.keep_identity:
                created.instance_uuid = described["instance_uuid"]
            self._host.save()
            if self._faults.strike("half_creations"):
                raise PlatformUnreachable(address=self._host.address, port=443, detail="the connection was lost")
            pairs = tuple(
                (old["key"], _virtual(new))
                for old, new in zip(described["disks"], created.disks.values(), strict=True)
            )
        self._faults.call("vm_created")
        return CreatedVm(id=identity, disks=pairs)

    def find_marked(self, name: str, mark: str) -> VmId | None:
        """Return the VM that was created with a mark."""
        self._call("find_marked")
        with self._lock:
            found = [vm.id for vm in self._host.vms.values() if (vm.name, vm.mark) == (name, mark)]
        return VmId(found[0]) if found else None

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
            found = self._host.vms.pop(vm, None)
            self._host.save()
            if found is None:
                return
            every = [
                *found.disks.values(),
                *(d for snapshot in found.snapshots.values() for d in snapshot.disks.values()),
            ]
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
        self.hosts = {host.address: host for host in hosts}
        self.at_port: dict[tuple[str, int], LocalHost] = {}
        """Hosts behind a port of an address; the others answer on every port."""
        self.sessions: list[LocalSession] = []

    def inspect(self, address: str, port: int) -> ServerCertificate:
        """Return a certificate."""
        if address not in self.hosts:
            raise PlatformUnreachable(address=address, port=port, detail="no route")
        return ServerCertificate(
            thumbprint_sha256=":".join(["AB"] * 32),
            subject=f"CN={address}",
            issuer="CN=test",
            not_before=datetime(2026, 1, 1, tzinfo=UTC),
            not_after=datetime(2027, 1, 1, tzinfo=UTC),
            trusted_by_ca=False,
        )

    def connect(self, platform: Platform, password: str) -> LocalSession:
        """Log in."""
        host = self.at_port.get((platform.address, platform.port)) or self.hosts.get(platform.address)
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
        unsupported_reason=None if disk.unsupported_reason is None else said(disk.unsupported_reason),
        change_id=disk.tracking.change_id,
    )


def _since(disk: LocalDisk, since: str) -> list[int]:
    asked = ChangeId.parse(since)
    if asked.generation != disk.tracking.generation:
        raise ChangeTrackingLost(disk=disk.label, change_id=since, detail="tracking was started anew")
    return [block for block, sequence in disk.tracking.blocks.items() if sequence >= asked.sequence]
