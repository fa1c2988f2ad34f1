"""Garbage collection as a task, in slices between which backups get their turn."""

from app.contract.standbys import StartSweep
from app.domain.states import TaskState
from app.engine import messages
from app.engine.program.clockwatch import ClockWatch
from app.engine.standbys.leftovers import note_leftovers
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.job import Job
from app.repository import SweepPolicy
from app.repository.errors import RepositoryBusy

SLICE_S = 15.0
"""Shorter than the half minute that a backup waits for the repository."""
_PAUSE_S = 2.0
_PATIENCE_S = 3600.0


class GarbageCollectionRun:
    """One garbage collection of one repository. Thread: the task's."""

    def __init__(self, repositories: Repositories, clock_watch: ClockWatch, job: Job, request: StartSweep) -> None:
        self._repositories = repositories
        self._clock_watch = clock_watch
        self._job = job
        self._request = request

    def run(self) -> int:
        """Collect until nothing is left to free; return the bytes freed.

        Raises:
            SweepUnsafe: something cannot be read, so that nobody knows what is needed; nothing was deleted.
            RepositoryBusy: others used the repository all the time.
            OperationalError: the standby refuses.
            TaskCancelled: the operator stopped it; what was done stays done.
        """
        job, request = self._job, self._request
        job.stages.enter(TaskState.PREPARING)
        freed_bytes = 0
        policy = SweepPolicy(keep_deleted=not self._clock_watch.is_believed())
        if policy.keep_deleted:
            job.log.warning(messages.TRASH_WAITS)
        with self._repositories.lease(request.standby, request.target_path, job.context.cancel) as repository:
            job.stages.enter(TaskState.RUNNING)
            finished = False
            deadline = job.context.clock.monotonic() + _PATIENCE_S
            while not finished:
                try:
                    report = repository.maintenance.sweep(
                        policy, progress=job.context.progress, cancel=job.context.cancel, time_limit_s=SLICE_S
                    )
                except RepositoryBusy:
                    if job.context.clock.monotonic() > deadline:
                        raise
                    job.context.cancel.wait(_PAUSE_S)
                    continue
                freed_bytes += report.freed_bytes
                finished = report.finished
                for pack in report.set_aside:
                    job.log.warning(messages.PACK_SET_ASIDE, pack=pack)
                job.context.cancel.check()
            left = repository.free_bytes()
            note_leftovers(repository, job.log)
        if left is None:
            job.log.info(messages.SWEPT_SPACE_UNKNOWN, bytes=freed_bytes)
        else:
            job.log.info(messages.SWEPT, bytes=freed_bytes, free=left)
        return freed_bytes
