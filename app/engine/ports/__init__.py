"""What the engine needs from outside, declared where it is used, by subject."""

from app.engine.ports.catalog import Catalog
from app.engine.ports.instant import InstantStore
from app.engine.ports.migration import MigrationStore
from app.engine.ports.platforms import PlatformStore, SightingStore, StandbyStore
from app.engine.ports.points import PointStore, RepositoryOpener
from app.engine.ports.program import EngineStore, SettingsStore
from app.engine.ports.proofs import ProofStore
from app.engine.ports.rules import RetryStore, RuleStore
from app.engine.ports.tasks import AttachmentJournal, RestoreJournal, SnapshotJournal, TaskRunner, TaskStore

__all__ = [
    "AttachmentJournal",
    "Catalog",
    "EngineStore",
    "InstantStore",
    "MigrationStore",
    "PlatformStore",
    "PointStore",
    "ProofStore",
    "RepositoryOpener",
    "RestoreJournal",
    "RetryStore",
    "RuleStore",
    "SettingsStore",
    "SightingStore",
    "SnapshotJournal",
    "StandbyStore",
    "TaskRunner",
    "TaskStore",
]
