"""Everything about rules, put together."""

import logging

from app.contract.tasks import StartBackup
from app.domain.errors import OperationalError
from app.engine.points.reconciliation import PointReconciler
from app.engine.program.heartbeat import Heartbeat
from app.engine.rules.handlers import RuleHandlers
from app.engine.rules.retention import RetentionService
from app.engine.rules.retries import Retries
from app.engine.rules.runs import RuleRuns
from app.engine.rules.scheduler import Scheduler, Ticker
from app.engine.standbys.maintenance import Keeper
from app.engine.tasks.executor import Executor
from app.engine.tasks.job import Job, Workshop
from app.engine.tasks.manager import TaskManager

_log = logging.getLogger(__name__)


class RuleService:
    """Builds the parts, and keeps the clock for them: plans, heartbeat, looks at standbys. Thread: any."""

    def __init__(
        self, workshop: Workshop, manager: TaskManager, executor: Executor, points: PointReconciler
    ) -> None:
        self._workshop = workshop
        self._retention = RetentionService(workshop, manager)
        runs = RuleRuns(workshop, manager, executor)
        scheduler = Scheduler(workshop, runs)
        self.retries = Retries(workshop, runs)
        self._heartbeat = Heartbeat(workshop.catalog.engines, workshop.clock)
        keeper = Keeper(workshop, manager.unfinished, lambda request: manager.submit(executor.queued(request)))
        calls = (
            workshop.clock_watch.look,
            self._heartbeat.beat,
            scheduler.look,
            self.retries.look,
            workshop.standby_watch.refresh,
            points.look,
            keeper.look,
        )
        self._ticker = Ticker(workshop.settings.tick_s, calls)
        self.handlers = RuleHandlers(
            workshop,
            manager,
            executor,
            runs=runs,
            scheduler=scheduler,
            retention=self._retention,
            retries=self.retries,
            engine=self._heartbeat.engine,
        )

    def start(self) -> None:
        """Begin to keep the clock.

        Raises:
            CatalogUnavailable: the heartbeat cannot be written.
        """
        self._workshop.clock_watch.look()  # before the heartbeat: it compares with the last one
        self._heartbeat.begin()
        self._ticker.start()

    def tick(self) -> None:
        """Look at the clock now, on the caller's thread."""
        self._ticker.tick()

    def stop(self, wait_s: float = 30.0) -> None:
        """Begin nothing any more."""
        self._ticker.stop(wait_s)

    def close(self) -> None:
        """Say goodbye; to be called last."""
        self._workshop.standby_watch.close()
        try:
            self._heartbeat.end()
        except OperationalError as error:
            _log.warning("the end of this engine was not kept: %s", error)

    def after_backup(self, job: Job, request: StartBackup) -> None:
        """Apply the retention of the rule that a successful backup belongs to. Never raises for the standby."""
        if request.rule is not None:
            self._retention.apply(job, request.rule, request.vm)
