"""Changed block tracking (CBT): switched on safely, asked completely, and never believed when in doubt.

Source: protocols page *vSphere facts*, section "Changed block tracking".
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.core.hypervisor import TRACKING_SNAPSHOT_PREFIX
from app.core.tasklog import TaskLog
from app.domain.change_id import ChangeId
from app.domain.errors import ChangeTrackingLost, PrivilegeMissing, SnapshotFailed
from app.domain.extents import Extent, normalize
from app.domain.ids import SnapshotId, VmId
from app.domain.messages import Message
from app.domain.vms import PowerState
from app.vsphere import messages, tasks
from app.vsphere.details import capacity_of, disk_by_key, snapshots_in
from app.vsphere.errors import OperationUnsupported, PlatformBusy, PlatformRefused, PlatformTaskTimedOut
from app.vsphere.faults import FAILURES, FOREIGN, translate
from app.vsphere.faultwords import fault_reason
from app.vsphere.inventory import power_state
from app.vsphere.names import unescaped
from app.vsphere.properties import read
from app.vsphere.reasons import BAD_CHANGE_ID, INCOMPLETE_MAP, NO_CHANGE_ID, NO_SUCH_DISK, OTHER_SIZE, RESET_SINCE
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.snapshots import Snapshots, snapshot_devices
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

EVERYTHING_ALLOCATED = "*"
_RECONFIGURE_S = 300.0
_CYCLE_REMOVAL_S = 900.0
_MAX_PAGES = 1_000_000
_LOST = (
    vim.fault.FileFault,
    vim.fault.NotFound,
    vim.fault.GenericVmConfigFault,
    vmodl.fault.InvalidArgument,
    vmodl.fault.MethodNotFound,
    vmodl.fault.NotSupported,
    vmodl.fault.SystemError,
)
"""Faults of the query that reading the disk whole gets around."""
_REPAIRABLE = (
    PrivilegeMissing,
    PlatformRefused,
    PlatformBusy,
    PlatformTaskTimedOut,
    OperationUnsupported,
    SnapshotFailed,
)
"""Ours that stop the switching on, but not the backup."""


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """One answer of ``QueryChangedDiskAreas``, in bytes."""

    start: int
    length_bytes: int
    """The part of the disk that the answer is about."""
    areas: tuple[Extent, ...]


class IncompleteMap(Exception):
    """The platform's answers do not add up to a map of the whole disk. Never leaves this package."""


def whole_map(ask: Callable[[int], AnswerPage], capacity_bytes: int) -> list[Extent]:
    """Ask page by page until the disk's exact end and return all areas.

    Areas may contain too much, never too little; an area that hangs over the end is cut there.

    Args:
        ask: gives the answer that begins at an offset.
        capacity_bytes: size of the disk.

    Raises:
        IncompleteMap: an answer does not begin where it was asked, makes no progress, or the last one does not
            end exactly at the disk's end; or an area is outside the disk.
    """
    areas: list[Extent] = []
    position = 0
    for _ in range(_MAX_PAGES):
        if position == capacity_bytes:
            return normalize(areas)
        page = ask(position)
        if page.start != position:
            raise IncompleteMap(f"asked at byte {position}, answered at byte {page.start}")
        if page.length_bytes <= 0:
            raise IncompleteMap(f"the answer at byte {position} of {capacity_bytes} covers nothing")
        position += page.length_bytes
        if position > capacity_bytes:
            raise IncompleteMap(f"the answer ends at byte {position}, the disk at byte {capacity_bytes}")
        areas.extend(_inside(area, capacity_bytes) for area in page.areas)
    raise IncompleteMap(f"no end after {_MAX_PAGES} answers")


def _inside(area: Extent, capacity_bytes: int) -> Extent:
    if area.start >= capacity_bytes:
        raise IncompleteMap(f"an area begins at byte {area.start}, behind the disk's end at {capacity_bytes}")
    return Extent(area.start, min(area.end, capacity_bytes) - area.start)


class ChangeTracking:
    """Switches CBT on and asks it, over one session. Thread: any."""

    def __init__(self, session: VSphereSession, snapshots: Snapshots) -> None:
        self._session = session
        self._snapshots = snapshots

    # ---- switching ---------------------------------------------------------------------------------------

    def enable(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Switch CBT on; see ``Hypervisor.enable_change_tracking``."""
        state = self._session.run(lambda connection: _read_state(connection, vm))
        if state.enabled:
            return True
        if not self._may_switch(state, log):
            return False
        cancel.check()
        try:
            self._switch(vm, on=True)
            if state.running:
                self._cycle(vm, cancel)
        except FAILURES as error:
            self._note_failure(error, state, log)
        if not self._is_trusted(vm, log):
            return False
        return self._session.run(lambda connection: _read_state(connection, vm)).enabled

    def reset(self, vm: VmId, *, log: TaskLog, cancel: CancelToken) -> bool:
        """Start tracking again; see ``ResettableTracking.reset_change_tracking``."""
        state = self._session.run(lambda connection: _read_state(connection, vm))
        if not self._may_switch(state, log):
            return False
        cancel.check()
        try:
            self._switch(vm, on=False)
            self._cycle(vm, cancel)
            self._switch(vm, on=True)
            self._cycle(vm, cancel)
        except FAILURES as error:
            self._note_failure(error, state, log)
            return False
        return self._is_trusted(vm, log)

    def _is_trusted(self, vm: VmId, log: TaskLog) -> bool:
        """Return whether nobody took a snapshot while tracking was switched; else switch it off.

        Tracking that begins while there is a snapshot never reports what the snapshot's deltas held then.
        """
        state = self._session.run(lambda connection: _read_state(connection, vm))
        if not state.others or not state.enabled:
            return True
        log.warning(messages.CBT_HAS_SNAPSHOTS, vm=state.name, count=state.others)
        try:
            self._switch(vm, on=False)
        except FAILURES as error:
            self._note_failure(error, state, log)
        return False

    def _may_switch(self, state: "_State", log: TaskLog) -> bool:
        if not state.supported:
            log.warning(messages.CBT_UNSUPPORTED, vm=state.name)
            return False
        if state.snapshots:
            log.warning(messages.CBT_HAS_SNAPSHOTS, vm=state.name, count=state.snapshots)
            return False
        return True

    def _switch(self, vm: VmId, *, on: bool) -> None:
        spec = vim.vm.ConfigSpec(changeTrackingEnabled=on)
        waiting = Waiting(
            operation=Operation.RECONFIGURE_VM,
            deadline=Deadline.after(self._session.clock, _RECONFIGURE_S),
            instead=lambda connection: True if _read_state(connection, vm).enabled is on else None,
        )
        tasks.run_task(self._session, lambda connection: connection.vm(vm).ReconfigVM_Task(spec=spec), waiting)

    def _cycle(self, vm: VmId, cancel: CancelToken) -> None:
        """Create and remove a snapshot: only that lets a change of the setting take effect."""
        snapshot = self._snapshots.take(vm, f"{TRACKING_SNAPSHOT_PREFIX}{uuid.uuid4().hex[:12]}", cancel=cancel)
        self._snapshots.remove(vm, snapshot, Deadline.after(self._session.clock, _CYCLE_REMOVAL_S))

    def _note_failure(self, error: Exception, state: "_State", log: TaskLog) -> None:
        ours = error
        if isinstance(error, FOREIGN):
            ours = translate(error, self._session.attempt(Operation.SWITCH_TRACKING, state.name))
        if not isinstance(ours, _REPAIRABLE):
            raise ours from (error if ours is not error else None)
        log.warning(messages.CBT_NOT_SWITCHED, vm=state.name, reason=ours)

    # ---- asking ------------------------------------------------------------------------------------------

    def changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        """Return what changed; see ``Hypervisor.changed_extents``."""
        try:
            return self._changed_extents(vm, snapshot, disk_key, capacity_bytes, since)
        except vmodl.fault.ManagedObjectNotFound as error:
            raise self._snapshots.gone(vm) from error

    def _changed_extents(
        self, vm: VmId, snapshot: SnapshotId, disk_key: int, capacity_bytes: int, since: str | None
    ) -> list[Extent]:
        since_text = since if since is not None else EVERYTHING_ALLOCATED
        disk = self._frozen_disk(snapshot, disk_key)
        reason = doubt(disk, capacity_bytes, since)
        if reason is None:
            try:
                return whole_map(
                    lambda start: self._ask(vm, snapshot, disk_key, start, since_text), capacity_bytes
                )
            except IncompleteMap as error:
                reason = INCOMPLETE_MAP.fill(details=str(error))
            except _LOST as fault:
                reason = fault_reason(fault)
        raise ChangeTrackingLost(disk=_label(disk, disk_key), change_id=since_text, detail=reason)

    def _frozen_disk(self, snapshot: SnapshotId, disk_key: int) -> Any:
        devices: Sequence[Any] = self._session.run(lambda connection: snapshot_devices(connection, snapshot))
        return disk_by_key(devices, disk_key)

    def _ask(self, vm: VmId, snapshot: SnapshotId, disk_key: int, start: int, change_id: str) -> AnswerPage:
        def query(connection: Connection) -> Any:
            return connection.vm(vm).QueryChangedDiskAreas(
                snapshot=connection.object(vim.vm.Snapshot, snapshot),
                deviceKey=disk_key,
                startOffset=start,
                changeId=change_id,
            )

        answer = self._session.run(query)
        return AnswerPage(
            start=answer.startOffset,
            length_bytes=answer.length,
            areas=tuple(_area(area) for area in answer.changedArea or ()),
        )


def _area(area: Any) -> Extent:
    if area.start < 0 or area.length < 0:
        raise IncompleteMap(f"an area of {area.length} bytes at byte {area.start}")
    # pyVmomi counts with a subclass of int that nothing outside knows.
    return Extent(int(area.start), int(area.length))


def doubt(disk: Any, capacity_bytes: int, since: str | None) -> Message | None:
    """Say why the platform's map of a frozen disk could not be believed, or None.

    Args:
        disk: ``vim.vm.device.VirtualDisk`` of the snapshot, or None when it has none with this key.
        capacity_bytes: what the caller takes for its size.
        since: the change id the caller has; None asks for the allocated areas.
    """
    if disk is None:
        return NO_SUCH_DISK.fill()
    if capacity_of(disk) != capacity_bytes:
        return OTHER_SIZE.fill(now=capacity_of(disk), then=capacity_bytes)
    text = getattr(disk.backing, "changeId", None)
    if not text:
        return NO_CHANGE_ID.fill()
    if since is None:
        return None
    try:
        now, then = ChangeId.parse(text), ChangeId.parse(since)
    except ValueError as error:
        return BAD_CHANGE_ID.fill(details=str(error))
    if not now.comparable_with(then):
        return RESET_SINCE.fill()
    return None


def _label(disk: Any, disk_key: int) -> str:
    info = disk.deviceInfo if disk is not None else None
    return (info.label if info is not None else "") or f"disk {disk_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _State:
    name: str
    supported: bool
    enabled: bool
    running: bool
    snapshots: int
    others: int
    """How many of them do not only exist while tracking is switched."""


def _read_state(connection: Connection, vm: VmId) -> _State:
    row = read(
        connection.query(),
        connection.vm(vm),
        "name",
        "capability.changeTrackingSupported",
        "config.changeTrackingEnabled",
        "runtime.powerState",
        "snapshot",
    )
    names = [snapshot.name for snapshot in snapshots_in(vm, row.need("snapshot"))]
    return _State(
        name=unescaped(row.get("name") or vm),
        supported=bool(row.get("capability.changeTrackingSupported")),
        enabled=bool(row.get("config.changeTrackingEnabled")),
        running=power_state(row.get("runtime.powerState")) is PowerState.ON,
        snapshots=len(names),
        others=sum(not name.startswith(TRACKING_SNAPSHOT_PREFIX) for name in names),
    )
