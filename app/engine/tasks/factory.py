"""Makes tasks of what they have to do."""

import uuid

from app.core.clock import Clock
from app.domain.ids import PlatformId, PointId, RuleId, StandbyId, TaskId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine.platforms.succession import present_id
from app.engine.ports import Catalog
from app.engine.standbys.lookup import registered_standby
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.dispatcher import Candidate, Crowd
from app.engine.tasks.manager import QueuedTask
from app.engine.tasks.spec import (
    BackupSpec,
    ClosingSpec,
    ConsolidationSpec,
    ExportSpec,
    GarbageSpec,
    InstantSpec,
    InstantStartSpec,
    InstantStopSpec,
    MigrationSpec,
    OriginalTarget,
    ProofSpec,
    RestoreSpec,
    TaskSpec,
    VerifySpec,
)
from app.engine.tasks.stored import encode_spec, read_spec

_PointSpec = RestoreSpec | VerifySpec | ExportSpec
_StandbySpec = GarbageSpec | ClosingSpec


class TaskFactory:
    """Makes tasks. Thread: any."""

    def __init__(self, catalog: Catalog, repositories: Repositories, clock: Clock) -> None:
        """Make tasks of what the catalog knows.

        Args:
            catalog: knows standbys, points and rules.
            repositories: know points that the catalog does not know yet.
            clock: says when a task was asked for.
        """
        self._catalog = catalog
        self._repositories = repositories
        self._clock = clock

    def task(self, spec: TaskSpec) -> QueuedTask:
        """Make a task that waits.

        Raises:
            OperationalError: what it names is not there.
        """
        if isinstance(spec, BackupSpec):
            record = self._backup(spec)
        elif isinstance(spec, GarbageSpec | ClosingSpec):
            record = self._of_standby(spec)
        elif isinstance(spec, ConsolidationSpec):
            record = self._record(spec, vm=spec.vm, vm_name=spec.vm_name, platform=spec.platform, target_path="")
        elif isinstance(spec, InstantSpec):
            record = self._of_recovery(spec)
        elif isinstance(spec, ProofSpec):
            record = self._of_proof(spec)
        elif isinstance(spec, MigrationSpec):
            record = self._of_migration(spec)
        else:
            record = self._of_point(spec)
        return _queued(record, spec)

    def _backup(self, spec: BackupSpec) -> TaskRecord:
        return self._record(
            spec,
            vm=spec.vm,
            vm_name=spec.vm_name,
            platform=spec.platform,
            target_path=spec.target_path,
            rule=spec.rule,
            rule_name=spec.rule_name,
            host=spec.host,
        )

    def _of_standby(self, spec: _StandbySpec) -> TaskRecord:
        standby = registered_standby(self._catalog.standbys, spec.standby)
        target_path = spec.target_path if isinstance(spec, GarbageSpec) else ""
        name = "/".join(part for part in (standby.name, target_path) if part)
        return self._record(spec, vm=VmId(""), vm_name=name, target_path=target_path)

    def _of_point(self, spec: _PointSpec) -> TaskRecord:
        point = self.find_point(spec.standby, spec.target_path, spec.point)
        restore = spec if isinstance(spec, RestoreSpec) else None
        return self._record(
            spec,
            vm=self._vm_of(spec, point),
            vm_name=point.facts.name,
            platform=restore.platform if restore else None,
            target_path=spec.target_path,
            rule=restore.rule if restore else None,
            rule_name=point.rule_name,
            point=point.id,
        )

    def _of_recovery(self, spec: InstantSpec) -> TaskRecord:
        return self._record(
            spec,
            vm=VmId(""),
            vm_name=spec.vm_name,
            platform=spec.platform,
            target_path=spec.target_path,
            rule=spec.rule,
            rule_name=spec.rule_name,
            point=spec.point,
        )

    def _of_proof(self, spec: ProofSpec) -> TaskRecord:
        point = self.find_point(spec.standby, spec.target_path, spec.point)
        return self._record(
            spec,
            vm=point.facts.vm,
            vm_name=point.facts.name,
            platform=spec.platform,
            target_path=spec.target_path,
            rule=spec.rule,
            rule_name=point.rule_name,
            point=point.id,
        )

    def _of_migration(self, spec: MigrationSpec) -> TaskRecord:
        return self._record(
            spec,
            vm=spec.vm,
            vm_name=spec.vm_name,
            platform=spec.platform,
            target_path="",
            host=spec.host,
        )

    def _record(
        self,
        spec: TaskSpec,
        *,
        vm: VmId,
        vm_name: str,
        target_path: str,
        platform: PlatformId | None = None,
        rule: RuleId | None = None,
        rule_name: str = "",
        point: PointId | None = None,
        host: str = "",
    ) -> TaskRecord:
        return TaskRecord(
            id=TaskId(str(uuid.uuid4())),
            kind=TaskKind(spec.__struct_config__.tag),
            state=TaskState.PENDING,
            vm=vm,
            vm_name=vm_name,
            platform=platform,
            standby=spec.standby,
            target_path=target_path,
            rule=rule,
            rule_name=rule_name,
            priority=spec.priority,
            point=point,
            host=host,
            request=encode_spec(spec),
            created_at=self._clock.now(),
        )

    def _vm_of(self, spec: _PointSpec, point: RestorePoint) -> VmId:
        """Return the VM that a task is about: of one whose place was taken since, the one that took it."""
        vm = point.facts.vm
        if not isinstance(spec, RestoreSpec) or not isinstance(spec.target, OriginalTarget):
            return vm
        return present_id(vm, self._catalog.rules.successions(spec.platform))

    def find_point(self, standby: StandbyId, target_path: str, point: PointId) -> RestorePoint:
        """Find the point in the catalog, or where the catalog does not know it yet, in the repository."""
        known = self._catalog.points.get(standby, target_path, point)
        if known is not None:
            return known.point
        with (
            self._repositories.lease(standby, target_path) as repository,
            repository.open_point(point) as reader,
        ):
            return reader.point


def stored_task(record: TaskRecord) -> QueuedTask:
    """Make the task of a record that still waits in the catalog.

    Raises:
        TaskNotReadable, TaskOfNewerVersion: what it has to do cannot be read.
    """
    return _queued(record, read_spec(record))


def _queued(record: TaskRecord, spec: TaskSpec) -> QueuedTask:
    touches_vm = isinstance(spec, BackupSpec | ConsolidationSpec | MigrationSpec) or (
        isinstance(spec, RestoreSpec) and isinstance(spec.target, OriginalTarget)
    )
    return QueuedTask(
        record=record,
        spec=spec,
        candidate=Candidate(
            task=record.id,
            vm=(record.platform, record.vm) if touches_vm and record.platform is not None else None,
            host=record.host,
            priority=record.priority,
            queued_at=record.created_at,
            counts=not isinstance(spec, InstantStartSpec | InstantStopSpec | ProofSpec),
            lines=_lines_of(spec),
            crowd=_crowd_of(spec),
        ),
    )


def _lines_of(spec: TaskSpec) -> tuple[str, ...]:
    """Return the lines that a task stands in.

    That of its recovery, its migration, or the point that it proves; and VMs of a platform start in their order.
    """
    if isinstance(spec, ProofSpec):
        return (f"proof {spec.standby} {spec.target_path} {spec.point}",)
    if isinstance(spec, MigrationSpec):
        return (f"migration {spec.migration}",)
    if not isinstance(spec, InstantSpec):
        return ()
    own = f"instant recovery {spec.recovery}"
    return (own, f"instant start {spec.platform}") if isinstance(spec, InstantStartSpec) else (own,)


def _crowd_of(spec: TaskSpec) -> Crowd | None:
    """Return with which tasks one is in a crowd: proofs of one rule start VMs that hosts have to bear."""
    return Crowd(f"proofs of {spec.rule}", spec.at_once) if isinstance(spec, ProofSpec) else None
