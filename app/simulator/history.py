"""The EventManager, and the collectors with which clients read events and tasks page by page."""

import uuid
from collections.abc import Callable
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.objects import session_objects
from app.simulator.views import descendants
from app.simulator.world import World, WorldObject

_PAGE = 10
_MOST_COLLECTORS = 1000
_MOST_EVENTS = 1000
"""Most events that one query returns."""


class SimEventManager(WorldObject):
    """The EventManager."""

    vim_type = vim.event.EventManager
    volatile = frozenset({"latestEvent"})

    def __init__(self, world: World, moid: str) -> None:
        super().__init__(world, moid, maxCollector=_MOST_COLLECTORS)

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``latestEvent`` is as of now."""
        return self.world.events.latest() if name == "latestEvent" else super().read(name, session)

    def QueryEvents(self, call: Call, *, filter: Any, eventViewSpec: Any) -> list[Any]:
        """Return events that match, oldest first; at most 1,000 or ``filter.maxCount``, then the newest."""
        return self.matching(filter)[-min(filter.maxCount or _MOST_EVENTS, _MOST_EVENTS) :]

    def matching(self, wanted: Any) -> list[Any]:
        """Return all events that match, oldest first."""
        return [event for event in self.world.events.all() if _event_matches(self.world, event, wanted)]

    def CreateCollectorForEvents(self, call: Call, *, filter: Any) -> Any:
        """Return a collector that reads matching events page by page."""
        world = self.world
        return _keep(
            world,
            call,
            lambda moid, session: SimEventHistoryCollector(
                world, moid, session, filter, lambda: self.matching(filter)
            ),
        )

    def LogUserEvent(self, call: Call, *, entity: Any, msg: str) -> None:
        """Write a client's message into the event log."""
        self.world.get(entity)
        self.world.events.post(vim.event.GeneralUserEvent, msg, user=call.user, message=msg)


class SimTaskManager(WorldObject):
    """The TaskManager."""

    vim_type = vim.TaskManager
    volatile = frozenset({"recentTask"})

    def __init__(self, world: World, moid: str) -> None:
        super().__init__(world, moid, maxCollector=_MOST_COLLECTORS)

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``recentTask`` is as of now."""
        return self.world.tasks.recent() if name == "recentTask" else super().read(name, session)

    def CreateCollectorForTasks(self, call: Call, *, filter: Any) -> Any:
        """Return a collector that reads matching tasks page by page."""
        world = self.world

        def matching() -> list[Any]:
            return [task.info for task in world.tasks.all() if _task_matches(world, task.info, filter)]

        return _keep(
            self.world, call, lambda moid, session: SimTaskHistoryCollector(world, moid, session, filter, matching)
        )


class _HistoryCollector(WorldObject):
    """Reads a growing list, oldest first, at a position."""

    volatile = frozenset({"latestPage"})

    def __init__(
        self, world: World, moid: str, session: ClientSession, filter: Any, look: Callable[[], list[Any]]
    ) -> None:
        super().__init__(world, moid, filter=filter, initialized=True)
        self._session = session
        self._look = look
        self._page = _PAGE
        self._position = 0
        """Number of items before the next one that ReadNext… returns."""

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``latestPage`` has the newest items, newest first."""
        if name == "latestPage":
            return self._look()[-self._page :][::-1]
        return super().read(name, session)

    def SetCollectorPageSize(self, call: Call, *, maxCount: int) -> None:
        """Choose how much ``latestPage`` shows.

        Raises:
            vmodl.fault.InvalidArgument: it is not positive.
        """
        self._page = _positive(maxCount)

    def RewindCollector(self, call: Call) -> None:
        """Go to the oldest item."""
        self._position = 0

    def ResetCollector(self, call: Call) -> None:
        """Go behind the newest item."""
        self._position = len(self._look())

    def DestroyCollector(self, call: Call) -> None:
        """Delete the collector."""
        with self.world.lock:
            session_objects(self._session).pop(self.moid, None)

    def _next(self, count: int) -> list[Any]:
        with self.world.lock:
            items = self._look()[self._position : self._position + _positive(count)]
            self._position += len(items)
            return items

    def _previous(self, count: int) -> list[Any]:
        with self.world.lock:
            start = max(0, self._position - _positive(count))
            items = self._look()[start : self._position]
            self._position = start
            return items[::-1]


class SimEventHistoryCollector(_HistoryCollector):
    """Reads events."""

    vim_type = vim.event.EventHistoryCollector

    def ReadNextEvents(self, call: Call, *, maxCount: int) -> list[Any]:
        """Return newer events, oldest first."""
        return self._next(maxCount)

    def ReadPreviousEvents(self, call: Call, *, maxCount: int) -> list[Any]:
        """Return older events, newest first."""
        return self._previous(maxCount)


class SimTaskHistoryCollector(_HistoryCollector):
    """Reads tasks."""

    vim_type = vim.TaskHistoryCollector

    def ReadNextTasks(self, call: Call, *, maxCount: int) -> list[Any]:
        """Return newer tasks, oldest first."""
        return self._next(maxCount)

    def ReadPreviousTasks(self, call: Call, *, maxCount: int) -> list[Any]:
        """Return older tasks, newest first."""
        return self._previous(maxCount)


def _keep(world: World, call: Call, make: Callable[[str, ClientSession], _HistoryCollector]) -> Any:
    session = call.session
    assert session is not None, "every call over the wire has a session"
    with world.lock:
        made = make(f"session[{session.key}]{uuid.uuid4()}", session)
        session_objects(session)[made.moid] = made
    return made.ref


def _positive(count: int) -> int:
    if count <= 0:
        raise vmodl.fault.InvalidArgument(msg="The count must be positive.", invalidProperty="maxCount")
    return count


def _event_matches(world: World, event: Any, spec: Any) -> bool:
    if spec.entity is not None and not _is_about(world, getattr(event.vm, "vm", None), spec.entity):
        return False
    if spec.time is not None and not _in_time(event.createdTime, spec.time):
        return False
    if spec.userName is not None and spec.userName.userList and event.userName not in spec.userName.userList:
        return False
    if spec.eventChainId is not None and event.chainId != spec.eventChainId:
        return False
    wanted: set[str] = {kind.__name__ for kind in spec.type} | set(spec.eventTypeId)
    return not wanted or not wanted.isdisjoint(_names(type(event)))


def _names(kind: type[Any]) -> set[str]:
    """Return all names under which clients know an event class or one above it."""
    full = [base.__name__ for base in kind.__mro__]
    short = [name.rpartition(".")[2] for name in full]
    return {*full, *short, *(f"vim.event.{name}" for name in short)}


def _task_matches(world: World, info: vim.TaskInfo, spec: Any) -> bool:
    if spec.entity is not None and not _is_about(world, info.entity, spec.entity):
        return False
    if spec.state and info.state not in spec.state:
        return False
    users = spec.userName.userList if spec.userName is not None else []
    return not users or getattr(info.reason, "userName", None) in users


def _is_about(world: World, ref: Any, by_entity: Any) -> bool:
    if ref is None:
        return False
    if by_entity.recursion in ("self", "all") and ref == by_entity.entity:
        return True
    if by_entity.recursion == "self":
        return False
    return any(child.moid == ref._moId for child in descendants(world, world.get(by_entity.entity)))


def _in_time(moment: Any, span: Any) -> bool:
    after = span.beginTime is None or moment >= span.beginTime
    return after and (span.endTime is None or moment <= span.endTime)
