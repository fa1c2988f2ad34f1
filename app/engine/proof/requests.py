"""Answers what is asked of proofs of restore, and hands their work to tasks."""

from dataclasses import replace

from app.contract.proofs import ListProofs, ProofPicture, ProofRow, ReadProofPicture, StartProof
from app.domain.ids import TaskId
from app.domain.proofs import ProofPolicy, ProofProblem
from app.domain.rules import BackupRule
from app.domain.tasks import KnownPoint
from app.engine.errors import RequestRefused
from app.engine.handlers import handles
from app.engine.platforms.sessions import Sessions
from app.engine.ports import Catalog
from app.engine.proof.reasons import OUT_OF_RANGE
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import ProofSpec


class ProofHandlers:
    """Answers commands and queries about proofs of restore. Thread: any."""

    def __init__(
        self, *, catalog: Catalog, sessions: Sessions, manager: TaskManager, factory: TaskFactory
    ) -> None:
        self._catalog = catalog
        self._sessions = sessions
        self._manager = manager
        self._factory = factory

    @handles(StartProof)
    def _start(self, command: StartProof) -> TaskId:
        point = self._factory.find_point(command.standby, command.target_path, command.point)
        known = self._catalog.points.get(command.standby, command.target_path, command.point)
        rule = rule_of_point(
            self._catalog, KnownPoint(standby=command.standby, target_path=command.target_path, point=point)
        )
        policy = _chosen(command, ProofPolicy() if rule is None else rule.proof)
        platform = policy.platform or (None if known is None else known.platform)
        if platform is not None:
            self._sessions.platform(platform)
        spec = ProofSpec(
            standby=command.standby,
            target_path=command.target_path,
            point=command.point,
            platform=platform,
            host=policy.host,
            address=command.address,
            limit_s=60.0 * policy.limit_min,
            cpus=policy.cpus,
            memory_mib=policy.memory_mib,
            rule=None if rule is None else rule.id,
            at_once=policy.at_once,
            priority=command.priority,
        )
        return self._manager.submit(self._factory.task(spec))

    @handles(ListProofs)
    def _list(self, query: ListProofs) -> tuple[ProofRow, ...]:
        names = {standby.id: standby.name for standby in self._catalog.standbys.all()}
        found = self._catalog.points.find(rule_name=query.rule_name, vm=query.vm)
        rows = [row for known in found if (row := ProofRow.of(known, names.get(known.standby, "")))]
        return tuple(sorted(rows, key=lambda row: row.proof.at, reverse=True))

    @handles(ReadProofPicture)
    def _read_picture(self, query: ReadProofPicture) -> ProofPicture | None:
        found = self._catalog.proofs.picture(query.standby, query.target_path, query.point)
        return None if found is None else ProofPicture(png=found[0], at=found[1])


def rule_of_point(catalog: Catalog, known: KnownPoint) -> BackupRule | None:
    """Return the rule that a restore point belongs to; None where there is none any more."""
    place = (known.standby, known.target_path, known.point.rule_name)
    return next(
        (rule for rule in catalog.rules.all() if (rule.standby, rule.target_path, rule.name) == place), None
    )


def _chosen(command: StartProof, policy: ProofPolicy) -> ProofPolicy:
    """Return the settings of a rule with what the operator chose instead.

    Raises:
        RequestRefused: a number is out of its range.
    """
    is_moved = command.platform not in (None, policy.platform)
    usual_host = "" if is_moved else policy.host
    chosen = replace(
        policy,
        platform=command.platform or policy.platform,
        host=usual_host if command.host is None else command.host,
        limit_min=policy.limit_min if command.limit_min is None else command.limit_min,
        cpus=policy.cpus if command.cpus is None else command.cpus,
        memory_mib=policy.memory_mib if command.memory_mib is None else command.memory_mib,
    )
    relevant = [problem for problem in chosen.problems() if problem is not ProofProblem.BUDGET_OUT_OF_RANGE]
    if relevant:
        raise RequestRefused(detail=OUT_OF_RANGE.fill())
    return chosen
