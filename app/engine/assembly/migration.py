"""Migration: what runs its tasks, answers about it, and looks after it when no task does."""

import random
from dataclasses import dataclass

from app.core.tasklog import TaskLog
from app.domain.migration import Migration
from app.engine.assembly.services import Services
from app.engine.backup.orphans import SnapshotRemover
from app.engine.migration.requests import MigrationHandlers
from app.engine.migration.runs import MigrationRuns
from app.engine.migration.services import MigrationServices
from app.engine.migration.settling import Settling
from app.engine.migration.view import MigrationView
from app.engine.platforms.attachments import Attachments
from app.engine.rules.ticker import Ticker
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationParts:
    """The parts of migration."""

    runs: MigrationRuns
    handlers: MigrationHandlers
    settling: Settling
    ticker: Ticker


def build_migration(
    services: Services,
    manager: TaskManager,
    factory: TaskFactory,
    attachments: Attachments,
    remover: SnapshotRemover,
    chance: random.Random,
) -> MigrationParts:
    """Make them; nothing is begun yet."""
    catalog, journal = services.catalog, services.journal
    needs = MigrationServices(
        store=catalog.migrations,
        sessions=services.sessions,
        transports=services.transports,
        attachments=attachments,
        snapshots=catalog.snapshot_journal,
        remover=remover,
        rules=catalog.rules,
        successions=services.successions,
        settings=services.settings,
        clock=services.clock,
        chance=chance,
    )
    view = MigrationView(needs, catalog, manager)
    handlers = MigrationHandlers(
        needs, view=view, manager=manager, factory=factory, changes=catalog.changes, journal=journal
    )

    def log_of(migration: Migration) -> TaskLog:
        return journal.about(migration.vm_name, "migration.settle")

    settling = Settling(
        needs,
        log_of=log_of,
        at_work=lambda: view.at_work().keys(),
        aside=manager.aside,
        queue=handlers.queue,
    )
    ticker = Ticker(services.settings.tick_s, (settling.look,), lambda: None, name="migrations")
    return MigrationParts(runs=MigrationRuns(needs), handlers=handlers, settling=settling, ticker=ticker)
