"""Ends recoveries: on the operator's word, after a failure, and after a crash."""

from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.errors import KeptError, OperationalError
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.states import TaskState
from app.engine.instant import messages
from app.engine.instant.errors import CopyGone
from app.engine.instant.removal import Removal
from app.engine.instant.services import InstantServices
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantStopSpec


class InstantStopRun:
    """Ends one recovery. Thread: the task's."""

    def __init__(self, services: InstantServices, task: RunningTask, spec: InstantStopSpec) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._services = services
        self._task = task
        self._spec = spec
        self._patience = services.patience(spec.platform, task.context)

    def run(self) -> None:
        """Take the VM away, and with ``discard`` what it wrote.

        Raises:
            OperationalError: its standby is away, and nothing was done; or something is left: it stays in
                the list, and can be stopped again.
            TaskCancelled: the operator stopped it before anything was done.
        """
        services, log = self._services, self._task.context.log
        self._task.stages.enter(TaskState.PREPARING)
        recovery = services.note(services.known(self._spec.recovery), task=self._task.id)
        if recovery.phase is InstantPhase.MOVED and self._spec.discard and self._completed(recovery):
            return
        was_stopped = recovery.phase is InstantPhase.STOPPED
        trouble = services.shares.standby_trouble(recovery)
        if trouble is not None and recovery.phase is InstantPhase.SERVED and not self._spec.discard:
            raise trouble  # before anything is noted: the VM runs on
        phase = InstantPhase.DISCARDING if self._spec.discard else InstantPhase.STOPPING
        recovery = services.note(recovery, phase=phase, error=None)
        with self._task.context.cancel.shield():
            try:
                self._end(recovery, log, was_stopped=was_stopped)
            except OperationalError as error:
                services.note(recovery, error=KeptError.of(error))
                raise

    def _completed(self, recovery: InstantRecovery) -> bool:
        """Bring a move to its end that was interrupted; return False where the copy is gone.

        Raises:
            OperationalError: the platform refuses, or cannot be asked.
        """
        with (
            self._task.context.cancel.shield(),
            self._services.sessions.connect_patiently(self._spec.platform, self._patience) as hypervisor,
        ):
            try:
                Removal(self._services).complete_move(hypervisor, recovery, None, self._task.context.log)
            except CopyGone:
                return False
        return True

    def _end(self, recovery: InstantRecovery, log: TaskLog, *, was_stopped: bool) -> None:
        removal = Removal(self._services)
        if not was_stopped:
            with self._services.sessions.connect_patiently(self._spec.platform, self._patience) as hypervisor:
                removal.take_from_platform(hypervisor, recovery, log)
        finish_ending(removal, recovery, log)


def finish_ending(removal: Removal, recovery: InstantRecovery, log: TaskLog) -> None:
    """Do what is left of an end when nothing is on the platform any more.

    Raises:
        OperationalError: the standby refuses, or the service does not start.
    """
    if recovery.phase is InstantPhase.STOPPING:
        removal.stop_serving(recovery, log)
    else:
        removal.discard(recovery, log)


def take_away(
    services: InstantServices,
    removal: Removal,
    recovery: InstantRecovery,
    log: TaskLog,
    *,
    keep_error: KeptError | None = None,
    hypervisor: Hypervisor | None = None,
) -> None:
    """Take a recovery away that has no other end; never raises an :class:`OperationalError`.

    What could not be taken away stays in the list, with the reason.

    Args:
        services: of the engine.
        removal: takes away.
        recovery: whose phase says whether what the VM wrote is kept.
        log: of the task.
        keep_error: stays with a recovery that is stopped then.
        hypervisor: a session; None opens one.
    """
    try:
        if hypervisor is not None:
            removal.take_from_platform(hypervisor, recovery, log)
        else:
            with services.sessions.connect(recovery.platform) as opened:
                removal.take_from_platform(opened, recovery, log)
        finish_ending(removal, recovery, log)
    except OperationalError as error:
        log.error(messages.SETTLED_LATER, name=recovery.name, detail=error)
        services.note(recovery, error=KeptError.of(error))
        return
    stopped = services.store.get(recovery.id)
    if stopped is not None and keep_error is not None:
        services.note(stopped, error=keep_error)
