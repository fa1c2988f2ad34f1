"""What makes tasks, decides which of them run, and runs them; what they leave behind."""

import random
from collections.abc import Callable

from app.domain.ids import TaskId
from app.engine.assembly.services import Services
from app.engine.backup.orphans import SnapshotRemover
from app.engine.backup.run import BackupServices
from app.engine.instant.runs import InstantRuns
from app.engine.migration.runs import MigrationRuns
from app.engine.platforms.attachments import Attachments
from app.engine.points.reconciliation import PointReconciler
from app.engine.ports import TaskRunner
from app.engine.proof.run import ProofRuns
from app.engine.restore.run import RestoreServices
from app.engine.rules.service import RuleService
from app.engine.tasks.crashrecovery import CrashRecovery
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.execution import TaskExecution
from app.engine.tasks.manager import TaskManager


def build_snapshot_remover(services: Services, is_live: Callable[[TaskId], bool]) -> SnapshotRemover:
    """Make what removes our snapshots that no live task owns."""
    catalog = services.catalog
    return SnapshotRemover(
        catalog.snapshot_journal,
        services.clock,
        services.settings,
        is_live=is_live,
        is_known=catalog.tasks.is_known,
    )


def build_attachments(services: Services, is_live: Callable[[TaskId], bool]) -> Attachments:
    """Make what attaches disks to the VM that the program runs in, and detaches them."""
    return Attachments(
        services.catalog.attachment_journal,
        services.transports,
        services.clock,
        services.settings,
        is_live=is_live,
    )


def build_manager(services: Services, runner: TaskRunner) -> TaskManager:
    """Make what decides which tasks run."""
    settings = services.settings
    limits = Limits(
        max_tasks=settings.max_tasks,
        max_tasks_per_host=settings.host_buffer_mib // settings.transfer_buffer_mib,
    )
    return TaskManager(
        store=services.catalog.tasks,
        runner=runner,
        clock=services.clock,
        bus=services.bus,
        changes=services.catalog.changes,
        limits=limits,
        late=services.journal.late,
    )


def build_execution(
    services: Services,
    remover: SnapshotRemover,
    attachments: Attachments,
    rules: RuleService,
    recovery: CrashRecovery,
    points: PointReconciler,
    instant: InstantRuns,
    proofs: ProofRuns,
    migration: MigrationRuns,
    chance: random.Random,
) -> TaskExecution:
    """Make what runs tasks, each kind by its own run."""
    return TaskExecution(
        catalog=services.catalog,
        repositories=services.repositories,
        clock_watch=services.clock_watch,
        for_backups=_backup_services(services, remover, attachments, chance),
        for_restores=_restore_services(services, attachments),
        retention=rules.retention,
        retries=rules.retries,
        recovery=recovery,
        points=points,
        instant=instant,
        proofs=proofs,
        migration=migration,
    )


def _backup_services(
    services: Services, remover: SnapshotRemover, attachments: Attachments, chance: random.Random
) -> BackupServices:
    return BackupServices(
        sessions=services.sessions,
        repositories=services.repositories,
        transports=services.transports,
        catalog=services.catalog,
        remover=remover,
        attachments=attachments,
        successions=services.successions,
        clock_watch=services.clock_watch,
        copies=services.copies,
        settings=services.settings,
        chance=chance,
    )


def _restore_services(services: Services, attachments: Attachments) -> RestoreServices:
    return RestoreServices(
        sessions=services.sessions,
        repositories=services.repositories,
        transports=services.transports,
        attachments=attachments,
        rules=services.catalog.rules,
        journal=services.catalog.restore_journal,
        successions=services.successions,
        settings=services.settings,
    )


def build_crash_recovery(services: Services, remover: SnapshotRemover, attachments: Attachments) -> CrashRecovery:
    """Make what settles the aftermath of a crash."""
    return CrashRecovery(
        sessions=services.sessions,
        remover=remover,
        attachments=attachments,
        catalog=services.catalog,
        successions=services.successions,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
    )


def build_point_reconciler(services: Services, manager: TaskManager) -> PointReconciler:
    """Make what compares the list of restore points with the repositories."""
    return PointReconciler(
        services.point_list,
        standbys=services.catalog.standbys,
        watch=services.watch,
        journal=services.journal,
        bus=services.bus,
        clock=services.clock,
        aside=manager.aside,
    )
