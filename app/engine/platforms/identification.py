"""Finding on a platform the VM that is on record. The decisions are :mod:`app.domain.identity`."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError, VmNotFound
from app.domain.identity import (
    Located,
    PresentVm,
    RecordedVm,
    Verdict,
    belongs,
    compare,
    locate,
    present,
    recorded_in,
    recorded_protected,
    worth_a_look,
)
from app.domain.ids import PlatformId, VmId
from app.domain.platforms import PlatformIdentity, origin_among
from app.domain.reach import SystemVmRefused
from app.domain.restore_point import RestorePoint
from app.domain.rules import ProtectedVm
from app.domain.vms import VmDetails, VmSummary
from app.engine.errors import IdOfAnotherVm, VmUnderAnotherId
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.succession import present_id
from app.engine.ports import RuleStore

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The VM that a backup is of."""

    details: VmDetails
    verdict: Verdict
    """SAME, also where nothing is known of it yet; MOVED: it has another id; UNSURE: it may be another VM."""
    inventory: tuple[VmSummary, ...] = ()
    """The VMs of the platform, where they were asked for: always when it is MOVED."""


def find_vm(
    hypervisor: Hypervisor,
    recorded: RecordedVm,
    here: PlatformIdentity,
    inventory: Iterable[VmSummary],
) -> Located:
    """Find a VM on a platform; the disks of the VMs that could be it are asked for.

    Args:
        hypervisor: a session on the platform.
        recorded: the VM on record.
        here: the platform.
        inventory: the VMs of the platform.

    Raises:
        OperationalError: the platform failed.
    """
    return locate(recorded, _present(hypervisor, recorded, inventory), here)


def find_original(
    sessions: Sessions,
    rules: RuleStore,
    hypervisor: Hypervisor,
    platform: PlatformId,
    point: RestorePoint,
    inventory: Iterable[VmSummary],
) -> tuple[RecordedVm, Located]:
    """Return what is on record of a point's VM, and which VM of a platform it is.

    On another platform than the point's, where that is registered too, nothing is proven: a site that was copied
    has VMs that agree in everything.

    Args:
        sessions: knows what is registered.
        rules: know what became of the VM.
        hypervisor: a session on the platform.
        platform: where to look.
        point: the restore point.
        inventory: the VMs of the platform.

    Raises:
        OperationalError: the platform failed.
    """
    recorded = recorded_for_restore(rules, platform, point)
    found = find_vm(hypervisor, recorded, sessions.identity(platform, hypervisor), inventory)
    origin = origin_among(point.facts.platform, sessions.identities())
    if origin not in (None, platform):
        found = replace(found, is_proven=False)
    return recorded, found


def find_subject(hypervisor: Hypervisor, recorded: RecordedVm, here: PlatformIdentity) -> Subject:
    """Find the VM that a backup of the one on record reads: never one that only has its id.

    Args:
        hypervisor: a session on the platform.
        recorded: the VM on record, with the id that it has in its rule.
        here: the platform.

    Raises:
        IdOfAnotherVm: the id belongs to another VM now.
        VmUnderAnotherId: it is perhaps there under another id.
        VmNotFound: it is not there.
        SystemVmRefused: it belongs to the platform itself.
        VmDisconnected, VmHostSilent, VmInaccessible, VmInvalid, VmOrphaned: the platform does not reach it.
        OperationalError: the platform failed.
    """
    found = _find_subject(hypervisor, recorded, here)
    refuse_unfit(found.details.summary)
    return found


def refuse_unfit(vm: VmSummary) -> None:
    """Refuse a VM that cannot be backed up or replaced as it is now.

    Raises:
        SystemVmRefused: it belongs to the platform itself.
        VmDisconnected, VmHostSilent, VmInaccessible, VmInvalid, VmOrphaned: the platform does not reach it.
    """
    if vm.system_role is not None:
        raise SystemVmRefused(vm=vm.name, role=vm.system_role)
    if vm.unreached is not None:
        raise vm.unreached


def _find_subject(hypervisor: Hypervisor, recorded: RecordedVm, here: PlatformIdentity) -> Subject:
    try:
        details = hypervisor.vm_details(recorded.id)
    except VmNotFound as gone:
        return _elsewhere(hypervisor, recorded, here, gone)
    if recorded.instance_uuid is None and not recorded.disk_uuids:
        return Subject(
            details=details, verdict=Verdict.SAME
        )  # before the first backup nothing is known to compare
    if compare(recorded, present(details), here) is Verdict.SAME:
        return Subject(details=details, verdict=Verdict.SAME)
    return _doubtful(hypervisor, recorded, here, details)


def _doubtful(hypervisor: Hypervisor, recorded: RecordedVm, here: PlatformIdentity, details: VmDetails) -> Subject:
    """Decide about a VM that has the id and is not certainly the one on record."""
    inventory = tuple(hypervisor.list_vms())
    found = find_vm(hypervisor, recorded, here, inventory)
    if found.vm is not None and found.vm.id == recorded.id and found.verdict is not Verdict.ANOTHER:
        verdict = Verdict.UNSURE if found.verdict is Verdict.UNSURE else Verdict.SAME
        return Subject(details=details, verdict=verdict, inventory=inventory)
    if found.verdict is Verdict.MOVED and found.vm is not None:
        return _moved(hypervisor, found.vm, inventory)
    if found.verdict is Verdict.UNSURE:
        raise _under_another_id(recorded, here, found)
    raise IdOfAnotherVm(vm=recorded.id, address=here.address, found=details.summary.name, expected=recorded.name)


def _elsewhere(hypervisor: Hypervisor, recorded: RecordedVm, here: PlatformIdentity, gone: VmNotFound) -> Subject:
    """Look for a VM whose id is gone."""
    inventory = tuple(hypervisor.list_vms())
    found = find_vm(hypervisor, recorded, here, inventory)
    if found.verdict is Verdict.MOVED and found.vm is not None:
        return _moved(hypervisor, found.vm, inventory)
    if found.verdict is Verdict.GONE:
        raise gone
    raise _under_another_id(recorded, here, found) from gone


def _moved(hypervisor: Hypervisor, vm: VmSummary, inventory: tuple[VmSummary, ...]) -> Subject:
    return Subject(details=hypervisor.vm_details(vm.id), verdict=Verdict.MOVED, inventory=inventory)


def _under_another_id(recorded: RecordedVm, here: PlatformIdentity, found: Located) -> VmUnderAnotherId:
    vms = found.candidates or ((found.vm,) if found.vm is not None else ())
    return VmUnderAnotherId(name=recorded.name, vm=recorded.id, address=here.address, found=described(vms))


def _present(hypervisor: Hypervisor, recorded: RecordedVm, vms: Iterable[VmSummary]) -> Iterator[PresentVm]:
    for vm in vms:
        if not worth_a_look(recorded, vm):
            continue
        try:
            yield present(hypervisor.vm_details(vm.id))
        except OperationalError as error:
            _log.info("the disks of %s are not known: %s", vm.id, error.code)
            yield PresentVm(summary=vm)


def protected_vm(rules: RuleStore, platform: PlatformId, vm: VmId) -> ProtectedVm | None:
    """Return a VM of a platform as its rule knows it; None when it is in none."""
    for rule in rules.all():
        if rule.platform == platform and (found := rule.vm(vm)) is not None:
            return found
    return None


def recorded_for_backup(
    protected: ProtectedVm | None,
    vm: VmId,
    name: str,
    here: PlatformIdentity,
    points: Sequence[RestorePoint],
) -> RecordedVm:
    """Return what is on record of a VM that is to be backed up.

    Args:
        protected: what its rule knows; None without a rule.
        vm: its id.
        name: its name in the request.
        here: its platform.
        points: those of the chain of its id, newest first; they may be another VM's.
    """
    known = protected or ProtectedVm(vm=vm, name=name)
    base = recorded_protected(known, here)
    newest = next((point for point in points if point.facts.vm == vm and belongs(point.facts, known)), None)
    if newest is None:
        return base
    seen = recorded_in(newest)
    if known.instance_uuid is None:
        return seen
    return replace(
        seen,
        instance_uuid=known.instance_uuid,
        bios_uuid=known.bios_uuid or seen.bios_uuid,
        platform=base.platform,
    )


def recorded_for_restore(rules: RuleStore, platform: PlatformId, point: RestorePoint) -> RecordedVm:
    """Return what is on record of the VM that a restore over its original looks for.

    A VM that was restored before has another id, and perhaps another UUID, than the point says: what this program
    did itself is known.
    """
    recorded = recorded_in(point)
    id_now = present_id(recorded.id, rules.successions(platform))
    if id_now == recorded.id:
        return recorded
    protected = protected_vm(rules, platform, id_now)
    if protected is None or not protected.instance_uuid:
        return replace(recorded, id=id_now)
    if not belongs(point.facts, protected):
        return recorded
    return replace(recorded, id=id_now, instance_uuid=protected.instance_uuid, bios_uuid=protected.bios_uuid)


def note_identity(rules: RuleStore, platform: PlatformId, vm: VmSummary, here: PlatformIdentity) -> None:
    """Keep by what a VM of a rule is known now. Never raises: the next backup does it again."""
    known = ProtectedVm(
        vm=vm.id,
        name=vm.name,
        instance_uuid=vm.instance_uuid,
        bios_uuid=vm.bios_uuid,
        platform_uuid=here.instance_uuid,
    )
    with suppress(OperationalError):
        before = protected_vm(rules, platform, vm.id)
        if before is not None and replace(before, name=known.name, is_started=True) != known:
            rules.identify(platform, known)


def note_created(
    rules: RuleStore, sessions: Sessions, platform: PlatformId, hypervisor: Hypervisor, vm: VmId
) -> None:
    """Keep by what a VM is known that took the place of a rule's VM. Never raises."""
    try:
        summary = hypervisor.vm_details(vm).summary
        here = sessions.identity(platform, hypervisor)
    except OperationalError as error:
        _log.warning("by what %s is known now was not kept: %s", vm, error)
        return
    note_identity(rules, platform, summary, here)


def described(vms: Iterable[VmSummary]) -> str:
    """Name VMs so that an operator finds them, for an error."""
    return ", ".join(f"{vm.name} ({vm.id})" for vm in vms)
