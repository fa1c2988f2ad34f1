"""Moves the VM of a recovery to a datastore of its platform: while it runs, or powered off by our own copy."""

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.nfshosting import RunsFromNfs
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import VmId
from app.domain.instant import FinishWay, InstantPhase, InstantRecovery
from app.domain.states import TaskState
from app.domain.vms import SavedConfiguration, VmPlacement
from app.engine import messages as task_messages
from app.engine.instant import messages
from app.engine.instant.cold import ColdMove
from app.engine.instant.errors import RecoveryNotMoved, RecoveryNotServed, VmOfRecoveryGone
from app.engine.instant.ownvm import OwnVm, disks_by_path, find_own
from app.engine.instant.removal import Removal
from app.engine.instant.services import InstantServices, runs_from_nfs
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantFinishSpec


class InstantFinishRun:
    """Finishes one recovery. Thread: the task's."""

    def __init__(self, services: InstantServices, task: RunningTask, spec: InstantFinishSpec) -> None:
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

    def run(self) -> None:
        """Move the VM, and forget the recovery.

        Raises:
            OperationalError: it was not moved: its standby is away, or it runs from its restore point as before,
                powered off where it is copied; or it was moved, and something of the recovery is left.
            TaskCancelled: the operator stopped it; it was not moved.
        """
        self._task.stages.enter(TaskState.PREPARING)
        recovery = self._services.known(self._spec.recovery)
        if recovery.phase is not InstantPhase.SERVED:
            raise RecoveryNotServed(vm=recovery.name)
        self._services.shares.require_standby(recovery)
        recovery = self._services.note(recovery, phase=InstantPhase.FINISHING, task=self._task.id, error=None)
        try:
            with self._services.sessions.connect_patiently(self._spec.platform, self._patience) as hypervisor:
                self._move(hypervisor, recovery)
        except BaseException as error:
            self._note_failure(error)
            raise

    def _note_failure(self, error: BaseException) -> None:
        recovery = self._services.store.get(self._spec.recovery)
        if recovery is None:
            return
        phase = InstantPhase.SERVED if recovery.phase is InstantPhase.FINISHING else recovery.phase
        kept = KeptError.of(error) if isinstance(error, OperationalError) else None
        self._services.note(recovery, phase=phase, error=kept)

    def _move(self, hypervisor: Hypervisor, recovery: InstantRecovery) -> None:
        nfs = runs_from_nfs(hypervisor)
        own = find_own(hypervisor, recovery)
        if own is None:
            raise VmOfRecoveryGone(vm=recovery.name)
        self._task.stages.enter(TaskState.RUNNING)
        if not own.is_here:
            self._context.log.info(
                messages.MOVED, name=own.name, datastore=", ".join(own.details.summary.datastores)
            )
            self._complete(hypervisor, self._services.note(recovery, phase=InstantPhase.MOVED))
        elif self._spec.way is FinishWay.LIVE:
            self._move_live(hypervisor, nfs, recovery, own)
        else:
            self._move_cold(hypervisor, recovery, own)

    # --- while it runs ---------------------------------------------------------------------------------------

    def _move_live(self, hypervisor: Hypervisor, nfs: RunsFromNfs, recovery: InstantRecovery, own: OwnVm) -> None:
        spec, progress = self._spec, self._context.progress
        self._context.log.info(messages.MOVES_LIVE, name=own.name, datastore=spec.datastore)
        placement = VmPlacement(
            name=own.name,
            datastore=spec.datastore,
            disk_datastores=self._disk_datastores(hypervisor, recovery, own),
        )
        try:
            nfs.move_storage(own.id, placement, on_progress=progress.show_platform, cancel=self._context.cancel)
        finally:
            progress.show_platform(None)
        moved = find_own(hypervisor, recovery)
        if moved is None or moved.is_here:
            raise VmOfRecoveryGone(vm=recovery.name) if moved is None else RecoveryNotMoved(vm=moved.name)
        self._context.log.info(messages.MOVED, name=moved.name, datastore=spec.datastore)
        recovery = self._services.note(recovery, phase=InstantPhase.MOVED, vm=moved.id)
        self._complete(hypervisor, recovery)

    def _disk_datastores(
        self, hypervisor: Hypervisor, recovery: InstantRecovery, own: OwnVm
    ) -> tuple[tuple[int, str], ...]:
        """Return where single disks go, by the keys that they have in the VM now."""
        wanted = dict(self._spec.disk_datastores)
        if not wanted:
            return ()
        then = {path: disk.key for path, disk in disks_by_path(self._services, hypervisor, recovery).items()}
        return tuple(
            (disk.key, wanted[then[disk.path]]) for disk in own.details.disks if then.get(disk.path) in wanted
        )

    # --- powered off -----------------------------------------------------------------------------------------

    def _move_cold(self, hypervisor: Hypervisor, recovery: InstantRecovery, own: OwnVm) -> None:
        move = ColdMove(self._services, self._task, self._spec, self._patience)
        moved, saved = move.run(hypervisor, recovery, own)
        created = self._complete(hypervisor, moved, saved)
        if not self._spec.power_on or created is None:
            return
        try:
            hypervisor.power_on(created)
        except OperationalError as error:
            self._context.log.error(task_messages.NOT_POWERED_ON, name=moved.name, detail=error)
        else:
            self._context.log.info(task_messages.POWERED_ON, name=moved.name)

    # --- afterwards ------------------------------------------------------------------------------------------

    def _complete(
        self, hypervisor: Hypervisor, recovery: InstantRecovery, saved: SavedConfiguration | None = None
    ) -> VmId | None:
        with self._context.cancel.shield():
            removal = Removal(self._services)
            return removal.complete_move(hypervisor, recovery, saved, self._context.log)
