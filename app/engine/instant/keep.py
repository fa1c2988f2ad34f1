"""Makes a restore point of a stopped recovery: what its point holds, and what its VM wrote since."""

from collections.abc import Mapping

from app.core.context import TaskContext
from app.domain.extents import total_bytes
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import BackupKind, TaskState
from app.engine import messages as task_messages
from app.engine.instant import messages
from app.engine.instant.errors import RecoveryNotStopped
from app.engine.instant.services import InstantServices
from app.engine.instant.source import RecoveredDisk, recovered_disks
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import InstantKeepSpec
from app.repository import DiskDraft, PointDraft, PointReader, PointWriter, Repository


class InstantKeepRun:
    """Keeps one recovery as a restore point of its chain. Thread: the task's."""

    def __init__(self, services: InstantServices, task: RunningTask, spec: InstantKeepSpec) -> None:
        self._services = services
        self._task = task
        self._spec = spec

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def run(self) -> RestorePoint:
        """Commit the point; the recovery stays as it is, and can be started again or deleted.

        Its disks have no change ids: the VM that it came from has gone another way since, so its next backup reads
        its disks whole.

        Raises:
            OperationalError: it could not be made; nothing of it is visible.
            TaskCancelled: the operator stopped it.
        """
        self._task.stages.enter(TaskState.PREPARING)
        recovery = self._services.known(self._spec.recovery)
        if recovery.phase is not InstantPhase.STOPPED:
            raise RecoveryNotStopped(vm=recovery.name)
        self._services.note(recovery, task=self._task.id)
        with self._services.repositories.lease(
            recovery.standby, recovery.target_path, self._context.cancel
        ) as repository:
            point = self._written(repository, recovery)
        self._services.points.put(recovery.standby, recovery.target_path, point)
        self._services.tasks.set_point(self._task.id, point.id)
        self._context.log.info(messages.KEPT_AS_POINT, point=point.id)
        return point

    def _written(self, repository: Repository, recovery: InstantRecovery) -> RestorePoint:
        with (
            repository.open_point(recovery.point) as reader,
            recovered_disks(reader, repository.recoveries.folder(recovery.id)) as disks,
            repository.begin_point(self._draft(reader.point)) as writer,
        ):
            for name in reader.point.configuration_files:
                writer.add_file(name, reader.file(name))
            self._task.stages.enter(TaskState.RUNNING)
            for disk in disks.values():
                self._context.progress.expect(total_bytes(disk.written_extents()))
            self._write_disks(reader, disks, writer)
            self._context.cancel.check()
            return writer.commit()

    def _write_disks(self, reader: PointReader, disks: Mapping[int, RecoveredDisk], writer: PointWriter) -> None:
        for disk in reader.point.disks:
            source = disks[disk.key]
            extents = source.written_extents()
            writer.save_changed_extents(disk.key, extents, disk.change_id)
            written = writer.write_disk(
                _disk_draft(disk),
                source,
                extents,
                parent=(reader.point.id, disk.key),
                progress=self._context.progress,
                cancel=self._context.cancel,
            )
            self._context.log.info(
                task_messages.DISK_DONE,
                disk=disk.label,
                read_bytes=written.read_bytes,
                stored_bytes=written.stored_bytes,
                mode=source.mode.value,
            )

    def _draft(self, point: RestorePoint) -> PointDraft:
        return PointDraft(
            rule_name=point.rule_name,
            facts=point.facts,
            kind=BackupKind.INCREMENTAL,
            parent=point.id,
            consistent=True,
            created_at=self._services.clock.now(),
            chain=point.chain,
        )


def _disk_draft(disk: PointDisk) -> DiskDraft:
    return DiskDraft(
        key=disk.key,
        label=disk.label,
        uuid=disk.uuid,
        capacity_bytes=disk.capacity_bytes,
        path=disk.path,
        change_id=None,
        read_whole=False,
    )
