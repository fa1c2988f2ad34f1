"""Reading properties of managed objects through the property collector, in pages, never one by one.

Reading through attributes of pyVmomi's objects would be one call per property, so no one here does.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim, vmodl

from app.vsphere.answers import LIMITS, AnswerUnusable
from app.vsphere.faults import FOREIGN

PAGE_OBJECTS = 1000
"""Objects per answer that we ask for; the platform may give fewer."""

_PC = vmodl.query.PropertyCollector


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What a read needs of a connection."""

    stub: Any
    content: Any


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """The properties of one managed object that could be read."""

    ref: Any
    values: Mapping[str, Any]
    missing: Mapping[str, Exception] = field(default_factory=dict)
    """Faults of the paths that could not be read."""

    @property
    def moid(self) -> str:
        """Managed object id."""
        return str(self.ref._moId)

    def get(self, path: str) -> Any:
        """Return a value, None when it is unset or may not be read."""
        return self.values.get(path)

    def need(self, path: str) -> Any:
        """Return a value, None when it is unset.

        Raises:
            vmodl.MethodFault: it may not be read.
        """
        if path in self.missing:
            raise self.missing[path]
        return self.values.get(path)


def read(query: Query, ref: Any, *paths: str) -> Row:
    """Read properties of one object.

    Raises:
        vmodl.fault.ManagedObjectNotFound: it is gone.
        vim.fault.NotAuthenticated: the platform has forgotten the session, here and in the other reads.
    """
    rows = list(_retrieve(query, [_spec_for([ref], {type(ref): paths}, report_missing=False)]))
    if not rows:
        raise vmodl.fault.ManagedObjectNotFound(obj=ref)
    return rows[0]


def read_many(query: Query, refs: Sequence[Any], *paths: str) -> list[Row]:
    """Read the same properties of several objects, in no order; those that are gone are left out."""
    if not refs:
        return []
    kinds = {type(ref): paths for ref in refs}
    return list(_retrieve(query, [_spec_for(refs, kinds, report_missing=True)]))


def read_each(query: Query, refs: Sequence[Any], paths: Mapping[type[Any], Sequence[str]]) -> list[Row]:
    """Read of several objects the properties of their own types, in no order; those that are gone are left out."""
    # A filter for each type: in one, what is asked of a type would also be asked of those that derive from it.
    alike = {kind: [ref for ref in refs if type(ref) is kind] for kind in dict.fromkeys(map(type, refs))}
    specs = [_spec_for(of_kind, {kind: paths[kind]}, report_missing=True) for kind, of_kind in alike.items()]
    return list(_retrieve(query, specs)) if specs else []


def read_all(query: Query, paths: Mapping[type[Any], Sequence[str]], root: Any = None) -> Iterator[Row]:
    """Read properties of every object of some types below ``root`` (default: the whole platform)."""
    with container_view(query, list(paths), root) as view:
        yield from _retrieve(query, [view_spec(view, paths)])


def read_along(
    query: Query, ref: Any, traversals: Sequence[Any], paths: Mapping[type[Any], Sequence[str]]
) -> list[Row]:
    """Read properties of the objects of some types that traversals lead to from an object.

    Raises:
        vmodl.fault.ManagedObjectNotFound: it is gone.
    """
    start = _PC.ObjectSpec(obj=ref, skip=True, selectSet=list(traversals))
    return list(_retrieve(query, [_PC.FilterSpec(objectSet=[start], propSet=property_specs(paths))]))


def upwards() -> list[Any]:
    """Describe the way from an object up to the root folder: by folders, for a VM of a vApp by the vApp's."""
    again = [_PC.SelectionSpec(name=name) for name in ("parent", "vapp", "folder")]
    return [
        _PC.TraversalSpec(name="parent", type=vim.ManagedEntity, path="parent", skip=False, selectSet=again),
        _PC.TraversalSpec(name="vapp", type=vim.VirtualMachine, path="parentVApp", skip=False, selectSet=again),
        _PC.TraversalSpec(name="folder", type=vim.VirtualApp, path="parentFolder", skip=False, selectSet=again),
    ]


@contextlib.contextmanager
def container_view(query: Query, kinds: list[type[Any]], root: Any = None) -> Iterator[Any]:
    """Make a view of all objects of some types for the time of the block."""
    view = make_view(query, kinds, root)
    try:
        yield view
    finally:
        with contextlib.suppress(*FOREIGN):
            view.DestroyView()


def make_view(query: Query, kinds: list[type[Any]], root: Any = None) -> Any:
    """Make a view of all objects of some types, which lasts until it is destroyed or the session ends."""
    return query.content.viewManager.CreateContainerView(
        container=root or query.content.rootFolder, type=kinds, recursive=True
    )


def view_spec(view: Any, paths: Mapping[type[Any], Sequence[str]]) -> Any:
    """Describe a query over all objects of a view."""
    through = _PC.TraversalSpec(name="view", type=vim.view.ContainerView, path="view", skip=False)
    start = _PC.ObjectSpec(obj=view, skip=True, selectSet=[through])
    return _PC.FilterSpec(objectSet=[start], propSet=property_specs(paths))


def objects_spec(refs: Sequence[Any], paths: Sequence[str]) -> Any:
    """Describe a query over some objects; those that are gone are left out of the answer."""
    return _spec_for(refs, {type(ref): paths for ref in refs}, report_missing=True)


def _spec_for(refs: Sequence[Any], paths: Mapping[type[Any], Sequence[str]], *, report_missing: bool) -> Any:
    return _PC.FilterSpec(
        objectSet=[_PC.ObjectSpec(obj=ref, skip=False) for ref in refs],
        propSet=property_specs(paths),
        reportMissingObjectsInResults=report_missing or None,
    )


def property_specs(paths: Mapping[type[Any], Sequence[str]]) -> list[Any]:
    """Describe which properties of objects of each type are wanted."""
    return [_PC.PropertySpec(type=kind, pathSet=list(names), all=False) for kind, names in paths.items()]


def counted(total: int, page: Sequence[Any]) -> int:
    """Add a page to the number of objects of an answer in pages, each of which counts at least as one.

    Raises:
        AnswerUnusable: there are more than any platform has, as of one that gives pages for ever.
    """
    total += max(1, len(page))
    if total > LIMITS.objects:
        raise AnswerUnusable(f"the answer has more than {LIMITS.objects} objects")
    return total


def _retrieve(query: Query, specs: list[Any]) -> Iterator[Row]:
    collector = query.content.propertyCollector
    page = collector.RetrievePropertiesEx(specSet=specs, options=_PC.RetrieveOptions(maxObjects=PAGE_OBJECTS))
    total = 0
    while page is not None:
        total = counted(total, page.objects)
        for found in page.objects:
            row = Row(
                ref=found.obj,
                values={item.name: item.val for item in found.propSet},
                missing={item.path: item.fault for item in found.missingSet},
            )
            _require_session(row.missing)
            yield row
        page = collector.ContinueRetrievePropertiesEx(token=page.token) if page.token else None


def _require_session(missing: Mapping[str, Exception]) -> None:
    """Raise the fault with which a platform that has forgotten the session answers for each property.

    Such an answer is no fault as a whole: its values would all be taken for unset.
    """
    for fault in missing.values():
        if isinstance(fault, vim.fault.NotAuthenticated):
            raise fault
