"""An export, step by step: look where it goes, then write one file per disk."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from app.domain.restore_point import PointDisk, RestorePoint
from app.domain.states import TaskState
from app.engine.errors import RequestRefused
from app.engine.export import messages
from app.engine.export.claims import ExportClaim
from app.engine.export.files import export_disk
from app.engine.export.formats import format_of
from app.engine.points.reading import opened_point
from app.engine.reasons import DISKS_NOT_HELD, NO_FOLDER
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import ExportSpec
from app.repository import PinPurpose, PointReader


class ExportRun:
    """One export of one restore point. Thread: the task's."""

    def __init__(self, repositories: Repositories, task: RunningTask, request: ExportSpec) -> None:
        self._repositories = repositories
        self._task = task
        self._request = request

    def run(self) -> Sequence[Path]:
        """Write the files and return their paths.

        Raises:
            OperationalError: it could not be done; files of disks that were finished before stay.
            TaskCancelled: the operator stopped it; likewise.
        """
        context, request = self._task.context, self._request
        self._task.stages.enter(TaskState.PREPARING)
        folder = Path(request.folder)
        if not folder.is_dir():
            raise RequestRefused(detail=NO_FOLDER.fill(folder=folder))
        with (
            self._repositories.lease(request.standby, request.target_path, context.cancel) as repository,
            opened_point(repository, request.point, PinPurpose.EXPORT, context.log) as reader,
        ):
            pairs = [(disk, folder / self._file_name(reader.point, disk)) for disk in self._chosen(reader.point)]
            with ExitStack() as held:
                # All files are claimed before the first byte is written: what cannot be done is refused at once.
                claims = [held.enter_context(ExportClaim(target)) for _, target in pairs]
                context.progress.expect(sum(disk.capacity_bytes for disk, _ in pairs))
                self._task.stages.enter(TaskState.RUNNING)
                for (disk, target), claim in zip(pairs, claims, strict=True):
                    self._export(reader, disk, target, claim)
        return [target for _, target in pairs]

    def _export(self, reader: PointReader, disk: PointDisk, target: Path, claim: ExportClaim) -> None:
        context, image = self._task.context, self._request.image
        export_disk(reader, disk, target, image, progress=context.progress, cancel=context.cancel, claim=claim)
        context.log.info(messages.DISK_EXPORTED, disk=disk.label, file=target, format=image.value)

    def _chosen(self, point: RestorePoint) -> Sequence[PointDisk]:
        if not self._request.disks:
            return point.disks
        found = [point.disk(key) for key in self._request.disks]
        if any(disk is None for disk in found):
            raise RequestRefused(detail=DISKS_NOT_HELD)
        return [disk for disk in found if disk is not None]

    def _file_name(self, point: RestorePoint, disk: PointDisk) -> str:
        name = "".join(char if char.isalnum() or char in "-_." else "_" for char in point.facts.name)
        moment = point.created_at.strftime("%Y-%m-%d_%H-%M-%S")
        return f"{name}_{moment}_{disk.key}.{format_of(self._request.image).suffix}"
