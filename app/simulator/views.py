"""The ViewManager and its views: lists of what is in a container, always up to date."""

import uuid
from collections.abc import Iterable
from typing import Any

from pyVmomi import VmomiSupport, vim, vmodl

from app.simulator.calls import Call
from app.simulator.client_session import ClientSession
from app.simulator.objects import SimObject, not_found, session_objects
from app.simulator.world import World, WorldObject

_CHILDREN: tuple[tuple[type[Any], tuple[str, ...]], ...] = (
    (vim.Folder, ("childEntity",)),
    (vim.Datacenter, ("vmFolder", "hostFolder", "datastoreFolder", "networkFolder")),
    (vim.ComputeResource, ("host", "resourcePool")),
    (vim.ResourcePool, ("resourcePool", "vm")),
    (vim.HostSystem, ("vm",)),
)


def children(world: World, obj: SimObject) -> list[SimObject]:
    """Return what is directly inside an entity, in the order of its properties."""
    found: list[SimObject] = []
    for kind, names in _CHILDREN:
        if issubclass(obj.vim_type, kind):
            for name in names:
                value = obj.read(name)
                refs = value if isinstance(value, list) else [] if value is None else [value]
                found.extend(child for child in (world.find(ref._moId) for ref in refs) if child is not None)
    return found


def descendants(world: World, obj: SimObject) -> list[SimObject]:
    """Return everything inside an entity, however deep, each once."""
    seen: dict[str, SimObject] = {}
    waiting = [obj]
    while waiting:
        for child in children(world, waiting.pop()):
            if child.moid not in seen:
                seen[child.moid] = child
                waiting.append(child)
    return list(seen.values())


class _View(WorldObject):
    """A view of one session."""

    def __init__(self, world: World, moid: str, session: ClientSession, **properties: Any) -> None:
        super().__init__(world, moid, **properties)
        self._session = session

    def DestroyView(self, call: Call) -> None:
        """Delete the view."""
        with self.world.lock:
            session_objects(self._session).pop(self.moid, None)


class SimContainerView(_View):
    """What is in a container."""

    vim_type = vim.view.ContainerView
    volatile = frozenset({"view"})

    def __init__(self, world: World, moid: str, session: ClientSession, container: SimObject, **wish: Any) -> None:
        super().__init__(world, moid, session, container=container.ref, **wish)
        self._container = container
        self._known: tuple[int, list[Any]] = (0, [])

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``view`` is as the world is now."""
        if name != "view":
            return super().read(name, session)
        with self.world.lock:
            if self._known[0] != self.world.structure_version:
                self._known = (self.world.structure_version, self._look())
            return self._known[1]

    def _look(self) -> list[Any]:
        look = descendants if self.properties["recursive"] else children
        kinds = tuple(self.properties["type"]) or (vim.ManagedEntity,)
        found = (obj.ref for obj in look(self.world, self._container) if issubclass(obj.vim_type, kinds))
        return _references(found)


class SimListView(_View):
    """A list that its client makes."""

    vim_type = vim.view.ListView

    def ModifyListView(self, call: Call, *, add: list[Any], remove: list[Any]) -> list[Any]:
        """Add and remove objects; return those that do not exist."""
        gone = {ref._moId for ref in remove}
        kept = [ref for ref in self.properties["view"] if ref._moId not in gone]
        return self._show([*kept, *add])

    def ResetListView(self, call: Call, *, obj: list[Any]) -> list[Any]:
        """Show these objects and no others; return those that do not exist."""
        return self._show(obj)

    def ResetListViewFromView(self, call: Call, *, view: Any) -> None:
        """Show what another view shows."""
        self._show(_shown_by(call, view))

    def _show(self, refs: Iterable[Any]) -> list[Any]:
        with self.world.lock:
            wanted = list({ref._moId: ref for ref in refs}.values())
            existing = [ref for ref in wanted if self.world.find(ref._moId) is not None]
            self.set(view=_references(existing))
            return _references(ref for ref in wanted if self.world.find(ref._moId) is None)


class SimViewManager(WorldObject):
    """The ViewManager."""

    vim_type = vim.view.ViewManager
    volatile = frozenset({"viewList"})

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a property; ``viewList`` are those of the session that asks."""
        if name == "viewList" and session is not None:
            with self.world.lock:
                views = [obj.ref for obj in session_objects(session).values() if isinstance(obj, _View)]
            return vim.view.View.Array(views)  # type: ignore[attr-defined]
        return super().read(name, session)

    def CreateContainerView(self, call: Call, *, container: Any, type: list[Any], recursive: bool) -> Any:
        """Return a view of what is in an entity.

        Raises:
            vmodl.fault.InvalidArgument: nothing can be in it, or a type is not one of entities.
        """
        target = self.world.get(container)
        if not any(issubclass(target.vim_type, kind) for kind, _ in _CHILDREN):
            raise vmodl.fault.InvalidArgument(msg="This cannot contain anything.", invalidProperty="container")
        if not all(issubclass(wanted, vim.ManagedEntity) for wanted in type):
            raise vmodl.fault.InvalidArgument(msg="A view shows entities only.", invalidProperty="type")
        session = _session(call)
        moid = self._new_id(session)
        made = SimContainerView(self.world, moid, session, target, type=type, recursive=recursive)
        return self._keep(session, made)

    def CreateListView(self, call: Call, *, obj: list[Any]) -> Any:
        """Return a view of the client's own choice.

        Raises:
            vmodl.fault.ManagedObjectNotFound: an object does not exist.
        """
        return self._list_view(call, [self.world.get(ref).ref for ref in obj])

    def CreateListViewFromView(self, call: Call, *, view: Any) -> Any:
        """Return a list view of what another view shows now."""
        return self._list_view(call, _shown_by(call, view))

    def _list_view(self, call: Call, refs: list[Any]) -> Any:
        session = _session(call)
        return self._keep(session, SimListView(self.world, self._new_id(session), session, view=_references(refs)))

    def _new_id(self, session: ClientSession) -> str:
        return f"session[{session.key}]{uuid.uuid4()}"

    def _keep(self, session: ClientSession, view: _View) -> Any:
        with self.world.lock:
            session_objects(session)[view.moid] = view
        return view.ref


def _session(call: Call) -> ClientSession:
    assert call.session is not None, "every call over the wire has a session"
    return call.session


def _shown_by(call: Call, view: Any) -> list[Any]:
    found = session_objects(_session(call)).get(view._moId)
    if not isinstance(found, _View):
        raise not_found(view)
    return list(found.read("view"))


def _references(refs: Iterable[Any]) -> list[Any]:
    return VmomiSupport.ManagedObject.Array(refs)  # type: ignore[attr-defined, no-any-return]
