"""Takes away what a recovery has on its platform and at its standby, from the end to the beginning."""

from dataclasses import replace

from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.ids import VmId
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.vms import SavedConfiguration
from app.engine.instant import messages
from app.engine.instant.ownvm import find_own, take_from_inventory
from app.engine.instant.services import InstantServices, runs_from_nfs
from app.engine.instant.shares import mount_of
from app.engine.instant.succession import take_place
from app.nfs.service import Export
from app.repository import PinPurpose, Repository


class Removal:
    """Ends recoveries; every step may be done again. Thread: any; one at a recovery at a time."""

    def __init__(self, services: InstantServices) -> None:
        self._services = services

    def take_from_platform(self, hypervisor: Hypervisor, recovery: InstantRecovery, log: TaskLog) -> None:
        """Take the VM from the inventory, and unmount the datastore where no other recovery needs it.

        A host would wait for a standby that is away. Where nothing is to be kept it is not asked to: it hears that
        the files are gone.

        Raises:
            OperationalError: the platform refuses, or cannot be asked, or the standby is away and what the VM
                wrote is to be kept; what is left stays noted.
        """
        trouble = self._services.shares.standby_trouble(recovery)
        if trouble is not None and (own := find_own(hypervisor, recovery)) is not None and own.is_here:
            if recovery.phase is not InstantPhase.DISCARDING:
                raise trouble
            self._services.shares.pause(recovery.id)
        take_from_inventory(hypervisor, recovery, log)
        self.unmount(hypervisor, recovery, log)

    def complete_move(
        self, hypervisor: Hypervisor, recovery: InstantRecovery, saved: SavedConfiguration | None, log: TaskLog
    ) -> VmId | None:
        """Do what is left when a VM is elsewhere: its copy takes its place, and nothing of the recovery stays.

        Args:
            hypervisor: a session.
            recovery: one in the phase ``MOVED``.
            saved: what the copy was made of; None where that is not known any more: it has an identity of its own.
            log: of the task.

        Returns:
            The copy's id, where there is one.

        Raises:
            OperationalError: something is left, which stays noted.
        """
        successor = recovery.successor
        take_from_inventory(hypervisor, recovery, log)
        if successor is not None:
            take_place(hypervisor, recovery, successor, saved, log)
        self.unmount(hypervisor, recovery, log)
        self.discard(recovery, log)
        return None if successor is None else successor.vm

    def unmount(self, hypervisor: Hypervisor, recovery: InstantRecovery, log: TaskLog) -> None:
        """Unmount the datastore from every host, where no other recovery needs it.

        Raises:
            OperationalError: the platform refuses, or cannot be asked.
        """
        export = self._services.shares.read(recovery.id)
        if export is None or self._is_needed(export):
            return
        nfs, mount = runs_from_nfs(hypervisor), mount_of(export)
        hosts = nfs.hosts_mounting(mount)
        for host in hosts:
            nfs.unmount_nfs(host, mount)
        if hosts:
            log.info(messages.UNMOUNTED, datastore=recovery.datastore or mount.name)

    def _is_needed(self, export: Export) -> bool:
        """Return whether the VM of another recovery runs from the same share."""
        others = (self._services.shares.read(other.id) for other in self._services.store.all())
        shares = {(other.name, other.address) for other in others if other is not None and other.id != export.id}
        return (export.name, export.address) in shares

    def stop_serving(self, recovery: InstantRecovery, log: TaskLog) -> InstantRecovery:
        """Serve it no more and keep what its VM wrote; it can be started again.

        Raises:
            OperationalError: the service does not start.
        """
        self._services.shares.withdraw(recovery.id)
        log.info(messages.WRITES_KEPT)
        stopped = replace(recovery, phase=InstantPhase.STOPPED, vm=None, successor=None, error=None)
        self._services.store.put(stopped)
        return stopped

    def discard(self, recovery: InstantRecovery, log: TaskLog) -> None:
        """Serve it no more, delete what its VM wrote, unpin the point and forget the recovery.

        Raises:
            OperationalError: the standby refuses, or the service does not start; what is left stays noted.
        """
        self._services.shares.withdraw(recovery.id)
        with self._services.repositories.lease(recovery.standby, recovery.target_path) as repository:
            if repository.recoveries.remove(recovery.id):
                log.info(messages.WRITES_DELETED)
            self._unpin(repository, recovery)
        self._services.store.remove(recovery.id)

    def _unpin(self, repository: Repository, recovery: InstantRecovery) -> None:
        """End the pin of a recovery; also one that was taken in the moment of a crash, before it was noted."""
        noted = {other.pin for other in self._services.store.all() if other.id != recovery.id}
        for pin in repository.pins.listing().pins:
            is_nobodys = (
                pin.is_ours
                and pin.point == recovery.point
                and pin.purpose is PinPurpose.RECOVERY
                and pin.id not in noted
            )
            if pin.id == recovery.pin or (not recovery.pin and is_nobodys):
                repository.pins.end(pin.id)
