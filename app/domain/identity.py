"""Decides whether a VM of an inventory is the one on record: pure functions.

A managed object id, an instance UUID, a BIOS UUID, a name, a folder and disk UUIDs each prove nothing alone: an id
is given to another VM when a platform is set up again, a copied VM keeps the UUIDs of its original, and a name is
given twice. Only what agrees together is proof. :func:`compare` judges one pair, :func:`locate` a whole inventory.

The verdicts and what may follow from them:

======================== ============================== ===========================================
verdict                  a backup                       what destroys the VM (restore over it)
======================== ============================== ===========================================
:attr:`Verdict.SAME`     goes on                        goes on
:attr:`Verdict.MOVED`    follows the VM to its new id   follows it, where :attr:`Located.is_proven`
:attr:`Verdict.UNSURE`   goes on under the recorded id, asks the operator, who sees both VMs
                         never under another id
:attr:`Verdict.ANOTHER`  fails and names the VM         refuses and names the VM
:attr:`Verdict.GONE`     fails                          creates the VM again
======================== ============================== ===========================================
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from app.domain.ids import VmId
from app.domain.platforms import PlatformIdentity
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.rules import ProtectedVm
from app.domain.vms import VirtualDisk, VmDetails, VmSummary


class Verdict(Enum):
    """What a VM of an inventory is to the VM on record."""

    SAME = "same"
    MOVED = "moved"
    """The same VM under another id: it was registered again, or its platform was set up again."""
    ANOTHER = "another"
    """Another VM that has the id or the UUID of the one on record."""
    UNSURE = "unsure"
    """It cannot be determined."""
    GONE = "gone"
    """No VM of the inventory has anything to do with the one on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVm:
    """What is on record of a VM; None or empty is not known."""

    id: VmId
    name: str
    platform: PlatformIdentity
    instance_uuid: str | None = None
    bios_uuid: str | None = None
    folder: tuple[str, ...] | None = None
    disk_uuids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentVm:
    """A VM of an inventory with the UUIDs of its disks; None before they were asked for."""

    summary: VmSummary
    disk_uuids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """Which VM of an inventory is the one on record."""

    verdict: Verdict
    vm: VmSummary | None = None
    """The VM that the verdict is about; None when it is gone, or when several VMs are candidates."""
    candidates: tuple[VmSummary, ...] = ()
    """Where it cannot be determined: the VMs that it could be."""
    is_proven: bool = False
    """True where it is certain enough to destroy the VM: name, UUID and (id or disks) agree, or id and UUID do."""


@dataclass(frozen=True, slots=True)
class _Agreement:
    """What agrees; None where one side does not know it."""

    instance_uuid: bool | None
    bios_uuid: bool | None
    id: bool | None
    """None on another platform: ids prove nothing there."""
    name: bool
    folder: bool | None
    disks: bool | None

    @property
    def is_contradicted(self) -> bool:
        """Return whether nothing but keys that copies share speaks for it, and something speaks against it."""
        return not self.name and self.disks is False


def recorded_in(point: RestorePoint) -> RecordedVm:
    """Return what a restore point has on record of its VM."""
    return recorded_facts(point.facts, frozenset(disk.uuid for disk in point.disks if disk.uuid))


def recorded_facts(facts: VmFacts, disk_uuids: frozenset[str] = frozenset()) -> RecordedVm:
    """Return what the facts of a restore point have on record of its VM."""
    return RecordedVm(
        id=facts.vm,
        name=facts.name,
        platform=facts.platform,
        instance_uuid=facts.instance_uuid,
        bios_uuid=facts.bios_uuid,
        folder=facts.folder,
        disk_uuids=disk_uuids,
    )


def recorded_protected(vm: ProtectedVm, platform: PlatformIdentity) -> RecordedVm:
    """Return what a rule has on record of one of its VMs.

    Args:
        vm: the VM in the rule.
        platform: the rule's, as it is now; it counts where the one that the VM was seen on has no known UUID.
    """
    seen_on = platform if vm.platform_uuid is None else replace(platform, instance_uuid=vm.platform_uuid)
    return RecordedVm(
        id=vm.vm,
        name=vm.name,
        platform=seen_on,
        instance_uuid=vm.instance_uuid,
        bios_uuid=vm.bios_uuid,
    )


def recorded_present(vm: VmDetails, platform: PlatformIdentity) -> RecordedVm:
    """Put a VM on record as it is now, so that it is known again a moment later."""
    summary = vm.summary
    return RecordedVm(
        id=summary.id,
        name=summary.name,
        platform=platform,
        instance_uuid=summary.instance_uuid,
        bios_uuid=summary.bios_uuid,
        folder=summary.folder,
        disk_uuids=_uuids_of(vm.disks),
    )


def present(vm: VmDetails) -> PresentVm:
    """Return a VM with the UUIDs of its disks."""
    return PresentVm(summary=vm.summary, disk_uuids=_uuids_of(vm.disks))


def worth_a_look(recorded: RecordedVm, vm: VmSummary) -> bool:
    """Return whether a VM shares a key with the one on record, so that its disks are worth asking for."""
    return (
        same_uuid(recorded.instance_uuid, vm.instance_uuid) is True
        or same_uuid(recorded.bios_uuid, vm.bios_uuid) is True
        or vm.id == recorded.id
        or vm.name == recorded.name
    )


def compare(recorded: RecordedVm, vm: PresentVm, platform: PlatformIdentity) -> Verdict:
    """Judge one VM alone.

    Args:
        recorded: the VM on record.
        vm: the VM to judge.
        platform: what it is on.

    Returns:
        Never :attr:`Verdict.GONE`. :attr:`Verdict.ANOTHER` also for a VM that has nothing in common.
    """
    return _verdict(_agreement(recorded, vm, platform))


def locate(recorded: RecordedVm, inventory: Iterable[PresentVm], platform: PlatformIdentity) -> Located:
    """Find the VM on record in a whole inventory.

    A VM that has the recorded id and UUID is that VM, unless another with the same UUID resembles it more. Under
    another id it is only found where no second VM has its UUID.
    """
    known = [(vm, _agreement(recorded, vm, platform)) for vm in inventory]
    same = [(vm, found) for vm, found in known if _verdict(found) is Verdict.SAME]
    moved = [(vm, found) for vm, found in known if _verdict(found) is Verdict.MOVED]
    unsure = [(vm, found) for vm, found in known if _verdict(found) is Verdict.UNSURE]
    if same:
        vm, agreement = same[0]
        rivals = [rival for rival, found in (*moved, *unsure) if _resembles_more(found, agreement)]
        if rivals:
            return _unsure(vm, *rivals)
        return Located(verdict=Verdict.SAME, vm=vm.summary, is_proven=_is_proof(agreement))
    sharing = [vm for vm, found in known if found.instance_uuid is True]
    if len(moved) == 1 and len(sharing) == 1 and not any(found.id for _, found in unsure):
        vm, agreement = moved[0]
        return Located(verdict=Verdict.MOVED, vm=vm.summary, is_proven=_is_proof(agreement))
    if moved or unsure:
        return _unsure(*(vm for vm, _ in (*moved, *unsure)))
    others = sharing or [vm for vm, found in known if found.id]
    if others:
        return Located(verdict=Verdict.ANOTHER, vm=others[0].summary)
    return Located(verdict=Verdict.GONE)


def same_uuid(uuid: str | None, other: str | None) -> bool | None:
    """Return whether two UUIDs are the same, however they are written; None where one is not known."""
    if not uuid or not other:
        return None
    return uuid.lower() == other.lower()


def belongs(facts: VmFacts, vm: ProtectedVm) -> bool:
    """Return whether a restore point that was made under an id of a VM is one of this VM.

    An id may have been another VM's before. A VM that was restored under a new UUID keeps its name.
    """
    return same_uuid(facts.instance_uuid, vm.instance_uuid) is not False or facts.name == vm.name


def uncovered_disks(point: RestorePoint, vm: VmDetails) -> tuple[VirtualDisk, ...]:
    """Return the disks of a VM whose data a restore point does not hold.

    These are the disks that snapshots leave out, and those that were added or exchanged after the point was made:
    a disk is known by its UUID. A disk that was copied has the UUID of its original, so a disk of the point stands
    for one disk of the VM. A VM that was created again since may have new UUIDs for all its disks; then key and
    capacity count.
    """
    known = {disk.uuid.lower() for disk in point.disks if disk.uuid}
    all_are_new = vm.summary.id != point.facts.vm and known.isdisjoint(_uuids_of(vm.disks))
    by_uuid = bool(known) and not all_are_new
    left = list(point.disks)
    lacking = set()
    for disk in sorted(vm.disks, key=lambda disk: not _is_in_its_place(point, disk)):
        held = None if disk.unsupported_reason is not None else _held(disk, left, by_uuid=by_uuid)
        if held is None:
            lacking.add(disk.key)
        else:
            left.remove(held)
    return tuple(disk for disk in vm.disks if disk.key in lacking)


def _is_in_its_place(point: RestorePoint, disk: VirtualDisk) -> bool:
    """Return whether a disk of a VM is where the point has it."""
    saved = point.disk(disk.key)
    return saved is not None and same_uuid(saved.uuid, disk.uuid) is not False


def _held(disk: VirtualDisk, saved: Sequence[PointDisk], *, by_uuid: bool) -> PointDisk | None:
    """Return the one of some disks of a point that a disk of a VM is."""
    if disk.uuid and by_uuid:
        same = [candidate for candidate in saved if same_uuid(candidate.uuid, disk.uuid)]
        return next((candidate for candidate in same if candidate.key == disk.key), same[0] if same else None)
    return next(
        (
            candidate
            for candidate in saved
            if candidate.key == disk.key and candidate.capacity_bytes <= disk.capacity_bytes
        ),
        None,
    )


# --- one pair ----------------------------------------------------------------------------------------------------


def _agreement(recorded: RecordedVm, vm: PresentVm, platform: PlatformIdentity) -> _Agreement:
    summary = vm.summary
    return _Agreement(
        instance_uuid=same_uuid(recorded.instance_uuid, summary.instance_uuid),
        bios_uuid=same_uuid(recorded.bios_uuid, summary.bios_uuid),
        id=summary.id == recorded.id if recorded.platform.is_same(platform) else None,
        name=summary.name == recorded.name,
        folder=None if recorded.folder is None else recorded.folder == summary.folder,
        disks=_overlap(recorded.disk_uuids, vm.disk_uuids),
    )


def _verdict(found: _Agreement) -> Verdict:
    if found.instance_uuid is None:
        return _without_uuid(found)
    if not found.instance_uuid:
        return _with_another_uuid(found)
    if found.id:
        return Verdict.UNSURE if found.is_contradicted else Verdict.SAME
    return _under_another_id(found)


def _under_another_id(found: _Agreement) -> Verdict:
    """Judge a VM that has the UUID but not the id: registered again, or a copy."""
    if found.bios_uuid is False:
        return Verdict.UNSURE if found.name or found.disks else Verdict.ANOTHER
    if found.disks or (found.name and (found.disks is None or found.folder)):
        return Verdict.MOVED
    return Verdict.ANOTHER if found.disks is False and not found.name else Verdict.UNSURE


def _with_another_uuid(found: _Agreement) -> Verdict:
    """Judge a VM that has another UUID: another VM, or the same one that was given a new UUID."""
    if found.id and found.name and found.disks:
        return Verdict.UNSURE
    return Verdict.ANOTHER


def _without_uuid(found: _Agreement) -> Verdict:
    """Judge a VM of which one side does not know the UUID."""
    known = [agrees for agrees in (found.disks, found.bios_uuid) if agrees is not None]
    if found.id and found.name and known and all(known):
        return Verdict.SAME
    if found.id and (found.name or not known or any(known)):
        return Verdict.UNSURE
    return Verdict.UNSURE if any(known) else Verdict.ANOTHER


def _is_proof(found: _Agreement) -> bool:
    if found.id:
        return bool(found.instance_uuid) or (found.name and bool(found.disks))
    return bool(found.instance_uuid) and found.name and bool(found.disks)


def _resembles_more(rival: _Agreement, chosen: _Agreement) -> bool:
    """Return whether another VM with the same UUID agrees where the one with the id does not."""
    if not rival.instance_uuid:
        return False
    return (rival.name and not chosen.name) or (rival.disks is True and chosen.disks is False)


def _unsure(*vms: PresentVm) -> Located:
    found = tuple(vm.summary for vm in vms)
    return Located(verdict=Verdict.UNSURE, vm=found[0] if len(found) == 1 else None, candidates=found)


def _overlap(recorded: frozenset[str], found: frozenset[str] | None) -> bool | None:
    if not recorded or not found:
        return None
    return not {value.lower() for value in recorded}.isdisjoint(value.lower() for value in found)


def _uuids_of(disks: Iterable[VirtualDisk]) -> frozenset[str]:
    return frozenset(disk.uuid.lower() for disk in disks if disk.uuid)
