"""Finding on a platform the VM that is on record. The decisions are :mod:`app.domain.identity`."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from app.core.hypervisor import Hypervisor
from app.domain.errors import OperationalError
from app.domain.identity import (
    Located,
    PresentVm,
    RecordedVm,
    belongs,
    locate,
    present,
    recorded_in,
    recorded_protected,
    worth_a_look,
)
from app.domain.ids import PlatformId, VmId
from app.domain.platforms import Platform, PlatformIdentity
from app.domain.restore_point import RestorePoint
from app.domain.rules import ProtectedVm
from app.domain.vms import VmSummary
from app.engine.ports import Catalog
from app.engine.succession import present_id

_log = logging.getLogger(__name__)


def identity_of(platform: Platform, hypervisor: Hypervisor) -> PlatformIdentity:
    """Return what tells the platform of a session from others."""
    return PlatformIdentity(address=platform.address, instance_uuid=hypervisor.facts.instance_uuid)


def known_identity(catalog: Catalog, platform: Platform) -> PlatformIdentity:
    """Return what was last seen of a platform's identity, without asking it."""
    seen = catalog.sightings.get(platform.id)
    uuid = seen.facts.instance_uuid if seen is not None and seen.facts is not None else None
    return PlatformIdentity(address=platform.address, instance_uuid=uuid)


def find_vm(
    hypervisor: Hypervisor,
    recorded: RecordedVm,
    here: PlatformIdentity,
    inventory: Sequence[VmSummary] | None = None,
) -> Located:
    """Find a VM on a platform; the disks of the VMs that could be it are asked for.

    Args:
        hypervisor: a session on the platform.
        recorded: the VM on record.
        here: the platform.
        inventory: what the platform has, where that was asked for already.

    Raises:
        OperationalError: the platform failed.
    """
    vms = hypervisor.list_vms() if inventory is None else inventory
    return locate(recorded, _present(hypervisor, recorded, vms), here)


def _present(hypervisor: Hypervisor, recorded: RecordedVm, vms: Iterable[VmSummary]) -> Iterator[PresentVm]:
    for vm in vms:
        if not worth_a_look(recorded, vm):
            continue
        try:
            yield present(hypervisor.vm_details(vm.id))
        except OperationalError as error:
            _log.info("the disks of %s are not known: %s", vm.id, error.code)
            yield PresentVm(summary=vm)


def protected_vm(catalog: Catalog, platform: PlatformId, vm: VmId) -> ProtectedVm | None:
    """Return a VM of a platform as its rule knows it; None when it is in none."""
    for rule in catalog.rules.all():
        if rule.platform == platform and (found := rule.vm(vm)) is not None:
            return found
    return None


def recorded_for_backup(
    protected: ProtectedVm | None, vm: VmId, name: str, address: str, points: Sequence[RestorePoint]
) -> RecordedVm:
    """Return what is on record of a VM that is to be backed up.

    Args:
        protected: what its rule knows; None without a rule.
        vm: its id.
        name: its name in the request.
        address: of its platform.
        points: those of the chain of its id, newest first; they may be another VM's.
    """
    known = protected or ProtectedVm(vm=vm, name=name)
    base = recorded_protected(known, address)
    newest = next((one for one in points if one.facts.vm == vm and belongs(one.facts, known)), None)
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


def recorded_for_restore(catalog: Catalog, platform: PlatformId, point: RestorePoint) -> RecordedVm:
    """Return what is on record of the VM that a restore over its original looks for.

    A VM that was restored before has another id, and perhaps another UUID, than the point says: what this program
    did itself is known.
    """
    recorded = recorded_in(point)
    id_now = present_id(recorded.id, catalog.rules.successions(platform))
    if id_now == recorded.id:
        return recorded
    protected = protected_vm(catalog, platform, id_now)
    if protected is None or not protected.instance_uuid:
        return replace(recorded, id=id_now)
    if not belongs(point.facts, protected):
        return recorded
    return replace(recorded, id=id_now, instance_uuid=protected.instance_uuid, bios_uuid=protected.bios_uuid)


def note_identity(catalog: Catalog, platform: PlatformId, vm: VmSummary, here: PlatformIdentity) -> None:
    """Keep by what a VM of a rule is known now. Never raises: the next backup does it again."""
    known = ProtectedVm(
        vm=vm.id,
        name=vm.name,
        instance_uuid=vm.instance_uuid,
        bios_uuid=vm.bios_uuid,
        platform_uuid=here.instance_uuid,
    )
    with suppress(OperationalError):
        before = protected_vm(catalog, platform, vm.id)
        if before is not None and replace(before, name=known.name, is_started=True) != known:
            catalog.rules.identify(platform, known)


def note_created(catalog: Catalog, platform: Platform, hypervisor: Hypervisor, vm: VmId) -> None:
    """Keep by what a VM is known that took the place of a rule's VM. Never raises."""
    try:
        summary = hypervisor.vm_details(vm).summary
    except OperationalError as error:
        _log.warning("by what %s is known now was not kept: %s", vm, error)
        return
    note_identity(catalog, platform.id, summary, identity_of(platform, hypervisor))


def described(vms: Iterable[VmSummary]) -> str:
    """Name VMs so that an operator finds them, for an error."""
    return ", ".join(f"{vm.name} ({vm.id})" for vm in vms)
