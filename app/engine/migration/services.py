"""What the runs of migrations need of the engine."""

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from app.core.access import DiskTransports
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.patience import Patience
from app.domain.ids import MigrationId, PlatformId
from app.domain.migration import Migration
from app.domain.platforms import Platform
from app.domain.states import TransportMode
from app.domain.transports import modes_to_try
from app.engine.backup.orphans import SnapshotRemover
from app.engine.migration.errors import MigrationUnknown
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.disks import DiskOpener
from app.engine.platforms.patience import patience_for
from app.engine.platforms.sessions import Sessions
from app.engine.platforms.succession import Successions
from app.engine.ports import MigrationStore, RuleStore, SnapshotJournal
from app.engine.program.settings import EngineSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationServices:
    """What migrations need. Thread: any."""

    store: MigrationStore
    sessions: Sessions
    transports: DiskTransports
    attachments: Attachments
    snapshots: SnapshotJournal
    remover: SnapshotRemover
    rules: RuleStore
    successions: Successions
    settings: EngineSettings
    clock: Clock
    chance: random.Random
    """Draws samples."""
    stopped: set[MigrationId] = field(default_factory=set)
    """Those whose task the operator has stopped; the end of the program stops tasks as well, and is not meant."""

    turns: dict[MigrationId, threading.Lock] = field(default_factory=dict)
    """Held by what works at a migration: a task, or what settles it after a crash."""

    def turn(self, migration: MigrationId) -> threading.Lock:
        """Return the lock of a migration."""
        return self.turns.setdefault(migration, threading.Lock())

    def known(self, migration: MigrationId) -> Migration:
        """Return a migration.

        Raises:
            MigrationUnknown: there is none.
        """
        found = self.store.get(migration)
        if found is None:
            raise MigrationUnknown
        return found

    def note(self, migration: Migration, **changes: object) -> Migration:
        """Change what is remembered of a migration, durably, and return it."""
        changed = replace(migration, **changes)  # type: ignore[arg-type]
        self.store.put(changed)
        return changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two platforms of a migration, for one task. Thread: the task's."""

    platform: Platform
    hypervisor: Hypervisor
    patience: Patience
    opener: DiskOpener
    modes: tuple[TransportMode, ...]


@contextmanager
def opened_side(
    services: MigrationServices, platform: PlatformId, context: TaskContext, *, lan_free: bool
) -> Iterator[Side]:
    """Log in to a platform for the length of a block.

    Raises:
        OperationalError: it is not registered, or cannot be reached.
        TaskCancelled: cancelled while waiting.
    """
    known = services.sessions.platform(platform)
    patience = patience_for(known, services.settings.platform_outage_s, context)
    with services.sessions.connect_patiently(platform, patience) as hypervisor:
        attached = services.attachments.for_task(hypervisor, platform, context)
        modes = modes_to_try(known.transports, lan_free=lan_free)
        opener = DiskOpener(hypervisor, services.transports, modes, context, patience, attached)
        try:
            yield Side(platform=known, hypervisor=hypervisor, patience=patience, opener=opener, modes=modes)
        finally:
            opener.let_go()
