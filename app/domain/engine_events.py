"""Facts about the engine itself: whether it can be reached, desktop notifications, which window should come up."""

from dataclasses import dataclass

from app.domain.events import Announcement
from app.domain.ids import TaskId, VmId
from app.domain.messages import Params


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLost(Announcement):
    """The engine in another process cannot be reached; what it does now is unknown (未知).

    Published by the caller's own side of the door, never by an engine.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFound(Announcement):
    """The engine in another process answers again; what was shown of it has to be read again.

    Published by the caller's own side of the door, never by an engine.
    """

    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRaiseAsked(Announcement):
    """A second window was started: the one that is there should come to the front instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramEndAsked(Announcement):
    """The window and the engine should end in order: an operator or an installer wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationRaised(Announcement):
    """The desktop should show a notification: a task failed, or the operator tests it.

    ``template`` and ``params`` are for translation, the texts are English. Without ``task``: a test or a digest.
    """

    title: str
    text: str
    task: TaskId | None = None
    vm: VmId | None = None
    vm_name: str = ""
    rule_name: str = ""
    code: str = ""
    template: str = ""
    params: Params = ()
