"""Puts the parts of an engine together.

Each class gets the services that it uses. What many of them share is made here once, in :class:`Services`, which
only this module and :class:`app.engine.engine.Engine` know: no class keeps all of it to pick from.
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from functools import partial

from app.core.access import DiskTransports
from app.core.bus import EventBus
from app.core.clock import Clock
from app.core.hypervisor import HypervisorFactory
from app.domain.clocks import ClockDoubtKind
from app.domain.ids import TaskId
from app.domain.messages import MessageKind
from app.domain.standbys import Standby
from app.engine import messages
from app.engine.backup.run import BackupServices
from app.engine.backup.snapshots import SnapshotRemover
from app.engine.doctor.handlers import DoctorHandlers
from app.engine.doctor.platform import PortProbe
from app.engine.encryption.handlers import EncryptionHandlers
from app.engine.encryption.keystore import KeyStore
from app.engine.encryption.service import EncryptionService
from app.engine.export import messages as export_messages
from app.engine.export.offers import OfferHandlers
from app.engine.history import messages as history_messages
from app.engine.history.handlers import HistoryHandlers
from app.engine.history.overview import OverviewHandlers
from app.engine.history.recorder import Recorder
from app.engine.hooks import run as hook_messages
from app.engine.hooks.handlers import HookHandlers
from app.engine.log.handlers import LogHandlers
from app.engine.log.journal import Journal
from app.engine.messages import MessageCatalogue, kinds_in
from app.engine.notify import messages as notify_messages
from app.engine.notify.handlers import NotificationHandlers
from app.engine.notify.settings import NotificationSettingsStore
from app.engine.platforms.handlers import PlatformHandlers
from app.engine.platforms.registration import PlatformRegistration
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import Sightings
from app.engine.platforms.succession import Successions
from app.engine.points.handlers import PointHandlers
from app.engine.points.list import PointList
from app.engine.points.reconciliation import PointReconciler
from app.engine.ports import Catalog, RepositoryOpener, TaskRunner
from app.engine.program.clockwatch import ClockWatch
from app.engine.program.handlers import ProgramHandlers
from app.engine.program.heartbeat import Heartbeat
from app.engine.program.limits import KeepLimits, LimitsHandlers
from app.engine.program.secretaccess import BoundedSecrets
from app.engine.program.unreadable import UnreadableReport
from app.engine.restore.handlers import RestoreHandlers
from app.engine.restore.lookup import OriginalLookup
from app.engine.restore.planning import RestorePlanner
from app.engine.restore.run import RestoreServices
from app.engine.rules.drafts import DraftChecker
from app.engine.rules.editing import RuleEditor
from app.engine.rules.group import GroupRestorer
from app.engine.rules.handlers import RuleHandlers
from app.engine.rules.points import RulePoints
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries, RetryStarter
from app.engine.rules.runs import RuleRuns
from app.engine.rules.scheduler import Scheduler, Ticker
from app.engine.rules.service import RuleService
from app.engine.rules.view import RuleView
from app.engine.settings import EngineSettings
from app.engine.standbys.handlers import StandbyHandlers
from app.engine.standbys.maintenance import MaintenanceSchedule
from app.engine.standbys.registration import StandbyRegistration
from app.engine.standbys.repositories import Repositories
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.execution import TaskExecution
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.handlers import TaskHandlers
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import GarbageSpec, VerifySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the parts of one engine share. Thread: any."""

    catalog: Catalog
    clock: Clock
    zone: Callable[[], tzinfo]
    """The operator's time zone as it is set now."""
    bus: EventBus
    settings: EngineSettings
    journal: Journal
    """The operator's log for what belongs to no task."""
    sessions: Sessions
    transports: DiskTransports
    repositories: Repositories
    watch: StandbyWatch
    clock_watch: ClockWatch
    """Says whether what is old may be removed."""
    successions: Successions
    rule_points: RulePoints
    point_list: PointList


def build_services(
    *,
    hypervisors: HypervisorFactory,
    transports: DiskTransports,
    secrets: BoundedSecrets,
    catalog: Catalog,
    opener: RepositoryOpener,
    clock: Clock,
    settings: EngineSettings,
    zone: Callable[[], tzinfo],
) -> Services:
    """Make what the parts of an engine share; nothing is opened or started yet."""
    bus = EventBus()
    journal = Journal(catalog.log, clock, bus)
    clock_watch = ClockWatch(catalog.settings, catalog.engines, clock, journal, bus)
    repositories = Repositories(opener, catalog.standbys, KeyStore(secrets))
    return Services(
        catalog=catalog,
        clock=clock,
        zone=zone,
        bus=bus,
        settings=settings,
        journal=journal,
        sessions=Sessions(hypervisors, catalog.platforms, secrets, Sightings(catalog.sightings, clock)),
        transports=transports,
        repositories=repositories,
        watch=StandbyWatch(
            catalog.standbys,
            clock,
            bus,
            journal,
            encryption_problem=repositories.encryption_problem,
            note_clock=partial(_note_standby_clock, clock_watch),
        ),
        clock_watch=clock_watch,
        successions=Successions(rules=catalog.rules, journal=journal, bus=bus, clock=clock),
        rule_points=RulePoints(catalog=catalog, repositories=repositories, bus=bus, clock=clock),
        point_list=PointList(catalog.points, repositories, clock),
    )


def _note_standby_clock(clock_watch: ClockWatch, standby: Standby, ahead: timedelta) -> None:
    clock_watch.note_other(ClockDoubtKind.STANDBY, standby.id, standby.name, ahead)


def message_texts(kinds: Iterable[MessageKind]) -> MessageCatalogue:
    """Return the English text of log lines: the engine's own, and the kinds of other layers."""
    own = kinds_in(messages, history_messages, hook_messages, notify_messages, export_messages)
    return MessageCatalogue([*own, *kinds])


# --- tasks -------------------------------------------------------------------------------------------------------


def build_snapshot_remover(services: Services, is_live: Callable[[TaskId], bool]) -> SnapshotRemover:
    """Make what removes our snapshots that no live task owns."""
    catalog = services.catalog
    return SnapshotRemover(
        catalog.snapshot_journal,
        services.clock,
        services.settings,
        is_live=is_live,
        is_known=catalog.tasks.is_known,
    )


def build_manager(services: Services, runner: TaskRunner) -> TaskManager:
    """Make what decides which tasks run."""
    settings = services.settings
    limits = Limits(
        max_tasks=settings.max_tasks,
        max_tasks_per_host=settings.host_buffer_mib // settings.transfer_buffer_mib,
    )
    return TaskManager(
        store=services.catalog.tasks,
        runner=runner,
        clock=services.clock,
        bus=services.bus,
        limits=limits,
        late=services.journal.late,
    )


def build_execution(
    services: Services,
    remover: SnapshotRemover,
    rules: RuleService,
    recovery: CrashRecovery,
    points: PointReconciler,
    chance: random.Random,
) -> TaskExecution:
    """Make what runs tasks, each kind by its own run."""
    return TaskExecution(
        catalog=services.catalog,
        repositories=services.repositories,
        clock_watch=services.clock_watch,
        for_backups=_backup_services(services, remover, chance),
        for_restores=_restore_services(services),
        retention=rules.retention,
        retries=rules.retries,
        recovery=recovery,
        points=points,
    )


def _backup_services(services: Services, remover: SnapshotRemover, chance: random.Random) -> BackupServices:
    return BackupServices(
        sessions=services.sessions,
        repositories=services.repositories,
        transports=services.transports,
        catalog=services.catalog,
        remover=remover,
        successions=services.successions,
        clock_watch=services.clock_watch,
        settings=services.settings,
        chance=chance,
    )


def _restore_services(services: Services) -> RestoreServices:
    return RestoreServices(
        sessions=services.sessions,
        repositories=services.repositories,
        transports=services.transports,
        rules=services.catalog.rules,
        journal=services.catalog.restore_journal,
        successions=services.successions,
        settings=services.settings,
    )


def build_crash_recovery(services: Services, remover: SnapshotRemover) -> CrashRecovery:
    """Make what settles the aftermath of a crash."""
    return CrashRecovery(
        sessions=services.sessions,
        remover=remover,
        catalog=services.catalog,
        successions=services.successions,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )


def build_point_reconciler(services: Services, manager: TaskManager) -> PointReconciler:
    """Make what compares the list of restore points with the repositories."""
    return PointReconciler(
        services.point_list,
        standbys=services.catalog.standbys,
        watch=services.watch,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
        aside=manager.aside,
    )


# --- rules -------------------------------------------------------------------------------------------------------


def build_rules(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    points: PointReconciler,
    unreadable: UnreadableReport,
) -> tuple[RuleService, RuleHandlers]:
    """Make what runs the rules, and what answers about them."""
    catalog, clock, zone = services.catalog, services.clock, services.zone
    runs = RuleRuns(
        rule_points=services.rule_points,
        manager=manager,
        factory=factory,
        retries=catalog.retries,
        journal=services.journal,
        usual_transports=services.settings.transports,
    )
    scheduler = Scheduler(
        rules=catalog.rules,
        runs=runs,
        journal=services.journal,
        clock=clock,
        zone=zone,
        missed_after_s=services.settings.missed_after_s,
    )
    retries = Retries(catalog=catalog, journal=services.journal, clock=clock, zone=zone)
    starter = RetryStarter(catalog=catalog, runs=runs, journal=services.journal, clock=clock)
    retention = RetentionService(
        rules=catalog.rules,
        rule_points=services.rule_points,
        clock_watch=services.clock_watch,
        clock=clock,
        zone=zone,
        unfinished=manager.unfinished,
    )
    heartbeat = Heartbeat(catalog.engines, clock)
    maintenance = _maintenance(services, manager, factory)
    calls = (
        services.clock_watch.look,
        heartbeat.beat,
        scheduler.look,
        starter.look,
        services.watch.refresh,
        points.look,
        maintenance.look,
        unreadable.write,
    )
    service = RuleService(
        ticker=Ticker(services.settings.tick_s, calls),
        heartbeat=heartbeat,
        clock_watch=services.clock_watch,
        watch=services.watch,
        retention=retention,
        retries=retries,
    )
    view = RuleView(
        catalog=catalog,
        manager=manager,
        scheduler=scheduler,
        retry_plans=retries,
        watch=services.watch,
        clock=clock,
        zone=zone,
        bus=services.bus,
        engine=heartbeat.engine,
    )
    checker = DraftChecker(catalog=catalog, watch=services.watch, clock=clock, zone=zone)
    handlers = RuleHandlers(
        editor=_editor(services, manager, checker, runs, retries, scheduler),
        checker=checker,
        runs=runs,
        group=_group_restorer(services, manager, factory),
        points=services.rule_points,
        view=view,
        retention=retention,
        clock=clock,
    )
    return service, handlers


def _maintenance(services: Services, manager: TaskManager, factory: TaskFactory) -> MaintenanceSchedule:
    def submit(spec: GarbageSpec | VerifySpec) -> None:
        manager.submit(factory.task(spec))

    return MaintenanceSchedule(
        catalog=services.catalog,
        watch=services.watch,
        clock=services.clock,
        look_every_s=services.settings.maintenance_look_s,
        unfinished=manager.unfinished,
        submit=submit,
    )


def _editor(
    services: Services,
    manager: TaskManager,
    checker: DraftChecker,
    runs: RuleRuns,
    retries: Retries,
    scheduler: Scheduler,
) -> RuleEditor:
    return RuleEditor(
        rules=services.catalog.rules,
        figures=services.catalog.figures,
        checker=checker,
        rule_points=services.rule_points,
        runs=runs,
        retry_plans=retries,
        manager=manager,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
        zone=services.zone,
        stop_wait_s=services.settings.stop_wait_s,
        replan=scheduler.replan,
    )


def _group_restorer(services: Services, manager: TaskManager, factory: TaskFactory) -> GroupRestorer:
    return GroupRestorer(
        rule_points=services.rule_points,
        planner=RestorePlanner(services.sessions, services.repositories, services.catalog.rules),
        sessions=services.sessions,
        repositories=services.repositories,
        manager=manager,
        factory=factory,
        journal=services.journal,
    )


# --- handlers ----------------------------------------------------------------------------------------------------


def platform_handlers(
    services: Services, manager: TaskManager, recovery: CrashRecovery, probe: PortProbe
) -> tuple[object, ...]:
    """Make what answers about platforms, restores to them, and what the doctor finds."""
    catalog, sessions, repositories = services.catalog, services.sessions, services.repositories
    registration = PlatformRegistration(
        sessions=sessions,
        platforms=catalog.platforms,
        rules=catalog.rules,
        unfinished=manager.unfinished,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )
    return (
        PlatformHandlers(registration=registration, sessions=sessions, recovery=recovery, catalog=catalog),
        RestoreHandlers(
            sessions=sessions,
            repositories=repositories,
            lookup=OriginalLookup(sessions, repositories, catalog),
            planner=RestorePlanner(sessions, repositories, catalog.rules),
        ),
        DoctorHandlers(
            sessions=sessions,
            repositories=repositories,
            points=services.rule_points,
            catalog=catalog,
            clock=services.clock,
            probe=probe,
        ),
    )


def standby_handlers(services: Services, manager: TaskManager) -> tuple[object, ...]:
    """Make what answers about standby machines, their encryption, and restore points."""
    catalog, unfinished = services.catalog, manager.unfinished
    encryption = EncryptionService(services.repositories, catalog.standbys, services.clock)
    registration = StandbyRegistration(
        standbys=catalog.standbys,
        rules=catalog.rules,
        encryption=encryption,
        points=services.point_list,
        unfinished=unfinished,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )
    return (
        StandbyHandlers(registration=registration, watch=services.watch, catalog=catalog, clock=services.clock),
        EncryptionHandlers(
            encryption=encryption,
            standbys=catalog.standbys,
            points=services.point_list,
            watch=services.watch,
            unfinished=unfinished,
            journal=services.journal,
            bus=services.bus,
            clock=services.clock,
        ),
        PointHandlers(
            points=catalog.points,
            standbys=catalog.standbys,
            repositories=services.repositories,
            point_list=services.point_list,
            unfinished=unfinished,
            journal=services.journal,
            bus=services.bus,
            clock=services.clock,
        ),
    )


def task_handlers(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    texts: MessageCatalogue,
    keep_limits: KeepLimits,
) -> tuple[object, ...]:
    """Make what answers about tasks and their limits."""
    return (
        TaskHandlers(
            manager=manager,
            factory=factory,
            sessions=services.sessions,
            tasks=services.catalog.tasks,
            standbys=services.catalog.standbys,
            texts=texts,
        ),
        LimitsHandlers(
            manager=manager,
            settings=services.settings,
            journal=services.journal,
            bus=services.bus,
            clock=services.clock,
            keep=keep_limits,
        ),
    )


def history_handlers(
    services: Services, manager: TaskManager, recorder: Recorder, offers: OfferHandlers, texts: MessageCatalogue
) -> tuple[object, ...]:
    """Make what answers about the log, statistics and the first page."""
    catalog, bus, clock, zone = services.catalog, services.bus, services.clock, services.zone
    return (
        LogHandlers(log=catalog.log, texts=texts, journal=services.journal, bus=bus, clock=clock, zone=zone),
        HistoryHandlers(catalog=catalog, bus=bus, clock=clock, zone=zone),
        OverviewHandlers(
            catalog=catalog,
            manager=manager,
            recorder=recorder,
            watch=services.watch,
            clock_watch=services.clock_watch,
            bus=bus,
            clock=clock,
            zone=zone,
            count_offers=offers.count,
        ),
    )


def program_handlers(services: Services, notifications: NotificationSettingsStore) -> tuple[object, ...]:
    """Make what answers about notifications, hooks and the program itself."""
    return (
        NotificationHandlers(notifications, services.clock),
        HookHandlers(services.catalog.settings, services.catalog.rules),
        ProgramHandlers(services.clock_watch, services.bus, services.clock),
    )
