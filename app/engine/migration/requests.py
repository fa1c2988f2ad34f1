"""Answers what is asked of migrations, and hands their work to tasks."""

import threading
import uuid
from collections.abc import Collection, Iterable

from app.contract.migration import (
    CutOver,
    DescribeSource,
    DiscardMigration,
    ListMigrations,
    MigrationMember,
    MigrationRow,
    PlanMigration,
    PlannedMigration,
    ResumeMigration,
    StartMigration,
    StopMigration,
)
from app.core.changes import ChangeFeed
from app.core.places import RestoreChoices
from app.domain.changes import Subject
from app.domain.ids import MigrationId, PlatformId, TaskId
from app.domain.messages import Message
from app.domain.migration import Migration, MigrationOptions, MigrationPhase, MigrationWork
from app.domain.places import SavedHardware
from app.engine import messages as task_messages
from app.engine.errors import PlacesUnknown, RequestRefused
from app.engine.handlers import handles
from app.engine.log.journal import Journal
from app.engine.migration import messages
from app.engine.migration.errors import (
    MigrationBusy,
    MigrationEnded,
    MigrationExists,
    MigrationNotReady,
    MigrationNotStopped,
)
from app.engine.migration.reasons import NAMED_TWICE
from app.engine.migration.services import MigrationServices
from app.engine.migration.source import refuse_unmigratable
from app.engine.migration.target import plan_target
from app.engine.migration.view import MigrationView
from app.engine.platforms.identification import refuse_unfit
from app.engine.reasons import NO_VM_NAMED
from app.engine.restore.target import check_name
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import MigrationSpec


class MigrationHandlers:
    """Answers commands and queries about migrations. Thread: any."""

    def __init__(
        self,
        services: MigrationServices,
        *,
        view: MigrationView,
        manager: TaskManager,
        factory: TaskFactory,
        changes: ChangeFeed,
        journal: Journal,
    ) -> None:
        self._services = services
        self._view = view
        self._manager = manager
        self._factory = factory
        self._changes = changes
        self._journal = journal
        self._lock = threading.RLock()
        """Around looking whether a task works at a migration and queueing one."""

    # --- commands ------------------------------------------------------------------------------------------------

    @handles(StartMigration)
    def _start(self, command: StartMigration) -> tuple[MigrationId, ...]:
        if not command.members:
            raise RequestRefused(detail=NO_VM_NAMED)
        if len({member.vm for member in command.members}) < len(command.members):
            raise RequestRefused(detail=NAMED_TWICE)
        for platform in (command.platform, command.target):
            self._services.sessions.platform(platform)
        for member in command.members:
            check_name(member.placement.name)
        with self._lock:
            self._refuse_migrated(command.platform, command.members)
            added = [self._services.store.add(self._new(command, member)) for member in command.members]
            for migration in added:
                self.queue(migration, MigrationWork.COPY)
        return tuple(migration.id for migration in added)

    def _refuse_migrated(self, platform: PlatformId, members: Iterable[MigrationMember]) -> None:
        under_way = {
            known.vm
            for known in self._services.store.all()
            if known.platform == platform and known.phase is not MigrationPhase.DONE
        }
        for member in members:
            if member.vm in under_way:
                raise MigrationExists(vm=member.vm_name)

    def _new(self, command: StartMigration, member: MigrationMember) -> Migration:
        return Migration(
            id=MigrationId(uuid.uuid4().hex),
            created_at=self._services.clock.now(),
            platform=command.platform,
            vm=member.vm,
            vm_name=member.vm_name,
            target=command.target,
            placement=member.placement,
            options=command.options,
        )

    @handles(CutOver)
    def _cut_over(self, command: CutOver) -> TaskId:
        with self._lock:
            known = self._idle(command.migration)
            if known.phase is not MigrationPhase.READY:
                raise MigrationNotReady(vm=known.vm_name)
            return self.queue(known, MigrationWork.CUT_OVER)

    @handles(ResumeMigration)
    def _resume(self, command: ResumeMigration) -> TaskId:
        with self._lock:
            known = self._idle(command.migration)
            if known.phase is MigrationPhase.READY:
                raise MigrationNotStopped(vm=known.vm_name)
            return self.queue(known, MigrationWork.COPY)

    @handles(StopMigration)
    def _stop(self, command: StopMigration) -> None:
        with self._lock:
            known = self._services.known(command.migration)
            if known.phase is MigrationPhase.DONE:
                raise MigrationEnded(vm=known.vm_name)
            work = self._view.at_work().get(known.id)
            if work is not None:
                self._services.stopped.add(known.id)
                self._manager.cancel(work.task)
                if work.is_waiting:
                    self._services.stopped.discard(known.id)
            if known.phase is MigrationPhase.READY and (work is None or work.is_waiting):
                known = self._services.note(known, phase=MigrationPhase.COPYING, error=None)
            if not command.keep:
                self.queue(known, MigrationWork.DISCARD)
        self._changes.note(Subject.MIGRATION, [known.id])

    @handles(DiscardMigration)
    def _discard(self, command: DiscardMigration) -> TaskId | None:
        with self._lock:
            known = self._idle(command.migration, DISCARDED)
            if known.phase is MigrationPhase.DONE:
                self._services.store.remove(known.id)
                return None
            return self.queue(known, MigrationWork.DISCARD)

    def _idle(self, migration: MigrationId, allowed: Collection[MigrationPhase] = ()) -> Migration:
        """Return a migration at which no task works.

        Raises:
            MigrationUnknown: there is none.
            MigrationBusy: one does.
            MigrationEnded: it is completed, and that is not allowed.
        """
        known = self._services.known(migration)
        if known.phase is MigrationPhase.DONE and known.phase not in allowed:
            raise MigrationEnded(vm=known.vm_name)
        if migration in self._view.at_work():
            raise MigrationBusy(vm=known.vm_name)
        return known

    def queue(self, migration: Migration, work: MigrationWork) -> TaskId:
        """Make a task that works at a migration.

        Raises:
            CatalogUnavailable: it cannot be noted.
        """
        spec = MigrationSpec(
            platform=migration.platform,
            vm=migration.vm,
            vm_name=migration.vm_name,
            migration=migration.id,
            work=work,
        )
        task = self._manager.submit(self._factory.task(spec))
        self._changes.note(Subject.MIGRATION, [migration.id])
        return task

    # --- queries -------------------------------------------------------------------------------------------------

    @handles(ListMigrations)
    def _list(self, _: ListMigrations) -> tuple[MigrationRow, ...]:
        return self._view.rows()

    @handles(DescribeSource)
    def _describe_source(self, query: DescribeSource) -> SavedHardware:
        log = self._journal.about(query.vm, "migration.plan")
        with self._services.sessions.connect(query.platform) as source:
            if not isinstance(source, RestoreChoices):
                raise PlacesUnknown(platform=source.facts.full_name)
            return source.saved_hardware(source.save_configuration(query.vm, log=log))

    @handles(PlanMigration)
    def _plan(self, query: PlanMigration) -> PlannedMigration:
        check_name(query.member.placement.name)
        sessions, log = self._services.sessions, self._journal.about(query.member.vm_name, "migration.plan")
        wanted = self._new(
            StartMigration(platform=query.platform, target=query.target, members=(query.member,)), query.member
        )
        with sessions.connect(query.platform) as source:
            details = source.vm_details(query.member.vm)
            refuse_unfit(details.summary)
            refuse_unmigratable(details)
            saved = source.save_configuration(query.member.vm, log=log)
        with sessions.connect(query.target) as target:
            planned = plan_target(target, sessions.platform(query.target), wanted, saved)
        summary = details.summary
        is_tracked = query.options.quick and summary.change_tracking_supported
        is_tracked = is_tracked and (summary.change_tracking_enabled or not details.snapshots)
        return PlannedMigration(
            planned=planned,
            disk_bytes=sum(disk.capacity_bytes for disk in details.disks),
            is_tracked=is_tracked,
            warnings=tuple(_warnings(summary.name, len(details.snapshots), query.options, is_tracked=is_tracked)),
        )


DISCARDED = frozenset({MigrationPhase.DONE})
"""Phases besides those that stand still in which a migration may be discarded."""


def _warnings(vm: str, snapshots: int, options: MigrationOptions, *, is_tracked: bool) -> Iterable[Message]:
    if snapshots:
        yield messages.SNAPSHOTS_STAY.fill(vm=vm, count=snapshots)
    if options.quick and not is_tracked:
        yield task_messages.TRACKING_NOT_ON.fill()
