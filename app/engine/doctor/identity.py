"""Whether the VMs of a rule are still those that it protects; the decisions are those of a backup."""

from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError, VmNotFound
from app.domain.identity import RecordedVm, Verdict, compare, present
from app.domain.platforms import PlatformIdentity
from app.domain.rules import ProtectedVm
from app.domain.vms import VmDetails
from app.engine.doctor import kinds as k
from app.engine.errors import IdOfAnotherVm, VmUnderAnotherId
from app.engine.identification import described, find_vm
from app.engine.queries.platforms import Finding


def examine_identity(
    hypervisor: Hypervisor, vm: ProtectedVm, recorded: RecordedVm, here: PlatformIdentity
) -> tuple[VmDetails | None, tuple[Finding, ...]]:
    """Return a VM of a rule, None where it is not there, and what is to be said of its identity."""
    try:
        return _examined(hypervisor, vm, recorded, here)
    except OperationalError as error:
        return None, (k.of_error(vm.name, error),)


def _examined(
    hypervisor: Hypervisor, vm: ProtectedVm, recorded: RecordedVm, here: PlatformIdentity
) -> tuple[VmDetails | None, tuple[Finding, ...]]:
    try:
        details = hypervisor.vm_details(vm.vm)
    except VmNotFound as gone:
        return _elsewhere(hypervisor, vm, recorded, here, gone)
    if recorded.instance_uuid is None and not recorded.disk_uuids:
        return details, ()  # nothing is known of it before its first backup
    if compare(recorded, present(details), here) is Verdict.SAME:
        return details, ()
    another = IdOfAnotherVm(vm=vm.vm, address=here.address, found=details.summary.name, expected=recorded.name)
    found = find_vm(hypervisor, recorded, here)
    if found.vm is not None and found.vm.id == vm.vm and found.verdict is not Verdict.ANOTHER:
        return details, (k.VmUnsure.about(vm.name),) if found.verdict is Verdict.UNSURE else ()
    return _elsewhere(hypervisor, vm, recorded, here, another)


def _elsewhere(
    hypervisor: Hypervisor,
    vm: ProtectedVm,
    recorded: RecordedVm,
    here: PlatformIdentity,
    otherwise: OperationalError,
) -> tuple[VmDetails | None, tuple[Finding, ...]]:
    """Look for a VM that is not what has its id."""
    found = find_vm(hypervisor, recorded, here)
    if found.verdict is Verdict.MOVED and found.vm is not None:
        return hypervisor.vm_details(found.vm.id), (k.VmRegisteredAgain.about(vm.name, new=found.vm.id),)
    candidates = found.candidates or ((found.vm,) if found.vm is not None and found.vm.id != vm.vm else ())
    if candidates:
        error = VmUnderAnotherId(name=recorded.name, vm=vm.vm, address=here.address, found=described(candidates))
        return None, (k.of_error(vm.name, error),)
    return None, (k.of_error(vm.name, otherwise),)
