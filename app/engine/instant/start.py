"""Starts VMs from restore points: pin, serve, mount, create or register, power on."""

from dataclasses import dataclass, replace

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.nfshosting import NfsHost, ServedFolder
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import VmId
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.states import TaskState
from app.domain.vms import CreatedVm, SavedConfiguration
from app.engine import messages as task_messages
from app.engine.instant import messages
from app.engine.instant.addresses import address_towards
from app.engine.instant.ending import take_away
from app.engine.instant.errors import RecoveryNotStopped
from app.engine.instant.ownvm import find_own
from app.engine.instant.removal import Removal
from app.engine.instant.services import InstantServices, runs_from_nfs, served_folder
from app.engine.instant.shares import Publication, disk_paths, mount_of
from app.engine.restore.planning import saved_configuration
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantStartSpec
from app.nfs.service import Export
from app.repository import PinPurpose


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """What is known before anything is on the platform."""

    saved: SavedConfiguration
    host: NfsHost
    served: ServedFolder
    export: Export


class InstantStartRun:
    """One start of one VM. Thread: the task's."""

    def __init__(self, services: InstantServices, task: RunningTask, spec: InstantStartSpec) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._services = services
        self._task = task
        self._spec = spec
        self._patience = services.patience(spec.platform, task.context)

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> VmId:
        """Run the VM and return its id.

        Raises:
            OperationalError: it could not be started; what was made is taken away, what it wrote before is kept.
            TaskCancelled: the operator stopped it; likewise.
        """
        recovery = self._remembered()
        if recovery.phase not in (InstantPhase.STARTING, InstantPhase.STOPPED):
            raise RecoveryNotStopped(vm=recovery.name)
        was_stopped = recovery.phase is InstantPhase.STOPPED
        phase = InstantPhase.RESUMING if was_stopped else InstantPhase.STARTING
        recovery = self._services.note(recovery, phase=phase, task=self._task.id, error=None)
        try:
            self._task.stages.enter(TaskState.PREPARING)
            with self._services.sessions.connect_patiently(self._spec.platform, self._patience) as hypervisor:
                return self._start(hypervisor, recovery, was_stopped=was_stopped)
        except BaseException as error:
            with self._context.cancel.shield():
                self._give_up(error, was_stopped=was_stopped)
            raise

    def _remembered(self) -> InstantRecovery:
        """Return what is remembered of it; a task that is run once more begins it anew."""
        spec = self._spec
        known = self._services.store.get(spec.recovery)
        if known is not None:
            return known
        return self._services.store.add(
            InstantRecovery(
                id=spec.recovery,
                created_at=self._services.clock.now(),
                phase=InstantPhase.STARTING,
                platform=spec.platform,
                standby=spec.standby,
                target_path=spec.target_path,
                point=spec.point,
                rule=spec.rule,
                rule_name=spec.rule_name,
                vm_name=spec.vm_name,
                placement=spec.placement,
                power_on=spec.power_on,
                address=spec.address,
            )
        )

    def _start(self, hypervisor: Hypervisor, recovery: InstantRecovery, *, was_stopped: bool) -> VmId:
        recovery, prepared = self._prepare(hypervisor, recovery)
        recovery = self._mount(hypervisor, recovery, prepared)
        self._task.stages.enter(TaskState.CREATING_VM)
        if was_stopped:
            vm = self._registered(hypervisor, recovery)
        else:
            vm = self._created(hypervisor, recovery, prepared)
        recovery = self._services.note(recovery, vm=vm, phase=InstantPhase.SERVED)
        self._power_on(hypervisor, recovery, vm, was_registered=was_stopped)
        return vm

    # --- before the platform ---------------------------------------------------------------------------------

    def _prepare(self, hypervisor: Hypervisor, recovery: InstantRecovery) -> tuple[InstantRecovery, _Prepared]:
        services, nfs = self._services, runs_from_nfs(hypervisor)
        with services.repositories.lease(
            recovery.standby, recovery.target_path, self._context.cancel
        ) as repository:
            if not recovery.pin:
                pin = repository.keep_point(recovery.point, PinPurpose.RECOVERY)
                recovery = services.note(recovery, pin=pin)
            with repository.open_point(recovery.point) as reader:
                saved, served = saved_configuration(reader), served_folder(nfs, reader, recovery)
            host = nfs.nfs_host(saved, recovery.placement)
            address = recovery.address or address_towards(host.addresses[0])
            recovery = services.note(recovery, host=host.id, host_name=host.name, address=address)
            wanted = Publication(
                repository=repository.root,
                repository_id=repository.id,
                folder=repository.recoveries.folder(recovery.id),
                served=served,
                clients=tuple(dict.fromkeys((*host.addresses, address))),
                address=address,
            )
            self._context.cancel.check()
            export = services.shares.publish(recovery, wanted)
        self._context.log.info(messages.SERVED, address=address, host=host.name)
        return recovery, _Prepared(saved=saved, host=host, served=served, export=export)

    def _mount(self, hypervisor: Hypervisor, recovery: InstantRecovery, prepared: _Prepared) -> InstantRecovery:
        self._context.cancel.check()
        mounted = runs_from_nfs(hypervisor).mount_nfs(prepared.host.id, mount_of(prepared.export))
        self._context.log.info(messages.MOUNTED, host=prepared.host.name, datastore=mounted.name)
        configuration = f"[{mounted.name}] {prepared.export.place}/{prepared.served.name}.vmx"
        return self._services.note(
            recovery,
            datastore=mounted.name,
            configuration=configuration,
            placement=replace(recovery.placement, host=prepared.host.id, datastore=mounted.id, disk_datastores=()),
        )

    # --- on the platform -------------------------------------------------------------------------------------

    def _created(self, hypervisor: Hypervisor, recovery: InstantRecovery, prepared: _Prepared) -> VmId:
        placement = replace(
            recovery.placement,
            directory=prepared.export.place,
            present_disks=disk_paths(recovery.datastore, prepared.export, prepared.served.disks),
            mark=recovery.id,
        )
        created = hypervisor.create_vm(prepared.saved, placement, log=self._context.log)
        self._say_warnings(created)
        self._context.log.info(task_messages.VM_CREATED, name=recovery.name)
        return created.id

    def _say_warnings(self, created: CreatedVm) -> None:
        for warning in (*created.warnings, *created.identity_warnings):
            self._context.log.warning(messages.NOT_AS_IT_WAS, detail=warning)

    def _registered(self, hypervisor: Hypervisor, recovery: InstantRecovery) -> VmId:
        """Return the VM of a recovery that was stopped: one that is in the inventory still, else registered."""
        own = find_own(hypervisor, recovery)
        if own is not None and own.is_here:
            return own.id
        vm = runs_from_nfs(hypervisor).register_vm(recovery.configuration, recovery.placement)
        self._context.log.info(messages.REGISTERED_AGAIN, name=recovery.name)
        return vm

    def _power_on(
        self, hypervisor: Hypervisor, recovery: InstantRecovery, vm: VmId, *, was_registered: bool
    ) -> None:
        if not self._spec.power_on:
            return
        try:
            if was_registered:
                runs_from_nfs(hypervisor).start_moved(vm, was_copied=False)
            else:
                hypervisor.power_on(vm)
        except OperationalError as error:
            self._context.log.error(task_messages.NOT_POWERED_ON, name=recovery.name, detail=error)
            self._services.note(recovery, error=KeptError.of(error))
        else:
            self._context.log.info(messages.RUNS, name=recovery.name)

    # --- when it fails ---------------------------------------------------------------------------------------

    def _give_up(self, error: BaseException, *, was_stopped: bool) -> None:
        recovery = self._services.store.get(self._spec.recovery)
        if recovery is None or recovery.phase not in (InstantPhase.STARTING, InstantPhase.RESUMING):
            return
        kept = KeptError.of(error) if isinstance(error, OperationalError) else None
        phase = InstantPhase.STOPPING if was_stopped else InstantPhase.DISCARDING
        recovery = self._services.note(recovery, phase=phase, error=kept)
        take_away(self._services, Removal(self._services), recovery, self._context.log, keep_error=kept)
