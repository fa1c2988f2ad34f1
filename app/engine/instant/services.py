"""What the runs of instant recovery need of the engine."""

from dataclasses import dataclass, replace

from app.core.access import DiskTransports
from app.core.clock import Clock
from app.core.context import TaskContext
from app.core.hypervisor import Hypervisor
from app.core.nfshosting import DiskToServe, RunsFromNfs, ServedFolder
from app.core.patience import Patience
from app.domain.ids import PlatformId, RecoveryId
from app.domain.instant import InstantRecovery
from app.engine.instant.errors import InstantUnsupported, RecoveryUnknown
from app.engine.instant.shares import Shares
from app.engine.platforms.attachments import Attachments
from app.engine.platforms.patience import patience_for
from app.engine.platforms.sessions import Sessions
from app.engine.ports import InstantStore, PointStore, RestoreJournal, TaskStore
from app.engine.program.settings import EngineSettings
from app.engine.restore.planning import saved_configuration
from app.engine.standbys.repositories import Repositories
from app.repository import PointReader


@dataclass(frozen=True, slots=True, kw_only=True)
class InstantServices:
    """What instant recovery needs. Thread: any."""

    store: InstantStore
    shares: Shares
    sessions: Sessions
    repositories: Repositories
    transports: DiskTransports
    attachments: Attachments
    journal: RestoreJournal
    points: PointStore
    tasks: TaskStore
    settings: EngineSettings
    clock: Clock

    def known(self, recovery: RecoveryId) -> InstantRecovery:
        """Return a recovery.

        Raises:
            RecoveryUnknown: there is none.
        """
        found = self.store.get(recovery)
        if found is None:
            raise RecoveryUnknown
        return found

    def note(self, recovery: InstantRecovery, **changes: object) -> InstantRecovery:
        """Change what is remembered of a recovery, durably, and return it."""
        changed = replace(recovery, **changes)  # type: ignore[arg-type]
        self.store.put(changed)
        return changed

    def patience(self, platform: PlatformId, context: TaskContext) -> Patience:
        """Return how a task waits for a platform that is away.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        return patience_for(self.sessions.platform(platform), self.settings.platform_outage_s, context)


def served_folder(nfs: RunsFromNfs, point: PointReader, recovery: InstantRecovery) -> ServedFolder:
    """Return what is in the folder of a recovery's VM before it is created; the names are always the same."""
    disks = [DiskToServe(key=disk.key, capacity_bytes=disk.capacity_bytes) for disk in point.point.disks]
    keeps = recovery.placement.keep_identity
    return nfs.folder_files(saved_configuration(point), disks, recovery.name, keep_identity=keeps)


def runs_from_nfs(hypervisor: Hypervisor) -> RunsFromNfs:
    """Return a session as what runs VMs from here.

    Raises:
        InstantUnsupported: its platform cannot.
    """
    if not isinstance(hypervisor, RunsFromNfs):
        raise InstantUnsupported(platform=hypervisor.facts.full_name)
    return hypervisor
