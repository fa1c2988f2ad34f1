"""The engine as one object: commands in, answers and events out."""

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar, cast

from app.core.access import DiskTransports
from app.core.bus import EventBus, Listener
from app.core.clock import Clock
from app.core.hypervisor import HypervisorFactory
from app.core.secrets import SecretStore
from app.domain.ids import TaskId
from app.domain.messages import MessageKind
from app.domain.platforms import PlatformFacts
from app.domain.tasks import KnownPoint, TaskRecord
from app.domain.vms import VmDetails, VmSummary
from app.engine import commands as c
from app.engine import messages
from app.engine import queries as q
from app.engine.access import Repositories, Sessions
from app.engine.dispatcher import Limits
from app.engine.errors import StandbyUnknown, TaskUnknown
from app.engine.executor import Executor, with_candidate
from app.engine.jobs import Workshop
from app.engine.messages import MessageCatalogue, kinds_in
from app.engine.ports import Catalog, RepositoryOpener, TaskRunner
from app.engine.recovery import Recovery
from app.engine.registry import Registry
from app.engine.rows import log_row, task_row
from app.engine.settings import EngineSettings
from app.engine.snapshots import SnapshotSweeper
from app.engine.taskmanager import TaskManager

R = TypeVar("R")


class Engine:
    """Backs VMs up, restores them, and remembers it.

    Call :meth:`start` once before anything else, and :meth:`close` at the end. Errors that the operator can mend
    leave :meth:`execute` and :meth:`ask` as :class:`app.domain.errors.OperationalError`; those of a task are
    kept with it. Listeners are called on the thread that the fact happened on, and must be quick.

    Thread: any.
    """

    def __init__(
        self,
        *,
        hypervisors: HypervisorFactory,
        transports: DiskTransports,
        secrets: SecretStore,
        catalog: Catalog,
        repositories: RepositoryOpener,
        runner: TaskRunner,
        clock: Clock,
        settings: EngineSettings | None = None,
        kinds: Iterable[MessageKind] = (),
        chance: random.Random | None = None,
    ) -> None:
        """Put the engine together; nothing is opened or started yet.

        Args:
            hypervisors: logs in to platforms.
            transports: opens disks.
            secrets: keeps the platforms' passwords.
            catalog: remembers; the engine does not close it.
            repositories: opens the repository of a standby; creates it only for one without a repository id.
            runner: gives tasks their threads.
            clock: tells the time.
            settings: the engine's manners.
            kinds: message kinds of the other layers, for the English text of log lines.
            chance: draws the samples of the audit; by default the operating system's randomness.
        """
        chosen = settings or EngineSettings()
        self._catalog = catalog
        self._bus = EventBus()
        self._texts = MessageCatalogue([*kinds_in(messages), *kinds])
        sweeper = SnapshotSweeper(
            catalog.snapshot_journal, clock, chosen, is_live=self._is_live, is_known=self._is_known
        )
        self._workshop = Workshop(
            sessions=Sessions(hypervisors, catalog.platforms, secrets),
            transports=transports,
            repositories=Repositories(repositories, catalog.standbys),
            catalog=catalog,
            clock=clock,
            bus=self._bus,
            settings=chosen,
            sweeper=sweeper,
        )
        self._executor = Executor(self._workshop, chance or random.SystemRandom())
        self._recovery = Recovery(self._workshop)
        self._manager = self._task_manager(runner)
        self._registry = Registry(self._workshop, self._manager)
        self._handlers = self._all_handlers()

    def _task_manager(self, runner: TaskRunner) -> TaskManager:
        workshop, settings = self._workshop, self._workshop.settings
        limits = Limits(
            max_tasks=settings.max_tasks,
            max_tasks_per_host=settings.host_buffer_mib // settings.transfer_buffer_mib,
        )
        return TaskManager(
            store=workshop.catalog.tasks,
            runner=runner,
            clock=workshop.clock,
            bus=workshop.bus,
            limits=limits,
            work=self._executor.carry_out,
            afterwards=self._tidy_up_after,
        )

    # --- life --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Settle what a crash left, in the background where platforms are concerned, and go on with waiting tasks.

        Raises:
            OperationalError: the catalog cannot be used.
        """
        waiting = self._recovery.mark_interrupted()
        for platform in sorted(self._recovery.platforms()):
            self._manager.aside(f"recovery-{platform}", partial(self._recovery.visit, platform))
        self._manager.resume([with_candidate(record) for record in waiting])

    def close(self, timeout_s: float = 60.0) -> bool:
        """Stop what runs, let it clean up, and start nothing more; waiting tasks go on at the next start.

        Returns:
            False when tasks were still cleaning up as the time was up.
        """
        return self._manager.close(timeout_s)

    def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait until no task waits or runs and nothing is being tidied up; return False when the time was up."""
        return self._manager.wait_until_idle(timeout_s)

    # --- the door ----------------------------------------------------------------------------------------------

    def execute(self, command: c.Command[R]) -> R:
        """Carry a command out.

        Raises:
            OperationalError: it could not be carried out; nothing was changed.
        """
        return cast(R, self._handlers[type(command)](command))

    def ask(self, query: q.Query[R]) -> R:
        """Answer a query.

        Raises:
            OperationalError: it could not be answered.
        """
        return cast(R, self._handlers[type(query)](query))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener every event from now on; return the function that ends it."""
        return self._bus.subscribe(listener)

    def _all_handlers(self) -> dict[type, Callable[[Any], Any]]:
        registry = self._registry
        return {
            c.RegisterPlatform: registry.register_platform,
            c.UpdatePlatform: registry.update_platform,
            c.RemovePlatform: lambda command: registry.remove_platform(command.platform),
            c.RegisterStandby: registry.register_standby,
            c.RemoveStandby: lambda command: registry.remove_standby(command.standby),
            c.RefreshPoints: lambda command: registry.refresh_points(command.standby),
            c.DeletePoint: lambda command: registry.delete_point(command.standby, command.point),
            c.StartBackup: self._start_backup,
            c.StartRestore: self._start_restore,
            c.StartVerify: self._start_verify,
            c.CancelTask: lambda command: self._manager.cancel(command.task),
            c.SweepSnapshots: self._sweep_snapshots,
            q.ListPlatforms: lambda _: self._catalog.platforms.all(),
            q.ProbePlatform: self._probe_platform,
            q.ListStandbys: lambda _: self._catalog.standbys.all(),
            q.ListVms: self._list_vms,
            q.DescribeVm: self._describe_vm,
            q.ListPoints: self._list_points,
            q.ListTasks: self._list_tasks,
            q.TaskDetails: self._task_details,
            q.TaskLogLines: self._task_log_lines,
            q.SampleProgress: lambda _: self._manager.samples(),
        }

    # --- commands ------------------------------------------------------------------------------------------------

    def _start_backup(self, command: c.StartBackup) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        if self._catalog.standbys.get(command.standby) is None:
            raise StandbyUnknown(standby=command.standby)
        return self._manager.submit(self._executor.queued(command))

    def _start_restore(self, command: c.StartRestore) -> TaskId:
        self._workshop.sessions.platform(command.platform)
        return self._manager.submit(self._executor.queued(command))

    def _start_verify(self, command: c.StartVerify) -> TaskId:
        return self._manager.submit(self._executor.queued(command))

    def _sweep_snapshots(self, command: c.SweepSnapshots) -> int:
        with self._workshop.sessions.connect(command.platform) as hypervisor:
            return self._recovery.settle_on(hypervisor, command.platform, unknown_too=command.include_unknown)

    # --- queries -------------------------------------------------------------------------------------------------

    def _probe_platform(self, query: q.ProbePlatform) -> PlatformFacts:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return hypervisor.facts

    def _list_vms(self, query: q.ListVms) -> tuple[VmSummary, ...]:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return tuple(hypervisor.list_vms())

    def _describe_vm(self, query: q.DescribeVm) -> VmDetails:
        with self._workshop.sessions.connect(query.platform) as hypervisor:
            return hypervisor.vm_details(query.vm)

    def _list_points(self, query: q.ListPoints) -> tuple[KnownPoint, ...]:
        return self._catalog.points.find(
            standby=query.standby, vm=query.vm, platform_address=query.platform_address, chain=query.chain
        )

    def _list_tasks(self, query: q.ListTasks) -> tuple[q.TaskRow, ...]:
        records = self._catalog.tasks.find(
            states=query.states, vm=query.vm, platform=query.platform, limit=query.limit, offset=query.offset
        )
        samples = self._manager.samples()
        return tuple(task_row(record, samples) for record in records)

    def _task_details(self, query: q.TaskDetails) -> q.TaskReport:
        record = self._record(query.task)
        lines = self._catalog.tasks.read_log(query.task, limit=query.log_lines)
        return q.TaskReport(
            task=task_row(record, self._manager.samples()),
            log=tuple(log_row(line, self._texts) for line in lines),
        )

    def _task_log_lines(self, query: q.TaskLogLines) -> tuple[q.LogRow, ...]:
        self._record(query.task)
        lines = self._catalog.tasks.read_log(
            query.task, at_least=query.at_least, after=query.after, limit=query.limit
        )
        return tuple(log_row(line, self._texts) for line in lines)

    def _record(self, task: TaskId) -> TaskRecord:
        record = self._catalog.tasks.get(task)
        if record is None:
            raise TaskUnknown(task=task)
        return record

    # --- inside --------------------------------------------------------------------------------------------------

    def _is_live(self, task: TaskId) -> bool:
        return self._manager.is_live(task)

    def _is_known(self, task: TaskId) -> bool:
        return self._catalog.tasks.get(task) is not None

    def _tidy_up_after(self, record: TaskRecord) -> None:
        """Try once more, over a fresh session, to remove what the task itself could not. Never raises."""
        if record.platform is not None:
            self._recovery.tidy_up_after(record.id, record.platform)
