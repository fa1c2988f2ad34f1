"""Rules: what happens by the clock, and what answers about them."""

from collections.abc import Callable

from app.engine.assembly.services import Services
from app.engine.points.reconciliation import PointReconciler
from app.engine.program.heartbeat import Heartbeat
from app.engine.program.unreadable import UnreadableReport
from app.engine.proof.schedule import ProofSchedule
from app.engine.restore.planning import RestorePlanner
from app.engine.rules.drafts import DraftChecker
from app.engine.rules.editing import RuleEditor
from app.engine.rules.group import GroupRestorer
from app.engine.rules.handlers import RuleHandlers
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries, RetryStarter
from app.engine.rules.runs import RuleRuns
from app.engine.rules.scheduler import Scheduler
from app.engine.rules.service import RuleService
from app.engine.rules.ticker import Ticker
from app.engine.rules.view import RuleView
from app.engine.standbys.maintenance import MaintenanceSchedule
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.spec import GarbageSpec, ProofSpec, VerifySpec


def build_rules(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    points: PointReconciler,
    unreadable: UnreadableReport,
    settle_proofs: Callable[[], None],
) -> tuple[RuleService, RuleHandlers]:
    """Make what runs the rules, and what answers about them."""
    catalog, clock = services.catalog, services.clock
    runs = _runs(services, manager, factory)
    scheduler = _scheduler(services, runs)
    retries = Retries(catalog=catalog, journal=services.journal, clock=clock, zone=services.zone)
    starter = RetryStarter(catalog=catalog, runs=runs, journal=services.journal, clock=clock)
    retention = _retention(services, manager)
    heartbeat = Heartbeat(catalog.engines, clock)
    view = _view(services, manager, scheduler, retries, heartbeat)
    calls = (
        services.clock_watch.look,
        heartbeat.beat,
        scheduler.look,
        starter.look,
        services.watch.refresh,
        points.look,
        _proofs(services, manager, factory, settle_proofs).look,
        _maintenance(services, manager, factory).look,
        unreadable.write,
        view.prepare,
        services.inventories.close_unused,
    )
    ticker = Ticker(services.settings.tick_s, calls, scheduler.seconds_left)
    scheduler.when_replanned(ticker.wake)
    view.when_all_differ(ticker.wake)
    service = RuleService(
        ticker=ticker,
        heartbeat=heartbeat,
        clock_watch=services.clock_watch,
        watch=services.watch,
        retention=retention,
        retries=retries,
        replan=scheduler.replan,
    )
    checker = DraftChecker(catalog=catalog, watch=services.watch, clock=clock, zone=services.zone)
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


def _runs(services: Services, manager: TaskManager, factory: TaskFactory) -> RuleRuns:
    return RuleRuns(
        rule_points=services.rule_points,
        manager=manager,
        factory=factory,
        retries=services.catalog.retries,
        journal=services.journal,
    )


def _scheduler(services: Services, runs: RuleRuns) -> Scheduler:
    return Scheduler(
        rules=services.catalog.rules,
        runs=runs,
        journal=services.journal,
        clock=services.clock,
        zone=services.zone,
        missed_after_s=services.settings.missed_after_s,
        changes=services.catalog.changes,
    )


def _retention(services: Services, manager: TaskManager) -> RetentionService:
    return RetentionService(
        rules=services.catalog.rules,
        rule_points=services.rule_points,
        clock_watch=services.clock_watch,
        clock=services.clock,
        zone=services.zone,
        unfinished=manager.unfinished,
    )


def _view(
    services: Services, manager: TaskManager, scheduler: Scheduler, retries: Retries, heartbeat: Heartbeat
) -> RuleView:
    return RuleView(
        catalog=services.catalog,
        manager=manager,
        scheduler=scheduler,
        retry_plans=retries,
        watch=services.watch,
        clock=services.clock,
        zone=services.zone,
        engine=heartbeat.engine,
        speeds=services.speeds,
    )


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


def _proofs(
    services: Services, manager: TaskManager, factory: TaskFactory, settle: Callable[[], None]
) -> ProofSchedule:
    def submit(spec: ProofSpec) -> None:
        manager.submit(factory.task(spec))

    return ProofSchedule(
        catalog=services.catalog,
        rule_points=services.rule_points,
        watch=services.watch,
        clock=services.clock,
        zone=services.zone,
        look_every_s=services.settings.proof_schedule_s,
        unfinished=manager.unfinished,
        is_live=manager.is_live,
        submit=submit,
        settle=lambda: manager.aside("proofs", settle),
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
