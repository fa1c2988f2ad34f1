"""Tasks: asking for them, stopping them, looking at them."""

from collections.abc import Mapping

from app.contract.log import LogRow
from app.contract.points import StartExport, StartVerify
from app.contract.restore import StartRestore
from app.contract.standbys import StartClosing, StartSweep
from app.contract.tasks import (
    CancelTask,
    ListTasks,
    RetryTask,
    SampleProgress,
    StartBackup,
    TaskDetails,
    TaskLogLines,
    TaskReport,
    TaskRow,
)
from app.domain.ids import TaskId
from app.domain.tasks import TaskRecord
from app.engine.errors import StandbyUnknown, TaskNotEnded, TaskUnknown
from app.engine.handlers import Handler
from app.engine.messages import MessageCatalogue
from app.engine.tasks.executor import Executor, request_of
from app.engine.tasks.job import Workshop
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import log_row, task_row


class TaskHandlers:
    """Answers about tasks. Thread: any."""

    def __init__(
        self, workshop: Workshop, manager: TaskManager, executor: Executor, texts: MessageCatalogue
    ) -> None:
        self._workshop = workshop
        self._manager = manager
        self._executor = executor
        self._texts = texts

    def handlers(self) -> Mapping[type, Handler]:
        """Return who answers what."""
        return {
            StartBackup: self._start_backup,
            StartRestore: self._start_restore,
            StartVerify: lambda command: self._manager.submit(self._executor.queued(command)),
            StartClosing: lambda command: self._manager.submit(self._executor.queued(command)),
            StartSweep: lambda command: self._manager.submit(self._executor.queued(command)),
            StartExport: lambda command: self._manager.submit(self._executor.queued(command)),
            RetryTask: self._retry_task,
            CancelTask: lambda command: self._manager.cancel(command.task),
            ListTasks: self._list_tasks,
            TaskDetails: self._task_details,
            TaskLogLines: self._task_log_lines,
            SampleProgress: lambda _: self._manager.samples(),
        }

    # --- commands ------------------------------------------------------------------------------------------------

    def _start_backup(self, command: StartBackup) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        if self._workshop.catalog.standbys.get(command.standby) is None:
            raise StandbyUnknown(standby=command.standby)
        return self._manager.submit(self._executor.queued(command))

    def _start_restore(self, command: StartRestore) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        return self._manager.submit(self._executor.queued(command))

    def _retry_task(self, command: RetryTask) -> TaskId:
        record = self._record(command.task)
        if not record.state.is_final:
            raise TaskNotEnded(task=record.vm_name)
        return self._manager.submit(self._executor.queued(request_of(record)))

    # --- queries -------------------------------------------------------------------------------------------------

    def _list_tasks(self, query: ListTasks) -> tuple[TaskRow, ...]:
        records = self._workshop.catalog.tasks.find(
            states=query.states,
            kinds=query.kinds,
            vm=query.vm,
            platform=query.platform,
            limit=query.limit,
            offset=query.offset,
        )
        samples, stopping = self._manager.samples(), self._manager.stopping()
        return tuple(task_row(record, samples, stopping) for record in records)

    def _task_details(self, query: TaskDetails) -> TaskReport:
        record = self._record(query.task)
        lines = self._workshop.catalog.tasks.read_log(query.task, limit=query.log_lines)
        return TaskReport(
            task=task_row(record, self._manager.samples(), self._manager.stopping()),
            log=tuple(log_row(line, self._texts) for line in lines),
        )

    def _task_log_lines(self, query: TaskLogLines) -> tuple[LogRow, ...]:
        self._record(query.task)
        lines = self._workshop.catalog.tasks.read_log(
            query.task, at_least=query.at_least, after=query.after, limit=query.limit
        )
        return tuple(log_row(line, self._texts) for line in lines)

    def _record(self, task: TaskId) -> TaskRecord:
        record = self._workshop.catalog.tasks.get(task)
        if record is None:
            raise TaskUnknown(task=task)
        return record
