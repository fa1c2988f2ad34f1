"""The powered-off way to finish a recovery: a new VM is made, filled and compared."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from app.core.access import DiskAddress
from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.domain.errors import VmCreationFailed
from app.domain.extents import complement, total_bytes
from app.domain.instant import InstantPhase, InstantRecovery, Successor
from app.domain.restore_point import PointDisk
from app.domain.states import TaskState
from app.domain.tasks import RestorePhase, RestoreTrace
from app.domain.transports import modes_to_try
from app.domain.vms import CreatedVm, SavedConfiguration, VirtualDisk, VmPlacement
from app.engine.instant import messages
from app.engine.instant.errors import HasOtherDisks, HasSnapshots, MovedVmDiffers
from app.engine.instant.ownvm import OwnVm, disks_by_path
from app.engine.instant.services import InstantServices
from app.engine.instant.source import RecoveredDisk, recovered_disks
from app.engine.platforms.diskcopy import copy_extents
from app.engine.platforms.disks import DiskOpener
from app.engine.reasons import LACKS_DISKS
from app.engine.restore.compare import compare_disk
from app.engine.restore.creating import vm_or_nothing
from app.engine.restore.target import marked_name
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantFinishSpec


class ColdMove:
    """One such move. Thread: the task's."""

    def __init__(
        self, services: InstantServices, task: RunningTask, spec: InstantFinishSpec, patience: Patience
    ) -> None:
        self._services = services
        self._task = task
        self._spec = spec
        self._patience = patience

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(
        self, hypervisor: Hypervisor, recovery: InstantRecovery, own: OwnVm
    ) -> tuple[InstantRecovery, SavedConfiguration]:
        """Copy the VM; return the recovery, noted as moved, and the configuration that the copy was made of.

        What is left to do then is :func:`app.engine.instant.removal.Removal.complete_move`.

        Raises:
            OperationalError: it was not moved: it is served as before, powered off.
            TaskCancelled: likewise.
        """
        if own.details.snapshots:
            raise HasSnapshots(vm=own.name)
        served = disks_by_path(self._services, hypervisor, recovery)
        others = [disk.label for disk in own.details.disks if disk.path not in served]
        if others:
            raise HasOtherDisks(vm=own.name, disks=", ".join(others))
        self._context.log.info(messages.IS_COPIED, name=own.name, datastore=self._spec.datastore)
        hypervisor.power_off(own.id)
        saved = hypervisor.save_configuration(own.id, log=self._context.log)
        export = self._services.shares.pause(recovery.id)
        try:
            trace, created = self._copied(hypervisor, recovery, own, saved, served)
        except BaseException:
            with self._context.cancel.shield():
                self._services.shares.go_on(recovery.name, export)
            raise
        moved = replace(
            recovery,
            phase=InstantPhase.MOVED,
            placement=replace(recovery.placement, name=own.name),
            vm=own.id,
            successor=Successor(vm=created.id, created_as=trace.created_as, mark=self._task.id),
        )
        self._services.store.hand_over(moved, self._task.id)
        return moved, saved

    # --- the copy --------------------------------------------------------------------------------------------

    def _copied(
        self,
        hypervisor: Hypervisor,
        recovery: InstantRecovery,
        own: OwnVm,
        saved: SavedConfiguration,
        served: Mapping[str, PointDisk],
    ) -> tuple[RestoreTrace, CreatedVm]:
        """Create the VM and fill it, or leave nothing of it."""
        placement = self._placement(recovery, own)
        trace = RestoreTrace(
            task=self._task.id,
            platform=recovery.platform,
            phase=RestorePhase.CREATING,
            name=own.name,
            created_as=placement.name,
        )
        journal = self._services.journal
        with vm_or_nothing(hypervisor, journal, self._context, trace, saved, placement) as (trace, created):
            for warning in created.warnings:
                self._context.log.warning(messages.NOT_AS_IT_WAS, detail=warning)
            then = {disk.key: served[disk.path] for disk in own.details.disks}
            pairs = [(then[key], target) for key, target in created.disks if key in then]
            if len(pairs) != len(then):
                raise VmCreationFailed(vm=own.name, detail=LACKS_DISKS.fill(disks=len(then) - len(pairs)))
            self._fill(hypervisor, recovery, placement, created, pairs)
        return trace, created

    def _placement(self, recovery: InstantRecovery, own: OwnVm) -> VmPlacement:
        place, summary = recovery.placement, own.details.summary
        return VmPlacement(
            name=marked_name(own.name, "standfast", self._task.id),
            datacenter=place.datacenter or summary.datacenter_id or None,
            folder=summary.folder,
            folder_id=summary.folder_id or None,
            vapp_id=summary.vapp_id or None,
            host=summary.host_id or recovery.host or None,
            datastore=self._spec.datastore,
            disk_datastores=self._spec.disk_datastores,
            mark=self._task.id,
        )

    def _fill(
        self,
        hypervisor: Hypervisor,
        recovery: InstantRecovery,
        placement: VmPlacement,
        created: CreatedVm,
        pairs: Sequence[tuple[PointDisk, VirtualDisk]],
    ) -> None:
        platform = self._services.sessions.platform(recovery.platform)
        attached = self._services.attachments.for_task(hypervisor, recovery.platform, self._context)
        modes = modes_to_try(platform.transports, lan_free=False)
        transports = self._services.transports
        opener = DiskOpener(hypervisor, transports, modes, self._context, self._patience, attached)
        with (
            self._services.repositories.lease(recovery.standby, recovery.target_path) as repository,
            repository.open_point(recovery.point) as point,
            recovered_disks(point, Path(repository.recoveries.folder(recovery.id))) as sources,
        ):
            for disk, _ in pairs:
                self._context.progress.expect(2 * total_bytes(sources[disk.key].allocated_extents() or ()))
            places = [(disk, DiskAddress.of(created.id, placement.name, target)) for disk, target in pairs]
            for disk, place in places:
                self._copy_disk(opener, sources[disk.key], disk, place)
            self._task.stages.enter(TaskState.VERIFYING)
            for disk, place in places:
                self._compare_disk(opener, sources[disk.key], disk, place)

    def _copy_disk(self, opener: DiskOpener, source: RecoveredDisk, disk: PointDisk, address: DiskAddress) -> None:
        extents = source.allocated_extents() or complement((), source.capacity_bytes)
        with opener.writer(address) as writer:
            written = copy_extents(
                source,
                writer,
                extents,
                write_zeros=False,
                progress=self._context.progress,
                cancel=self._context.cancel,
            )
        self._context.log.info(messages.DISK_COPIED, disk=disk.label, bytes=written)

    def _compare_disk(
        self, opener: DiskOpener, source: RecoveredDisk, disk: PointDisk, address: DiskAddress
    ) -> None:
        with opener.reader(address) as copied:
            found = compare_disk(copied, source, progress=self._context.progress, cancel=self._context.cancel)
        if found.difference is not None:
            raise MovedVmDiffers(disk=disk.label, offset=found.difference)
        self._context.log.info(messages.DISK_COMPARED, disk=disk.label, bytes=found.compared_bytes)
