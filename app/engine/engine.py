"""The engine as one object: commands in, answers and events out."""

import random
from collections.abc import Callable
from datetime import tzinfo
from functools import partial
from typing import TypeVar, cast

from app.contract.base import Command, Query
from app.core.access import DiskTransports
from app.core.bus import EventBus, Listener
from app.core.changes import Keys
from app.core.clock import Clock
from app.core.hypervisor import HypervisorFactory
from app.core.secrets import SecretStore
from app.core.zones import local_zone
from app.domain.changes import Changed, Subject
from app.domain.events import Announcement, Event
from app.engine.assembly.handlers import build_handlers
from app.engine.assembly.instant import build_instant
from app.engine.assembly.migration import build_migration
from app.engine.assembly.rules import build_rules
from app.engine.assembly.services import build_services
from app.engine.assembly.tasks import (
    build_attachments,
    build_crash_recovery,
    build_execution,
    build_manager,
    build_point_reconciler,
    build_snapshot_remover,
)
from app.engine.doctor.platform import PortProbe, probe_port
from app.engine.export.offers import OfferHandlers
from app.engine.handlers import Request, handler_table
from app.engine.history.messages import PROGRAM_ENDED, PROGRAM_STARTED
from app.engine.history.recorder import Recorder
from app.engine.instant.shares import Keys as ServingKeys
from app.engine.instant.shares import MakeService, NoService
from app.engine.messages import MessageCatalogue
from app.engine.notify.service import Notifier
from app.engine.notify.settings import NotificationSettingsStore
from app.engine.notify.sinks import Trust, system_trust
from app.engine.ports import Catalog, RepositoryOpener, TaskRunner
from app.engine.program.ending import Ending
from app.engine.program.limits import KeepLimits
from app.engine.program.secretaccess import BoundedSecrets
from app.engine.program.settings import EngineSettings
from app.engine.program.unreadable import UnreadableReport
from app.engine.proof.lateness import names_of_unproven
from app.engine.tasks.factory import TaskFactory

R = TypeVar("R")

CLOSE_S = 15.0
"""How long the engine may take to end."""
_STEP_S = 3.0
"""How long one part of it may take to end, but for the tasks."""
_LATE_S = 2.0
"""How long is tried at the end to write what the catalog could not take before."""
_RESERVED_S = 5.0
"""What tasks leave of the time for the parts that end after them."""


def _no_serving(_keys: ServingKeys) -> NoService:
    """Make what serves nothing."""
    return NoService()


class Engine:
    """Backs VMs up, restores them, and remembers it.

    Call :meth:`start` once before anything else, and :meth:`close` at the end. Errors that the operator can fix
    leave :meth:`execute` and :meth:`ask` as :class:`app.domain.errors.OperationalError`; those of a task are
    kept with it. Listeners are called on the thread that the fact happened on, and must be quick.

    Attributes:
        services, manager, factory, execution, points, recorder, offers: its parts, for callers in the same process
            that look inside; commands and queries are the usual way.

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
        texts: MessageCatalogue,
        chance: random.Random | None = None,
        trust: Trust = system_trust,
        zone: Callable[[], tzinfo] = local_zone,
        keep_limits: KeepLimits = lambda _limits: None,
        probe: PortProbe = probe_port,
        bus: EventBus | None = None,
        serving: MakeService = _no_serving,
    ) -> None:
        """Put the engine together; nothing is opened or started yet.

        Args:
            hypervisors: logs in to platforms.
            transports: opens disks.
            secrets: stores the platforms' passwords and the repositories' keys.
            catalog: remembers; the engine does not close it.
            repositories: opens the repository of a standby, with its key; creates it only for one without a
                repository id.
            runner: gives tasks their threads.
            clock: the time.
            settings: limits, times and sizes.
            texts: the English text of log lines.
            chance: draws the samples of the audit; by default the operating system's randomness.
            trust: decides which servers notifications are sent to.
            zone: returns the operator's time zone as it is set now.
            keep_limits: makes limits that the operator changes last.
            probe: probes whether a port of a host can be reached.
            bus: carries the facts inside the engine; by default one of its own.
            serving: makes what serves VMs that run from restore points; by default they are refused.
        """
        self._catalog = catalog
        self._secrets = BoundedSecrets(secrets)
        self._settings = settings or EngineSettings()
        self.services = services = build_services(
            hypervisors=hypervisors,
            transports=transports,
            secrets=self._secrets,
            catalog=catalog,
            opener=repositories,
            clock=clock,
            settings=self._settings,
            zone=zone,
            bus=bus or EventBus(),
        )
        self._changes = catalog.changes
        self._bus, self._journal = services.bus, services.journal
        self.manager = build_manager(services, runner)
        remover = build_snapshot_remover(services, self.manager.is_live)
        attachments = build_attachments(services, self.manager.is_live)
        self.factory = TaskFactory(catalog, services.repositories, clock)
        self._recovery = build_crash_recovery(services, remover, attachments)
        self.points = build_point_reconciler(services, self.manager)
        self._unreadable = UnreadableReport(catalog, self._journal)
        self._rules, rule_handlers = build_rules(
            services, self.manager, self.factory, self.points, self._unreadable, self._settle_left
        )
        self.instant = build_instant(services, self.manager, self.factory, attachments, serving)
        chance = chance or random.SystemRandom()
        self.migration = build_migration(services, self.manager, self.factory, attachments, remover, chance)
        self.execution = build_execution(
            services,
            remover,
            attachments,
            self._rules,
            self._recovery,
            self.points,
            self.instant.runs,
            self.instant.proofs,
            self.migration.runs,
            chance,
        )
        self.recorder = Recorder(
            self.manager.live,
            catalog.traffic,
            clock,
            self._bus,
            services.speeds,
            may_forget=services.clock_watch.is_believed,
        )
        notifications = NotificationSettingsStore(catalog.settings, self._secrets, self._bus, trust)
        self._notifier = Notifier(
            settings=notifications,
            tasks=catalog.tasks,
            bus=self._bus,
            clock=clock,
            log=self._journal.about("", "notification"),
            unproven=partial(names_of_unproven, catalog, clock),
        )
        self.offers = OfferHandlers(services.repositories, self._journal, clock, self._changes)
        handlers = build_handlers(
            services,
            manager=self.manager,
            factory=self.factory,
            recovery=self._recovery,
            attachments=attachments,
            offers=self.offers,
            notifications=notifications,
            texts=texts,
            keep_limits=keep_limits,
            probe=probe,
            serving=self.instant.shares.port_problem,
            count_troubled=lambda: self.instant.watch.count,
            taken_in=self._on_taken_in,
        )
        self._handlers = handler_table((rule_handlers, *self.instant.handlers, self.migration.handlers, *handlers))

    # --- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Settle what a crash left, in the background where platforms are concerned, and go on with waiting tasks.

        Raises:
            OperationalError: the catalog cannot be used.
        """
        self._journal.about("", "program.start").info(PROGRAM_STARTED)
        self._recovery.mark_interrupted(self._rules.retries.plan)
        waiting = self._recovery.waiting()
        for platform in sorted(self._recovery.platforms()):
            self.manager.aside(f"recovery-{platform}", partial(self._recovery.visit, platform))
        self.manager.aside("instant", self._settle_instant)
        self.migration.settling.note_interrupted()
        self.points.compare_all()
        self.offers.start()
        self._notifier.start()
        self.recorder.start(self._settings.traffic_interval_s)
        self.manager.begin(self.execution, waiting)
        self._rules.start()
        self.migration.settling.look()
        self.migration.ticker.start()
        self.instant.ticker.start()
        self._unreadable.write()
        self._changes.start(self._announce)
        self.services.copies.start(self._bus, self.manager.aside)

    def _settle_instant(self) -> None:
        self.instant.settling.serve_again()
        self._settle_left()

    def _on_taken_in(self) -> None:
        """Plan the rules that came from another installation, and list the points of its standbys."""
        self._rules.replan()
        self.services.watch.refresh(again=True)
        self.points.compare_all()

    def _settle_left(self) -> None:
        for platform in sorted(self.instant.settling.platforms()):
            self.instant.settling.visit(platform)

    def tick(self) -> None:
        """Look at the clock now: begin what is due. A thread of the engine does so once a second by itself."""
        self._rules.tick()
        self.migration.ticker.tick()
        self.instant.ticker.tick()

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
        self.migration.ticker.stop(ending.left_s(most_s=_STEP_S))
        self.instant.ticker.stop(ending.left_s(most_s=_STEP_S))
        self.services.copies.close()  # before the threads that it has are waited for
        ended = self.manager.close(ending.left_s(reserved_s=_RESERVED_S))
        steps = (
            ("rules", self._rules.close),
            ("offers", self.offers.close),
            ("instant recoveries", self.instant.shares.close),
            ("traffic", self.recorder.close),
            ("notifications", self._notifier.close),
            ("inventories", self.services.inventories.close),
            ("journal", self._log_end),
            ("late writes", partial(self._journal.late.close, _LATE_S)),
            ("changes", self._changes.close),
        )
        return ending.run(steps, most_s=_STEP_S) and ended

    def _log_end(self) -> None:
        self._journal.about("", "program.end").info(PROGRAM_ENDED)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no task waits or runs and nothing is being tidied up; return False when the time was up."""
        return self.manager.wait_until_idle(timeout_s)

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
        """Tell a listener every announcement from now on; return the function that ends it."""

        def told(event: Event) -> None:
            if isinstance(event, Announcement):
                listener(event)

        return self._bus.subscribe(told)

    def _announce(self, subject: Subject, keys: Keys) -> None:
        at = self.services.clock.now()
        self._bus.publish(Changed(at=at, subject=subject, keys=tuple(sorted(keys or ()))))

    def requests(self) -> frozenset[type[Request]]:
        """Return the commands and queries that this engine answers."""
        return frozenset(self._handlers)
