"""Base of the managed entities: names, parents, and properties that are made on demand."""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pyVmomi import vim

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.objects import SimObject
from app.simulator.storage.places import in_a_hurry
from app.simulator.world import World, WorldObject

MOST_NAME_LENGTH = 80


_ESCAPES = {"/": "%2f", "\\": "%5c", "%": "%25"}
_ESCAPED = re.compile("%2f|%5c|%25", re.IGNORECASE)
_MEANT = {escape: char for char, escape in _ESCAPES.items()}


def stored_name(name: str) -> str:
    """Return a name as the server keeps and shows it: with slashes, backslashes and per cent signs escaped."""
    return "".join(_ESCAPES.get(char, char) for char in meant_name(name))


def meant_name(name: str) -> str:
    """Return what the operator typed for a name that the server keeps."""
    return _ESCAPED.sub(lambda match: _MEANT[match[0].lower()], name)


class Entity(WorldObject):
    """A managed entity: it has a name, a parent and a status.

    Properties that follow from others are made by :attr:`builders` when they are first asked for, and again after
    :meth:`refresh`.

    Attributes:
        builders: functions that make properties, by name.
    """

    volatile: ClassVar[frozenset[str]] = frozenset({"recentTask"})
    builders: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    def __init__(self, world: World, moid: str, name: str, parent: SimObject | None, **properties: Any) -> None:
        super().__init__(world, moid, name=name, parent=None if parent is None else parent.ref, **properties)

    @property
    def name(self) -> str:
        """Display name."""
        return str(self.properties["name"])

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property, making it when it is made on demand."""
        if name in self.properties:
            return super().read(name, session)
        if name == "recentTask":
            return self.world.tasks.recent(self)
        if name in _CONSTANT:
            return _CONSTANT[name]
        make = self.builders.get(name)
        if make is None:
            return None
        if name in self.volatile:
            with in_a_hurry():
                return make(self)
        with self.world.lock, in_a_hurry():
            if name not in self.properties:
                self.properties[name] = make(self)
            return self.properties[name]

    def refresh(self, *names: str) -> None:
        """Drop properties, so that they are made again, and announce the change."""
        with self.world.lock:
            for name in names:
                self.properties.pop(name, None)
            self.touch(*names)

    def parent_object(self) -> SimObject | None:
        """Return the entity above."""
        parent = self.properties.get("parent")
        return None if parent is None else self.world.find(parent._moId)

    def rename(self, name: str) -> None:
        """Rename the entity.

        Raises:
            vim.fault.InvalidName: nothing may be called that.
            vim.fault.DuplicateName: a sibling is called that.
        """
        name = stored_name(name)
        with self.world.lock:
            check_entity_name(name)
            parent = self.parent_object()
            twin = child_named(parent, name) if parent is not None else None
            if twin is not None and twin is not self:
                raise duplicate_name(name, twin)
            self.set(name=name)

    def Rename_Task(self, call: Call, *, newName: str) -> vim.Task:
        """Rename the entity."""
        return call.start_task(self, "Rename_Task", lambda _: self.rename(newName))

    def Reload(self, call: Call) -> None:
        """Do nothing: the state is always current here."""


_CONSTANT: dict[str, Any] = {
    "overallStatus": "green",
    "configStatus": "green",
    "effectiveRole": [-1],
    "permission": [],
    "declaredAlarmState": [],
    "triggeredAlarmState": [],
    "alarmActionsEnabled": True,
    "disabledMethod": [],
    "tag": [],
    "availableField": [],
    "value": [],
    "customValue": [],
    "configIssue": [],
}


def check_entity_name(name: str) -> None:
    """Refuse a name that no entity may have.

    Raises:
        vim.fault.InvalidName: it is empty or too long.
    """
    if not name.strip() or len(meant_name(name)) > MOST_NAME_LENGTH:
        raise vim.fault.InvalidName(msg=f"The name '{name}' is invalid.", name=name)


def duplicate_name(name: str, twin: SimObject) -> vim.fault.DuplicateName:
    """Build the refusal of a name that is taken."""
    return vim.fault.DuplicateName(msg=f"The name '{name}' already exists.", name=name, object=twin.ref)


def children_of(parent: SimObject) -> list[SimObject]:
    """Return the children of a folder."""
    refs = parent.properties.get("childEntity") or []
    found = (parent.store.find(ref._moId) for ref in refs)
    return [child for child in found if child is not None]


def child_named(parent: SimObject, name: str) -> SimObject | None:
    """Return the child of a folder that has this name, or None."""
    return next((child for child in children_of(parent) if child.properties.get("name") == name), None)


def adopt(parent: SimObject, *children: SimObject) -> None:
    """Add entities to a folder; they must be in no other."""
    with parent.store.lock:
        refs = list(parent.properties.get("childEntity") or [])
        for child in children:
            child.set(parent=parent.ref)
            refs.append(child.ref)
        parent.set(childEntity=refs)


def release(parent: SimObject, child: SimObject) -> None:
    """Remove an entity from a folder."""
    with parent.store.lock:
        refs = [ref for ref in parent.properties.get("childEntity") or [] if ref._moId != child.moid]
        parent.set(childEntity=refs)
