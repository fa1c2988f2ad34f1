"""The engine as one object: commands in, answers and events out."""

import random
from collections.abc import Callable, Iterable
from datetime import tzinfo
from functools import partial
from typing import TypeVar, cast

from app.contract.base import Command, Query
from app.core.access import DiskTransports
from app.core.bus import EventBus, Listener
from app.core.clock import Clock
from app.core.hypervisor import HypervisorFactory
from app.core.secrets import SecretStore
from app.core.zones import local_zone
from app.domain.clocks import ClockDoubtKind
from app.domain.errors import OperationalError
from app.domain.ids import TaskId
from app.domain.messages import MessageKind
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.engine import messages
from app.engine.backup.snapshots import SnapshotSweeper
from app.engine.doctor.handlers import DoctorHandlers
from app.engine.doctor.platform import PortProbe, probe_port
from app.engine.encryption.handlers import EncryptionHandlers
from app.engine.encryption.keystore import KeyStore
from app.engine.encryption.service import EncryptionService
from app.engine.export import messages as export_messages
from app.engine.export.offers import OfferHandlers
from app.engine.handlers import Request, handler_table
from app.engine.history import messages as history
from app.engine.history.handlers import HistoryHandlers
from app.engine.history.overview import OverviewHandlers
from app.engine.history.recorder import Recorder
from app.engine.hooks import run as hooks
from app.engine.hooks.handlers import HookHandlers
from app.engine.log.handlers import LogHandlers
from app.engine.log.journal import Journal
from app.engine.messages import MessageCatalogue, kinds_in
from app.engine.notify import messages as notify_messages
from app.engine.notify.handlers import NotificationHandlers
from app.engine.notify.service import Notifier
from app.engine.notify.settings import NotificationSettingsStore
from app.engine.notify.sinks import Trust, system_trust
from app.engine.platforms.handlers import PlatformHandlers
from app.engine.platforms.registration import PlatformRegistration
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.sightings import Sightings
from app.engine.points.handlers import PointHandlers
from app.engine.points.list import PointList
from app.engine.points.reconciliation import PointReconciler
from app.engine.ports import Catalog, RepositoryOpener, TaskRunner
from app.engine.program.clockwatch import ClockWatch
from app.engine.program.ending import Ending
from app.engine.program.handlers import ProgramHandlers
from app.engine.program.limits import KeepLimits, LimitsHandlers
from app.engine.program.secretaccess import BoundedSecrets
from app.engine.restore.handlers import RestoreHandlers
from app.engine.restore.lookup import OriginalLookup
from app.engine.restore.planning import RestorePlanner
from app.engine.rules.points import RulePoints
from app.engine.rules.service import RuleService
from app.engine.settings import EngineSettings
from app.engine.standbys.handlers import StandbyHandlers
from app.engine.standbys.registration import StandbyRegistration
from app.engine.standbys.repositories import Repositories
from app.engine.standbys.watch import StandbyWatch
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.executor import Executor, with_candidate
from app.engine.tasks.handlers import TaskHandlers
from app.engine.tasks.job import Workshop
from app.engine.tasks.manager import TaskManager

R = TypeVar("R")

CLOSE_S = 15.0
"""How long the engine may take to end."""
_STEP_S = 3.0
"""How long one part of it may take to end, but for the tasks."""
_LATE_S = 2.0
"""How long is tried at the end to write what the catalog could not take before."""
_RESERVED_S = 5.0
"""What tasks leave of the time for the parts that end after them."""


class Engine:
    """Backs VMs up, restores them, and remembers it.

    Call :meth:`start` once before anything else, and :meth:`close` at the end. Errors that the operator can mend
    leave :meth:`execute` and :meth:`ask` as :class:`app.domain.errors.OperationalError`; those of a task are
    kept with it. Listeners are called on the thread that the fact happened on, and must be quick.

    Thread: any.
    """

    def __init__(
        self,
        *,
        hypervisors: HypervisorFactory,
        transports: DiskTransports,
        secrets: SecretStore,
        catalog: Catalog,
        repositories: RepositoryOpener,
        runner: TaskRunner,
        clock: Clock,
        settings: EngineSettings | None = None,
        kinds: Iterable[MessageKind] = (),
        chance: random.Random | None = None,
        trust: Trust = system_trust,
        zone: Callable[[], tzinfo] = local_zone,
        keep_limits: KeepLimits = lambda _limits: None,
        probe: PortProbe = probe_port,
    ) -> None:
        """Put the engine together; nothing is opened or started yet.

        Args:
            hypervisors: logs in to platforms.
            transports: opens disks.
            secrets: keeps the platforms' passwords and the repositories' keys.
            catalog: remembers; the engine does not close it.
            repositories: opens the repository of a standby, with its key; creates it only for one without a
                repository id.
            runner: gives tasks their threads.
            clock: tells the time.
            settings: the engine's manners.
            kinds: message kinds of the other layers, for the English text of log lines.
            chance: draws the samples of the audit; by default the operating system's randomness.
            trust: decides which servers notifications are sent to.
            zone: tells the operator's time zone as it is set now.
            keep_limits: makes limits that the operator changes last.
            probe: tries whether a port of a host can be reached.
        """
        self._catalog = catalog
        self._bus = EventBus()
        self._texts = MessageCatalogue(
            [*kinds_in(messages, history, hooks, notify_messages, export_messages), *kinds]
        )
        self._secrets = BoundedSecrets(secrets)
        self._workshop = self._workshop_of(
            Sessions(hypervisors, catalog.platforms, self._secrets, Sightings(catalog.sightings, clock)),
            transports,
            Repositories(repositories, catalog.standbys, KeyStore(self._secrets)),
            clock,
            settings or EngineSettings(),
            zone,
        )
        self._executor = Executor(
            self._workshop,
            chance or random.SystemRandom(),
            lambda job, request: self._rules.after_backup(job, request),
        )
        self._recovery = CrashRecovery(self._workshop)
        self._manager = self._task_manager(runner)
        workshop = self._workshop
        self._point_list = PointList(catalog.points, workshop.repositories, clock)
        self._points = PointReconciler(
            self._point_list,
            standbys=catalog.standbys,
            watch=workshop.standby_watch,
            journal=workshop.journal,
            bus=self._bus,
            clock=clock,
            aside=self._manager.aside,
        )
        self._rules = RuleService(self._workshop, self._manager, self._executor, self._points)
        self._recorder = Recorder(
            self._manager.live,
            catalog.traffic,
            clock,
            self._bus,
            may_forget=self._workshop.clock_watch.is_believed,
        )
        self._book = NotificationSettingsStore(catalog.settings, self._secrets, self._bus, trust)
        self._notifier = Notifier(
            book=self._book,
            tasks=catalog.tasks,
            bus=self._bus,
            clock=clock,
            log=self._workshop.journal.about("", "notification"),
        )
        self._offers = OfferHandlers(self._workshop)
        limits = LimitsHandlers(self._workshop, self._manager, keep_limits)
        self._handlers = handler_table(
            (*self._subjects(), *self._standby_handlers(), self._doctor_handlers(probe), limits)
        )

    def _workshop_of(
        self,
        sessions: Sessions,
        transports: DiskTransports,
        repositories: Repositories,
        clock: Clock,
        settings: EngineSettings,
        zone: Callable[[], tzinfo],
    ) -> Workshop:
        catalog, bus = self._catalog, self._bus
        journal = Journal(catalog.log, clock, bus)
        clock_watch = ClockWatch(catalog.settings, catalog.engines, clock, journal, bus)
        return Workshop(
            sessions=sessions,
            transports=transports,
            repositories=repositories,
            catalog=catalog,
            clock=clock,
            bus=bus,
            settings=settings,
            sweeper=SnapshotSweeper(
                catalog.snapshot_journal, clock, settings, is_live=self._is_live, is_known=self._is_known
            ),
            journal=journal,
            zone=zone,
            standby_watch=StandbyWatch(
                catalog.standbys,
                clock,
                bus,
                journal,
                encryption_problem=repositories.encryption_problem,
                note_clock=lambda standby, ahead: clock_watch.note_other(
                    ClockDoubtKind.STANDBY, standby.id, standby.name, ahead
                ),
            ),
            clock_watch=clock_watch,
        )

    def _task_manager(self, runner: TaskRunner) -> TaskManager:
        workshop, settings = self._workshop, self._workshop.settings
        limits = Limits(
            max_tasks=settings.max_tasks,
            max_tasks_per_host=settings.host_buffer_mib // settings.transfer_buffer_mib,
        )
        return TaskManager(
            store=workshop.catalog.tasks,
            runner=runner,
            clock=workshop.clock,
            bus=workshop.bus,
            limits=limits,
            work=self._executor.carry_out,
            afterwards=self._tidy_up_after,
            plan_retry=lambda record, error, log: self._rules.retries.plan(record, error, log),
            late=workshop.journal.late,
        )

    # --- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Settle what a crash left, in the background where platforms are concerned, and go on with waiting tasks.

        Raises:
            OperationalError: the catalog cannot be used.
        """
        self._workshop.journal.about("", "program.start").info(history.PROGRAM_STARTED)
        waiting = self._recovery.mark_interrupted(self._rules.retries.plan)
        for platform in sorted(self._recovery.platforms()):
            self._manager.aside(f"recovery-{platform}", partial(self._recovery.visit, platform))
        self._points.compare_all()
        self._offers.start()
        self._notifier.start()
        self._recorder.start(self._workshop.settings.traffic_interval_s)
        self._manager.resume([with_candidate(record) for record in waiting])
        self._rules.start()

    def tick(self) -> None:
        """Look at the clock now: begin what is due. A thread of the engine does so once a second by itself."""
        self._rules.tick()

    def close(self, timeout_s: float = CLOSE_S) -> bool:
        """Stop what runs, let it clean up, and start nothing more; waiting tasks go on at the next start.

        Ends in time, whatever hangs: a standby, a mail server, a keyring. What has not ended by then is left to
        itself, and the next start settles it.

        Args:
            timeout_s: how long the whole of it may take.

        Returns:
            False when something was still under way as the time was up.
        """
        ending = Ending(timeout_s)
        self._secrets.close(within_s=timeout_s / 2)
        self._rules.stop(ending.left_s(most_s=_STEP_S))
        ended = self._manager.close(ending.left_s(reserved_s=_RESERVED_S))
        steps = (
            ("rules", self._rules.close),
            ("offers", self._offers.close),
            ("traffic", self._recorder.close),
            ("notifications", self._notifier.close),
            ("journal", lambda: self._workshop.journal.about("", "program.end").info(history.PROGRAM_ENDED)),
            ("late writes", lambda: self._workshop.journal.late.close(_LATE_S)),
        )
        return ending.run(steps, most_s=_STEP_S) and ended

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no task waits or runs and nothing is being tidied up; return False when the time was up."""
        return self._manager.wait_until_idle(timeout_s)

    # --- the door ----------------------------------------------------------------------------------------------

    def execute(self, command: Command[R]) -> R:
        """Carry a command out.

        Raises:
            OperationalError: it could not be carried out; nothing was changed.
        """
        return cast(R, self._handlers[type(command)](command))

    def ask(self, query: Query[R]) -> R:
        """Answer a query.

        Raises:
            OperationalError: it could not be answered.
        """
        return cast(R, self._handlers[type(query)](query))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener every event from now on; return the function that ends it."""
        return self._bus.subscribe(listener)

    def requests(self) -> frozenset[type[Request]]:
        """Return the commands and queries that this engine answers."""
        return frozenset(self._handlers)

    def _subjects(self) -> tuple[object, ...]:
        workshop, manager, catalog = self._workshop, self._manager, self._catalog
        sessions, repositories = workshop.sessions, workshop.repositories
        registration = PlatformRegistration(
            sessions=sessions,
            platforms=catalog.platforms,
            rules=catalog.rules,
            unfinished=manager.unfinished,
            journal=workshop.journal,
            bus=self._bus,
            clock=workshop.clock,
        )
        return (
            PlatformHandlers(
                registration=registration, sessions=sessions, recovery=self._recovery, catalog=catalog
            ),
            RestoreHandlers(
                sessions=sessions,
                repositories=repositories,
                lookup=OriginalLookup(sessions, repositories, catalog),
                planner=RestorePlanner(sessions, repositories, catalog),
            ),
            TaskHandlers(workshop, manager, self._executor, self._texts),
            self._rules.handlers,
            LogHandlers(workshop, self._texts),
            HistoryHandlers(workshop),
            OverviewHandlers(workshop, manager, self._recorder, self._offers.count),
            self._offers,
            NotificationHandlers(self._book, workshop.clock),
            HookHandlers(catalog.settings, catalog.rules),
            ProgramHandlers(workshop),
        )

    def _standby_handlers(self) -> tuple[object, ...]:
        workshop, catalog, unfinished = self._workshop, self._catalog, self._manager.unfinished
        encryption = EncryptionService(workshop.repositories, catalog.standbys, workshop.clock)
        registration = StandbyRegistration(
            standbys=catalog.standbys,
            rules=catalog.rules,
            encryption=encryption,
            points=self._point_list,
            unfinished=unfinished,
            journal=workshop.journal,
            bus=self._bus,
            clock=workshop.clock,
        )
        return (
            StandbyHandlers(
                registration=registration, watch=workshop.standby_watch, catalog=catalog, clock=workshop.clock
            ),
            EncryptionHandlers(
                encryption=encryption,
                standbys=catalog.standbys,
                points=self._point_list,
                watch=workshop.standby_watch,
                unfinished=unfinished,
                journal=workshop.journal,
                bus=self._bus,
                clock=workshop.clock,
            ),
            PointHandlers(
                points=catalog.points,
                standbys=catalog.standbys,
                repositories=workshop.repositories,
                point_list=self._point_list,
                unfinished=unfinished,
                journal=workshop.journal,
                bus=self._bus,
                clock=workshop.clock,
            ),
        )

    def _doctor_handlers(self, probe: PortProbe) -> DoctorHandlers:
        workshop = self._workshop
        return DoctorHandlers(
            sessions=workshop.sessions,
            repositories=workshop.repositories,
            points=RulePoints(workshop),
            catalog=self._catalog,
            clock=workshop.clock,
            probe=probe,
        )

    # --- inside --------------------------------------------------------------------------------------------------

    def _is_live(self, task: TaskId) -> bool:
        return self._manager.is_live(task)

    def _is_known(self, task: TaskId) -> bool:
        return self._catalog.tasks.get(task) is not None

    def _tidy_up_after(self, record: TaskRecord) -> None:
        """Try once more, over a fresh session, to remove what the task itself could not. Never raises.

        A task that did not complete, and garbage collection, may have left the list of points out of date.
        """
        if record.platform is not None:
            self._recovery.tidy_up_after(record.id, record.platform)
        if record.kind is TaskKind.SWEEP or (record.kind is TaskKind.BACKUP and not self._is_listed(record)):
            self._points.compare(record.standby, record.target_path)

    def _is_listed(self, record: TaskRecord) -> bool:
        """Tell whether a backup ended well and the catalog lists its restore point."""
        try:
            known = self._catalog.tasks.get(record.id)
            if known is None or known.state is not TaskState.COMPLETED or known.point is None:
                return False
            return self._catalog.points.get(record.standby, record.target_path, known.point) is not None
        except OperationalError:
            return False
