"""The second best proof: the partition tables and file systems of a restore point are read."""

from collections.abc import Sequence
from contextlib import ExitStack, closing

from app.domain.errors import OperationalError
from app.domain.messages import Message, listed
from app.domain.proofs import ProofKind, ProofOutcome
from app.domain.states import TaskState
from app.engine.points.reading import opened_point
from app.engine.proof import messages
from app.engine.proof.reasons import NOTHING_FOUND, STRUCTURE_BROKEN, STRUCTURE_READ, SYSTEMS
from app.engine.proof.verdict import Verdict
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import ProofSpec
from app.guestcheck import DiskFindings, check_disks
from app.repository import PinPurpose
from app.repository.errors import DataDamaged


def read_structures(
    repositories: Repositories, task: RunningTask, spec: ProofSpec, why: OperationalError
) -> Verdict:
    """Read what is on the disks of a restore point.

    Args:
        repositories: opens the point's.
        task: the proof.
        spec: says which point.
        why: why its VM was not started.

    Raises:
        OperationalError: the point cannot be read now.
        TaskCancelled: the operator stopped it.
    """
    context = task.context
    task.stages.enter(TaskState.VERIFYING)
    try:
        with (
            repositories.lease(spec.standby, spec.target_path, context.cancel) as repository,
            opened_point(repository, spec.point, PinPurpose.VERIFICATION, context.log) as point,
            ExitStack() as stack,
        ):
            disks = [
                (disk.label, stack.enter_context(closing(point.open_disk(disk.key)))) for disk in point.point.disks
            ]
            findings = check_disks(disks, context.cancel)
    except DataDamaged as error:
        return _verdict(ProofOutcome.NOT_PROVEN, STRUCTURE_BROKEN.fill(problem=error, why=why))
    for found in findings:
        context.log.info(messages.DISK_READ, disk=found.label, found=_named(found))
    return _judged(findings, why)


def _judged(findings: Sequence[DiskFindings], why: OperationalError) -> Verdict:
    """Return what findings prove: whatever is damaged, nothing; and nothing is proven by empty disks."""
    problem = listed(problem.said(found.label) for found in findings for problem in found.problems)
    if problem is not None:
        return _verdict(ProofOutcome.NOT_PROVEN, STRUCTURE_BROKEN.fill(problem=problem, why=why))
    systems = listed(
        SYSTEMS.fill(disk=found.label, systems=", ".join(found.systems)) for found in findings if found.systems
    )
    if systems is None:
        return _verdict(ProofOutcome.NOT_PROVEN, NOTHING_FOUND.fill(why=why))
    return _verdict(ProofOutcome.PROVEN, STRUCTURE_READ.fill(found=systems, why=why))


def _named(found: DiskFindings) -> str:
    """Return the names of what is in order on a disk, the partition table first."""
    return ", ".join(name for name in (found.table, *found.systems) if name) or "-"


def _verdict(outcome: ProofOutcome, reason: Message) -> Verdict:
    return Verdict(kind=ProofKind.STRUCTURE, outcome=outcome, reason=reason)
