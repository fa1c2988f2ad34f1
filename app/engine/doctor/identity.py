"""Whether the VMs of a rule are still those that it protects; the decisions are those of a backup."""

from app.contract.doctor import Finding
from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError
from app.domain.identity import RecordedVm, Verdict
from app.domain.platforms import PlatformIdentity
from app.domain.vms import VmDetails
from app.engine.doctor import kinds
from app.engine.platforms.identification import find_subject


def examine_identity(
    hypervisor: Hypervisor, name: str, recorded: RecordedVm, here: PlatformIdentity
) -> tuple[VmDetails | None, tuple[Finding, ...]]:
    """Return a VM of a rule, None where a backup of it would fail, and what is to be said of its identity.

    Args:
        hypervisor: a session on the platform.
        name: of the VM in the rule.
        recorded: what is on record of it.
        here: the platform.
    """
    try:
        found = find_subject(hypervisor, recorded, here)
    except OperationalError as error:
        return None, (kinds.of_error(name, error),)
    if found.verdict is Verdict.MOVED:
        return found.details, (kinds.VmRegisteredAgain.about(name, new=found.details.summary.id),)
    if found.verdict is Verdict.UNSURE:
        return found.details, (kinds.VmUnsure.about(name),)
    return found.details, ()
