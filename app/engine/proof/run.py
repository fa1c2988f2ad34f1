"""The run of a proof of restore, and what is remembered of it."""

from app.core.context import TaskContext
from app.domain.errors import OperationalError
from app.domain.ids import RuleId, VmId
from app.domain.proofs import ProofOutcome, RestoreProof
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskState
from app.engine.instant.services import InstantServices
from app.engine.platforms.succession import present_id
from app.engine.ports import Catalog
from app.engine.proof import messages
from app.engine.proof.booting import Booting, cannot_start
from app.engine.proof.errors import NoPlatformToStart, PointNotProven
from app.engine.proof.structure import read_structures
from app.engine.proof.verdict import Verdict
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import ProofSpec


class ProofRuns:
    """Runs proofs of restore. Thread: any."""

    def __init__(self, services: InstantServices, catalog: Catalog, factory: TaskFactory) -> None:
        self._services = services
        self._catalog = catalog
        self._factory = factory

    def run(self, task: RunningTask, spec: ProofSpec) -> None:
        """Prove one restore point, and remember how that ended.

        Raises:
            PointNotProven: it was tried, and is not proven; that is remembered.
            OperationalError: it could not be tried; what was known of the point stays.
            TaskCancelled: the operator stopped it; likewise.
        """
        point = self._factory.find_point(spec.standby, spec.target_path, spec.point)
        _ProofRun(self._services, self._catalog, task, spec, point).run()


class _ProofRun:
    """One proof. Thread: the task's."""

    def __init__(
        self,
        services: InstantServices,
        catalog: Catalog,
        task: RunningTask,
        spec: ProofSpec,
        point: RestorePoint,
    ) -> None:
        self._services = services
        self._catalog = catalog
        self._task = task
        self._spec = spec
        self._point = point

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> None:
        self._task.stages.enter(TaskState.PREPARING)
        began_s = self._context.clock.monotonic()
        verdict = self._verdict()
        seconds = self._context.clock.monotonic() - began_s
        self._remember(verdict, seconds)
        if verdict.outcome is not ProofOutcome.PROVEN:
            self._context.log.warning(messages.NOT_PROVEN, seconds=round(seconds), reason=verdict.reason)
            raise PointNotProven(vm=self._point.facts.name, reason=verdict.reason)
        self._context.log.info(messages.PROVEN, seconds=round(seconds), reason=verdict.reason)

    def _verdict(self) -> Verdict:
        """Find out; where the VM cannot be started, by what is on its disks."""
        try:
            if self._spec.platform is None:
                raise NoPlatformToStart(vm=self._point.facts.name)
            return Booting(self._services, self._task, self._spec, self._spec.platform).run()
        except OperationalError as error:
            if not cannot_start(error):
                raise
            self._context.log.warning(messages.NOT_STARTED, detail=error)
            return read_structures(self._services.repositories, self._task, self._spec, error)

    def _remember(self, verdict: Verdict, seconds: float) -> None:
        proof = RestoreProof(
            kind=verdict.kind,
            outcome=verdict.outcome,
            at=self._services.clock.now(),
            reason=verdict.reason,
            task=self._task.id,
            seconds=seconds,
            has_picture=verdict.picture is not None,
        )
        spec = self._spec
        self._catalog.proofs.put(
            spec.standby, spec.target_path, spec.point, proof, verdict.picture, self._member()
        )

    def _member(self) -> tuple[RuleId, VmId] | None:
        """Return the VM in a rule that the point is of; None where it is of none any more."""
        spec, point = self._spec, self._point
        for rule in self._catalog.rules.all():
            is_of_it = (rule.standby, rule.target_path, rule.name) == (
                spec.standby,
                spec.target_path,
                point.rule_name,
            )
            vm = present_id(point.facts.vm, self._catalog.rules.successions(rule.platform)) if is_of_it else None
            if vm is not None and rule.vm(vm) is not None:
                return rule.id, vm
        return None
