"""The VM that a restore over the original replaces: which one it is, and that it still is that one."""

from dataclasses import replace

from app.contract.restore import ConfirmedVm
from app.core.hypervisor import Hypervisor
from app.domain.errors import VmNotFound
from app.domain.identity import (
    Located,
    Verdict,
    compare,
    present,
    recorded_present,
    same_uuid,
    uncovered_disks,
)
from app.domain.platforms import PlatformIdentity
from app.domain.restore_point import RestorePoint
from app.domain.vms import VmDetails, VmSummary
from app.engine.errors import DisksNotHeld, OriginalChanged, OriginalIsAnother, OriginalUnsure
from app.engine.platforms.identification import described, refuse_unfit


def original_among(
    found: Located, name: str, address: str, uuid: str | None, confirmed: ConfirmedVm | None = None
) -> VmSummary | None:
    """Return the VM to be replaced, or None when it is gone.

    Args:
        found: which VM of the platform is the one of the restore point.
        name: the name in the restore point, for errors.
        address: of the platform, for errors.
        uuid: the instance UUID in the restore point.
        confirmed: the VM that the operator saw and confirmed; without it only one that is certain is taken.

    Raises:
        OriginalIsAnother: another VM has its UUID.
        OriginalUnsure: it cannot be told, and the operator has not been asked.
        OriginalChanged: it is not the one that was confirmed.
    """
    other = other_in(found, uuid)
    if other is not None:
        raise OriginalIsAnother(found=described([other]), name=name, address=address)
    choices = choices_in(found)
    if confirmed is not None:
        chosen = next((vm for vm in choices if _is_confirmed(vm, confirmed)), None)
        if chosen is None:
            raise OriginalChanged(expected=f"{confirmed.name} ({confirmed.vm})", address=address)
        return chosen
    if choices and not found.is_proven:
        raise OriginalUnsure(found=described(choices), name=name, address=address)
    return found.vm if choices else None


def choices_in(found: Located) -> tuple[VmSummary, ...]:
    """Return the VMs that may be replaced: the one, or those among which the operator decides."""
    if found.verdict in (Verdict.SAME, Verdict.MOVED) and found.vm is not None:
        return (found.vm,)
    return found.candidates


def other_in(found: Located, uuid: str | None) -> VmSummary | None:
    """Return the VM that has the instance UUID of the original but is another; None when there is none."""
    if found.verdict is not Verdict.ANOTHER or found.vm is None:
        return None
    return found.vm if same_uuid(found.vm.instance_uuid, uuid) else None


def _is_confirmed(vm: VmSummary, confirmed: ConfirmedVm) -> bool:
    return vm.id == confirmed.vm and (vm.instance_uuid or "").lower() == (confirmed.instance_uuid or "").lower()


class Original:
    """The VM to be replaced, looked at again before each step that changes it. Thread: the task's."""

    def __init__(
        self, hypervisor: Hypervisor, point: RestorePoint, details: VmDetails, here: PlatformIdentity
    ) -> None:
        """Take a VM as it is now.

        Raises:
            DisksNotHeld: it has disks that the point does not hold.
            OperationalError: it belongs to the platform itself, or is not reached; see ``refuse_unfit``.
        """
        refuse_unfit(details.summary)
        self._hypervisor = hypervisor
        self._point = point
        self._here = here
        self._recorded = recorded_present(details, here)
        self._refuse_uncovered(details)

    def check(self) -> None:
        """Make sure that it is still the same VM, with no disk that the point does not hold.

        Raises:
            OriginalChanged: another VM has its id now, or none.
            DisksNotHeld: a disk was added to it.
        """
        try:
            details = self._hypervisor.vm_details(self._recorded.id)
        except VmNotFound as gone:
            raise self._changed() from gone
        if compare(self._recorded, present(details), self._here) is not Verdict.SAME:
            raise self._changed()
        self._refuse_uncovered(details)

    def renamed(self, name: str) -> None:
        """Note that it was given another name."""
        self._recorded = replace(self._recorded, name=name)

    def _changed(self) -> OriginalChanged:
        recorded = self._recorded
        return OriginalChanged(expected=f"{recorded.name} ({recorded.id})", address=self._here.address)

    def _refuse_uncovered(self, details: VmDetails) -> None:
        disks = uncovered_disks(self._point, details)
        if disks:
            listed = ", ".join(f"{disk.label} ({disk.path})" for disk in disks)
            raise DisksNotHeld(vm=details.summary.name, disks=listed)
