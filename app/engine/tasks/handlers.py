"""Tasks: asking for them, stopping them, looking at them."""

from app.contract.log import LogRow
from app.contract.points import StartExport, StartVerify
from app.contract.restore import StartRestore
from app.contract.standbys import StartClosing, StartGarbageCollection
from app.contract.tasks import (
    CancelTask,
    ListTasks,
    RetryTask,
    SampleProgress,
    StartBackup,
    StartConsolidation,
    TaskDetails,
    TaskLogLines,
    TaskProgress,
    TaskReport,
    TaskRow,
    TasksProgress,
)
from app.domain.ids import TaskId
from app.domain.states import TaskKind
from app.domain.tasks import TaskRecord
from app.engine.errors import TaskNotEnded, TaskUnknown
from app.engine.handlers import handles
from app.engine.history.speeds import Speeds
from app.engine.messages import MessageCatalogue
from app.engine.platforms.sessions import Sessions
from app.engine.ports import StandbyStore, TaskStore
from app.engine.standbys.lookup import registered_standby
from app.engine.tasks.commands import TaskCommand, spec_of
from app.engine.tasks.errors import TaskRowNotReadable
from app.engine.tasks.factory import TaskFactory
from app.engine.tasks.manager import TaskManager
from app.engine.tasks.rows import TaskRows, log_row
from app.engine.tasks.stored import read_spec


class TaskHandlers:
    """Answers about tasks. Thread: any."""

    def __init__(
        self,
        *,
        manager: TaskManager,
        factory: TaskFactory,
        sessions: Sessions,
        tasks: TaskStore,
        standbys: StandbyStore,
        texts: MessageCatalogue,
        rows: TaskRows,
        speeds: Speeds,
    ) -> None:
        self._manager = manager
        self._factory = factory
        self._sessions = sessions
        self._tasks = tasks
        self._standbys = standbys
        self._texts = texts
        self._rows = rows
        self._speeds = speeds

    # --- commands ------------------------------------------------------------------------------------------------

    @handles(StartBackup)
    def _start_backup(self, command: StartBackup) -> TaskId:
        self._sessions.platform(command.platform)
        registered_standby(self._standbys, command.standby)
        return self._queue(command)

    @handles(StartRestore)
    def _start_restore(self, command: StartRestore) -> TaskId:
        self._sessions.platform(command.platform)
        return self._queue(command)

    @handles(StartVerify)
    def _start_verify(self, command: StartVerify) -> TaskId:
        return self._queue(command)

    @handles(StartExport)
    def _start_export(self, command: StartExport) -> TaskId:
        return self._queue(command)

    @handles(StartGarbageCollection)
    def _start_garbage_collection(self, command: StartGarbageCollection) -> TaskId:
        return self._queue(command)

    @handles(StartClosing)
    def _start_closing(self, command: StartClosing) -> TaskId:
        return self._queue(command)

    @handles(StartConsolidation)
    def _start_consolidation(self, command: StartConsolidation) -> TaskId:
        self._sessions.platform(command.platform)
        return self._queue(command)

    @handles(RetryTask)
    def _retry_task(self, command: RetryTask) -> TaskId:
        record = self._record(command.task)
        if not record.state.is_final:
            raise TaskNotEnded(task=record.vm_name)
        return self._manager.submit(self._factory.task(read_spec(record)))

    @handles(CancelTask)
    def _cancel_task(self, command: CancelTask) -> None:
        self._manager.cancel(command.task)

    def _queue(self, command: TaskCommand) -> TaskId:
        return self._manager.submit(self._factory.task(spec_of(command)))

    # --- queries -------------------------------------------------------------------------------------------------

    @handles(ListTasks)
    def _list_tasks(self, query: ListTasks) -> tuple[TaskRow, ...]:
        records = self._tasks.find(
            ids=query.ids,
            states=query.states,
            kinds=query.kinds,
            vm=query.vm,
            platform=query.platform,
            limit=query.limit,
            offset=query.offset,
        )
        return self._rows.rows(records)

    @handles(SampleProgress)
    def _sample_progress(self, _: SampleProgress) -> TasksProgress:
        return TasksProgress(
            tasks=tuple(
                TaskProgress(
                    task=record.id,
                    vm=record.vm,
                    rule=record.rule if record.kind is TaskKind.BACKUP else None,
                    progress=progress,
                    read_bytes_per_s=self._speeds.of(record.id),
                )
                for record, progress in self._manager.live()
            ),
            read_bytes_per_s=self._speeds.total(),
        )

    @handles(TaskDetails)
    def _task_details(self, query: TaskDetails) -> TaskReport:
        record = self._record(query.task)
        lines = self._tasks.read_log(query.task, limit=query.log_lines)
        return TaskReport(
            task=self._rows.rows([record])[0],
            log=tuple(log_row(line, self._texts) for line in lines),
        )

    @handles(TaskLogLines)
    def _task_log_lines(self, query: TaskLogLines) -> tuple[LogRow, ...]:
        self._record(query.task)
        lines = self._tasks.read_log(query.task, at_least=query.at_least, after=query.after, limit=query.limit)
        return tuple(log_row(line, self._texts) for line in lines)

    def _record(self, task: TaskId) -> TaskRecord:
        record = self._tasks.get(task)
        if record is None:
            raise (TaskRowNotReadable(task=task) if self._tasks.is_known(task) else TaskUnknown(task=task))
        return record
