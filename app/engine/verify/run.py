"""Verifying a restore point: every chunk is read back and compared with its digest."""

from app.core.context import TaskContext
from app.domain.errors import OperationalError
from app.domain.messages import Param
from app.domain.states import TaskState
from app.domain.tasks import VerificationState
from app.engine import messages
from app.engine.errors import RestorePointDamaged
from app.engine.points.reading import opened_point
from app.engine.ports import PointStore
from app.engine.reasons import PLACE_OF_DAMAGE
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import VerifySpec
from app.repository import Damage, PinPurpose, Repository, VerifyReport

MOST_LINES = 100
"""Damaged places that are named one by one in the log."""


class VerifyRun:
    """One verification of one restore point. Thread: the task's."""

    def __init__(
        self, repositories: Repositories, points: PointStore, task: RunningTask, request: VerifySpec
    ) -> None:
        self._repositories = repositories
        self._points = points
        self._task = task
        self._request = request

    def run(self) -> VerifyReport:
        """Read the point back.

        Raises:
            RestorePointDamaged: something is not as it was stored; the log names each place.
            OperationalError: it could not be read at all.
            TaskCancelled: the operator stopped it.
        """
        context, request = self._task.context, self._request
        self._task.stages.enter(TaskState.PREPARING)
        with self._repositories.lease(request.standby, request.target_path, context.cancel) as repository:
            with opened_point(repository, request.point, PinPurpose.VERIFICATION, context.log) as reader:
                self._task.stages.enter(TaskState.VERIFYING)
                context.progress.expect(reader.point.capacity_bytes)
                report = reader.verify(progress=context.progress, cancel=context.cancel)
            if report.damaged_packs:
                self._set_aside(repository, report)
        self._note(VerificationState.WHOLE if report.whole else VerificationState.DAMAGED)
        if not report.whole:
            self._name(report)
        context.log.info(messages.POINT_WHOLE, chunks=report.checked_chunks, bytes=report.checked_bytes)
        return report

    def _set_aside(self, repository: Repository, report: VerifyReport) -> None:
        """Take damaged packs out of use, so that the next backup stores again what they have lost."""
        log = self._context.log
        try:
            repaired = repository.maintenance.repair(report.damaged_packs, cancel=self._context.cancel)
        except OperationalError as error:
            log.warning(messages.PACKS_NOT_SET_ASIDE, detail=error)
            return
        for pack in repaired.set_aside:
            log.warning(messages.PACK_SET_ASIDE, pack=pack)

    @property
    def _context(self) -> TaskContext:
        return self._task.context

    def _name(self, report: VerifyReport) -> None:
        for damage in report.damage[:MOST_LINES]:
            self._task.log.error(
                messages.POINT_DAMAGE,
                what=damage.what,
                kind=damage.kind,
                detail=damage.detail,
                place=_place(damage),
            )
        raise RestorePointDamaged(
            point=self._request.point, count=len(report.damage), first=_place(report.damage[0])
        )

    def _note(self, found: VerificationState) -> None:
        context, request = self._task.context, self._request
        at = context.clock.now()
        try:
            self._points.set_verification(request.standby, request.target_path, request.point, found, at)
        except OperationalError as error:
            context.log.warning(messages.POINT_NOT_LISTED, detail=error)


def _place(damage: Damage) -> Param:
    if damage.disk_key is None:
        return damage.what
    return PLACE_OF_DAMAGE.fill(disk=damage.disk_key, start=damage.start, end=damage.start + damage.length_bytes)
