"""The life of our snapshots on production VMs: journalled before they are made, removed whatever happens.

A snapshot is named by :data:`app.core.hypervisor.SNAPSHOT_PREFIX` and its task; those that exist only while change
tracking is switched name no task, so the journal names their VM in an entry of its own. Three nets catch it: the
scope removes it when its block is left in any way, shielded from cancel and for as long as anything moves; the
journal remembers it across a crash; and ``SnapshotRemover`` (``orphans.py``) finds by its name what neither knew.
Snapshots of others are never touched.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from app.core.context import TaskContext
from app.core.hypervisor import SNAPSHOT_PREFIX, Hypervisor
from app.domain.errors import OperationalError, PlatformUnreachable, VmNotFound
from app.domain.ids import PlatformId, SnapshotId, TaskId, VmId
from app.domain.vms import FrozenVm
from app.engine import messages
from app.engine.backup.names import TRACKING, is_for_tracking
from app.engine.backup.removal import close_entry, remove_patiently, say_left
from app.engine.ports import SnapshotJournal
from app.engine.program.settings import EngineSettings

_log = logging.getLogger(__name__)

_FREEZE_ATTEMPTS = 3
"""How often a snapshot is asked for when the platform goes away in the middle."""


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
        *,
        on_removal: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare.

        Args:
            hypervisor: a session on the platform.
            journal: remembers the snapshot.
            context: of the task that it is for.
            target: whose disks are frozen.
            settings: how long its removal may take.
            on_removal: called when the removal begins.
        """
        self._hypervisor = hypervisor
        self._journal = journal
        self._context = context
        self._target = target
        self._settings = settings
        self._on_removal = on_removal
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
        self._say_removal()
        try:
            remove_patiently(self._hypervisor, target.vm, snapshot, context=context, settings=self._settings)
        except OperationalError as error:
            say_left(context.log, snapshot, error)
            return False
        close_entry(self._journal, context.task)
        context.log.info(messages.SNAPSHOT_REMOVED, snapshot=snapshot)
        return True

    def _say_removal(self) -> None:
        try:
            self._on_removal()
        except OperationalError as error:  # what is shown must not keep the snapshot on the VM
            _log.warning("the removal of a snapshot is not shown: %s", error)

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
                        self._hypervisor, target.vm, snapshot.id, context=context, settings=self._settings
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
        self._entry = TaskId(TRACKING + context.task)

    def __enter__(self) -> None:
        self._journal.opened(self._entry, self._target.platform, self._target.vm)

    def __exit__(self, *exc: object) -> None:
        context, vm = self._context, self._target.vm
        try:
            with context.cancel.shield():
                for snapshot in filter(is_for_tracking, self._hypervisor.vm_details(vm).snapshots):
                    remove_patiently(self._hypervisor, vm, snapshot.id, context=context, settings=self._settings)
        except VmNotFound:
            close_entry(self._journal, self._entry)
        except OperationalError as error:
            context.log.warning(messages.SNAPSHOT_UNSURE, detail=error)
        else:
            close_entry(self._journal, self._entry)
