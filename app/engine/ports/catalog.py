"""All that the engine remembers."""

from collections.abc import Sequence
from typing import Protocol

from app.core.changes import ChangeFeed
from app.domain.unreadable import UnreadableRow
from app.engine.history.ports import FigureStore, LogStore, TrafficStore
from app.engine.ports.instant import InstantStore
from app.engine.ports.migration import MigrationStore
from app.engine.ports.platforms import PlatformStore, SightingStore, StandbyStore
from app.engine.ports.points import PointStore
from app.engine.ports.program import EngineStore, SettingsStore
from app.engine.ports.proofs import ProofStore
from app.engine.ports.rules import IntakeStore, RetryStore, RuleStore
from app.engine.ports.tasks import AttachmentJournal, RestoreJournal, SnapshotJournal, TaskStore


class Catalog(Protocol):
    """All that the engine remembers. Thread: any."""

    @property
    def changes(self) -> ChangeFeed:
        """Where the stores note what they change, and the engine what it holds in memory alone."""
        ...

    @property
    def platforms(self) -> PlatformStore:
        """Registered platforms."""
        ...

    @property
    def standbys(self) -> StandbyStore:
        """Registered standby machines."""
        ...

    @property
    def rules(self) -> RuleStore:
        """Backup rules."""
        ...

    @property
    def retries(self) -> RetryStore:
        """Backups that failed and are tried again by themselves."""
        ...

    @property
    def sightings(self) -> SightingStore:
        """What was last seen of each platform."""
        ...

    @property
    def engines(self) -> EngineStore:
        """Heartbeats of the engines that work on this catalog."""
        ...

    @property
    def points(self) -> PointStore:
        """Known restore points."""
        ...

    @property
    def proofs(self) -> ProofStore:
        """Proofs of restore."""
        ...

    @property
    def tasks(self) -> TaskStore:
        """Tasks."""
        ...

    @property
    def log(self) -> LogStore:
        """The log of everything."""
        ...

    @property
    def figures(self) -> FigureStore:
        """What was backed up, and how it ended."""
        ...

    @property
    def traffic(self) -> TrafficStore:
        """Bytes moved over time."""
        ...

    @property
    def settings(self) -> SettingsStore:
        """Settings made while the program runs."""
        ...

    @property
    def intake(self) -> IntakeStore:
        """What takes in the configuration of another installation."""
        ...

    @property
    def snapshot_journal(self) -> SnapshotJournal:
        """Snapshots that may be on production VMs."""
        ...

    @property
    def attachment_journal(self) -> AttachmentJournal:
        """Disks that may be attached to the VM that the program runs in."""
        ...

    def take_unreadable(self) -> Sequence[UnreadableRow]:
        """Return the rows that could not be read, each once: those found since the last call."""
        ...

    @property
    def restore_journal(self) -> RestoreJournal:
        """VMs that unfinished restores may have created."""
        ...

    @property
    def instant(self) -> InstantStore:
        """VMs that run from restore points."""
        ...

    @property
    def migrations(self) -> MigrationStore:
        """Migrations of VMs."""
        ...
