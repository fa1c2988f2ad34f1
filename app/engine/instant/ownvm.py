"""The VM of a recovery, found on the platform by what proves that it is that one."""

from dataclasses import dataclass

from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.ids import VmId
from app.domain.instant import InstantRecovery
from app.domain.restore_point import PointDisk
from app.domain.vms import VmDetails
from app.engine.instant import messages
from app.engine.instant.errors import RecoveryNotServed
from app.engine.instant.services import InstantServices, runs_from_nfs, served_folder
from app.engine.instant.shares import disk_paths
from app.engine.platforms.marked import find_by_mark


@dataclass(frozen=True, slots=True)
class OwnVm:
    """The VM of a recovery as it is now."""

    details: VmDetails
    is_here: bool
    """Whether any of its disks is on the datastore that this machine serves."""

    @property
    def id(self) -> VmId:
        """Its id on the platform."""
        return self.details.summary.id

    @property
    def name(self) -> str:
        """What it is called there now."""
        return self.details.summary.name


def find_own(hypervisor: Hypervisor, recovery: InstantRecovery) -> OwnVm | None:
    """Return the VM that carries a recovery's mark, under the name that it has now or had; None where none does.

    Raises:
        OperationalError: the platform cannot be asked.
    """
    details = find_by_mark(hypervisor, recovery.id, recovery.vm, [recovery.name])
    return None if details is None else OwnVm(details, _is_here(details, recovery))


def _is_here(details: VmDetails, recovery: InstantRecovery) -> bool:
    """Return whether a VM has a disk on our datastore; one whose disks are not told counts as here."""
    ours = f"[{recovery.datastore}] "
    return not details.disks or any(disk.path.startswith(ours) for disk in details.disks)


def take_from_inventory(hypervisor: Hypervisor, recovery: InstantRecovery, log: TaskLog) -> None:
    """Power the VM of a recovery off and take it from the inventory; one that was moved away stays.

    Raises:
        OperationalError: the platform refuses, or cannot be asked.
    """
    own = find_own(hypervisor, recovery)
    if own is None:
        if recovery.vm is not None:
            log.info(messages.VM_GONE, name=recovery.name)
        return
    if not own.is_here:
        log.warning(messages.VM_STAYS, name=own.name)
        return
    hypervisor.power_off(own.id)
    runs_from_nfs(hypervisor).unregister_vm(own.id)
    log.info(messages.TAKEN_AWAY, name=own.name)


def disks_by_path(
    services: InstantServices, hypervisor: Hypervisor, recovery: InstantRecovery
) -> dict[str, PointDisk]:
    """Return the disks of the restore point by where the VM has them; its keys are others than the point's.

    Raises:
        RecoveryNotServed: it is served no more.
        OperationalError: the point cannot be read.
    """
    export = services.shares.read(recovery.id)
    if export is None:
        raise RecoveryNotServed(vm=recovery.name)
    with (
        services.repositories.lease(recovery.standby, recovery.target_path) as repository,
        repository.open_point(recovery.point) as point,
    ):
        folder = served_folder(runs_from_nfs(hypervisor), point, recovery)
        disks = {disk.key: disk for disk in point.point.disks}
    return {path: disks[key] for key, path in disk_paths(recovery.datastore, export, folder.disks)}
