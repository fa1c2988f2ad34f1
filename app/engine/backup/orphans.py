"""Removes snapshots of ours that no live task owns, and finishes removals that earlier tasks began."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import SNAPSHOT_PREFIX, FinishesRemovals, Hypervisor
from app.core.removals import RemovalWatch
from app.core.tasklog import TaskLog
from app.domain.errors import SnapshotFailed, SnapshotRemovalRuns
from app.domain.ids import PlatformId, SnapshotId, TaskId, VmId
from app.domain.vms import SnapshotInfo, VmDetails
from app.engine import messages
from app.engine.backup.names import TRACKING, is_for_tracking, owner_of, task_of
from app.engine.backup.removal import NotWaitedFor, close_entry, shown_removal
from app.engine.ports import SnapshotJournal
from app.engine.program.settings import EngineSettings

LogOf = Callable[[TaskId], TaskLog]
"""Gives the log in which something about a task is said."""


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
        self, hypervisor: Hypervisor, platform: PlatformId, details: VmDetails, context: TaskContext
    ) -> None:
        """Remove the orphans of a VM, and those on all its platform where the journal knows of any.

        Removals on the VM itself are waited for, because nothing can be done with it meanwhile.

        Raises:
            OperationalError: the platform failed.
            TaskCancelled: the task was stopped; a removal that has begun goes on.
        """
        vm, log = details.summary.id, context.log
        watch = shown_removal(context, replace(self._settings, removal_after_stop_s=0.0))
        rules = _Rules(log_of=lambda _: log, unknown_too=False, watch=lambda: watch)
        if self._has_entry(platform, vm) and isinstance(hypervisor, FinishesRemovals):
            log.info(messages.WAITING_FOR_REMOVAL)
            self._is_finished(hypervisor, platform, vm, rules)
            context.cancel.check()
        self._remove_orphans(hypervisor, platform, details.snapshots, rules)
        context.cancel.check()
        if self.platforms() & {platform}:
            self.remove_on_platform(hypervisor, platform, log_of=lambda _: log)

    def _has_entry(self, platform: PlatformId, vm: VmId) -> bool:
        entries = self._journal.open_entries()
        return any((where, whose) == (platform, vm) and not self._lives(task) for task, where, whose in entries)

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
        rules = _Rules(
            log_of=log_of,
            unknown_too=unknown_too,
            watch=lambda: NotWaitedFor(self._clock, self._settings.removal_moment_s),
        )
        removed = self._remove_orphans(hypervisor, platform, found, rules)
        there = {owner_of(snapshot) for snapshot in found}
        switched = {snapshot.vm for snapshot in found if is_for_tracking(snapshot) and snapshot.id not in removed}
        for task, vm in ended:
            is_gone = vm not in switched if task.startswith(TRACKING) else task not in there
            if is_gone and self._is_finished(hypervisor, platform, vm, rules):
                close_entry(self._journal, task)
        return len(removed)

    def _is_finished(self, hypervisor: Hypervisor, platform: PlatformId, vm: VmId, rules: "_Rules") -> bool:
        """Return whether no removal runs on a VM and its disks are merged: its tree forgets a snapshot before."""
        if not isinstance(hypervisor, FinishesRemovals):
            return True
        entries = self._journal.open_entries()
        owner = next((task for task, where, whose in entries if (where, whose) == (platform, vm)), TaskId(""))
        log, name = rules.log_of(task_of(owner)), SNAPSHOT_PREFIX + owner
        try:
            hypervisor.finish_removals(
                vm, deadline_s=self._settings.snapshot_removal_deadline_s, watch=rules.watch()
            )
        except SnapshotRemovalRuns:
            log.info(messages.ORPHAN_REMOVAL_RUNS, name=name)
            return False
        except SnapshotFailed as error:
            log.error(messages.ORPHAN_LEFT, name=name, detail=error)
            return False
        return True

    def _remove_orphans(
        self, hypervisor: Hypervisor, platform: PlatformId, snapshots: Iterable[SnapshotInfo], rules: "_Rules"
    ) -> set[SnapshotId]:
        """Remove the orphans among some snapshots and return those that are gone."""
        removed = set()
        for snapshot in snapshots:
            owners = self._owners(snapshot, platform)
            if not owners or any(self._lives(owner) for owner in owners):
                continue
            owner = owners[0]
            log = rules.log_of(task_of(owner))
            if not (rules.unknown_too or self._is_journalled(owner) or self._is_known(owner)):
                log.warning(messages.ORPHAN_UNKNOWN, name=snapshot.name)
            elif self._remove(hypervisor, platform, snapshot, owner, rules):
                removed.add(snapshot.id)
        return removed

    def _owners(self, snapshot: SnapshotInfo, platform: PlatformId) -> list[TaskId]:
        """Return the journal's keys for which a snapshot may have been made; empty when it is not ours."""
        owner = owner_of(snapshot)
        if owner is None or not is_for_tracking(snapshot):
            return [owner] if owner is not None else []
        entries = self._journal.open_entries()
        switching = [
            task
            for task, where, vm in entries
            if task.startswith(TRACKING) and where == platform and vm == snapshot.vm
        ]
        return switching or [owner]

    def _lives(self, key: TaskId) -> bool:
        return self.is_live(task_of(key))

    def _is_journalled(self, key: TaskId) -> bool:
        return any(task == key for task, _, _ in self._journal.open_entries())

    def _remove(
        self,
        hypervisor: Hypervisor,
        platform: PlatformId,
        snapshot: SnapshotInfo,
        owner: TaskId,
        rules: "_Rules",
    ) -> bool:
        log = rules.log_of(task_of(owner))
        if not is_for_tracking(snapshot) and not self._is_journalled(owner):
            self._journal.opened(owner, platform, snapshot.vm)  # its files may be merged long after it is gone
        try:
            hypervisor.remove_snapshot(
                snapshot.vm,
                snapshot.id,
                deadline_s=self._settings.snapshot_removal_deadline_s,
                watch=rules.watch(),
            )
        except SnapshotRemovalRuns:
            log.info(messages.ORPHAN_REMOVAL_RUNS, name=snapshot.name)
            return False
        except SnapshotFailed as error:
            log.error(messages.ORPHAN_LEFT, name=snapshot.name, detail=error)
            return False
        if not is_for_tracking(snapshot):  # there may be another of that VM
            close_entry(self._journal, owner)
        log.info(messages.ORPHAN_REMOVED, name=snapshot.name)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """How orphans are removed."""

    log_of: LogOf
    unknown_too: bool
    watch: Callable[[], RemovalWatch]
    """Gives what follows one removal."""
