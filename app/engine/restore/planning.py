"""Checking a restore before anything is started: whether the VM can be created where it is to go."""

from app.core.hypervisor import Hypervisor
from app.core.places import PlannedCreation
from app.domain.ids import PlatformId, PointId, StandbyId, TaskId
from app.domain.places import PlannedVm
from app.domain.vms import SavedConfiguration, VmPlacement
from app.engine.commands import NewVm, OverOriginal
from app.engine.errors import VmNameTaken
from app.engine.identification import find_vm, identity_of, recorded_for_restore
from app.engine.jobs import Workshop
from app.engine.restore.original import Original
from app.engine.restore.target import new_target, target_over
from app.repository import PointReader

_NO_TASK = TaskId("planned0")
"""Stands for the task in the temporary names that are planned with."""


def saved_configuration(point: PointReader) -> SavedConfiguration:
    """Return the configuration that a restore point keeps of its VM.

    Raises:
        OperationalError: it cannot be read.
    """
    return SavedConfiguration(files={name: point.file(name) for name in point.point.configuration_files})


def refuse_impossible(
    hypervisor: Hypervisor, saved: SavedConfiguration, placement: VmPlacement, address: str
) -> PlannedVm | None:
    """Refuse a restore whose VM cannot be created, and return what it would become.

    Args:
        hypervisor: a session on the platform.
        saved: what the point keeps of the VM.
        placement: where it is to go.
        address: of the platform, for errors.

    Returns:
        The plan; None where the platform cannot tell before it does.

    Raises:
        VmCreationFailed: it cannot be created there; the message says what to do.
        VmNameTaken: the folder that it goes to has its name already.
    """
    if not isinstance(hypervisor, PlannedCreation):
        return None
    planned = hypervisor.plan_vm(saved, placement)
    if planned.name_taken:
        raise VmNameTaken(name=placement.name, address=address)
    return planned


def plan_restore(
    workshop: Workshop,
    standby: StandbyId,
    target_path: str,
    point: PointId,
    platform: PlatformId,
    wish: NewVm | OverOriginal,
) -> PlannedVm | None:
    """Plan a restore that is not a task yet; changes nothing.

    Raises:
        VmCreationFailed, VmNameTaken: as for :func:`refuse_impossible`.
        DisksNotHeld: the original has disks that the point does not hold.
        OperationalError: the point cannot be read, the platform not be asked, or the original is not certain.
    """
    with (
        workshop.repositories.lease(standby, target_path) as repository,
        repository.open_point(point) as reader,
    ):
        saved, restored = saved_configuration(reader), reader.point
    with workshop.sessions.connect(platform) as hypervisor:
        known = workshop.sessions.platform(platform)
        here = identity_of(known, hypervisor)
        if isinstance(wish, NewVm):
            target = new_target(wish, restored.facts, (), known)
        else:
            recorded = recorded_for_restore(workshop.catalog, platform, restored)
            found = find_vm(hypervisor, recorded, here)
            target = target_over(wish, restored.facts, (), known, _NO_TASK, found)
        if target.replaced is not None:
            Original(hypervisor, restored, hypervisor.vm_details(target.replaced.id), here)
        return refuse_impossible(hypervisor, saved, target.placement, known.address)
