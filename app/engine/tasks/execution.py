"""Runs tasks, each kind by its own run."""

from collections.abc import Callable, Mapping
from typing import Any

from app.core.tasklog import TaskLog
from app.domain.errors import OperationalError
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine.backup.run import BackupRun, BackupServices
from app.engine.consolidation.run import ConsolidationRun
from app.engine.export.run import ExportRun
from app.engine.instant.runs import InstantRuns
from app.engine.migration.runs import MigrationRuns
from app.engine.points.reconciliation import PointReconciler
from app.engine.ports import Catalog
from app.engine.program.clockwatch import ClockWatch
from app.engine.proof.run import ProofRuns
from app.engine.restore.run import RestoreRun, RestoreServices
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries
from app.engine.standbys.closing import ClosingRun
from app.engine.standbys.garbage import GarbageCollectionRun
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import (
    BackupSpec,
    ClosingSpec,
    ConsolidationSpec,
    ExportSpec,
    GarbageSpec,
    InstantFinishSpec,
    InstantKeepSpec,
    InstantStartSpec,
    InstantStopSpec,
    MigrationSpec,
    ProofSpec,
    RestoreSpec,
    TaskSpec,
    VerifySpec,
)
from app.engine.verify.run import VerifyRun


class TaskExecution:
    """Fulfils :class:`app.engine.tasks.manager.TaskWork`: a run for each kind of task. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        repositories: Repositories,
        clock_watch: ClockWatch,
        for_backups: BackupServices,
        for_restores: RestoreServices,
        retention: RetentionService,
        retries: Retries,
        recovery: CrashRecovery,
        points: PointReconciler,
        instant: InstantRuns,
        migration: MigrationRuns,
        proofs: ProofRuns,
    ) -> None:
        """Prepare.

        Args:
            catalog: what the engine remembers.
            repositories: opens repositories.
            clock_watch: says whether garbage collection may remove what is old.
            for_backups: what backups need.
            for_restores: what restores need.
            retention: removes what has expired, as part of a backup that succeeded.
            retries: decides which failed backups are tried again.
            recovery: removes what a task has left on its platform.
            points: brings the list of restore points up to date.
            instant: runs the tasks of instant recoveries.
            migration: runs the tasks of migrations.
            proofs: runs proofs of restore.
        """
        self._catalog = catalog
        self._repositories = repositories
        self._clock_watch = clock_watch
        self._for_backups = for_backups
        self._for_restores = for_restores
        self._retention = retention
        self._retries = retries
        self._recovery = recovery
        self._points = points
        self._runs: Mapping[type[TaskSpec], Callable[[RunningTask, Any], object]] = {
            BackupSpec: self._back_up,
            RestoreSpec: self._restore,
            VerifySpec: self._verify,
            ExportSpec: self._export,
            GarbageSpec: self._collect_garbage,
            ClosingSpec: self._close,
            ConsolidationSpec: self._consolidate,
            InstantStartSpec: instant.run,
            InstantStopSpec: instant.run,
            InstantFinishSpec: instant.run,
            InstantKeepSpec: instant.run,
            MigrationSpec: migration.run,
            ProofSpec: proofs.run,
        }

    def run(self, task: RunningTask, spec: TaskSpec) -> None:
        """Do what a task has to do.

        Raises:
            OperationalError: it failed.
            TaskCancelled: the operator stopped it.
        """
        self._runs[type(spec)](task, spec)

    def _back_up(self, task: RunningTask, spec: BackupSpec) -> None:
        run = BackupRun(self._for_backups, task, spec)
        run.run()
        if run.request.rule is not None:
            self._retention.apply(task, run.request.rule, run.request.vm)

    def _restore(self, task: RunningTask, spec: RestoreSpec) -> None:
        RestoreRun(self._for_restores, task, spec).run()

    def _verify(self, task: RunningTask, spec: VerifySpec) -> None:
        VerifyRun(self._repositories, self._catalog.points, task, spec).run()

    def _export(self, task: RunningTask, spec: ExportSpec) -> None:
        ExportRun(self._repositories, task, spec).run()

    def _collect_garbage(self, task: RunningTask, spec: GarbageSpec) -> None:
        GarbageCollectionRun(self._repositories, self._clock_watch, task, spec).run()

    def _close(self, task: RunningTask, spec: ClosingSpec) -> None:
        ClosingRun(self._catalog.standbys, task, spec).run()

    def _consolidate(self, task: RunningTask, spec: ConsolidationSpec) -> None:
        ConsolidationRun(self._for_backups.sessions, self._for_backups.settings, task, spec).run()

    def plan_retry(self, record: TaskRecord, error: OperationalError, log: TaskLog) -> bool:
        """Decide about a task that failed just now; return whether it is tried again by itself.

        Raises:
            CatalogUnavailable: it cannot be told or noted.
        """
        return self._retries.plan(record, error, log)

    def tidy_up(self, record: TaskRecord) -> None:
        """Try once more, over a fresh session, to remove what a task itself could not. Never raises.

        A task that did not complete, and garbage collection, may have left the list of points out of date.
        """
        if record.platform is not None:
            self._recovery.tidy_up_after(record.id, record.platform)
        if record.kind is TaskKind.GARBAGE_COLLECTION or (
            record.kind is TaskKind.BACKUP and not self._is_listed(record)
        ):
            self._points.compare(record.standby, record.target_path)

    def _is_listed(self, record: TaskRecord) -> bool:
        """Return whether a backup ended well and the catalog lists its restore point."""
        catalog = self._catalog
        try:
            known = catalog.tasks.get(record.id)
            if known is None or known.state is not TaskState.COMPLETED or known.point is None:
                return False
            return catalog.points.get(record.standby, record.target_path, known.point) is not None
        except OperationalError:
            return False
