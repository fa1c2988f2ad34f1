"""Tasks: asking for them, stopping them, looking at them."""

from collections.abc import Mapping

from app.domain.ids import TaskId
from app.domain.tasks import TaskRecord
from app.engine import commands as c
from app.engine import queries as q
from app.engine.desks import Handler
from app.engine.errors import StandbyUnknown, TaskNotEnded, TaskUnknown
from app.engine.executor import Executor, request_of
from app.engine.jobs import Workshop
from app.engine.messages import MessageCatalogue
from app.engine.rows import log_row, task_row
from app.engine.taskmanager import TaskManager


class TasksDesk:
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
            c.StartBackup: self._start_backup,
            c.StartRestore: self._start_restore,
            c.StartVerify: lambda command: self._manager.submit(self._executor.queued(command)),
            c.StartClosing: lambda command: self._manager.submit(self._executor.queued(command)),
            c.StartSweep: lambda command: self._manager.submit(self._executor.queued(command)),
            c.StartExport: lambda command: self._manager.submit(self._executor.queued(command)),
            c.RetryTask: self._retry_task,
            c.CancelTask: lambda command: self._manager.cancel(command.task),
            q.ListTasks: self._list_tasks,
            q.TaskDetails: self._task_details,
            q.TaskLogLines: self._task_log_lines,
            q.SampleProgress: lambda _: self._manager.samples(),
        }

    # --- commands ------------------------------------------------------------------------------------------------

    def _start_backup(self, command: c.StartBackup) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        if self._workshop.catalog.standbys.get(command.standby) is None:
            raise StandbyUnknown(standby=command.standby)
        return self._manager.submit(self._executor.queued(command))

    def _start_restore(self, command: c.StartRestore) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        return self._manager.submit(self._executor.queued(command))

    def _retry_task(self, command: c.RetryTask) -> TaskId:
        record = self._record(command.task)
        if not record.state.is_final:
            raise TaskNotEnded(task=record.vm_name)
        return self._manager.submit(self._executor.queued(request_of(record)))

    # --- queries -------------------------------------------------------------------------------------------------

    def _list_tasks(self, query: q.ListTasks) -> tuple[q.TaskRow, ...]:
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

    def _task_details(self, query: q.TaskDetails) -> q.TaskReport:
        record = self._record(query.task)
        lines = self._workshop.catalog.tasks.read_log(query.task, limit=query.log_lines)
        return q.TaskReport(
            task=task_row(record, self._manager.samples(), self._manager.stopping()),
            log=tuple(log_row(line, self._texts) for line in lines),
        )

    def _task_log_lines(self, query: q.TaskLogLines) -> tuple[q.LogRow, ...]:
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
