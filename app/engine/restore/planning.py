"""Checking a restore before anything is started: whether the VM can be created where it is to go."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.contract.restore import NewVm, OverOriginal, PlanRestore
from app.core.hypervisor import Hypervisor
from app.core.places import PlannedCreation
from app.domain.ids import PlatformId, PointId, TaskId
from app.domain.places import PlannedVm
from app.domain.restore_point import RestorePoint
from app.domain.vms import SavedConfiguration, VmPlacement, VmSummary
from app.engine.errors import VmNameTaken
from app.engine.platforms.identification import find_original
from app.engine.platforms.sessions import Sessions
from app.engine.ports import RuleStore
from app.engine.restore.original import Original
from app.engine.restore.target import new_target, target_over
from app.engine.standbys.repositories import Repositories
from app.repository import PointReader, Repository

_NO_TASK = TaskId("planned0")
"""Stands for the task in the temporary names that are planned with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedVm:
    """What a restore point keeps of its VM, without its disks' data."""

    point: RestorePoint
    configuration: SavedConfiguration


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


def read_saved(repository: Repository, point: PointId) -> SavedVm:
    """Read what planning a restore needs of a point.

    Raises:
        OperationalError: it cannot be read.
    """
    with repository.open_point(point) as reader:
        return SavedVm(point=reader.point, configuration=saved_configuration(reader))


class RestorePlanner:
    """Plans restores without changing anything. Thread: any."""

    def __init__(self, sessions: Sessions, repositories: Repositories, rules: RuleStore) -> None:
        self._sessions = sessions
        self._repositories = repositories
        self._rules = rules

    def plan(self, query: PlanRestore) -> PlannedVm | None:
        """Plan a restore that is not a task yet.

        Raises:
            VmCreationFailed, VmNameTaken: as for :func:`refuse_impossible`.
            DisksNotHeld: the original has disks that the point does not hold.
            OperationalError: the point cannot be read, the platform not be asked, or the original is not certain.
        """
        with self._repositories.lease(query.standby, query.target_path) as repository:
            saved = read_saved(repository, query.point)
        with self._sessions.connect(query.platform) as hypervisor:
            inventory = () if isinstance(query.target, NewVm) else hypervisor.list_vms()
            return self.plan_in(hypervisor, inventory, query.platform, saved, query.target)

    def plan_in(
        self,
        hypervisor: Hypervisor,
        inventory: Sequence[VmSummary],
        platform: PlatformId,
        saved: SavedVm,
        wish: NewVm | OverOriginal,
    ) -> PlannedVm | None:
        """Plan a restore in a session that is open.

        Args:
            hypervisor: the session.
            inventory: the VMs of the platform, to find the original among.
            platform: which platform that is.
            saved: what the point keeps.
            wish: where it is to go.

        Raises:
            VmCreationFailed, VmNameTaken: as for :func:`refuse_impossible`.
            DisksNotHeld: the original has disks that the point does not hold.
            OperationalError: the platform cannot be asked, or the original is not certain.
        """
        known, point = self._sessions.platform(platform), saved.point
        here = self._sessions.identity(platform, hypervisor)
        if isinstance(wish, NewVm):
            target = new_target(wish, point.facts, (), known)
        else:
            _, found = find_original(self._sessions, self._rules, hypervisor, platform, point, inventory)
            target = target_over(wish, point.facts, (), known, _NO_TASK, found)
        if target.replaced is not None:
            Original(hypervisor, point, hypervisor.vm_details(target.replaced.id), here)
        return refuse_impossible(hypervisor, saved.configuration, target.placement, known.address)
