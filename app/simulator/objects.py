"""Managed objects of the simulator, and the store that holds those that exist."""

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pyVmomi import vmodl

from app.simulator import vmomi
from app.simulator.client_session import ClientSession
from app.simulator.property_path import Key, invalid_property, parse_path

S = TypeVar("S", bound="SimObject")
_STRUCTURAL = frozenset(
    {"childEntity", "vm", "host", "resourcePool", "vmFolder", "hostFolder", "datastoreFolder", "networkFolder"}
)


@dataclass(frozen=True, slots=True)
class Lazy:
    """A property value that is made when it is first asked for."""

    make: Callable[[], Any]


class SimObject:
    """Base of all managed objects.

    Subclasses set ``vim_type`` and implement SOAP methods under their WSDL names, each as
    ``def CreateSnapshot_Task(self, call: Call, *, name, description, memory, quiesce)``: parameters come by
    keyword under their wire names, None where the client left them out, lists where the wire repeats. They
    return vim values (or None) and raise ``vmodl.MethodFault``. The dispatcher has checked the session, the
    license and the method's static privilege before.

    A property, or anything inside one, is changed under ``store.lock`` and announced by :meth:`touch` (or changed
    by :meth:`set`): that wakes waiting clients and drops what was cached for the wire.

    Thread: any; methods are called on the client's connection thread, without the lock.

    Attributes:
        store: which objects exist in its world, and the lock that guards them.
        vim_type: the pyVmomi class of the object.
        volatile: names of properties that :meth:`read` computes each time.
        moid: managed object id.
        ref: the pyVmomi reference, without a stub.
        properties: top-level properties by name; absent or None means unset, :class:`Lazy` is made on demand.
        version: world version of the last change of any property.
        fragments: pieces of XML that the property collector keeps; dropped by :meth:`touch`.
    """

    vim_type: ClassVar[type[Any]]
    volatile: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, store: "ObjectStore", moid: str, **properties: Any) -> None:
        self.store = store
        self.moid = moid
        self.ref: Any = self.vim_type(moid)
        self.properties: dict[str, Any] = properties
        self.version = store.version
        self.fragments: dict[Any, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.moid}>"

    def read(self, name: str, session: ClientSession | None = None) -> Any:
        """Return a top-level property, None when it is unset; subclasses compute some of them here."""
        value = self.properties.get(name)
        if isinstance(value, Lazy):
            with self.store.lock:
                value = self.properties[name]
                if isinstance(value, Lazy):
                    value = self.properties[name] = value.make()
        return value

    def get(self, path: str, session: ClientSession | None = None) -> Any:
        """Resolve a property path such as ``config.hardware.device["2000"].key``; None when unset.

        Raises:
            vmodl.query.InvalidProperty: there is no such property.
        """
        return self.resolve(path, session)[0]

    def resolve(self, path: str, session: ClientSession | None = None) -> tuple[Any, type[Any]]:
        """Resolve a property path to its value, None when unset, and its declared type.

        Raises:
            vmodl.query.InvalidProperty: there is no such property.
        """
        parts = parse_path(path)
        first = parts[0]
        info = vmomi.property_info(self.vim_type, first) if isinstance(first, str) else None
        if info is None:
            raise invalid_property(path)
        value, declared = self.read(info.name, session), info.type
        for part in parts[1:]:
            if value is None:
                return None, object
            value, declared = _step(value, declared, part, path)
        return value, declared

    def set(self, **properties: Any) -> None:
        """Assign top-level properties and announce the change."""
        with self.store.lock:
            self.properties.update(properties)
            self.touch(*properties)

    def touch(self, *names: str) -> None:
        """Announce that these top-level properties, or something inside them, changed."""
        with self.store.lock:
            self.version = self.store.bump(names)
            self.fragments.clear()


def _step(value: Any, declared: type[Any], part: str | Key, path: str) -> tuple[Any, type[Any]]:
    if isinstance(part, Key):
        if not isinstance(value, list):
            raise invalid_property(path)
        item = next((element for element in value if str(getattr(element, "key", None)) == part.text), None)
        return item, vmomi.item_type(declared) or object
    info = vmomi.property_info(type(value), part) if vmomi.is_data_object(value) else None
    if info is None:
        raise invalid_property(path)
    return getattr(value, part), info.type


class ObjectStore:
    """The managed objects that exist, by id, with one lock and one version counter.

    ``lock`` guards every property of every object and may be taken again by its holder; it is held for
    moments, never during disk or network I/O. ``changed`` is its condition, notified at each change.

    Thread: any.

    Attributes:
        objects: managed objects by id; session-bound ones (views, filters) live in their session instead.
        version: counts changes of any kind.
        structure_version: counts changes of who is where: objects added, removed or moved.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.objects: dict[str, SimObject] = {}
        self.version = 1
        self.structure_version = 1
        self._numbers = itertools.count(1001)

    def new_number(self) -> int:
        """Return a number that was not given before in this world."""
        return next(self._numbers)

    def new_moid(self, prefix: str) -> str:
        """Return a new managed object id such as ``vm-1001``."""
        return f"{prefix}-{self.new_number()}"

    def add(self, obj: S) -> S:
        """Add an object, which exists from now on.

        Raises:
            ValueError: its id is taken.
        """
        with self.lock:
            if obj.moid in self.objects:
                raise ValueError(f"managed object id {obj.moid} is taken")
            self.objects[obj.moid] = obj
            obj.version = self.bump(_STRUCTURAL)
        return obj

    def remove(self, obj: SimObject) -> None:
        """Remove an object; nothing happens when it is gone already."""
        with self.lock:
            if self.objects.get(obj.moid) is obj:
                del self.objects[obj.moid]
                self.bump(_STRUCTURAL)

    def find(self, moid: str) -> SimObject | None:
        """Return an object by id, or None."""
        return self.objects.get(moid)

    def get(self, ref: Any) -> SimObject:
        """Return the object that a pyVmomi reference or an id names.

        Raises:
            vmodl.fault.ManagedObjectNotFound: it does not exist, or not any more.
        """
        moid: str = ref if isinstance(ref, str) else ref._moId
        obj = self.objects.get(moid)
        if obj is None or not (ref is moid or vmomi.refers_to(ref, obj.vim_type)):
            raise not_found(ref)
        return obj

    def all(self, kind: type[S]) -> list[S]:
        """Return every object of a class, oldest first."""
        with self.lock:
            return [obj for obj in self.objects.values() if isinstance(obj, kind)]

    def bump(self, names: Iterable[str]) -> int:
        """Count a change of properties with these names and wake all who wait; return the new version."""
        with self.lock:
            self.version += 1
            if not _STRUCTURAL.isdisjoint(names):
                self.structure_version = self.version
            self.changed.notify_all()
            return self.version


def not_found(ref: Any) -> vmodl.fault.ManagedObjectNotFound:
    """Return the fault for a reference to something that does not exist."""
    reference = vmomi.reference(ref) if isinstance(ref, str) else ref
    return vmodl.fault.ManagedObjectNotFound(
        msg="The object has already been deleted or has not been completely created", obj=reference
    )


class _SessionObjects(dict[str, SimObject]):
    """Managed objects by id that only one session sees."""


def session_objects(session: ClientSession) -> dict[str, SimObject]:
    """Return the managed objects that only this session sees (views, collectors, filters), by id."""
    return session.part(_SessionObjects)
