"""Waiting for tasks of the platform: with an own property collector, a deadline, and a cancel token.

Source: protocols page *vSphere facts*, section "Session and tasks". Only the state, the progress, the result
and the error of a task are read, never its whole ``info``: some servers put objects into ``info.entity`` that
pyVmomi refuses. A task lives on the platform, not in the session, so waiting survives a new login and a
connection that is lost for a while.
"""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.core.clock import Clock
from app.domain.errors import PlatformUnreachable, TaskCancelled
from app.vsphere.errors import PlatformRefused, PlatformTaskStandsStill, PlatformTaskTimedOut
from app.vsphere.faults import CONNECTION_FAILURES, FAILURES, FOREIGN
from app.vsphere.properties import read, read_many
from app.vsphere.session import Connection, VSphereSession
from app.vsphere.words import Operation

_log = logging.getLogger(__name__)
T = TypeVar("T")

_LONG_WAIT_S = 30
"""Seconds that the platform may hold a wait, as the protocols page says."""
_SHORT_WAIT_S = 2
"""The same while someone may cancel, or wants to look at the VM in between."""
_OUTAGE_S = 60.0
"""How long the platform may be unreachable while its task runs, before we give up."""
_FORGOTTEN_S = 120.0
"""How long it is looked whether what a forgotten task was for is done."""
_LOOK_S = 30.0
"""How often it is looked what a task works on, where its moves are followed."""
_FIRST_PAUSE_S = 0.2
_LONGEST_PAUSE_S = 5.0
_PC = vmodl.query.PropertyCollector


@dataclass(slots=True)
class Deadline:
    """A moment that must not pass; it moves on with a task that is followed. Thread: one."""

    clock: Clock
    seconds: float
    at: float

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        """Return the deadline so many seconds from now."""
        return cls(clock, seconds, clock.monotonic() + seconds)

    @property
    def remaining_s(self) -> float:
        """Seconds left, at least 0."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def has_passed(self) -> bool:
        """Return whether it is too late."""
        return self.clock.monotonic() >= self.at

    def renew(self) -> None:
        """Begin the time again."""
        self.at = self.clock.monotonic() + self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How to wait for one task."""

    operation: Operation
    deadline: Deadline
    cancel: CancelToken | None = None
    """None: the wait cannot be cancelled."""
    on_progress: Callable[[int], None] | None = None
    """Called with the percentage, from the waiting thread, when it changes."""
    on_idle: Callable[[], None] | None = None
    """Called every few seconds while the task runs; what it raises ends the wait, and the task is cancelled."""
    moves: Callable[[Connection], object] | None = None
    """Returns something that changes while the task works, where the task itself may show no progress. With it the
    deadline is how long all may stand still, and the task is not cancelled when it has passed."""
    instead: Callable[[Connection], Any] | None = None
    """Returns the task's result when what it is for is done, else None. It is asked for a while when the platform
    has forgotten the task: the host may still be at it while another node stands in for the vCenter."""


def start_task(session: VSphereSession, start: Callable[[Connection], Any]) -> str:
    """Begin a task and return its id."""
    return str(session.run(start)._moId)


def run_task(session: VSphereSession, start: Callable[[Connection], Any], waiting: Waiting) -> Any:
    """Begin a task, wait for it, and return its result.

    Raises:
        As :func:`wait_for_task`.
    """
    return wait_for_task(session, start_task(session, start), waiting)


def wait_for_task(session: VSphereSession, task: str, waiting: Waiting) -> Any:
    """Wait until a task ends and return its result.

    When the wait is cancelled or given up, the platform is asked to cancel the task; it may still go on for a
    while. A task whose moves are followed is not cancelled for standing still.

    Raises:
        vmodl.MethodFault: the task's own error; ``ManagedObjectNotFound`` about a task that is forgotten.
        PlatformTaskTimedOut: the deadline passed.
        PlatformTaskStandsStill: the deadline passed while the task, whose moves are followed, stood still.
        TaskCancelled: cancelled meanwhile.
        OSError, http.client.HTTPException: the platform was unreachable for too long.
    """
    watch = _Watch(session, task, waiting)
    try:
        try:
            return watch.until_end()
        except vmodl.fault.ManagedObjectNotFound as error:
            if waiting.instead is None or not is_about_a_task(error):
                raise
            return watch.until_seen(waiting.instead, error)
    except FOREIGN:
        raise
    except BaseException as reason:  # of ours: cancelled, too late, or what on_idle raised
        if waiting.moves is None or isinstance(reason, TaskCancelled):
            _ask_to_stop(session, task)
        raise


def wait_for_end(session: VSphereSession, task: str, deadline: Deadline) -> None:
    """Wait until a task has ended, whichever way; a task that is not known any more has ended.

    Raises:
        PlatformTaskTimedOut: it still runs at the deadline.
        OSError, http.client.HTTPException: the platform was unreachable for too long.
    """
    with contextlib.suppress(vmodl.MethodFault, PlatformRefused):
        wait_for_task(session, task, Waiting(operation=Operation.END_TASK, deadline=deadline))


def _ask_to_stop(session: VSphereSession, task: str) -> None:
    with contextlib.suppress(*FAILURES):  # most tasks cannot be cancelled
        session.run(lambda connection: connection.object(vim.Task, task).CancelTask())


_INTERRUPTIONS: tuple[type[Exception], ...] = (
    *CONNECTION_FAILURES,
    vmodl.fault.RequestCanceled,
    vmodl.fault.ManagedObjectNotFound,
    vmodl.fault.SystemError,
)
"""What may befall the wait, though not the task: the connection breaks, or the session ends in the middle of a
call and takes the collector with it."""


def is_about_a_task(error: Exception) -> bool:
    """Return whether an error is about a task of the platform, not about what the task works on."""
    return isinstance(getattr(error, "obj", None), vim.Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    result: Any = None
    error: Exception | None = None


class _Watch:
    """One wait. Thread: the one that waits."""

    def __init__(self, session: VSphereSession, task: str, waiting: Waiting) -> None:
        self._session = session
        self._task = task
        self._waiting = waiting
        self._progress: int | None = None
        self._outage_began: float | None = None
        self._signs: tuple[object, ...] = ()
        self._moves: object = None
        self._looked_at = -_LOOK_S

    def until_end(self) -> Any:
        outcome = self._outcome()
        if outcome.error is not None:
            raise outcome.error
        return outcome.result

    def _outcome(self) -> "_Outcome":
        pause_s = _FIRST_PAUSE_S
        while True:
            self._check()
            try:
                return self._session.run(self._observe)
            except _INTERRUPTIONS as error:
                if is_about_a_task(error) or not self._may_recover():
                    raise
            self._pause(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def until_seen(self, look: Callable[[Connection], Any], forgotten: Exception) -> Any:
        """Return the result of a task that is forgotten as soon as what it was for is done."""
        _log.info("%s has forgotten task %s", self._session.platform.address, self._task)
        clock = self._session.clock
        give_up_at, pause_s = clock.monotonic() + _FORGOTTEN_S, _FIRST_PAUSE_S
        while True:
            self._check()
            found = self._seen(look)
            if found is not None:
                return found
            if self._waiting.moves is None and clock.monotonic() >= give_up_at:
                raise forgotten
            if self._waiting.on_idle is not None:
                self._waiting.on_idle()
            self._pause(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    def _seen(self, look: Callable[[Connection], Any]) -> Any:
        def looked(connection: Connection) -> Any:
            self._follow(connection, "forgotten")
            return look(connection)

        try:
            found = self._session.run(looked)
        except _INTERRUPTIONS as error:
            if isinstance(error, vmodl.fault.ManagedObjectNotFound) or not self._may_recover():
                raise
            return None
        self._outage_began = None
        return found

    def _check(self) -> None:
        if self._waiting.cancel is not None:
            self._waiting.cancel.check()
        if self._waiting.deadline.has_passed:
            late = PlatformTaskTimedOut if self._waiting.moves is None else PlatformTaskStandsStill
            raise late(
                address=self._session.platform.address,
                operation=self._waiting.operation,
                seconds=round(self._waiting.deadline.seconds),
            )

    def _may_recover(self) -> bool:
        now = self._session.clock.monotonic()
        if self._outage_began is None:
            self._outage_began = now
        return (
            now - self._outage_began < _longest_outage_s(self._session) and not self._waiting.deadline.has_passed
        )

    def _pause(self, seconds: float) -> None:
        seconds = min(seconds, self._waiting.deadline.remaining_s)
        if self._waiting.cancel is not None:
            self._waiting.cancel.wait(seconds)
        else:
            self._session.clock.sleep(seconds)

    def _observe(self, connection: Connection) -> "_Outcome":
        task = connection.object(vim.Task, self._task)
        version = ""
        with contextlib.ExitStack() as stack:
            collector: Any = None
            # read before the wait: no update ever comes of a task that is not known
            while (outcome := self._looked(connection, task)) is None:
                if collector is None:  # many a task has ended before it is first looked at
                    collector = stack.enter_context(_own_collector(connection, task))
                version = self._wait(collector, version)
            return outcome

    def _looked(self, connection: Connection, task: Any) -> "_Outcome | None":
        """Read a task; return how it ended, None while it runs."""
        self._check()
        row = read(connection.query(), task, "info.state", "info.progress", "info.error", "info.result")
        self._outage_began = None
        state = row.need("info.state")
        if state == vim.TaskInfo.State.success:
            return _Outcome(result=row.get("info.result"))
        if state == vim.TaskInfo.State.error:
            return _Outcome(error=row.get("info.error") or vmodl.fault.SystemError(reason="none given"))
        self._report(row.get("info.progress"))
        self._follow(connection, str(state))
        if self._waiting.on_idle is not None:
            self._waiting.on_idle()
        return None

    def _wait(self, collector: Any, version: str) -> str:
        """Return when something about the task changed, or after a while.

        The answer only wakes us: the task is read again each time, because servers exist (the Go simulator)
        that name every version ``-`` and may not report a change that fell between two waits.
        """
        impatient = self._waiting.cancel is not None or self._waiting.on_idle is not None
        longest = _SHORT_WAIT_S if impatient else _LONG_WAIT_S
        seconds = max(1, min(longest, int(self._waiting.deadline.remaining_s)))
        try:
            updates = collector.WaitForUpdatesEx(version=version, options=_PC.WaitOptions(maxWaitSeconds=seconds))
        except vmodl.query.InvalidCollectorVersion:
            return ""
        return str(updates.version) if updates is not None else version

    def _report(self, progress: int | None) -> None:
        if progress is not None and progress != self._progress:
            self._progress = progress
            if self._waiting.on_progress is not None:
                self._waiting.on_progress(progress)

    def _follow(self, connection: Connection, state: str) -> None:
        """Begin the time limit again when the task, or what it works on, has moved."""
        look, now = self._waiting.moves, self._session.clock.monotonic()
        if look is None:
            return
        if now - self._looked_at >= _LOOK_S:
            self._moves, self._looked_at = look(connection), now
        signs = (state, self._progress, self._moves)
        if signs != self._signs:
            self._signs = signs
            self._waiting.deadline.renew()


@contextlib.contextmanager
def _own_collector(connection: Connection, task: Any) -> Iterator[Any]:
    collector = connection.content.propertyCollector.CreatePropertyCollector()
    try:
        what = _PC.PropertySpec(type=vim.Task, pathSet=["info.state", "info.progress", "info.error"], all=False)
        spec = _PC.FilterSpec(propSet=[what], objectSet=[_PC.ObjectSpec(obj=task, skip=False)])
        collector.CreateFilter(spec=spec, partialUpdates=True)
        yield collector
    finally:
        with contextlib.suppress(*FOREIGN):
            collector.DestroyPropertyCollector()


def through_outage(session: VSphereSession, action: Callable[[], T], deadline: Deadline) -> T:
    """Do something that may be done twice, again and again while the platform cannot be reached.

    Raises:
        OSError, http.client.HTTPException, PlatformUnreachable: it could not be reached for too long.
    """
    give_up_at = min(deadline.at, session.clock.monotonic() + _longest_outage_s(session))
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return action()
        except _OUTAGES:
            if session.clock.monotonic() + pause_s >= give_up_at:
                raise
        session.clock.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)


def _longest_outage_s(session: VSphereSession) -> float:
    patience = session.patience
    return _OUTAGE_S if patience is None else max(_OUTAGE_S, patience.limit_s)


_OUTAGES: tuple[type[Exception], ...] = (*CONNECTION_FAILURES, PlatformUnreachable)


def running_among(connection: Connection, recent: Sequence[Any], is_meant: Callable[[str], bool]) -> list[str]:
    """Return the ids of the queued and running of some tasks whose description id is meant, in lower case."""
    rows = read_many(connection.query(), recent, "info.descriptionId", "info.state")
    return [
        row.moid
        for row in rows
        if row.get("info.state") in {vim.TaskInfo.State.queued, vim.TaskInfo.State.running}
        and is_meant(str(row.get("info.descriptionId") or "").lower())
    ]


def wait_for_unknown(
    session: VSphereSession, entity: Callable[[Connection], Any], kind: str, deadline: Deadline
) -> None:
    """Wait until tasks end whose ids never reached us, because the connection broke while they were begun.

    Args:
        session: the session.
        entity: gives the managed object that the tasks are about.
        kind: what their description id contains, in any case, such as ``createSnapshot``.
        deadline: until when.

    Raises:
        vmodl.fault.ManagedObjectNotFound: the entity is gone.
        PlatformTaskTimedOut: one still runs at the deadline.
        OSError, http.client.HTTPException: the platform was unreachable for too long.
    """

    def running(connection: Connection) -> list[str]:
        recent = read(connection.query(), entity(connection), "recentTask").get("recentTask") or []
        return running_among(connection, recent, lambda described: kind.lower() in described)

    for task in session.run(running):
        wait_for_end(session, task, deadline)
