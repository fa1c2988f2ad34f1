"""Tasks: work on a thread of its own, with progress, result and error to be seen over the wire."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from app.simulator import vmomi
from app.simulator.objects import Call, SimObject
from app.simulator.wellknown import well_known

if TYPE_CHECKING:
    from app.simulator.world import World

_log = logging.getLogger(__name__)

_KEPT = 1000
_RECENT_S = 600.0


class TaskProgress:
    """What a running task's work gets. Thread: the task's own."""

    def __init__(self, task: "SimTask", runner: "TaskRunner") -> None:
        self._task = task
        self._runner = runner

    @property
    def task(self) -> vim.Task:
        """Reference of the task."""
        ref: vim.Task = self._task.ref
        return ref

    def report(self, percent: int) -> None:
        """Show how far the work is, 0 to 100."""
        with self._task.world.lock:
            info = self._task.properties["info"]
            if info.progress != percent:
                info.progress = percent
                self._task.touch("info")

    def check(self) -> None:
        """Go on, or stop here.

        Raises:
            vmodl.fault.RequestCanceled: somebody cancelled the task, or the simulator stops.
        """
        if self._task.cancel_wanted or self._runner.stopping:
            raise vmodl.fault.RequestCanceled(msg="The task was canceled by a user.")

    def pause(self, seconds: float) -> None:
        """Sleep, but wake when the simulator stops.

        Raises:
            vmodl.fault.RequestCanceled: as :meth:`check`.
        """
        self._runner.stop_event.wait(seconds)
        self.check()


class SimTask(SimObject):
    """A task; stays visible for a while after its end."""

    vim_type = vim.Task

    def __init__(self, world: "World", moid: str, info: vim.TaskInfo) -> None:
        super().__init__(world, moid, info=info)
        self.cancel_wanted = False
        self.finished_at: float | None = None

    @property
    def info(self) -> vim.TaskInfo:
        """The task's info; to be changed under the world's lock only."""
        info: vim.TaskInfo = self.properties["info"]
        return info

    def CancelTask(self, call: Call) -> None:
        """Ask the work to stop.

        Raises:
            vmodl.fault.NotSupported: the task cannot be cancelled.
            vim.fault.InvalidState: it is over.
        """
        with self.world.lock:
            if self.finished_at is not None:
                raise vim.fault.InvalidState(msg="The task is over.")
            if not self.info.cancelable:
                raise vmodl.fault.NotSupported(msg="The task cannot be canceled.")
            self.cancel_wanted = True
            self.info.cancelled = True
            self.touch("info")


class TaskRunner:
    """Starts tasks, each on its own thread, and waits for them at the end. Thread: any."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._tasks: deque[SimTask] = deque()
        self._threads: set[threading.Thread] = set()
        self.stop_event = threading.Event()

    @property
    def stopping(self) -> bool:
        """Tell whether the simulator is being stopped."""
        return self.stop_event.is_set()

    def start(
        self,
        obj: SimObject,
        wsdl_name: str,
        run: Callable[[TaskProgress], Any],
        *,
        user: str = "",
        cancelable: bool = False,
    ) -> vim.Task:
        """Run work as a task on an object; see :meth:`app.simulator.objects.Call.start_task`."""
        world = self._world
        moid = world.new_moid("task") if world.spec.is_vcenter else f"haTask-{obj.moid}-{world.new_number()}"
        method = vmomi.method(wsdl_name)
        owner = method.owner if method is not None else obj.vim_type
        info = vim.TaskInfo(
            key=moid,
            task=vim.Task(moid),
            name=vmomi.method_name(wsdl_name) if method is not None else None,
            descriptionId=f"{owner.__name__.removeprefix('vim.')}.{_description(wsdl_name)}",
            entity=obj.ref,
            entityName=obj.get("name") if "name" in vmomi.property_names(obj.vim_type) else None,
            state=vim.TaskInfo.State.queued,
            cancelled=False,
            cancelable=cancelable,
            reason=vim.TaskReasonUser(userName=user),
            queueTime=world.now(),
            eventChainId=world.new_number(),
        )
        task = SimTask(world, moid, info)
        thread = threading.Thread(target=self._run, args=(task, wsdl_name, run), name=f"sim-{moid}")
        with world.lock:
            if self.stopping:
                raise vmodl.fault.RequestCanceled(msg="The server is shutting down.")
            world.add(task)
            self._tasks.append(task)
            self._forget_old()
            self._threads.add(thread)
            self._announce()
            self._post_event(obj, info, user)
            thread.start()
        ref: vim.Task = task.ref
        return ref

    def recent(self, obj: SimObject | None = None) -> list[vim.Task]:
        """Return queued and running tasks and those that ended not long ago, of one object or all."""
        oldest = self._world.clock.monotonic() - _RECENT_S
        with self._world.lock:
            return [
                task.ref
                for task in self._tasks
                if (task.finished_at is None or task.finished_at >= oldest)
                and (obj is None or task.info.entity == obj.ref)
            ]

    def running_on(self, obj: SimObject) -> list[SimTask]:
        """Return the tasks on an object that are not over, oldest first."""
        with self._world.lock:
            return [task for task in self._tasks if task.finished_at is None and task.info.entity == obj.ref]

    def all(self) -> list[SimTask]:
        """Return every task that is still known, oldest first."""
        with self._world.lock:
            return list(self._tasks)

    def stop(self) -> None:
        """Ask every task to stop and wait until its thread has ended."""
        self.stop_event.set()
        self._world.faults.release()
        for thread in list(self._threads):
            thread.join()

    def _run(self, task: SimTask, wsdl_name: str, run: Callable[[TaskProgress], Any]) -> None:
        progress = TaskProgress(task, self)
        with self._world.lock:
            task.info.state = vim.TaskInfo.State.running
            task.info.startTime = self._world.now()
            task.touch("info")
        result, error = None, None
        try:
            self._world.faults.wait_while_hung(wsdl_name, lambda: self.stopping or task.cancel_wanted)
            progress.check()
            self._world.faults.on_task(wsdl_name)
            result = run(progress)
        except vmodl.MethodFault as fault:
            error = fault
        except Exception as bug:  # noqa: BLE001 - a bug of the simulator must end its task, not hang the client
            _log.exception("task %s of %s failed", task.moid, wsdl_name)
            error = vmodl.fault.SystemError(msg=f"A general system error occurred: {bug}", reason=str(bug))
        self._finish(task, result, error)

    def _finish(self, task: SimTask, result: Any, error: vmodl.MethodFault | None) -> None:
        with self._world.lock:
            info = task.info
            if error is None:
                info.progress = None
                info.result = result
                info.state = vim.TaskInfo.State.success
            else:
                error.msg = vmomi.message_of(error)
                info.error = error
                info.state = vim.TaskInfo.State.error
            info.completeTime = self._world.now()
            task.finished_at = self._world.clock.monotonic()
            task.touch("info")
            self._threads.discard(threading.current_thread())
            self._announce()

    def _post_event(self, obj: SimObject, info: vim.TaskInfo, user: str) -> None:
        """Write the beginning of a task into the log of events, as it is at this moment."""
        fields = {one.name: getattr(info, one.name) for one in info._GetPropertyList()}
        self._world.events.post(
            vim.event.TaskEvent,
            f"Task: {info.descriptionId}",
            vm=obj if obj.vim_type is vim.VirtualMachine else None,
            user=user,
            info=vim.TaskInfo(**fields),
        )

    def _forget_old(self) -> None:
        while len(self._tasks) > _KEPT and self._tasks[0].finished_at is not None:
            self._world.remove(self._tasks.popleft())

    def _announce(self) -> None:
        manager = self._world.find(well_known(self._world.spec.flavour).taskManager)
        if manager is not None:
            manager.touch("recentTask")


def _description(wsdl_name: str) -> str:
    """Return how a method is called in a description id: its own name, which is not always the one on the wire."""
    name = vmomi.own_name(wsdl_name)
    return name[:1].lower() + name[1:]
