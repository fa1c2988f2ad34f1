"""Garbage collection as a task, in slices between which backups get their turn."""

from app.domain.states import TaskState
from app.engine import messages
from app.engine.program.clockwatch import ClockWatch
from app.engine.standbys.leftovers import note_leftovers
from app.engine.standbys.repositories import Repositories
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import GarbageSpec
from app.repository import GarbageCollectionPolicy
from app.repository.errors import RepositoryBusy

SLICE_S = 15.0
"""Shorter than the half minute that a backup waits for the repository."""
_PAUSE_S = 2.0
_PATIENCE_S = 3600.0


class GarbageCollectionRun:
    """One garbage collection of one repository. Thread: the task's."""

    def __init__(
        self, repositories: Repositories, clock_watch: ClockWatch, task: RunningTask, request: GarbageSpec
    ) -> None:
        self._repositories = repositories
        self._clock_watch = clock_watch
        self._task = task
        self._request = request

    def run(self) -> int:
        """Collect until nothing is left to free; return the bytes freed.

        Raises:
            GarbageCollectionUnsafe: something needed cannot be read; nothing was deleted.
            RepositoryBusy: others used the repository all the time.
            OperationalError: the standby refuses.
            TaskCancelled: the operator stopped it; what was done stays done.
        """
        task, request = self._task, self._request
        task.stages.enter(TaskState.PREPARING)
        freed_bytes = 0
        policy = GarbageCollectionPolicy(keep_deleted=not self._clock_watch.is_believed())
        if policy.keep_deleted:
            task.log.warning(messages.TRASH_WAITS)
        with self._repositories.lease(request.standby, request.target_path, task.context.cancel) as repository:
            task.stages.enter(TaskState.RUNNING)
            finished = False
            deadline = task.context.clock.monotonic() + _PATIENCE_S
            while not finished:
                try:
                    report = repository.maintenance.collect_garbage(
                        policy, progress=task.context.progress, cancel=task.context.cancel, time_limit_s=SLICE_S
                    )
                except RepositoryBusy:
                    if task.context.clock.monotonic() > deadline:
                        raise
                    task.context.cancel.wait(_PAUSE_S)
                    continue
                freed_bytes += report.freed_bytes
                finished = report.finished
                for pack in report.set_aside:
                    task.log.warning(messages.PACK_SET_ASIDE, pack=pack)
                task.context.cancel.check()
            left = repository.free_bytes()
            note_leftovers(repository, task.log)
        if left is None:
            task.log.info(messages.SWEPT_SPACE_UNKNOWN, bytes=freed_bytes)
        else:
            task.log.info(messages.SWEPT, bytes=freed_bytes, free=left)
        return freed_bytes
