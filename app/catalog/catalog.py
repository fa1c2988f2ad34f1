"""Opens the catalog and gives access to its stores."""

import logging
import uuid
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path
from typing import Self

from app.catalog.database import Database
from app.catalog.errors import CatalogUnavailable
from app.catalog.figures import FigureStore
from app.catalog.instant import InstantStore
from app.catalog.intake import IntakeStore
from app.catalog.journals import AttachmentJournalStore, RestoreJournalStore, SnapshotJournalStore
from app.catalog.log import LogStore
from app.catalog.migrated import MigrationStore
from app.catalog.migrations import older_revisions
from app.catalog.points import PointStore
from app.catalog.proofs import ProofStore
from app.catalog.registered import PlatformStore, StandbyStore
from app.catalog.retries import RetryStore
from app.catalog.rules import RuleStore
from app.catalog.safety import IDENTITY, CatalogGuard
from app.catalog.settings import SettingsStore
from app.catalog.sightings import EngineStore, SightingStore
from app.catalog.tasks import TaskStore
from app.catalog.traffic import TrafficStore
from app.core.changes import ChangeFeed
from app.core.clock import Clock
from app.core.zones import local_zone
from app.domain.unreadable import UnreadableRow

_log = logging.getLogger(__name__)


class Catalog:
    """Stores everything this installation remembers, by subject. Thread: any.

    Attributes:
        changes: announces what changes, after each commit.
        platforms: registered virtual platforms.
        standbys: registered standby machines.
        rules: backup rules, and which VM took the place of which.
        retries: backups that failed and are retried automatically.
        sightings: what was last seen of each platform.
        engines: heartbeats of the engines that work on this catalog.
        points: what is known of restore points.
        proofs: whether they were proven, and when each VM was.
        tasks: tasks with their stages, totals and log.
        log: the log of everything.
        settings: what the operator set while the program ran.
        intake: takes in what comes from another installation.
        figures: counts per day, last results, unviewed errors.
        traffic: bytes moved over time.
        snapshot_journal: snapshots that may be on production VMs.
        instant: VMs that run from restore points.
        migrations: migrations of VMs.
        restore_journal: VMs that unfinished restores may have created.
    """

    def __init__(
        self,
        database: Database,
        durable: Database,
        clock: Clock,
        zone: Callable[[], tzinfo] = local_zone,
        changes: ChangeFeed | None = None,
    ) -> None:
        self.databases = (database, durable)
        """The one for most, and the one whose commits are durable before they return."""
        self.changes = changes = changes or ChangeFeed()
        self.points = PointStore(database, changes)
        self.proofs = ProofStore(database, changes)
        self.platforms = PlatformStore(database, changes, on_origins=self.points.forget_tallies)
        self.standbys = StandbyStore(database, changes, on_removed=self.points.forget_tallies)
        self.retries = RetryStore(database, changes)
        self.rules = RuleStore(database, changes, on_moved=self._forget_moved)
        self.sightings = SightingStore(database, changes, on_origins=self.points.forget_tallies)
        self.engines = EngineStore(database)
        self.tasks = TaskStore(database, changes, zone)
        self.log = LogStore(database, changes)
        self.settings = SettingsStore(database)
        self.intake = IntakeStore(durable, changes, self.platforms, self.standbys, self.rules)
        self.figures = FigureStore(database, changes)
        self.traffic = TrafficStore(database)
        self.snapshot_journal = SnapshotJournalStore(durable, clock)
        self.attachment_journal = AttachmentJournalStore(durable, clock)
        self.restore_journal = RestoreJournalStore(durable)
        self.instant = InstantStore(durable, changes)
        self.migrations = MigrationStore(durable, changes)

    def _forget_moved(self) -> None:
        self.retries.forget()
        self.proofs.forget()

    @classmethod
    def open(
        cls,
        location: Path | str,
        *,
        clock: Clock,
        zone: Callable[[], tzinfo] = local_zone,
        changes: ChangeFeed | None = None,
    ) -> Self:
        """Open the catalog, create it and bring its schema up to date as needed.

        Args:
            location: a file for SQLite, or an SQLAlchemy URL.
            clock: gives the times of the journal.
            zone: gives the zone whose local days the figures count, as the zone is set now.
            changes: announces what changes; by default a feed of the catalog's own.

        Raises:
            CatalogLost, CatalogForeign: it is not the one that was opened last.
            CatalogDamaged: the file is not a whole database.
            CatalogTooNew: a newer program has written it.
            CatalogTooOld: a version before the first release has written it.
            CatalogUnavailable: it cannot be opened.
        """
        guard = CatalogGuard(location) if isinstance(location, Path) else None
        if guard is not None:
            guard.refuse_loss()
            guard.announce_birth()
            if (kept := guard.copy_before_change(older_revisions())) is not None:
                _log.info("the catalog is changed for this version; what it was is kept in %s", kept)
        database = Database.open(location)
        try:
            durable = Database.open(location, durable=True, check=False)
        except BaseException:
            database.close()
            raise
        opened = cls(database, durable, clock, zone, changes)
        if guard is not None:
            opened._mark(guard)
        return opened

    def _mark(self, guard: CatalogGuard) -> None:
        try:
            guard.note(self.identity())
        except CatalogUnavailable as error:  # the next use of the catalog gives a better reason
            _log.info("the catalog was not marked: %s", error)

    def identity(self) -> str:
        """Return what distinguishes this catalog from all others, made when it is first asked for.

        Raises:
            CatalogUnavailable: it cannot be read or noted.
        """
        known = self.settings.get(IDENTITY)
        if known is None:
            known = uuid.uuid4().hex
            self.settings.put(IDENTITY, known)
        return known

    def take_unreadable(self) -> tuple[UnreadableRow, ...]:
        """Return the rows that could not be read, each once: those found since the last call."""
        return tuple(row for database in self.databases for row in database.unreadable.take_new())

    def close(self) -> None:
        """Close every connection."""
        for database in self.databases:
            database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
