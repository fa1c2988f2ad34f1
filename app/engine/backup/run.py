"""A backup, step by step: prepare, freeze, learn what to read, read it, let go, commit.

The order of the states is product.md's. The snapshot is on the production VM from the end of the preparation
until the last byte is read, never longer; the restore point becomes visible only by its commit, the very last
effect. Whatever ends the run in between leaves neither.
"""

import random
from dataclasses import dataclass

from app.core.access import DiskTransports
from app.core.hypervisor import Hypervisor, MarkedHistory, ResettableTracking
from app.domain.changetracking import ChangeTracking
from app.domain.clocks import ClockDoubtKind
from app.domain.errors import OperationalError, StandbyFull
from app.domain.restore_point import HistoryMark, RestorePoint
from app.domain.standbys import target_directory
from app.domain.states import TaskState
from app.domain.transports import modes_to_try
from app.domain.vms import PowerState, VmDetails
from app.engine import messages
from app.engine.backup.chains import Chains
from app.engine.backup.frozen import FrozenBackup
from app.engine.backup.orphans import SnapshotRemover
from app.engine.backup.snapshots import SnapshotScope, SnapshotTarget, TrackingSwitch
from app.engine.backup.subject import BackupSubject
from app.engine.backup.templates import TemplateScope
from app.engine.errors import NothingToBackUp, VmNotBackedUp
from app.engine.hooks.run import HookRunner, HookSubject, read_hooks
from app.engine.moving.copies import RuleCopies
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.disks import DiskOpener, holding
from app.engine.platforms.identification import note_identity
from app.engine.platforms.patience import patience_for
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.succession import Successions
from app.engine.ports import Catalog
from app.engine.program.clockwatch import ClockWatch
from app.engine.program.settings import EngineSettings
from app.engine.standbys.leftovers import note_leftovers
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import BackupSpec
from app.repository import Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupServices:
    """What backups need of the engine. Thread: any."""

    sessions: Sessions
    repositories: Repositories
    transports: DiskTransports
    catalog: Catalog
    remover: SnapshotRemover
    attachments: Attachments
    successions: Successions
    clock_watch: ClockWatch
    copies: RuleCopies
    settings: EngineSettings
    chance: random.Random
    """Draws the samples of the audit."""


class BackupRun:
    """One backup of one VM. Thread: the task's."""

    def __init__(self, services: BackupServices, task: RunningTask, request: BackupSpec) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._services = services
        self._catalog = services.catalog
        self._settings = services.settings
        self._task = task
        self._request = request
        self._platform = services.sessions.platform(request.platform)
        self._patience = patience_for(self._platform, services.settings.platform_outage_s, task.context)

    def run(self) -> RestorePoint:
        """Make a restore point.

        Raises:
            OperationalError: it could not be made; nothing of it is visible.
            TaskCancelled: the operator stopped it.
        """
        self._task.stages.enter(TaskState.PREPARING)
        request, cancel = self._request, self._task.context.cancel
        with (
            self._services.repositories.lease(request.standby, request.target_path, cancel) as repository,
            self._services.sessions.connect_patiently(request.platform, self._patience) as hypervisor,
        ):
            self._services.copies.publish(repository, request.standby, request.target_path)
            chains = self._chains(hypervisor, repository)
            details = self._preflight(hypervisor, repository, chains)
            tracking_wanted = self._prepare_tracking(hypervisor, details)
            with self._hooks(details).around():
                point, lied = self._freeze_and_copy(
                    hypervisor, repository, details, chains, tracking_wanted=tracking_wanted
                )
            if lied:
                self._reset_tracking(hypervisor)
            note_leftovers(repository, self._task.log)
        note_identity(self._catalog.rules, self._request.platform, details.summary, chains.here)
        self._note(point)
        return point

    @property
    def request(self) -> BackupSpec:
        """What was asked for, with the id that the VM has now."""
        return self._request

    # --- preparing ---------------------------------------------------------------------------------------------

    def _chains(self, hypervisor: Hypervisor, repository: Repository) -> Chains:
        request = self._request
        return Chains(
            repository=repository,
            points=self._catalog.points,
            standby=request.standby,
            target_path=request.target_path,
            platform=request.platform,
            here=self._services.sessions.identity(request.platform, hypervisor),
        )

    def _preflight(self, hypervisor: Hypervisor, repository: Repository, chains: Chains) -> VmDetails:
        subject = BackupSubject(
            rules=self._catalog.rules,
            tasks=self._catalog.tasks,
            successions=self._services.successions,
            task=self._task,
            hypervisor=hypervisor,
            chains=chains,
        )
        wanted = self._request
        self._request, details = self._patience.through(lambda: subject.find(wanted))
        log = self._task.log
        summary = details.summary
        if summary.unsupported_reason is not None:
            raise VmNotBackedUp(vm=summary.name, reason=summary.unsupported_reason)
        if summary.snapshot_doubt is not None:
            log.warning(messages.SNAPSHOT_DOUBTFUL, reason=summary.snapshot_doubt)
        if summary.needs_consolidation:
            log.warning(messages.DISKS_NEED_CONSOLIDATION, vm=summary.name)
        for disk in details.disks:
            if disk.unsupported_reason is not None:
                log.warning(messages.DISK_LEFT_OUT, disk=disk.label, reason=disk.unsupported_reason)
        if all(disk.unsupported_reason is not None for disk in details.disks):
            raise NothingToBackUp(vm=details.summary.name)
        free_bytes = repository.free_bytes()
        if free_bytes is None:
            log.warning(messages.STANDBY_SPACE_UNKNOWN)
        elif free_bytes < self._settings.standby_reserve_bytes:
            raise StandbyFull(path=self._standby_path(), free_bytes=free_bytes)
        self._clear_up(hypervisor, details)
        return details

    def _clear_up(self, hypervisor: Hypervisor, details: VmDetails) -> None:
        """Remove what earlier tasks have left; a disk that is still attached keeps its snapshot."""
        services, platform, log = self._services, self._request.platform, self._task.log

        def clear_up() -> None:
            services.attachments.detach_left(hypervisor, platform, log_of=lambda _: log)
            services.remover.remove_before_run(hypervisor, platform, details, self._task.context)

        self._patience.through(clear_up)

    def _standby_path(self) -> str:
        standby = self._catalog.standbys.get(self._request.standby)
        return str(target_directory(standby, self._request.target_path)) if standby else self._request.standby

    def _prepare_tracking(self, hypervisor: Hypervisor, details: VmDetails) -> bool:
        """Return whether this backup uses change tracking, after switching it on where that is wanted."""
        log, summary, wish = self._task.log, details.summary, self._request.tracking
        if summary.is_template:
            log.info(messages.TEMPLATE_READ)
            return False
        if wish is ChangeTracking.OFF:
            log.info(messages.TRACKING_NOT_WANTED)
            return False
        if not summary.change_tracking_supported:
            log.info(messages.TRACKING_UNSUPPORTED)
            return False
        if summary.change_tracking_enabled:
            return True
        if wish is ChangeTracking.IF_ENABLED:
            log.info(messages.TRACKING_NOT_ON)
            return False
        self._task.context.cancel.check()
        with self._tracking_switch(hypervisor):
            is_on = hypervisor.enable_change_tracking(self._request.vm, log=log, cancel=self._task.context.cancel)
        if is_on:
            log.info(messages.TRACKING_SWITCHED_ON)
            return True
        log.info(messages.TRACKING_NOT_ON)
        return False

    def _tracking_switch(self, hypervisor: Hypervisor) -> TrackingSwitch:
        request = self._request
        target = SnapshotTarget(platform=request.platform, vm=request.vm, quiesce=False)
        journal = self._catalog.snapshot_journal
        return TrackingSwitch(hypervisor, journal, self._task.context, target, self._settings)

    def _hooks(self, details: VmDetails) -> HookRunner:
        request = self._request
        platform = self._platform
        standby = self._catalog.standbys.get(request.standby)
        subject = HookSubject(
            vm=request.vm,
            vm_name=details.summary.name,
            rule_name=request.rule_name,
            platform_name=platform.name,
            platform_address=platform.address,
            standby_name=standby.name if standby else "",
            kind=request.kind.value,
        )
        hooks = read_hooks(self._catalog.settings).of_rule(request.rule)
        return HookRunner(hooks, subject, self._task.context)

    def _target(self, details: VmDetails) -> SnapshotTarget:
        runs = details.summary.power_state is PowerState.ON
        if self._request.quiesce and not runs:
            self._task.log.info(messages.QUIESCE_NEEDS_RUNNING_VM)
        return SnapshotTarget(
            platform=self._request.platform, vm=self._request.vm, quiesce=self._request.quiesce and runs
        )

    # --- frozen --------------------------------------------------------------------------------------------------

    def _freeze_and_copy(
        self,
        hypervisor: Hypervisor,
        repository: Repository,
        details: VmDetails,
        chains: Chains,
        *,
        tracking_wanted: bool,
    ) -> tuple[RestorePoint, bool]:
        services, context = self._services, self._task.context
        scope = self._scope(hypervisor, details)
        request = self._request
        preferred = request.transports or modes_to_try(self._platform.transports, lan_free=request.lan_free)
        attached = services.attachments.for_task(hypervisor, request.platform, context)
        history = self._history_mark(hypervisor)  # before the freeze: what happens meanwhile counts as later
        with holding(services.transports, hypervisor, request.vm, preferred, context), scope as frozen:
            work = FrozenBackup(
                settings=self._settings,
                chains=chains,
                task=self._task,
                request=self._request,
                hypervisor=hypervisor,
                repository=repository,
                opener=DiskOpener(hypervisor, services.transports, preferred, context, self._patience, attached),
                patience=self._patience,
                details=details,
                frozen=frozen,
                frozen_at=context.clock.now(),
                history=history,
                tracking_wanted=tracking_wanted,
                chance=services.chance,
            )
            return work.copy(release=scope.release), work.caught_lie

    def _scope(self, hypervisor: Hypervisor, details: VmDetails) -> SnapshotScope | TemplateScope:
        if details.summary.is_template:
            return TemplateScope(details)
        journal = self._catalog.snapshot_journal
        return SnapshotScope(
            hypervisor,
            journal,
            self._task.context,
            self._target(details),
            self._settings,
            on_removal=lambda: self._task.stages.note(TaskState.REMOVING_SNAPSHOT),
        )

    def _history_mark(self, hypervisor: Hypervisor) -> HistoryMark | None:
        if not isinstance(hypervisor, MarkedHistory):
            return None
        try:
            mark = hypervisor.history_mark()
        except OperationalError as error:
            self._task.log.warning(messages.HISTORY_NOT_MARKED, detail=error)
            return None
        platform = self._platform
        self._services.clock_watch.note_other(
            ClockDoubtKind.PLATFORM, platform.id, platform.name, self._task.context.clock.now() - mark.at
        )
        return mark

    # --- afterwards ----------------------------------------------------------------------------------------------

    def _reset_tracking(self, hypervisor: Hypervisor) -> None:
        if not isinstance(hypervisor, ResettableTracking):
            return
        context = self._task.context
        try:
            with context.cancel.shield(), self._tracking_switch(hypervisor):
                if hypervisor.reset_change_tracking(self._request.vm, log=context.log, cancel=context.cancel):
                    context.log.info(messages.TRACKING_RESET)
        except OperationalError as error:
            context.log.warning(messages.TRACKING_RESET_FAILED, detail=error)

    def _note(self, point: RestorePoint) -> None:
        """Tell of the point; a catalog that fails now takes nothing from it, for the repository is the truth."""
        context, catalog = self._task.context, self._catalog
        context.log.info(messages.POINT_COMMITTED, point=point.id)
        try:
            catalog.points.put(self._request.standby, self._request.target_path, point)
            catalog.tasks.set_point(context.task, point.id)
        except OperationalError as error:
            context.log.warning(messages.POINT_NOT_LISTED, detail=error)
