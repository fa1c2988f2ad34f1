"""Which objects a filter specification speaks of, and which of their properties."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import VmomiSupport, vmodl

from app.simulator import vmomi
from app.simulator.objects import SimObject, not_found
from app.simulator.property_path import Key, invalid_property, parse_path
from app.simulator.soap.serializer import Serializer

Find = Callable[[Any], SimObject | None]
Spec = vmodl.query.PropertyCollector


@dataclass(slots=True)
class Selected:
    """An object and the property paths that are asked for."""

    obj: SimObject
    paths: tuple[str, ...]


@dataclass(slots=True)
class Selection:
    """What a specification selects at this moment."""

    objects: list[Selected] = field(default_factory=list)
    missing: list[Any] = field(default_factory=list)
    """References in the specification to objects that do not exist."""


class FilterPlan:
    """A filter specification, checked and made ready to be applied again and again.

    Raises:
        vmodl.query.InvalidProperty: a path does not exist on its type.
        vmodl.fault.InvalidArgument: a traversal names one that is not there.
    """

    def __init__(self, spec: Any, serializer: Serializer) -> None:
        self._spec = spec
        self._serializer = serializer
        self._paths: dict[type[Any], tuple[str, ...] | None] = {}
        self._named: dict[str, Any] = {}
        for prop_spec in spec.propSet:
            for path in prop_spec.pathSet:
                check_path(prop_spec.type, path, serializer)
        selections = [selection for object_spec in spec.objectSet for selection in object_spec.selectSet]
        self._learn_names(selections)
        self._check_names(selections)

    def select(self, find: Find) -> Selection:
        """Apply the specification to the world as it is; the caller holds the world's lock."""
        selection = Selection()
        chosen: dict[str, SimObject] = {}
        walked: set[tuple[str, int]] = set()
        for object_spec in self._spec.objectSet:
            start = find(object_spec.obj)
            if start is None or not vmomi.refers_to(object_spec.obj, start.vim_type):
                selection.missing.append(object_spec.obj)
                continue
            if not object_spec.skip:
                chosen[start.moid] = start
            self._walk(start, object_spec.selectSet, find, chosen, walked)
        for obj in chosen.values():
            paths = self._paths_for(obj.vim_type)
            if paths is not None:
                selection.objects.append(Selected(obj, paths))
        return selection

    def require_all(self, selection: Selection) -> None:
        """Refuse a selection with missing objects, unless the specification allows them.

        Raises:
            vmodl.fault.ManagedObjectNotFound: an object does not exist.
        """
        if selection.missing and not self._spec.reportMissingObjectsInResults:
            raise not_found(selection.missing[0])

    def _walk(
        self,
        start: SimObject,
        selections: Iterable[Any],
        find: Find,
        chosen: dict[str, SimObject],
        walked: set[tuple[str, int]],
    ) -> None:
        queue: deque[tuple[SimObject, Iterable[Any]]] = deque([(start, selections)])
        while queue:
            obj, todo = queue.popleft()
            for selection in todo:
                traversal = self._resolve(selection)
                if (obj.moid, id(traversal)) in walked or not issubclass(obj.vim_type, traversal.type):
                    continue
                walked.add((obj.moid, id(traversal)))
                for ref in _references(obj.get(traversal.path)):
                    child = find(ref)
                    if child is None:
                        continue
                    if not traversal.skip:
                        chosen[child.moid] = child
                    if traversal.selectSet:
                        queue.append((child, traversal.selectSet))

    def _resolve(self, selection: Any) -> Any:
        return selection if isinstance(selection, Spec.TraversalSpec) else self._named[selection.name]

    def _learn_names(self, selections: Iterable[Any]) -> None:
        for selection in selections:
            if isinstance(selection, Spec.TraversalSpec):
                if selection.name:
                    self._named[selection.name] = selection
                check_path(selection.type, selection.path, self._serializer)
                self._learn_names(selection.selectSet)

    def _check_names(self, selections: Iterable[Any]) -> None:
        for selection in selections:
            if isinstance(selection, Spec.TraversalSpec):
                self._check_names(selection.selectSet)
            elif selection.name not in self._named:
                raise vmodl.fault.InvalidArgument(
                    msg=f"There is no traversal named {selection.name}.", invalidProperty="selectSet"
                )

    def _paths_for(self, kind: type[Any]) -> tuple[str, ...] | None:
        """Return the paths that the specification wants of a type, None when it does not speak of it."""
        if kind not in self._paths:
            wanted: dict[str, None] = {}
            applies = False
            for prop_spec in self._spec.propSet:
                if issubclass(kind, prop_spec.type):
                    applies = True
                    wanted.update(dict.fromkeys(self._all_of(kind) if prop_spec.all else prop_spec.pathSet))
            self._paths[kind] = tuple(str(path) for path in wanted) if applies else None
        return self._paths[kind]

    def _all_of(self, kind: type[Any]) -> list[str]:
        infos = vmomi.property_infos(kind)
        return [name for name, info in infos.items() if self._serializer.supports(info.version)]


def check_path(kind: type[Any], path: str, serializer: Serializer) -> None:
    """Check a property path against the declared types, as far as they go.

    Raises:
        vmodl.query.InvalidProperty: the type has no such property in the client's API version.
    """
    declared: Any = kind
    for part in parse_path(path):
        if isinstance(part, Key):
            # what is behind a key may be of any derived type
            return
        info = vmomi.property_info(declared, part)
        through_reference = declared is not kind and issubclass(declared, VmomiSupport.ManagedObject)
        if info is None or through_reference or not serializer.supports(info.version):
            raise invalid_property(path)
        declared = info.type
        if declared is object:
            return


def _references(value: Any) -> Iterable[Any]:
    if isinstance(value, VmomiSupport.ManagedObject):
        return (value,)
    return (
        (item for item in value if isinstance(item, VmomiSupport.ManagedObject)) if isinstance(value, list) else ()
    )
