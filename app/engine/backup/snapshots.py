"""The life of our snapshots on production VMs: journalled before they are made, removed whatever happens.

A snapshot is named by :data:`app.core.hypervisor.SNAPSHOT_PREFIX` and its task; those that exist only while change
tracking is switched name no task, so the journal names their VM in an entry of its own. Three nets catch it: the
scope removes it when its block is left in any way, shielded from cancel and within its own deadline; the journal
remembers it across a crash; and :class:`SnapshotRemover` finds by its
name what neither knew. Snapshots of others are never touched.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import SNAPSHOT_PREFIX, TRACKING_SNAPSHOT_PREFIX, Hypervisor
from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError, PlatformUnreachable, SnapshotFailed, VmNotFound
from app.domain.ids import PlatformId, SnapshotId, TaskId, VmId
from app.domain.vms import FrozenVm, SnapshotInfo
from app.engine import messages
from app.engine.ports import SnapshotJournal
from app.engine.program.settings import EngineSettings

_log = logging.getLogger(__name__)

_TRACKING = TRACKING_SNAPSHOT_PREFIX.removeprefix(SNAPSHOT_PREFIX)
"""Begins the journal's keys for the switching of tracking; the task follows."""

_FREEZE_ATTEMPTS = 3
"""How often a snapshot is asked for when the platform goes away in the middle."""
_PAUSE_GROWTH, _LONGEST_PAUSE_S = 1.5, 60.0
"""Of the pauses between attempts to remove a snapshot: a host may lock a disk for half an hour after a crash."""

LogOf = Callable[[TaskId], TaskLog]
"""Gives the log in which something about a task is said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotTarget:
    """Which VM a snapshot is for, and how it is taken."""

    platform: PlatformId
    vm: VmId
    quiesce: bool


class SnapshotScope:
    """Holds a VM's disks frozen inside a ``with`` block.

    :meth:`release` lets go early, as soon as the last byte is read; leaving the block does it at the latest.
    A removal that fails for good is reported in the log and stays in the journal; it never hides the
    exception that ended the block.

    Thread: one.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        journal: SnapshotJournal,
        context: TaskContext,
        target: SnapshotTarget,
        settings: EngineSettings,
    ) -> None:
        self._hypervisor = hypervisor
        self._journal = journal
        self._context = context
        self._target = target
        self._settings = settings
        self._held: SnapshotId | None = None

    def __enter__(self) -> FrozenVm:
        """Freeze the disks.

        Raises:
            SnapshotFailed: the platform could not.
            TaskCancelled: cancelled; nothing is left on the VM.
        """
        context, target = self._context, self._target
        context.cancel.check()
        self._journal.opened(context.task, target.platform, target.vm)
        frozen = self._freeze()
        self._held = frozen.snapshot
        context.log.info(messages.SNAPSHOT_CREATED, snapshot=frozen.snapshot)
        return frozen

    def _freeze(self) -> FrozenVm:
        """Create the snapshot; a platform that went away before there was one is asked again."""
        context, target = self._context, self._target
        attempts = _FREEZE_ATTEMPTS
        while True:
            attempts -= 1
            try:
                return self._hypervisor.create_snapshot(
                    target.vm, context.task, quiesce=target.quiesce, log=context.log, cancel=context.cancel
                )
            except PlatformUnreachable:
                if not self._look_after_failure() or not attempts:
                    raise
            except BaseException:
                self._look_after_failure()
                raise
            context.cancel.check()
            self._journal.opened(context.task, target.platform, target.vm)

    def __exit__(self, *exc: object) -> None:
        self.release()

    def release(self) -> bool:
        """Remove the snapshot; return whether it is gone. Does nothing when it was released before."""
        if self._held is None:
            return True
        snapshot, self._held = self._held, None
        with self._context.cancel.shield():
            return self._remove(snapshot)

    def _remove(self, snapshot: SnapshotId) -> bool:
        context, target = self._context, self._target
        try:
            remove_patiently(
                self._hypervisor,
                target.vm,
                snapshot,
                log=context.log,
                clock=context.clock,
                settings=self._settings,
            )
        except OperationalError as error:
            context.log.error(messages.SNAPSHOT_LEFT, snapshot=snapshot, detail=error)
            return False
        close_entry(self._journal, context.task)
        context.log.info(messages.SNAPSHOT_REMOVED, snapshot=snapshot)
        return True

    def _look_after_failure(self) -> bool:
        """Make sure that a creation which failed, perhaps half-way, left nothing; return whether it had not."""
        context, target = self._context, self._target
        name = SNAPSHOT_PREFIX + context.task
        try:
            with context.cancel.shield():
                left = [
                    snapshot
                    for snapshot in self._hypervisor.vm_details(target.vm).snapshots
                    if snapshot.name == name
                ]
                for snapshot in left:
                    remove_patiently(
                        self._hypervisor,
                        target.vm,
                        snapshot.id,
                        log=context.log,
                        clock=context.clock,
                        settings=self._settings,
                    )
        except VmNotFound:
            close_entry(self._journal, context.task)
            return False
        except OperationalError as error:
            context.log.warning(messages.SNAPSHOT_UNSURE, detail=error)
            return False
        else:
            close_entry(self._journal, context.task)
            return not left


class TrackingSwitch:
    """Watches over a VM inside a ``with`` block while its change tracking is switched.

    The hypervisor makes and removes snapshots of its own for that. The journal knows the VM meanwhile, and what
    is left at the end of the block is removed. Thread: one.
    """

    def __init__(
        self,
        hypervisor: Hypervisor,
        journal: SnapshotJournal,
        context: TaskContext,
        target: SnapshotTarget,
        settings: EngineSettings,
    ) -> None:
        self._hypervisor = hypervisor
        self._journal = journal
        self._context = context
        self._target = target
        self._settings = settings
        self._entry = TaskId(_TRACKING + context.task)

    def __enter__(self) -> None:
        self._journal.opened(self._entry, self._target.platform, self._target.vm)

    def __exit__(self, *exc: object) -> None:
        context, vm = self._context, self._target.vm
        try:
            with context.cancel.shield():
                for snapshot in filter(_is_for_tracking, self._hypervisor.vm_details(vm).snapshots):
                    remove_patiently(
                        self._hypervisor,
                        vm,
                        snapshot.id,
                        log=context.log,
                        clock=context.clock,
                        settings=self._settings,
                    )
        except VmNotFound:
            close_entry(self._journal, self._entry)
        except OperationalError as error:
            context.log.warning(messages.SNAPSHOT_UNSURE, detail=error)
        else:
            close_entry(self._journal, self._entry)


def remove_patiently(
    hypervisor: Hypervisor,
    vm: VmId,
    snapshot: SnapshotId,
    *,
    log: TaskLog,
    clock: Clock,
    settings: EngineSettings,
) -> None:
    """Remove a snapshot, trying again until the deadline of the settings has passed.

    Raises:
        OperationalError: it is still there.
    """
    deadline, pause_s = clock.monotonic() + settings.snapshot_removal_deadline_s, settings.snapshot_removal_pause_s
    while True:
        try:
            hypervisor.remove_snapshot(vm, snapshot, deadline_s=max(1.0, deadline - clock.monotonic()))
        except OperationalError as error:
            if not error.retryable or clock.monotonic() + pause_s >= deadline:
                raise
            log.warning(messages.SNAPSHOT_REMOVAL_AGAIN, snapshot=snapshot, detail=error)
            clock.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * _PAUSE_GROWTH)
        else:
            return


def close_entry(journal: SnapshotJournal, task: TaskId) -> None:
    """Take a snapshot that is gone out of the journal; an entry that stays for now does no harm."""
    try:
        journal.closed(task)
    except OperationalError as error:
        _log.error("the snapshot journal could not be written: %s", error)


class SnapshotRemover:
    """Finds and removes snapshots of ours that no live task owns.

    Attributes:
        is_live: returns whether a task is running in this process.

    Thread: any.
    """

    def __init__(
        self,
        journal: SnapshotJournal,
        clock: Clock,
        settings: EngineSettings,
        *,
        is_live: Callable[[TaskId], bool],
        is_known: Callable[[TaskId], bool],
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._settings = settings
        self.is_live = is_live
        self._is_known = is_known

    def remove_before_run(
        self, hypervisor: Hypervisor, platform: PlatformId, snapshots: Iterable[SnapshotInfo], *, log: TaskLog
    ) -> None:
        """Remove the orphans among a VM's snapshots, and all on its platform where the journal knows of any.

        Raises:
            OperationalError: the platform failed.
        """
        self._remove_orphans(hypervisor, platform, snapshots, log_of=lambda _: log, unknown_too=False)
        if self.platforms() & {platform}:
            self.remove_on_platform(hypervisor, platform, log_of=lambda _: log)

    def platforms(self) -> set[PlatformId]:
        """Return the platforms on which the journal knows snapshots that no live task owns."""
        return {where for task, where, _ in self._journal.open_entries() if not self._lives(task)}

    def remove_on_platform(
        self, hypervisor: Hypervisor, platform: PlatformId, *, log_of: LogOf, unknown_too: bool = False
    ) -> int:
        """Remove every orphan on a platform and settle its journal; return how many were removed.

        Args:
            hypervisor: a session on the platform.
            platform: its key.
            log_of: where to say what was found of a task.
            unknown_too: True removes also those of tasks that this catalog has never known.
        """
        ended = [
            (task, vm)
            for task, where, vm in self._journal.open_entries()
            if where == platform and not self._lives(task)
        ]
        found = hypervisor.find_snapshots(SNAPSHOT_PREFIX)
        removed = self._remove_orphans(hypervisor, platform, found, log_of=log_of, unknown_too=unknown_too)
        there = {owner_of(snapshot) for snapshot in found}
        switched = {snapshot.vm for snapshot in found if _is_for_tracking(snapshot) and snapshot.id not in removed}
        for task, vm in ended:
            if vm not in switched if task.startswith(_TRACKING) else task not in there:
                close_entry(self._journal, task)
        return len(removed)

    def _remove_orphans(
        self,
        hypervisor: Hypervisor,
        platform: PlatformId,
        snapshots: Iterable[SnapshotInfo],
        *,
        log_of: LogOf,
        unknown_too: bool,
    ) -> set[SnapshotId]:
        """Remove the orphans among some snapshots and return those that are gone."""
        removed = set()
        for snapshot in snapshots:
            owners = self._owners(snapshot, platform)
            if not owners or any(self._lives(owner) for owner in owners):
                continue
            owner = owners[0]
            log = log_of(TaskId(owner.removeprefix(_TRACKING)))
            if not (unknown_too or self._is_journalled(owner) or self._is_known(owner)):
                log.warning(messages.ORPHAN_UNKNOWN, name=snapshot.name)
            elif self._remove(hypervisor, snapshot, owner, log):
                removed.add(snapshot.id)
        return removed

    def _owners(self, snapshot: SnapshotInfo, platform: PlatformId) -> list[TaskId]:
        """Return the journal's keys for which a snapshot may have been made; empty when it is not ours."""
        owner = owner_of(snapshot)
        if owner is None or not _is_for_tracking(snapshot):
            return [owner] if owner is not None else []
        entries = self._journal.open_entries()
        switching = [
            task
            for task, where, vm in entries
            if task.startswith(_TRACKING) and where == platform and vm == snapshot.vm
        ]
        return switching or [owner]

    def _lives(self, key: TaskId) -> bool:
        return self.is_live(TaskId(key.removeprefix(_TRACKING)))

    def _is_journalled(self, key: TaskId) -> bool:
        return any(task == key for task, _, _ in self._journal.open_entries())

    def _remove(self, hypervisor: Hypervisor, snapshot: SnapshotInfo, owner: TaskId, log: TaskLog) -> bool:
        try:
            hypervisor.remove_snapshot(
                snapshot.vm, snapshot.id, deadline_s=self._settings.snapshot_removal_deadline_s
            )
        except SnapshotFailed as error:
            log.error(messages.ORPHAN_LEFT, name=snapshot.name, detail=error)
            return False
        if not _is_for_tracking(snapshot):  # there may be another of that VM
            close_entry(self._journal, owner)
        log.info(messages.ORPHAN_REMOVED, name=snapshot.name)
        return True


def owner_of(snapshot: SnapshotInfo) -> TaskId | None:
    """Return the task that a snapshot of ours was made for; None when it is not ours."""
    if not snapshot.name.startswith(SNAPSHOT_PREFIX):
        return None
    return TaskId(snapshot.name[len(SNAPSHOT_PREFIX) :])


def _is_for_tracking(snapshot: SnapshotInfo) -> bool:
    return snapshot.name.startswith(TRACKING_SNAPSHOT_PREFIX)
