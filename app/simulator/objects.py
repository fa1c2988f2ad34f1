"""Managed objects of the simulator and the call that reaches them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pyVmomi import vim, vmodl

from app.simulator import vmomi

if TYPE_CHECKING:
    from app.simulator.session import Session
    from app.simulator.soap.serializer import Serializer
    from app.simulator.tasks import TaskProgress
    from app.simulator.world import World

_PATH_PART = re.compile(r"""(?:^|\.)(\w+)|\["?([^"\]]*)"?\]""")


@dataclass(frozen=True, slots=True)
class Key:
    """The part of a property path that picks an element of an array: ``["2000"]``."""

    text: str


@dataclass(frozen=True, slots=True)
class Lazy:
    """A property value that is made when somebody first asks for it."""

    make: Callable[[], Any]


@lru_cache(maxsize=4096)
def parse_path(path: str) -> tuple[str | Key, ...]:
    """Split a property path such as ``config.hardware.device["2000"].backing``.

    Raises:
        vmodl.query.InvalidProperty: it is not a path.
    """
    parts: list[str | Key] = []
    position = 0
    while position < len(path):
        match = _PATH_PART.match(path, position)
        if match is None:
            raise invalid_property(path)
        name, key = match.groups()
        parts.append(Key(key) if name is None else name)
        position = match.end()
    if not parts or isinstance(parts[0], Key):
        raise invalid_property(path)
    return tuple(parts)


def invalid_property(path: str) -> vmodl.query.InvalidProperty:
    """Make the fault for a property path that does not exist."""
    return vmodl.query.InvalidProperty(msg=f"The property path {path!r} does not exist.", name=path)


class HasRef(Protocol):
    """Anything that a refusal can point at."""

    ref: Any


class SimObject:
    """Base of all managed objects.

    Subclasses set ``vim_type`` and implement SOAP methods under their WSDL names, each as
    ``def CreateSnapshot_Task(self, call: Call, *, name, description, memory, quiesce)``: parameters come by
    keyword under their wire names, None where the client left them out, lists where the wire repeats. They
    return vim values (or None) and raise ``vmodl.MethodFault``. The dispatcher has checked the session, the
    licence and the method's static privilege before.

    Whoever changes a property, or anything inside one, does it under ``world.lock`` and calls :meth:`touch`
    (or uses :meth:`set`): that wakes waiting clients and drops what was cached for the wire.

    Thread: any; methods are called on the client's connection thread, without the lock.

    Attributes:
        vim_type: the pyVmomi class of the object.
        volatile: names of properties that :meth:`read` computes anew each time.
        moid: managed object id.
        ref: the pyVmomi reference, without a stub.
        properties: top-level properties by name; absent or None means unset, :class:`Lazy` is made on demand.
        changed_at: world version of the last change by property.
        version: world version of the last change of any property.
        fragments: pieces of XML that the property collector keeps; dropped by :meth:`touch`.
    """

    vim_type: ClassVar[type[Any]]
    volatile: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, world: "World", moid: str, **properties: Any) -> None:
        self.world = world
        self.moid = moid
        self.ref: Any = self.vim_type(moid)
        self.properties: dict[str, Any] = properties
        self.changed_at: dict[str, int] = {}
        self.version = world.version
        self.fragments: dict[Any, str] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.moid}>"

    def read(self, name: str, session: "Session | None" = None) -> Any:
        """Return a top-level property, None when it is unset; subclasses compute some of them here."""
        value = self.properties.get(name)
        if isinstance(value, Lazy):
            with self.world.lock:
                value = self.properties[name]
                if isinstance(value, Lazy):
                    value = self.properties[name] = value.make()
        return value

    def get(self, path: str, session: "Session | None" = None) -> Any:
        """Resolve a property path such as ``config.hardware.device["2000"].key``; None when unset.

        Raises:
            vmodl.query.InvalidProperty: there is no such property.
        """
        return self.resolve(path, session)[0]

    def resolve(self, path: str, session: "Session | None" = None) -> tuple[Any, type[Any]]:
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
        """Assign top-level properties and tell everybody."""
        with self.world.lock:
            self.properties.update(properties)
            self.touch(*properties)

    def touch(self, *names: str) -> None:
        """Tell that these top-level properties, or something inside them, changed."""
        with self.world.lock:
            version = self.world.bump(names)
            for name in names:
                self.changed_at[name] = version
            self.version = version
            self.fragments.clear()


def _step(value: Any, declared: type[Any], part: str | Key, path: str) -> tuple[Any, type[Any]]:
    if isinstance(part, Key):
        if not isinstance(value, list):
            raise invalid_property(path)
        item = next((one for one in value if str(getattr(one, "key", None)) == part.text), None)
        return item, vmomi.item_type(declared) or object
    info = vmomi.property_info(type(value), part) if vmomi.is_data_object(value) else None
    if info is None:
        raise invalid_property(path)
    return getattr(value, part), info.type


@dataclass(frozen=True, slots=True)
class Call:
    """One SOAP call on its way to a managed object."""

    world: "World"
    session: "Session | None"
    method: str
    """WSDL name of the method that was called."""
    serializer: "Serializer | None" = None
    """Writes values for the API version that this client speaks; None outside the wire."""

    @property
    def user(self) -> str:
        """Name of the account that calls, empty before login."""
        return self.session.user.name if self.session is not None and self.session.user is not None else ""

    def require(self, privilege: str, obj: HasRef) -> None:
        """Go on only when the caller holds a privilege.

        Raises:
            vim.fault.NotAuthenticated: nobody is logged in.
            vim.fault.NoPermission: the account lacks the privilege.
        """
        if privilege == "System.Anonymous":
            return
        if self.session is None or self.session.user is None:
            raise vim.fault.NotAuthenticated(
                msg="The session is not authenticated.", object=obj.ref, privilegeId=privilege
            )
        if not self.session.holds(privilege):
            raise vim.fault.NoPermission(
                msg="Permission to perform this operation was denied.", object=obj.ref, privilegeId=privilege
            )

    def start_task(
        self,
        obj: SimObject,
        wsdl_name: str,
        run: "Callable[[TaskProgress], Any]",
        *,
        cancelable: bool = False,
    ) -> vim.Task:
        """Run work on a task thread; its result or fault ends up in the task's info.

        Args:
            obj: the entity that the task is about.
            wsdl_name: such as ``CreateSnapshot_Task``.
            run: the work; what it returns is the task's result, a ``vmodl.MethodFault`` it raises its error.
            cancelable: True when ``run`` calls ``progress.check()`` now and then.
        """
        return self.world.tasks.start(obj, wsdl_name, run, user=self.user, cancelable=cancelable)
