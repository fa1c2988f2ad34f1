"""The tasks of migrations: create and copy, follow, cut over, discard."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.domain.errors import KeptError, OperationalError, TaskCancelled
from app.domain.ids import MigrationId, PlatformId
from app.domain.migration import Migration, MigrationPhase, MigrationWork
from app.domain.states import TaskState
from app.engine.errors import InternalFailure
from app.engine.migration import messages
from app.engine.migration.cutover import CutOverRun
from app.engine.migration.errors import MigrationEnded, MigrationNotReady
from app.engine.migration.passes import Passes, Sides
from app.engine.migration.preparing import Preparing
from app.engine.migration.services import MigrationServices, opened_side
from app.engine.migration.target import remove_target
from app.engine.migration.undoing import Undoing
from app.engine.migration.until_small import UntilSmall
from app.engine.platforms.patience import patience_for
from app.engine.reasons import UNEXPECTED
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import MigrationSpec

_TURN_LOOK_S = 0.1


class MigrationRuns:
    """Runs the tasks of migrations. Thread: any."""

    def __init__(self, services: MigrationServices) -> None:
        self._services = services

    def run(self, task: RunningTask, spec: MigrationSpec) -> None:
        """Do what a task has to do.

        Raises:
            OperationalError: it failed.
            TaskCancelled: the operator stopped it.
        """
        with _turn_of(self._services, spec.migration, task.context):
            _Run(self._services, task, spec).run()


@contextmanager
def _turn_of(services: MigrationServices, migration: MigrationId, context: TaskContext) -> Iterator[None]:
    """Wait until nothing else works at a migration."""
    turn = services.turn(migration)
    while not turn.acquire(timeout=_TURN_LOOK_S):
        context.cancel.check()
    try:
        yield
    finally:
        turn.release()


class _Run:
    """One task. Thread: the task's."""

    def __init__(self, services: MigrationServices, task: RunningTask, spec: MigrationSpec) -> None:
        self._services = services
        self._task = task
        self._spec = spec

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> None:
        """Do the work; whatever ends it, the migration is in a phase from which it can go on.

        Raises:
            OperationalError: it failed; a cut-over is undone.
            TaskCancelled: the operator stopped it; likewise.
        """
        services = self._services
        migration = services.known(self._spec.migration)
        if migration.phase is MigrationPhase.DONE:
            raise MigrationEnded(vm=migration.vm_name)
        services.stopped.discard(migration.id)
        services.note(migration, task=self._task.id, error=None)
        try:
            self._task.stages.enter(TaskState.PREPARING)
            self._work(services.known(migration.id))
        except BaseException as error:
            with self._context.cancel.shield():
                self._give_up(error)
            raise
        ended = services.store.get(migration.id)
        if ended is not None:
            services.note(ended, task=None)

    def _work(self, migration: Migration) -> None:
        if self._spec.work is MigrationWork.DISCARD and not migration.is_cutting_over:
            self._discard(migration)
            return
        lan_free = migration.options.lan_free
        with (
            opened_side(self._services, migration.platform, self._context, lan_free=lan_free) as source,
            opened_side(self._services, migration.target, self._context, lan_free=lan_free) as target,
        ):
            sides = Sides(source=source, target=target)
            undoing = Undoing(self._services, source.hypervisor, target.hypervisor, self._context.log)
            with self._context.cancel.shield():  # what a crash has left of an earlier task
                settled = undoing.settle(migration, target_may_run=True)
            if settled is None or settled.phase is MigrationPhase.DONE:
                return
            if self._spec.work is MigrationWork.DISCARD:
                self._discard(settled)
                return
            self._go_on(settled, sides)

    def _go_on(self, migration: Migration, sides: Sides) -> None:
        work = self._spec.work
        passes = Passes(self._services, self._task, sides)
        until_small = UntilSmall(self._services, self._task, passes)
        cut_over = CutOverRun(self._services, self._task, sides, passes)
        if work is MigrationWork.COPY:
            migration = Preparing(self._services, self._task, sides).run(migration)
            migration = until_small.run(migration)
            if migration.options.automatic:
                cut_over.run(migration)
        elif migration.phase is not MigrationPhase.READY:
            raise MigrationNotReady(vm=migration.vm_name)
        elif work is MigrationWork.FOLLOW:
            passes.run(migration)
        else:
            cut_over.run(until_small.catch_up(migration))

    def _discard(self, migration: Migration) -> None:
        """Delete the target, and forget the migration."""
        if migration.created_as:
            migration = self._services.note(migration, phase=MigrationPhase.DISCARDING)
            with opened_side(self._services, migration.target, self._context, lan_free=False) as target:
                remove_target(target.hypervisor, migration, self._context.log)
        self._services.store.remove(migration.id)

    # --- when it fails -------------------------------------------------------------------------------------------

    def _give_up(self, error: BaseException) -> None:
        services, log = self._services, self._context.log
        migration = services.store.get(self._spec.migration)
        if migration is None:
            return
        kept = _kept(error)
        if migration.is_cutting_over or migration.phase is MigrationPhase.CREATING:
            try:
                migration = self._undone(migration) or migration
            except OperationalError as failed:
                log.error(messages.UNDONE_LATER, vm=migration.vm_name, detail=failed)
                migration, kept = services.known(migration.id), KeptError.of(failed)
        is_stopped = migration.id in services.stopped
        services.stopped.discard(migration.id)
        phase = migration.phase
        if is_stopped and phase is MigrationPhase.READY:
            phase = MigrationPhase.COPYING
        services.note(migration, phase=phase, task=None, error=kept)

    def _undone(self, migration: Migration) -> Migration | None:
        """Settle over new sessions: the old ones may be what failed."""
        with self._session(migration.platform) as source, self._session(migration.target) as target:
            undoing = Undoing(self._services, source, target, self._context.log)
            return undoing.settle(migration, target_may_run=False)

    def _session(self, platform: PlatformId) -> Hypervisor:
        services = self._services
        patience = patience_for(
            services.sessions.platform(platform), services.settings.platform_outage_s, self._context
        )
        return patience.through(lambda: services.sessions.connect(platform))


def _kept(error: BaseException) -> KeptError | None:
    """Return what is kept of what ended a task; None where the operator stopped it."""
    if isinstance(error, OperationalError):
        return KeptError.of(error)
    if isinstance(error, Exception) and not isinstance(error, TaskCancelled):
        return KeptError.of(InternalFailure(detail=UNEXPECTED.fill(kind=type(error).__name__)))
    return None
