"""Starts the VM of a restore point for a proof, and takes all of it away again."""

from collections.abc import Collection, Iterable

from app.core.context import TaskContext
from app.core.guests import ShowsGuests
from app.core.hypervisor import Hypervisor
from app.core.places import RestoreChoices
from app.domain.errors import (
    LicenseRefused,
    NfsMountFailed,
    OperationalError,
    PowerOperationFailed,
    VmCreationFailed,
)
from app.domain.ids import PlatformId, RecoveryId, TaskId, VmId
from app.domain.instant import InstantPhase, InstantRecovery, RecoveryPurpose
from app.domain.restore_point import VmFacts
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.domain.vms import SavedConfiguration, VmPlacement
from app.engine.instant.ending import take_away
from app.engine.instant.errors import InstantUnavailable, InstantUnsupported, NoAddressToServe
from app.engine.instant.removal import Removal
from app.engine.instant.services import InstantServices, runs_from_nfs
from app.engine.instant.start import InstantStartRun
from app.engine.proof import messages
from app.engine.proof.errors import ConsoleNotShown, NoPlatformToStart
from app.engine.proof.verdict import Verdict
from app.engine.proof.watching import GuestWatch
from app.engine.restore.planning import read_saved
from app.engine.restore.target import marked_name
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantStartSpec, ProofSpec

_CANNOT_START = (
    InstantUnsupported,
    InstantUnavailable,
    ConsoleNotShown,
    NoAddressToServe,
    LicenseRefused,
    NfsMountFailed,
    NoPlatformToStart,
    PowerOperationFailed,
    VmCreationFailed,
)
_CANNOT_START_CODES = frozenset({"platform.unsupported"})
"""Of errors of the adapters, whose classes are not known here."""


def cannot_start(error: OperationalError) -> bool:
    """Return whether a platform cannot start VMs from here, which says nothing of their restore points."""
    return isinstance(error, _CANNOT_START) or error.code in _CANNOT_START_CODES


def recovery_of(task: TaskId) -> RecoveryId:
    """Return the id under which what a proof makes is noted."""
    return RecoveryId(task.replace("-", ""))


def recoveries_of(unfinished: Iterable[TaskRecord]) -> Collection[RecoveryId]:
    """Return under which ids proofs that wait or run note what they make."""
    return {recovery_of(record.id) for record in unfinished if record.kind is TaskKind.PROOF}


class Booting:
    """One start for a proof. Thread: the task's."""

    def __init__(
        self, services: InstantServices, task: RunningTask, spec: ProofSpec, platform: PlatformId
    ) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._services = services
        self._task = task
        self._spec = spec
        self._platform = platform
        self._patience = services.patience(platform, task.context)

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> Verdict:
        """Start the VM, look at it and take it away.

        Raises:
            OperationalError: that could not be done; :func:`cannot_start` says whether the platform never can.
            TaskCancelled: the operator stopped it.
        """
        services, spec = self._services, self._spec
        with services.repositories.lease(spec.standby, spec.target_path, self._context.cancel) as repository:
            saved = read_saved(repository, spec.point)
        facts = saved.point.facts
        with services.sessions.connect_patiently(self._platform, self._patience) as hypervisor:
            runs_from_nfs(hypervisor)
            _shows_guests(hypervisor)
            placement = self._placement(hypervisor, saved.configuration, facts)
        recovery = self._noted(facts, saved.point.rule_name, placement)
        try:
            vm = InstantStartRun(services, self._task, self._start_spec(recovery)).run()
            return self._watched(vm, recovery, facts)
        finally:
            with self._context.cancel.shield():
                self._take_away(recovery.id)

    def _placement(self, hypervisor: Hypervisor, saved: SavedConfiguration, facts: VmFacts) -> VmPlacement:
        cpus, memory_mib = self._spec.cpus, self._spec.memory_mib
        if isinstance(hypervisor, RestoreChoices):
            hardware = hypervisor.saved_hardware(saved)
            cpus, memory_mib = min(cpus, hardware.cpus), min(memory_mib, hardware.memory_mib)
        return VmPlacement(
            name=marked_name(facts.name, "proof", self._task.id),
            host=self._spec.host or None,
            cpus=cpus,
            cores_per_socket=cpus,
            memory_mib=memory_mib,
            is_isolated=True,
        )

    def _noted(self, facts: VmFacts, rule_name: str, placement: VmPlacement) -> InstantRecovery:
        """Note that something of it may be there from now on."""
        spec = self._spec
        return self._services.store.add(
            InstantRecovery(
                id=recovery_of(self._task.id),
                created_at=self._services.clock.now(),
                phase=InstantPhase.STARTING,
                purpose=RecoveryPurpose.PROOF,
                platform=self._platform,
                standby=spec.standby,
                target_path=spec.target_path,
                point=spec.point,
                rule=spec.rule,
                rule_name=rule_name,
                vm_name=facts.name,
                placement=placement,
                power_on=False,
                address=spec.address,
            )
        )

    def _start_spec(self, recovery: InstantRecovery) -> InstantStartSpec:
        return InstantStartSpec(
            standby=recovery.standby,
            target_path=recovery.target_path,
            point=recovery.point,
            platform=recovery.platform,
            recovery=recovery.id,
            vm_name=recovery.vm_name,
            rule=recovery.rule,
            rule_name=recovery.rule_name,
            placement=recovery.placement,
            power_on=False,
            address=recovery.address,
        )

    def _watched(self, vm: VmId, recovery: InstantRecovery, facts: VmFacts) -> Verdict:
        services, context, placement = self._services, self._context, recovery.placement
        with services.sessions.connect_patiently(self._platform, self._patience) as hypervisor:
            context.cancel.check()
            before = self._written_bytes(recovery.id)
            hypervisor.power_on(vm)
            context.log.info(
                messages.STARTED, name=placement.name, cpus=placement.cpus, memory_mib=placement.memory_mib
            )
            self._task.stages.enter(TaskState.VERIFYING)
            return GuestWatch(
                _shows_guests(hypervisor),
                vm,
                context,
                look_s=services.settings.proof_look_s,
                limit_s=self._spec.limit_s,
                expects_tools=bool(facts.hostname),
                written_bytes=lambda: self._written_bytes(recovery.id) - before,
            ).run()

    def _written_bytes(self, recovery: RecoveryId) -> int:
        row = (self._services.shares.rows() or {}).get(recovery)
        return 0 if row is None else row.live_bytes

    def _take_away(self, recovery: RecoveryId) -> None:
        """Take everything away; what cannot be is noted, and taken away later."""
        known = self._services.store.get(recovery)
        if known is None:
            return
        known = self._services.note(known, phase=InstantPhase.DISCARDING)
        take_away(self._services, Removal(self._services), known, self._context.log)
        if self._services.store.get(recovery) is not None:
            self._context.log.warning(messages.LEFT)


def _shows_guests(hypervisor: Hypervisor) -> ShowsGuests:
    if not isinstance(hypervisor, ShowsGuests):
        raise ConsoleNotShown(platform=hypervisor.facts.full_name)
    return hypervisor
