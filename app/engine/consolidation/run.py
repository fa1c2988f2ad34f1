"""Consolidating the disks of one VM, as a task."""

from app.core.hypervisor import ConsolidatesDisks
from app.core.progress import Progress
from app.domain.errors import TaskCancelled
from app.domain.states import TaskState
from app.engine.consolidation import messages
from app.engine.consolidation.errors import ConsolidationNotOffered, VmIsAnother
from app.engine.platforms.patience import patience_for
from app.engine.platforms.sessions import Sessions
from app.engine.program.settings import EngineSettings
from app.engine.tasks.running import RunningTask
from app.engine.tasks.spec import ConsolidationSpec


class ConsolidationRun:
    """One consolidation of the disks of one VM. Thread: the task's."""

    def __init__(
        self, sessions: Sessions, settings: EngineSettings, task: RunningTask, request: ConsolidationSpec
    ) -> None:
        """Prepare.

        Raises:
            PlatformUnknown: the platform is not registered.
        """
        self._sessions = sessions
        self._task = task
        self._request = request
        self._platform = sessions.platform(request.platform)
        self._patience = patience_for(self._platform, settings.platform_outage_s, task.context)

    def run(self) -> None:
        """Merge what removed snapshots have left.

        Raises:
            VmNotFound: the VM is gone.
            VmIsAnother: the id belongs to a VM of another name now.
            ConsolidationNotOffered: the platform's kind has no such thing.
            OperationalError: the platform could not, or only in part.
            TaskCancelled: the operator stopped it; what is merged stays merged.
        """
        task, vm = self._task, self._request.vm
        task.stages.enter(TaskState.PREPARING)
        with self._sessions.connect_patiently(self._request.platform, self._patience) as hypervisor:
            details = hypervisor.vm_details(vm)
            name = details.summary.name
            if name != self._request.vm_name:
                raise VmIsAnother(vm=self._request.vm_name, other=name)
            if not details.summary.needs_consolidation:
                task.log.info(messages.NOTHING_TO_CONSOLIDATE, vm=name)
                return
            if not isinstance(hypervisor, ConsolidatesDisks):
                raise ConsolidationNotOffered(platform=self._platform.name)
            progress = _Percentage(task.context.progress, details.summary.disk_bytes)
            task.stages.enter(TaskState.RUNNING)
            task.log.info(messages.CONSOLIDATION_BEGUN, vm=name)
            try:
                hypervisor.consolidate_disks(vm, on_progress=progress.reached, cancel=task.context.cancel)
            except TaskCancelled:
                task.log.warning(messages.CONSOLIDATION_STOPPED, vm=name)
                raise
            progress.reached(100)
            task.log.info(messages.CONSOLIDATED, vm=name)


class _Percentage:
    """Counts percentages as bytes of the VM's disks. Thread: one."""

    def __init__(self, progress: Progress, total_bytes: int) -> None:
        self._progress = progress
        self._total_bytes = total_bytes
        self._done_bytes = 0
        progress.expect(total_bytes)

    def reached(self, percent: int) -> None:
        done_bytes = self._total_bytes * min(100, percent) // 100
        if done_bytes > self._done_bytes:
            self._progress.advance(done_bytes=done_bytes - self._done_bytes)
            self._done_bytes = done_bytes
