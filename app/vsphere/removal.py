"""Removes snapshots and consolidates disks, however long that takes, and never stops what has begun.

A removal that began is waited for as long as anything moves: its task's progress or state, or the files of the
VM's disks, which become fewer while they are merged (``layoutEx.disk``, vSphere Web Services API reference). The
deadline is how long all of that may stand still, and how long attempts that fail are repeated. What still runs
when the wait ends runs on: a removal that was cut off would leave disks in need of consolidation.
"""

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim, vmodl

from app.core.removals import RemovalWatch
from app.domain.errors import OperationalError, SnapshotFailed, SnapshotRemovalRuns
from app.domain.ids import SnapshotId, VmId
from app.domain.words import Done
from app.vsphere import tasks
from app.vsphere.details import snapshots_in
from app.vsphere.faults import FAILURES
from app.vsphere.properties import Row, read
from app.vsphere.reasons import NEEDS_CONSOLIDATION, STILL_THERE
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.tasks import Deadline, Waiting
from app.vsphere.words import Operation

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Remains:
    """What is on a VM before or after a removal."""

    snapshot: bool
    unconsolidated_disks: bool
    disk_files: Mapping[int, int] = field(default_factory=dict)
    """Of how many files each disk consists, by its key."""
    recent_tasks: tuple[Any, ...] = ()


@dataclass(slots=True)
class Removal:
    """One removal on one VM, watched from its first attempt to its last. Thread: one."""

    session: VSphereSession
    vm: VmId
    deadline: Deadline
    failure: Callable[[Exception], OperationalError]
    """Turns what went wrong into our error."""
    watch: RemovalWatch | None = None
    _percent: int | None = None
    _files: dict[int, int] = field(default_factory=dict)
    """Of how many files each disk consisted when the removal began, by its key."""

    def of_snapshot(self, snapshot: SnapshotId, first_pause_s: float, longest_pause_s: float) -> None:
        """Remove a snapshot, consolidate, and look whether both happened; try again until the deadline.

        Raises:
            SnapshotRemovalRuns: nobody waits any more; it goes on.
            SnapshotFailed: it is still there, or the disks still need consolidation.
            OperationalError: nothing can be done, such as a missing privilege.
        """
        self._patiently(lambda: self._remove_once(snapshot), first_pause_s, longest_pause_s)

    def of_earlier_ones(self, first_pause_s: float, longest_pause_s: float) -> None:
        """Wait for removals that run on the VM already, and consolidate what they leave.

        Raises:
            As :meth:`of_snapshot`.
        """
        self._patiently(self._finish_running, first_pause_s, longest_pause_s)

    def _patiently(self, attempt: Callable[[], None], pause_s: float, longest_pause_s: float) -> None:
        clock, failing_since = self.session.clock, None
        while True:
            try:
                attempt()
                return
            except SnapshotRemovalRuns:
                raise
            except FAILURES as error:
                failure, now = self.failure(error), clock.monotonic()
                failing_since = now if failing_since is None else failing_since
                left_s = min(self.deadline.remaining_s, failing_since + self.deadline.seconds - now)
                if not failure.retryable or left_s <= pause_s:
                    raise failure from error
                _log.info("removing a snapshot of %s will be tried again: %s", self.vm, failure.message)
            self._check()
            clock.sleep(pause_s)
            pause_s = min(longest_pause_s, pause_s * 2)

    def _remove_once(self, snapshot: SnapshotId) -> None:
        remains = self._wait_for_running(snapshot)
        if remains.snapshot:
            self._files = dict(remains.disk_files)
            with contextlib.suppress(vmodl.fault.ManagedObjectNotFound):
                self._run(
                    lambda connection: _start_removal(connection, snapshot),
                    lambda connection: self._is_over(connection, snapshot),
                )
            remains = self._remains(snapshot)
            if remains.snapshot:
                raise SnapshotFailed(vm=self.vm, operation=Done.REMOVED, detail=STILL_THERE)
        self._consolidate(remains)

    def _finish_running(self) -> None:
        self._consolidate(self._wait_for_running(None))

    def _consolidate(self, remains: _Remains) -> None:
        if not remains.unconsolidated_disks:
            return
        self._run(
            lambda connection: connection.vm(self.vm).ConsolidateVMDisks_Task(),
            lambda connection: True if not self._looked(connection, None).unconsolidated_disks else None,
        )
        if self._remains(None).unconsolidated_disks:
            raise SnapshotFailed(vm=self.vm, operation=Done.REMOVED, detail=NEEDS_CONSOLIDATION)

    # ---- waiting -----------------------------------------------------------------------------------------

    def _run(self, start: Callable[[Connection], Any], instead: Callable[[Connection], Any]) -> None:
        tasks.run_task(self.session, start, self._waiting(instead))

    def _wait_for_running(self, snapshot: SnapshotId | None) -> _Remains:
        """Wait for what an earlier attempt, or somebody else, has begun, and return what is there then."""
        remains = self._remains(snapshot)
        running = self.session.run(
            lambda connection: tasks.running_among(connection, remains.recent_tasks, _is_removal)
        )
        for task in running:
            with contextlib.suppress(vmodl.MethodFault):  # how it ended is looked at on the VM
                tasks.wait_for_task(self.session, task, self._waiting())
        return self._remains(snapshot) if running else remains

    def _waiting(self, instead: Callable[[Connection], Any] | None = None) -> Waiting:
        return Waiting(
            operation=Operation.REMOVE_SNAPSHOT,
            deadline=self.deadline,
            on_progress=self._note_progress,
            on_idle=None if self.watch is None else self._check,
            moves=lambda connection: _disk_files(connection, self.vm),
            instead=instead,
        )

    def _note_progress(self, percent: int) -> None:
        self._percent = percent
        if self.watch is not None:
            self.watch.moved(percent)

    def _check(self) -> None:
        if self.watch is None:
            return
        self.watch.moved(self._percent)
        if self.watch.is_left():
            raise SnapshotRemovalRuns(vm=self.vm)

    # ---- looking -----------------------------------------------------------------------------------------

    def _is_over(self, connection: Connection, snapshot: SnapshotId) -> bool | None:
        """Return True when a removal whose task is forgotten is over, however it ended; None while it may run.

        The snapshot leaves the VM's tree at once; then each of its disks loses a file. A disk of one file took no
        part.
        """
        remains = self._looked(connection, snapshot)
        if remains.snapshot or remains.unconsolidated_disks:
            return True
        now = remains.disk_files
        is_merged = all(now.get(key, 0) < count for key, count in self._files.items() if count > 1)
        return True if is_merged else None

    def _remains(self, snapshot: SnapshotId | None) -> _Remains:
        try:
            return self.session.run(lambda connection: self._looked(connection, snapshot))
        except vmodl.fault.ManagedObjectNotFound:  # the VM itself is gone, and its snapshots with it
            return _Remains(snapshot=False, unconsolidated_disks=False)

    def _looked(self, connection: Connection, snapshot: SnapshotId | None) -> _Remains:
        row = read(
            connection.query(),
            connection.vm(self.vm),
            *("snapshot", "runtime.consolidationNeeded", "layoutEx.disk", "recentTask"),
        )
        return _Remains(
            snapshot=any(entry.id == snapshot for entry in snapshots_in(self.vm, row.need("snapshot"))),
            unconsolidated_disks=bool(row.get("runtime.consolidationNeeded")),
            disk_files=_files_of(row),
            recent_tasks=tuple(row.get("recentTask") or ()),
        )


def _is_removal(described: str) -> bool:
    """Return whether a task's description id names a removal of snapshots or a consolidation.

    The platforms call them ``vm.Snapshot.remove``, ``VirtualMachine.removeAllSnapshots`` and
    ``VirtualMachine.consolidateDisks``; the Go simulator says ``removeSnapshot``.
    """
    return ("snapshot" in described and "remove" in described) or "consolidate" in described


def _disk_files(connection: Connection, vm: VmId) -> dict[int, int]:
    """Return of how many files each disk of a VM consists; the sizes would change with what the guest writes."""
    try:
        return _files_of(read(connection.query(), connection.vm(vm), "layoutEx.disk"))
    except vmodl.fault.ManagedObjectNotFound:
        return {}


def _files_of(row: Row) -> dict[int, int]:
    return {disk.key: len(disk.chain or ()) for disk in row.get("layoutEx.disk") or ()}


def _start_removal(connection: Connection, snapshot: SnapshotId) -> Any:
    reference = connection.object(vim.vm.Snapshot, snapshot)
    return reference.RemoveSnapshot_Task(removeChildren=False, consolidate=True)
