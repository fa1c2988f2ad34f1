"""The cut-over: the source is shut down, the rest copied and compared, and the target takes its place."""

from app.core.context import TaskContext
from app.core.guests import ShowsGuests, ShutsGuestsDown
from app.core.hypervisor import Hypervisor, KeptIdentity
from app.core.places import RestoreChoices
from app.domain.errors import OperationalError
from app.domain.messages import listed
from app.domain.migration import Migration, MigrationPhase
from app.domain.vms import PowerState, SavedConfiguration, VmDetails
from app.engine.migration import messages
from app.engine.migration.errors import SourceStarted, SourceSuspended, StartNotProven
from app.engine.migration.frozen import FrozenSource
from app.engine.migration.outcome import Outcome
from app.engine.migration.passes import Passes, Sides
from app.engine.migration.services import MigrationServices
from app.engine.migration.source import find_source, wait_for_off
from app.engine.migration.target import aside_name, emptied, own_target
from app.engine.tasks.running import RunningTask


class CutOverRun:
    """One cut-over. Whatever it raises, :class:`Undoing` takes it back. Thread: the task's."""

    def __init__(self, services: MigrationServices, task: RunningTask, sides: Sides, passes: Passes) -> None:
        self._services = services
        self._task = task
        self._sides = sides
        self._passes = passes

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    @property
    def _source(self) -> Hypervisor:
        return self._sides.source.hypervisor

    @property
    def _target(self) -> Hypervisor:
        return self._sides.target.hypervisor

    def run(self, migration: Migration) -> Migration:
        """Let the target take the source's place, and return the migration as it is done.

        Raises:
            OperationalError: it could not.
            TaskCancelled: the operator stopped it before the target was started.
        """
        log = self._context.log
        log.info(messages.CUT_OVER_BEGINS, vm=migration.vm_name)
        details = find_source(self._services, self._source, migration)
        state = details.summary.power_state
        if state is PowerState.SUSPENDED:
            raise SourceSuspended(vm=details.summary.name)
        runs_on = state is PowerState.ON and not migration.options.shut_down_source
        migration = self._services.note(
            migration,
            phase=MigrationPhase.CUTTING_OVER,
            source_was_on=state is PowerState.ON and not runs_on,
        )
        if runs_on:
            log.warning(messages.SOURCE_RUNS_ON, vm=migration.vm_name)
        elif state is PowerState.ON:
            migration = self._shut_down(migration)
        migration = self._passes.run(migration, self._prove)
        self._context.cancel.check()
        outcome = Outcome(self._services, self._context, self._sides)
        if runs_on:
            with self._context.cancel.shield():
                return outcome.copied(migration)
        saved = self._source.save_configuration(migration.vm, log=log)
        self._warn_of_other_hardware(migration, saved)
        self._context.cancel.check()
        with self._context.cancel.shield():
            migration = self._take_place(migration, saved)
            migration = self._start(migration)
            return outcome.done(migration)

    def _prove(self, frozen: FrozenSource, migration: Migration) -> None:
        frozen.prove(migration, self._services.chance)

    # --- the source goes -----------------------------------------------------------------------------------------

    def _shut_down(self, migration: Migration) -> Migration:
        """Shut the source down; a stop waits for that, for what the guest has begun cannot be called off."""
        log, name = self._context.log, migration.vm_name
        self._context.cancel.check()
        with self._context.cancel.shield():
            migration = self._services.note(migration, is_shutting_down=True)
            if self._ask_guest(migration):
                log.info(messages.GUEST_ASKED, vm=name)
                if not wait_for_off(self._source, migration.vm, self._services.settings, self._context.clock):
                    seconds = round(self._services.settings.guest_shutdown_s)
                    log.warning(messages.GUEST_TOO_SLOW, vm=name, seconds=seconds)
            else:
                log.warning(messages.GUEST_NOT_ASKED, vm=name)
                migration = self._services.note(migration, is_shutting_down=False)
            self._source.power_off(migration.vm)
            log.info(messages.SOURCE_OFF, vm=name)
            return self._services.note(migration, is_shutting_down=False)

    def _ask_guest(self, migration: Migration) -> bool:
        if not isinstance(self._source, ShutsGuestsDown):
            return False
        try:
            return self._source.shut_down_guest(migration.vm)
        except OperationalError as error:
            self._context.log.warning(messages.GUEST_REFUSED, detail=error)
            return False

    def _power_of_source(self, migration: Migration) -> PowerState:
        return self._source.vm_details(migration.vm).summary.power_state

    def _warn_of_other_hardware(self, migration: Migration, saved: SavedConfiguration) -> None:
        """Say when the source was given other processors, memory or adapters since the target was made."""
        place = migration.placement
        if not isinstance(self._source, RestoreChoices) or not isinstance(self._target, RestoreChoices):
            return
        target = own_target(self._target, migration).summary.id
        had = self._target.saved_hardware(self._target.save_configuration(target, log=self._context.log))
        has = self._source.saved_hardware(saved)
        is_same = (
            (place.cpus is not None or had.cpus == has.cpus)
            and (place.memory_mib is not None or had.memory_mib == has.memory_mib)
            and len(had.adapters) == len(has.adapters)
        )
        if not is_same:
            self._context.log.warning(messages.HARDWARE_CHANGED, vm=migration.vm_name)

    # --- the target comes ----------------------------------------------------------------------------------------

    def _take_place(self, migration: Migration, saved: SavedConfiguration) -> Migration:
        """Set the source aside, and give its name and identity to the target.

        Raises:
            SourceStarted: it runs again, by somebody's doing.
            OperationalError: a platform refused.
        """
        self._refuse_started(migration)
        target = own_target(self._target, migration)
        kept = aside_name(migration)
        migration = self._services.note(migration, phase=MigrationPhase.TAKING_PLACE, source_kept_as=kept)
        self._source.rename_vm(migration.vm, kept)
        self._context.log.info(messages.SOURCE_KEPT_AS, name=kept)
        self._target.rename_vm(target.summary.id, migration.name)
        self._give_identity(migration, target, saved)
        self._refuse_started(migration)
        return migration

    def _refuse_started(self, migration: Migration) -> None:
        if self._power_of_source(migration) is not PowerState.OFF:
            raise SourceStarted(vm=migration.vm_name)

    def _give_identity(self, migration: Migration, target: VmDetails, saved: SavedConfiguration) -> None:
        log = self._context.log
        if not isinstance(self._target, KeptIdentity):
            return
        try:
            lacking = self._target.give_identity(target.summary.id, saved)
        except OperationalError as error:
            log.warning(messages.IDENTITY_NOT_MOVED, name=migration.name, detail=error)
            return
        if lacking:
            log.warning(messages.IDENTITY_NOT_MOVED, name=migration.name, detail=listed(lacking))
        else:
            log.info(messages.IDENTITY_MOVED, name=migration.name)

    def _start(self, migration: Migration) -> Migration:
        """Power the target on, and where that is wanted wait until its system says that it runs.

        Raises:
            StartNotProven: it does not say so.
            OperationalError: it could not be powered on.
        """
        if not migration.options.power_on:
            return migration
        target = own_target(self._target, migration).summary.id
        # From here on the target's guest may write: nothing that was copied is believed any more.
        migration = self._services.note(
            migration, phase=MigrationPhase.STARTING, disks=emptied(migration.disks), target_vm=target
        )
        self._target.power_on(target)
        self._context.log.info(messages.STARTED, name=migration.name)
        if migration.options.prove_start:
            self._wait_for_guest(migration)
        return migration

    def _wait_for_guest(self, migration: Migration) -> None:
        settings, clock, target = self._services.settings, self._context.clock, migration.target_vm
        assert target is not None
        until = clock.monotonic() + settings.guest_start_s
        while isinstance(self._target, ShowsGuests):
            if self._target.guest_signs(target).tools_run:
                self._context.log.info(messages.START_PROVEN, name=migration.name)
                return
            if clock.monotonic() >= until:
                break
            self._context.cancel.wait(settings.guest_look_s)
        raise StartNotProven(name=migration.name, seconds=round(settings.guest_start_s))
