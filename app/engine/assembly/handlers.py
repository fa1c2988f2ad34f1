"""What answers commands and queries."""

from collections.abc import Callable

from app.domain.errors import OperationalError
from app.engine.assembly.services import Services
from app.engine.doctor.handlers import DoctorHandlers
from app.engine.doctor.platform import PortProbe
from app.engine.encryption.handlers import EncryptionHandlers
from app.engine.encryption.service import EncryptionService
from app.engine.export.offers import OfferHandlers
from app.engine.history.handlers import HistoryHandlers
from app.engine.history.overview import OverviewHandlers
from app.engine.hooks.handlers import HookHandlers
from app.engine.log.handlers import LogHandlers
from app.engine.messages import MessageCatalogue
from app.engine.moving.intake import MovingHandlers
from app.engine.moving.takeover import TakeOverHandlers
from app.engine.notify.handlers import NotificationHandlers
from app.engine.notify.settings import NotificationSettingsStore
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.handlers import PlatformHandlers
from app.engine.platforms.probing import ModeTrial
from app.engine.platforms.registration import PlatformRegistration
from app.engine.platforms.transports import TransportHandlers
from app.engine.points.handlers import PointHandlers
from app.engine.points.pins import PinHandlers
from app.engine.program.handlers import ProgramHandlers
from app.engine.program.limits import KeepLimits, LimitsHandlers
from app.engine.program.vddk import VddkHandlers
from app.engine.restore.handlers import RestoreHandlers
from app.engine.restore.lookup import OriginalLookup
from app.engine.restore.planning import RestorePlanner
from app.engine.standbys.handlers import StandbyHandlers
from app.engine.standbys.registration import StandbyRegistration
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.handlers import TaskHandlers
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import TaskRows

ServingProblem = Callable[[], OperationalError | None]


def build_handlers(
    services: Services,
    *,
    manager: TaskManager,
    factory: TaskFactory,
    recovery: CrashRecovery,
    attachments: Attachments,
    offers: OfferHandlers,
    notifications: NotificationSettingsStore,
    texts: MessageCatalogue,
    keep_limits: KeepLimits,
    probe: PortProbe,
    serving: ServingProblem,
    count_troubled: Callable[[], int],
    taken_in: Callable[[], None],
) -> tuple[object, ...]:
    """Make what answers commands and queries, but for those about rules."""
    return (
        offers,
        *_platform_handlers(services, manager, recovery, attachments, probe, serving),
        *_standby_handlers(services, manager, offers),
        *_task_handlers(services, manager, factory, texts, keep_limits),
        *_history_handlers(services, manager, offers, texts, count_troubled),
        *_program_handlers(services, manager, notifications),
        *_moving_handlers(services, notifications, taken_in),
    )


def _platform_handlers(
    services: Services,
    manager: TaskManager,
    recovery: CrashRecovery,
    attachments: Attachments,
    probe: PortProbe,
    serving: ServingProblem,
) -> tuple[object, ...]:
    catalog, sessions, repositories = services.catalog, services.sessions, services.repositories
    registration = PlatformRegistration(
        sessions=sessions,
        platforms=catalog.platforms,
        rules=catalog.rules,
        recoveries=catalog.instant,
        migrations=catalog.migrations,
        unfinished=manager.unfinished,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )
    return (
        PlatformHandlers(
            registration=registration,
            sessions=sessions,
            inventories=services.inventories,
            recovery=recovery,
            catalog=catalog,
        ),
        TransportHandlers(
            sessions=sessions,
            platforms=catalog.platforms,
            trial=ModeTrial(services.transports, attachments),
            journal=services.journal,
        ),
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
            trial=ModeTrial(services.transports, attachments),
            serving=serving,
        ),
    )


def _standby_handlers(services: Services, manager: TaskManager, offers: OfferHandlers) -> tuple[object, ...]:
    catalog, unfinished = services.catalog, manager.unfinished
    encryption = EncryptionService(services.repositories, catalog.standbys, services.clock)
    registration = StandbyRegistration(
        standbys=catalog.standbys,
        rules=catalog.rules,
        encryption=encryption,
        points=services.point_list,
        is_offered=offers.has_any_at,
        recoveries=catalog.instant,
        unfinished=unfinished,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )
    return (
        PinHandlers(
            points=catalog.points,
            standbys=catalog.standbys,
            recoveries=catalog.instant,
            repositories=services.repositories,
            journal=services.journal,
        ),
        StandbyHandlers(registration=registration, watch=services.watch, catalog=catalog, clock=services.clock),
        EncryptionHandlers(
            encryption=encryption,
            standbys=catalog.standbys,
            points=services.point_list,
            watch=services.watch,
            unfinished=unfinished,
            journal=services.journal,
        ),
        PointHandlers(
            points=catalog.points,
            standbys=catalog.standbys,
            repositories=services.repositories,
            point_list=services.point_list,
            unfinished=unfinished,
            journal=services.journal,
        ),
    )


def _task_rows(services: Services, manager: TaskManager) -> TaskRows:
    catalog = services.catalog
    return TaskRows(catalog.platforms, catalog.standbys, manager, services.speeds)


def _task_handlers(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    texts: MessageCatalogue,
    keep_limits: KeepLimits,
) -> tuple[object, ...]:
    return (
        TaskHandlers(
            manager=manager,
            factory=factory,
            sessions=services.sessions,
            tasks=services.catalog.tasks,
            standbys=services.catalog.standbys,
            texts=texts,
            rows=_task_rows(services, manager),
            speeds=services.speeds,
        ),
        LimitsHandlers(
            manager=manager,
            settings=services.settings,
            journal=services.journal,
            keep=keep_limits,
        ),
    )


def _history_handlers(
    services: Services,
    manager: TaskManager,
    offers: OfferHandlers,
    texts: MessageCatalogue,
    count_troubled: Callable[[], int],
) -> tuple[object, ...]:
    catalog, clock, zone = services.catalog, services.clock, services.zone
    return (
        LogHandlers(log=catalog.log, texts=texts, journal=services.journal, zone=zone),
        HistoryHandlers(catalog=catalog, clock=clock, zone=zone),
        OverviewHandlers(
            catalog=catalog,
            manager=manager,
            rows=_task_rows(services, manager),
            speeds=services.speeds,
            watch=services.watch,
            clock_watch=services.clock_watch,
            clock=clock,
            zone=zone,
            count_offers=offers.count,
            count_troubled=count_troubled,
        ),
    )


def _program_handlers(
    services: Services, manager: TaskManager, notifications: NotificationSettingsStore
) -> tuple[object, ...]:
    return (
        NotificationHandlers(notifications, services.clock),
        HookHandlers(services.catalog.settings, services.catalog.rules),
        ProgramHandlers(services.clock_watch, services.bus, services.clock, manager.live_count),
        VddkHandlers(services.catalog.settings, services.transports, services.journal),
    )


def _moving_handlers(
    services: Services, notifications: NotificationSettingsStore, taken_in: Callable[[], None]
) -> tuple[object, ...]:
    return (
        MovingHandlers(
            catalog=services.catalog,
            secrets=services.sessions.secrets,
            notifications=notifications,
            journal=services.journal,
            clock=services.clock,
            taken_in=taken_in,
        ),
        TakeOverHandlers(
            catalog=services.catalog,
            sessions=services.sessions,
            repositories=services.repositories,
            points=services.point_list,
            journal=services.journal,
            clock=services.clock,
            taken_in=taken_in,
        ),
    )
