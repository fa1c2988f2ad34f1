"""Where a restore goes: decisions on values."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.contract.restore import NewVm, OverOriginal
from app.domain.identity import Located
from app.domain.ids import TaskId
from app.domain.platforms import Platform
from app.domain.restore_point import VmFacts
from app.domain.vms import VmPlacement, VmSummary
from app.engine.errors import RequestRefused, VmNameTaken
from app.engine.reasons import NAME_LENGTH
from app.engine.restore.original import original_among

LONGEST_NAME = 80
"""Most characters of a VM's name on every hypervisor we know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreTarget:
    """What is created, and what becomes of it."""

    placement: VmPlacement
    name: str
    """The name in the end; the placement's is a temporary one while an original is in the way."""
    replaced: VmSummary | None
    """The original whose place it takes."""
    kept_name: str
    """Name of the original between the swap and its removal."""


def new_target(wish: NewVm, facts: VmFacts, inventory: Sequence[VmSummary], platform: Platform) -> RestoreTarget:
    """Decide where a point is restored to as a new VM.

    Args:
        wish: what the operator wants.
        facts: those of the point.
        inventory: the VMs of the platform; empty where the platform itself says whether a name is taken.
        platform: where it is restored to.

    Raises:
        VmNameTaken: the name is in use.
        RequestRefused: the name is empty or too long.
    """
    check_name(wish.placement.name)
    _refuse_taken(wish.placement, facts, inventory, platform)
    return RestoreTarget(placement=wish.placement, name=wish.placement.name, replaced=None, kept_name="")


def target_over(
    wish: OverOriginal,
    facts: VmFacts,
    inventory: Sequence[VmSummary],
    platform: Platform,
    task: TaskId,
    found: Located,
) -> RestoreTarget:
    """Decide where a point is restored to in the place of its VM.

    Args:
        wish: what the operator wants.
        facts: those of the point.
        inventory: the VMs of the platform; empty where the platform itself says whether a name is taken.
        platform: where it is restored to.
        task: the restore.
        found: which VM of the platform the original is.

    Raises:
        OriginalIsAnother, OriginalUnsure, OriginalChanged: which VM is to be replaced is not certain.
        VmNameTaken: the original is gone, and another VM has its name.
    """
    original = original_among(found, facts.name, platform.address, facts.instance_uuid, wish.confirmed)
    placement = _placement_over(wish, facts, original)
    if original is None:
        _refuse_taken(placement, facts, inventory, platform)
        return RestoreTarget(placement=placement, name=placement.name, replaced=None, kept_name="")
    return RestoreTarget(
        placement=replace(placement, name=marked_name(original.name, "standfast", task)),
        name=original.name,
        replaced=original,
        kept_name=marked_name(original.name, "replaced", task),
    )


def marked_name(name: str, mark: str, task: TaskId) -> str:
    """Return a name that says what it is for and by whose doing, not longer than allowed."""
    suffix = f"-{mark}-{task[:8]}"
    return name[: LONGEST_NAME - len(suffix)] + suffix


def _placement_over(wish: OverOriginal, facts: VmFacts, original: VmSummary | None) -> VmPlacement:
    if original is None:
        return VmPlacement(
            # Datacenter and folder are those of the saved VM: it knows their ids, the facts only names.
            name=facts.name,
            host=wish.host,
            datastore=wish.datastore,
            keep_identity=True,
        )
    return VmPlacement(
        name=original.name,
        datacenter=original.datacenter_id or original.datacenter or None,
        folder=original.folder,
        folder_id=original.folder_id or None,
        vapp_id=original.vapp_id or None,
        host=wish.host or original.host_id or original.host or None,
        datastore=wish.datastore,
        keep_identity=True,
    )


def check_name(name: str) -> None:
    """Refuse a name that no VM can have.

    Raises:
        RequestRefused: it is empty or too long.
    """
    if not name.strip() or len(name) > LONGEST_NAME:
        raise RequestRefused(detail=NAME_LENGTH.fill(most=LONGEST_NAME))


def _refuse_taken(
    placement: VmPlacement, facts: VmFacts, inventory: Sequence[VmSummary], platform: Platform
) -> None:
    """Refuse a name that the target folder has already; other folders may have VMs of the name.

    Where it is not known which folder that is (points of older versions), every folder of the datacenter counts.
    """
    folder = facts.folder if placement.folder is None else placement.folder
    datacenter = placement.datacenter or ("" if placement.host else facts.datacenter)
    for vm in inventory:
        in_datacenter = not datacenter or datacenter in (vm.datacenter_id, vm.datacenter_path, vm.datacenter)
        if vm.name == placement.name and in_datacenter and folder in (None, vm.folder):
            raise VmNameTaken(name=placement.name, address=platform.address)
