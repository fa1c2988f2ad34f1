"""Runs tasks, each on a thread of its own, and shows their progress, result and error over the wire."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from pyVmomi import vim, vmodl

from app.core.clock import Clock
from app.simulator import vmomi
from app.simulator.calls import Call
from app.simulator.events import EventLog
from app.simulator.faults import FaultScript
from app.simulator.objects import ObjectStore, SimObject
from app.simulator.progress import TaskProgress
from app.simulator.spec import Flavour
from app.simulator.storage import StorageError
from app.simulator.vm.storage_faults import vim_fault
from app.simulator.wellknown import well_known

_log = logging.getLogger(__name__)

_KEPT = 1000
_RECENT_S = 600.0


class SimTask(SimObject):
    """A task; stays visible for a while after its end."""

    vim_type = vim.Task

    def __init__(self, store: ObjectStore, moid: str, info: vim.TaskInfo) -> None:
        super().__init__(store, moid, info=info)
        self.cancel_wanted = False
        self.is_forgotten = False
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
        with self.store.lock:
            if self.finished_at is not None:
                raise vim.fault.InvalidState(msg="The task is over.")
            if not self.info.cancelable:
                raise vmodl.fault.NotSupported(msg="The task cannot be canceled.")
            self.cancel_wanted = True
            self.info.cancelled = True
            self.touch("info")


class TaskRunner:
    """Starts tasks, each on its own thread, and waits for them at the end. Thread: any."""

    def __init__(
        self, store: ObjectStore, clock: Clock, events: EventLog, faults: FaultScript, flavour: Flavour
    ) -> None:
        self._store = store
        self._clock = clock
        self._events = events
        self._faults = faults
        self._flavour = flavour
        self._tasks: deque[SimTask] = deque()
        self._threads: set[threading.Thread] = set()
        self.stop_event = threading.Event()

    @property
    def stopping(self) -> bool:
        """Return whether the simulator is being stopped."""
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
        """Run work as a task on an object; see :meth:`app.simulator.calls.Call.start_task`."""
        store = self._store
        is_vcenter = self._flavour is Flavour.VCENTER
        moid = store.new_moid("task") if is_vcenter else f"haTask-{obj.moid}-{store.new_number()}"
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
            queueTime=self._clock.now(),
            eventChainId=store.new_number(),
        )
        task = SimTask(store, moid, info)
        thread = threading.Thread(target=self._run, args=(task, wsdl_name, run), name=f"sim-{moid}")
        with store.lock:
            if self.stopping:
                raise vmodl.fault.RequestCanceled(msg="The server is shutting down.")
            store.add(task)
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
        oldest = self._clock.monotonic() - _RECENT_S
        with self._store.lock:
            return [
                task.ref
                for task in self._tasks
                if (task.finished_at is None or task.finished_at >= oldest)
                and not task.is_forgotten
                and (obj is None or task.info.entity == obj.ref)
            ]

    def running_on(self, obj: SimObject) -> list[SimTask]:
        """Return the tasks on an object that are not over, oldest first."""
        with self._store.lock:
            return [task for task in self._tasks if task.finished_at is None and task.info.entity == obj.ref]

    def all(self) -> list[SimTask]:
        """Return every task that is still known, oldest first."""
        with self._store.lock:
            return list(self._tasks)

    def forget(self) -> None:
        """Forget every task, as a vCenter does that another node stands in for; hosts go on with their work."""
        with self._store.lock:
            for task in self._tasks:
                task.is_forgotten = True
                self._store.remove(task)
            self._announce()

    def stop(self) -> None:
        """Ask every task to stop and wait until its thread has ended."""
        self.stop_event.set()
        self._faults.release()
        for thread in list(self._threads):
            thread.join()

    def _run(self, task: SimTask, wsdl_name: str, run: Callable[[TaskProgress], Any]) -> None:
        progress = TaskProgress(task, self.stop_event, lambda: task.cancel_wanted)
        with self._store.lock:
            task.info.state = vim.TaskInfo.State.running
            task.info.startTime = self._clock.now()
            task.touch("info")
        result, error = None, None
        try:
            self._faults.wait_while_hung(wsdl_name, lambda: self.stopping or task.cancel_wanted)
            progress.check()
            self._faults.on_task(wsdl_name)
            result = run(progress)
        except vmodl.MethodFault as fault:
            error = fault
        except StorageError as failure:
            error = vim_fault(failure)
        except Exception as bug:  # noqa: BLE001 - a bug of the simulator must end its task, not hang the client
            _log.exception("task %s of %s failed", task.moid, wsdl_name)
            error = vmodl.fault.SystemError(msg=f"A general system error occurred: {bug}", reason=str(bug))
        self._finish(task, result, error)

    def _finish(self, task: SimTask, result: Any, error: vmodl.MethodFault | None) -> None:
        with self._store.lock:
            info = task.info
            if error is None:
                info.progress = None
                info.result = result
                info.state = vim.TaskInfo.State.success
            else:
                error.msg = vmomi.message_of(error)
                info.error = error
                info.state = vim.TaskInfo.State.error
            info.completeTime = self._clock.now()
            task.finished_at = self._clock.monotonic()
            task.touch("info")
            self._threads.discard(threading.current_thread())
            self._announce()

    def _post_event(self, obj: SimObject, info: vim.TaskInfo, user: str) -> None:
        """Write the beginning of a task into the log of events, as it is at this moment."""
        fields = {prop.name: getattr(info, prop.name) for prop in info._GetPropertyList()}
        self._events.post(
            vim.event.TaskEvent,
            f"Task: {info.descriptionId}",
            vm=obj if obj.vim_type is vim.VirtualMachine else None,
            user=user,
            info=vim.TaskInfo(**fields),
        )

    def _forget_old(self) -> None:
        while len(self._tasks) > _KEPT and self._tasks[0].finished_at is not None:
            self._store.remove(self._tasks.popleft())

    def _announce(self) -> None:
        manager = self._store.find(well_known(self._flavour).taskManager)
        if manager is not None:
            manager.touch("recentTask")


def _description(wsdl_name: str) -> str:
    """Return how a method is called in a description id: its own name, which is not always the one on the wire."""
    name = vmomi.own_name(wsdl_name)
    return name[:1].lower() + name[1:]
