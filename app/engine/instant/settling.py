"""Brings recoveries that a crash caught to a state that the operator can understand."""

import logging
from collections.abc import Callable, Collection

from app.core.hypervisor import Hypervisor
from app.core.tasklog import TaskLog
from app.domain.errors import KeptError, OperationalError
from app.domain.ids import PlatformId, RecoveryId
from app.domain.instant import InstantPhase, InstantRecovery, RecoveryPurpose
from app.engine.instant import messages
from app.engine.instant.ending import take_away
from app.engine.instant.errors import VmOfRecoveryGone
from app.engine.instant.ownvm import find_own
from app.engine.instant.removal import Removal
from app.engine.instant.services import InstantServices

_log = logging.getLogger(__name__)

_ON_PLATFORM = frozenset(
    {
        InstantPhase.STARTING,
        InstantPhase.RESUMING,
        InstantPhase.FINISHING,
        InstantPhase.MOVED,
        InstantPhase.STOPPING,
        InstantPhase.DISCARDING,
    }
)
"""Phases in which a crash leaves something to do on the platform."""
_ENDED_BY = {InstantPhase.STARTING: InstantPhase.DISCARDING, InstantPhase.RESUMING: InstantPhase.STOPPING}


class Settling:
    """Settles what did not end as it should. Thread: any."""

    def __init__(
        self,
        services: InstantServices,
        log_of: Callable[[InstantRecovery], TaskLog],
        at_work: Callable[[], Collection[RecoveryId]],
    ) -> None:
        """Prepare.

        Args:
            services: of the engine.
            log_of: returns where to write about a recovery.
            at_work: returns the recoveries at which a task waits or works.
        """
        self._services = services
        self._log_of = log_of
        self._at_work = at_work

    def serve_again(self) -> None:
        """Have everything served that was served before; never raises."""
        try:
            if self._services.shares.all():
                self._services.shares.look()
        except (OperationalError, OSError) as error:
            _log.error("the service of instant recoveries was not started: %s", error)

    def platforms(self) -> set[PlatformId]:
        """Return the platforms on which something is to be settled."""
        return {recovery.platform for recovery in self._left()}

    def visit(self, platform: PlatformId) -> None:
        """Settle what is left on a platform; never raises, what fails is in the list with its reason."""
        left = [recovery for recovery in self._left() if recovery.platform == platform]
        try:
            with self._services.sessions.connect(platform) as hypervisor:
                for recovery in left:
                    self._settle(hypervisor, recovery)
        except OperationalError as error:
            _log.warning("what instant recoveries have left on %s is looked for later: %s", platform, error)
            for recovery in left:
                self._services.note(recovery, error=KeptError.of(error))

    def _left(self) -> list[InstantRecovery]:
        at_work = self._at_work()
        return [
            recovery
            for recovery in self._services.store.all()
            if (recovery.phase in _ON_PLATFORM or recovery.purpose is RecoveryPurpose.PROOF)
            and recovery.id not in at_work
        ]

    def _settle(self, hypervisor: Hypervisor, recovery: InstantRecovery) -> None:
        log = self._log_of(recovery)
        if recovery.purpose is RecoveryPurpose.PROOF:
            recovery = self._services.note(recovery, phase=InstantPhase.DISCARDING)
        if recovery.phase is InstantPhase.FINISHING:
            try:
                settled = self._settle_move(hypervisor, recovery, log)
            except OperationalError as error:
                self._services.note(recovery, error=KeptError.of(error))
                return
            if settled.phase is not InstantPhase.MOVED:
                return
            recovery = settled
        if recovery.phase is InstantPhase.MOVED:
            self._complete_move(hypervisor, recovery, log)
            return
        phase = _ENDED_BY.get(recovery.phase)
        if phase is not None:
            recovery = self._services.note(recovery, phase=phase)
        take_away(self._services, Removal(self._services), recovery, log, hypervisor=hypervisor)

    def _complete_move(self, hypervisor: Hypervisor, recovery: InstantRecovery, log: TaskLog) -> None:
        try:
            Removal(self._services).complete_move(hypervisor, recovery, None, log)
        except OperationalError as error:
            log.error(messages.SETTLED_LATER, name=recovery.name, detail=error)
            self._services.note(recovery, error=KeptError.of(error))

    def _settle_move(self, hypervisor: Hypervisor, recovery: InstantRecovery, log: TaskLog) -> InstantRecovery:
        """Find out where a VM is whose move was interrupted.

        A move that goes on at the platform is not over while a disk is here. A VM that is nowhere is no proof that
        what it wrote is anywhere else: then nothing is deleted.
        """
        own = find_own(hypervisor, recovery)
        if own is None:
            gone = KeptError.of(VmOfRecoveryGone(vm=recovery.name))
            return self._services.note(recovery, phase=InstantPhase.SERVED, error=gone)
        if own.is_here:
            log.warning(messages.STILL_HERE, name=own.name)
            export = self._services.shares.read(recovery.id)
            if export is not None and export.is_paused:
                self._services.shares.go_on(recovery.name, export)
            return self._services.note(recovery, phase=InstantPhase.SERVED, vm=own.id)
        return self._services.note(recovery, phase=InstantPhase.MOVED, vm=own.id)
