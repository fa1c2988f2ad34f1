"""From a request to a task and from a task to its run."""

import uuid
from collections.abc import Callable

import msgspec

from app.contract.points import StartExport, StartVerify
from app.contract.restore import OverOriginal, StartRestore
from app.contract.standbys import StartClosing, StartSweep
from app.contract.tasks import StartBackup
from app.core.clock import Clock
from app.domain.ids import TaskId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine.backup.run import BackupRun, BackupServices
from app.engine.export.run import ExportRun
from app.engine.platforms.succession import present_id
from app.engine.ports import Catalog
from app.engine.program.clockwatch import ClockWatch
from app.engine.restore.run import RestoreRun, RestoreServices
from app.engine.standbys.closing import ClosingRun
from app.engine.standbys.garbage import GarbageCollectionRun
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.dispatcher import Candidate
from app.engine.tasks.manager import QueuedTask
from app.engine.tasks.running import RunningTask
from app.engine.verify.run import VerifyRun

TaskRequest = StartBackup | StartRestore | StartVerify | StartExport | StartSweep | StartClosing
PointRequest = StartRestore | StartVerify | StartExport

_KINDS: dict[type[PointRequest], TaskKind] = {
    StartRestore: TaskKind.RESTORE,
    StartVerify: TaskKind.VERIFY,
    StartExport: TaskKind.EXPORT,
}

_decoder: msgspec.json.Decoder[TaskRequest] = msgspec.json.Decoder(TaskRequest)


class Executor:
    """Makes tasks of requests, and carries them out. Thread: any."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        repositories: Repositories,
        clock: Clock,
        clock_watch: ClockWatch,
        for_backups: BackupServices,
        for_restores: RestoreServices,
        after_backup: Callable[[RunningTask, StartBackup], None] = lambda _task, _request: None,
    ) -> None:
        """Prepare.

        Args:
            catalog: what the engine remembers.
            repositories: opens repositories.
            clock: the time.
            clock_watch: says whether garbage collection may remove what is old.
            for_backups: what backups need.
            for_restores: what restores need.
            after_backup: called on the task's thread when a backup has succeeded, still as part of its task.
        """
        self._catalog = catalog
        self._repositories = repositories
        self._clock = clock
        self._clock_watch = clock_watch
        self._for_backups = for_backups
        self._for_restores = for_restores
        self._after_backup = after_backup

    # --- making tasks ----------------------------------------------------------------------------------------

    def queued(self, request: TaskRequest) -> QueuedTask:
        """Make a task of a request.

        Raises:
            OperationalError: what it names is not there.
        """
        if isinstance(request, StartBackup):
            return with_candidate(self._backup_record(request))
        if isinstance(request, StartSweep):
            return with_candidate(self._standby_record(request, TaskKind.GARBAGE_COLLECTION, request.target_path))
        if isinstance(request, StartClosing):
            return with_candidate(self._standby_record(request, TaskKind.CLOSING))
        return with_candidate(self._point_record(request))

    def _backup_record(self, request: StartBackup) -> TaskRecord:
        return TaskRecord(
            id=_new_task(),
            kind=TaskKind.BACKUP,
            state=TaskState.PENDING,
            vm=request.vm,
            vm_name=request.vm_name,
            platform=request.platform,
            standby=request.standby,
            target_path=request.target_path,
            rule=request.rule,
            rule_name=request.rule_name,
            priority=request.priority,
            host=request.host,
            request=_encoded(request),
            created_at=self._clock.now(),
        )

    def _standby_record(
        self, request: StartSweep | StartClosing, kind: TaskKind, target_path: str = ""
    ) -> TaskRecord:
        standby = registered_standby(self._catalog.standbys, request.standby)
        return TaskRecord(
            id=_new_task(),
            kind=kind,
            state=TaskState.PENDING,
            vm=VmId(""),
            vm_name="/".join(part for part in (standby.name, target_path) if part),
            platform=None,
            standby=request.standby,
            target_path=target_path,
            rule_name="",
            priority=request.priority,
            request=_encoded(request),
            created_at=self._clock.now(),
        )

    def _point_record(self, request: PointRequest) -> TaskRecord:
        point = self._point(request)
        return TaskRecord(
            id=_new_task(),
            kind=_KINDS[type(request)],
            state=TaskState.PENDING,
            vm=self._vm_of(request, point),
            vm_name=point.facts.name,
            platform=request.platform if isinstance(request, StartRestore) else None,
            standby=request.standby,
            target_path=request.target_path,
            rule=request.rule if isinstance(request, StartRestore) else None,
            rule_name=point.rule_name,
            priority=request.priority,
            point=point.id,
            request=_encoded(request),
            created_at=self._clock.now(),
        )

    def _vm_of(self, request: PointRequest, point: RestorePoint) -> VmId:
        """Return the VM that a task is about: of one whose place was taken since, the one that took it."""
        vm = point.facts.vm
        if not isinstance(request, StartRestore) or not isinstance(request.target, OverOriginal):
            return vm
        return present_id(vm, self._catalog.rules.successions(request.platform))

    def _point(self, request: PointRequest) -> RestorePoint:
        """Find the point in the catalog, or where the catalog does not know it yet, in the repository."""
        known = self._catalog.points.get(request.standby, request.target_path, request.point)
        if known is not None:
            return known.point
        with (
            self._repositories.lease(request.standby, request.target_path) as repository,
            repository.open_point(request.point) as reader,
        ):
            return reader.point

    # --- carrying out ----------------------------------------------------------------------------------------

    def carry_out(self, task: RunningTask, record: TaskRecord) -> None:
        """Do what a task is for.

        Raises:
            OperationalError: it failed.
            TaskCancelled: the operator stopped it.
        """
        request = request_of(record)
        if isinstance(request, StartBackup):
            run = BackupRun(self._for_backups, task, request)
            run.run()
            self._after_backup(task, run.request)
        elif isinstance(request, StartRestore):
            RestoreRun(self._for_restores, task, request).run()
        elif isinstance(request, StartSweep):
            GarbageCollectionRun(self._repositories, self._clock_watch, task, request).run()
        elif isinstance(request, StartClosing):
            ClosingRun(self._catalog.standbys, task, request).run()
        elif isinstance(request, StartExport):
            ExportRun(self._repositories, task, request).run()
        else:
            VerifyRun(self._repositories, self._catalog.points, task, request).run()


def request_of(record: TaskRecord) -> TaskRequest:
    """Return the request that a task was made of."""
    return _decoder.decode(record.request)


def with_candidate(record: TaskRecord) -> QueuedTask:
    """Add what the dispatcher wants to know about a task."""
    request = request_of(record)
    touches_vm = isinstance(request, StartBackup) or (
        isinstance(request, StartRestore) and isinstance(request.target, OverOriginal)
    )
    return QueuedTask(
        record=record,
        candidate=Candidate(
            task=record.id,
            vm=(record.platform, record.vm) if touches_vm and record.platform is not None else None,
            host=record.host,
            priority=record.priority,
            queued_at=record.created_at,
        ),
    )


def _new_task() -> TaskId:
    return TaskId(str(uuid.uuid4()))


def _encoded(request: TaskRequest) -> str:
    return msgspec.json.encode(request).decode()
