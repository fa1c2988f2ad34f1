"""Properties of an object as XML, remembered until the object is touched."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator import vmomi
from app.simulator.client_session import ClientSession
from app.simulator.objects import SimObject
from app.simulator.property_path import parse_path
from app.simulator.soap.serializer import Serializer, escape

_OPEN = frozenset({(vim.ServiceInstance, "content"), (vim.SessionManager, "currentSession")})


@dataclass(frozen=True, slots=True)
class Pieces:
    """Writes properties for one client: its API version and its rights. Use under the world's lock."""

    serializer: Serializer
    session: ClientSession

    def content(self, obj: SimObject, paths: tuple[str, ...]) -> str:
        """Return the inside of an ObjectContent: reference, properties, and what is missing."""
        user = self.session.user
        remember = user is not None and user.privileges is None and not is_volatile(obj, paths)
        key = (self.serializer, paths)
        if remember:
            known = obj.fragments.get(key)
            if known is not None:
                return known
        parts = [reference("obj", obj)]
        missing: list[str] = []
        fragments = obj.fragments
        for path in paths:
            # the whole is remembered: its parts need not be, unless they are watched
            value = fragments.get((self.serializer, path)) if remember else None
            if value is None:
                value = (self._write(obj, path) or None) if remember else self.value(obj, path)
            if not value:
                continue
            if value.startswith(_MISSING):
                missing.append(value)
            else:
                parts.append(f"<propSet><name>{escape(path)}</name>{value}</propSet>")
        text = "".join(parts + missing)
        if remember:
            obj.fragments[key] = text
        return text

    def value(self, obj: SimObject, path: str) -> str | None:
        """Return a property as ``<val>``, as ``<missingSet>`` when the client may not see it, None when unset."""
        user = self.session.user
        if user is None or user.privileges is not None:
            refusal = self._refusal(obj, path)
            if refusal is not None:
                return _missing(path, self.serializer, refusal)
        key = (self.serializer, path)
        remember = not is_volatile(obj, (path,))
        known = obj.fragments.get(key) if remember else None
        if known is None:
            known = self._write(obj, path)
            if remember:
                obj.fragments[key] = known
        return known or None

    def _write(self, obj: SimObject, path: str) -> str:
        try:
            value, declared = obj.resolve(path, self.session)
        except vmodl.MethodFault as fault:
            return _missing(path, self.serializer, fault)
        return "" if value is None else self.serializer.any_element("val", value, declared)

    def _refusal(self, obj: SimObject, path: str) -> Any:
        first = str(parse_path(path)[0])
        if self.session.user is None:
            if (obj.vim_type, first) in _OPEN:
                return None
            return vim.fault.NotAuthenticated(
                msg="The session is not authenticated.", object=obj.ref, privilegeId="System.View"
            )
        if self.session.user.privileges is None:
            return None
        privilege = getattr(vmomi.property_info(obj.vim_type, first), "privId", None)
        if not privilege or self.session.holds(privilege):
            return None
        return vim.fault.NoPermission(
            msg="Permission to perform this operation was denied.", object=obj.ref, privilegeId=privilege
        )


_MISSING = "<missingSet>"


def reference(tag: str, obj: SimObject) -> str:
    """Return a reference to an object as an element."""
    return f'<{tag} type="{vmomi.wsdl_name_of(obj.vim_type)}">{obj.moid}</{tag}>'


def is_missing(value: str) -> bool:
    """Return whether a written property is one the client may not see."""
    return value.startswith(_MISSING)


def _missing(path: str, serializer: Serializer, fault: Any) -> str:
    written = serializer.element("fault", fault, vmodl.MethodFault)
    return f"{_MISSING}<path>{escape(path)}</path>{written}</missingSet>"


def is_volatile(obj: SimObject, paths: Iterable[str]) -> bool:
    """Return whether any of the paths is computed each time it is read."""
    return bool(obj.volatile) and _names_one_of(obj.volatile, tuple(paths))


@lru_cache(maxsize=4096)
def _names_one_of(names: frozenset[str], paths: tuple[str, ...]) -> bool:
    return any(parse_path(path)[0] in names for path in paths)
