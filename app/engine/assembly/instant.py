"""Instant recovery and proofs of restore: what runs and answers, and what settles what a crash left of them."""

from dataclasses import dataclass
from typing import Final

from app.core.tasklog import TaskLog
from app.domain.ids import RecoveryId
from app.domain.instant import InstantRecovery
from app.engine.assembly.services import Services
from app.engine.instant.figures import Figures
from app.engine.instant.requests import InstantHandlers
from app.engine.instant.runs import InstantRuns
from app.engine.instant.services import InstantServices
from app.engine.instant.settling import Settling
from app.engine.instant.shares import MakeService, Shares
from app.engine.instant.view import InstantView
from app.engine.instant.watch import InstantWatch
from app.engine.platforms.attachments import Attachments
from app.engine.proof.booting import recoveries_of
from app.engine.proof.requests import ProofHandlers
from app.engine.proof.run import ProofRuns
from app.engine.rules.ticker import Ticker
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager

_WATCH_S: Final = 3.0
"""How soon a standby that is away under a VM is news."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantParts:
    """The parts of instant recovery."""

    shares: Shares
    runs: InstantRuns
    proofs: ProofRuns
    handlers: tuple[InstantHandlers, ProofHandlers]
    settling: Settling
    watch: InstantWatch
    ticker: Ticker


def build_instant(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    attachments: Attachments,
    make_service: MakeService,
) -> InstantParts:
    """Make them; nothing is served yet."""
    catalog = services.catalog
    shares = Shares(make_service, services.repositories.keystore)
    needs = InstantServices(
        store=catalog.instant,
        shares=shares,
        sessions=services.sessions,
        repositories=services.repositories,
        transports=services.transports,
        attachments=attachments,
        journal=catalog.restore_journal,
        points=catalog.points,
        tasks=catalog.tasks,
        settings=services.settings,
        clock=services.clock,
    )
    view = InstantView(needs, catalog, manager, Figures(services.clock.monotonic))

    def log_of(recovery: InstantRecovery) -> TaskLog:
        return services.journal.about(recovery.name, "instant.settle")

    def at_work() -> set[RecoveryId]:
        return {*view.at_work(), *recoveries_of(manager.unfinished())}

    watch = InstantWatch(needs, services.journal, catalog.changes)
    tick_s = min(services.settings.tick_s, _WATCH_S)
    return InstantParts(
        shares=shares,
        runs=InstantRuns(needs),
        proofs=ProofRuns(needs, catalog, factory),
        handlers=(
            InstantHandlers(needs, view=view, manager=manager, factory=factory, changes=catalog.changes),
            ProofHandlers(catalog=catalog, sessions=services.sessions, manager=manager, factory=factory),
        ),
        settling=Settling(needs, log_of, at_work),
        watch=watch,
        ticker=Ticker(tick_s, (watch.look,), lambda: None, name="instant-watch"),
    )
