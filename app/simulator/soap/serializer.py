"""Writes vim values as XML, several times faster than pyVmomi's own serializer and equal to it in content."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NamedTuple

from pyVmomi import VmomiSupport, vmodl

from app.simulator import vmomi
from app.simulator.storage import TWIN_MARK

_ARRAY_OF_REFERENCES: Final = "ArrayOfManagedObjectReference"
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_SPECIAL = re.compile(f"[{TWIN_MARK}&<>\r\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class Unserializable(TypeError):
    """A value has no form on the wire: a bug of the code that made it."""


def escape(text: str) -> str:
    """Escape character data; what XML cannot carry at all becomes a question mark."""
    if not _SPECIAL.search(text):
        return text
    text = str(text)  # values of some enumerations hide methods of str, such as ``replace``
    text = (
        text.replace(TWIN_MARK, "")
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\r", "&#13;")
    )
    return _UNWRITABLE.sub("?", text)


@dataclass(frozen=True, slots=True)
class RawXml:
    """The finished content of an answer, for those who write much and often."""

    text: str


class _Field(NamedTuple):
    name: str
    declared: type[Any]
    item: type[Any] | None
    """Type of the items when the element repeats."""
    is_link: bool
    is_simple: bool
    """True for text, numbers and truth values, which are most of all there is."""


class Serializer:
    """Writes values as a client of one API version understands them. Thread: any, under the world's lock."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._plans: dict[type[Any], tuple[str, type[Any], tuple[_Field, ...]]] = {}
        self._writers: dict[type[Any], Callable[[list[str], str, Any, type[Any]], None]] = {}
        self._kept: dict[tuple[int, str, type[Any], str], str] = {}
        """Shared data objects as they were written."""

    def element(self, name: str, value: Any, declared: type[Any]) -> str:
        """Return a value as an element, or as one element per item when the declared type is a list.

        Raises:
            Unserializable: it has no form on the wire.
        """
        out: list[str] = []
        if value is not None:
            self._element(out, name, value, declared)
        return "".join(out)

    def any_element(self, name: str, value: Any, declared: type[Any] = object) -> str:
        """Return a value as an element of type anyType, which names its type on the wire.

        Args:
            name: tag of the element.
            value: not None.
            declared: the declared type of the property it comes from; chooses ``xsd:int`` or ``xsd:long``.

        Raises:
            Unserializable: it has no form on the wire.
        """
        out: list[str] = []
        self._any(out, name, value, declared)
        return "".join(out)

    def bare_fault(self, name: str, fault: Any) -> str:
        """Return a fault as the detail of a SOAP fault wants it: without the localized wrapper."""
        out: list[str] = []
        self._data_object(out, name, fault, object, f' xmlns="{vmomi.NAMESPACE}"')
        return "".join(out)

    def supports(self, version: str) -> bool:
        """Return whether the client's version has what was introduced in ``version``."""
        return vmomi.is_at_least(self._version, version)

    def _element(self, out: list[str], name: str, value: Any, declared: type[Any]) -> None:
        if declared is object:
            self._any(out, name, value, object)
        elif isinstance(value, list):
            item = vmomi.item_type(declared) or object
            for element in value:
                self._element(out, name, element, item)
        else:
            kind = type(value)
            writer = self._writers.get(kind) or self._choose_writer(kind)
            writer(out, name, value, declared)

    def _choose_writer(self, kind: type[Any]) -> Callable[[list[str], str, Any, type[Any]], None]:
        choices: tuple[tuple[Any, Callable[[list[str], str, Any, type[Any]], None]], ...] = (
            (vmodl.MethodFault, self._fault),
            (VmomiSupport.DataObject, self._data_object),
            (VmomiSupport.ManagedObject, self._reference),
            ((str, int, float, bytes, bytearray, datetime, type, VmomiSupport.ManagedMethod), self._simple),
        )
        for base, writer in choices:
            if issubclass(kind, base):
                self._writers[kind] = writer
                return writer
        raise Unserializable(f"a {kind.__name__} cannot be written")

    def _simple(self, out: list[str], name: str, value: Any, declared: type[Any]) -> None:
        out.append(f"<{name}>{_text(value)}</{name}>")

    def _reference(self, out: list[str], name: str, value: Any, declared: type[Any], attributes: str = "") -> None:
        out.append(f'<{name}{attributes} type="{vmomi.wsdl_name_of(type(value))}">{value._moId}</{name}>')

    def _fault(self, out: list[str], name: str, value: Any, declared: type[Any]) -> None:
        attributes = ' xsi:type="LocalizedMethodFault"' if declared is object else ""
        out.append(f"<{name}{attributes}>")
        self._data_object(out, "fault", value, vmodl.MethodFault)
        if value.msg is not None:
            out.append(f"<localizedMessage>{escape(value.msg)}</localizedMessage>")
        out.append(f"</{name}>")

    def _data_object(
        self, out: list[str], name: str, value: Any, declared: type[Any], attributes: str = ""
    ) -> None:
        if vmomi.is_shared(value):
            key = (id(value), name, declared, attributes)
            kept = self._kept.get(key)
            if kept is None:
                written: list[str] = []
                self._write_fields(written, name, value, declared, attributes)
                kept = self._kept[key] = "".join(written)
            out.append(kept)
        else:
            self._write_fields(out, name, value, declared, attributes)

    def _write_fields(self, out: list[str], name: str, value: Any, declared: type[Any], attributes: str) -> None:
        wire_name, widened, fields = self._plans.get(type(value)) or self._plan(type(value))
        if widened is not declared:
            attributes += f' xsi:type="{wire_name}"'
        out.append(f"<{name}{attributes}>")
        slots = value.__dict__
        for field_name, field_type, item, is_link, is_simple in fields:
            content = slots.get(field_name)
            if content is None:
                continue
            if is_simple:
                out.append(f"<{field_name}>{_text(content)}</{field_name}>")
            elif item is not None:
                for element in content:
                    self._element(out, field_name, element, item)
            elif is_link and isinstance(content, VmomiSupport.DataObject):
                self._element(out, field_name, content.key, field_type)  # type: ignore[attr-defined]
            else:
                self._element(out, field_name, content, field_type)
        out.append(f"</{name}>")

    def _plan(self, kind: type[Any]) -> tuple[str, type[Any], tuple[_Field, ...]]:
        widened: type[Any] = VmomiSupport.GetCompatibleType(kind, self._version)
        is_fault = issubclass(kind, vmodl.MethodFault)
        fields = tuple(
            _Field(
                info.name,
                info.type,
                vmomi.item_type(info.type),
                bool(info.flags & VmomiSupport.F_LINK),
                info.type in _SIMPLE,
            )
            for info in vmomi.property_infos(widened).values()
            if self.supports(info.version) and not (is_fault and info.name == "msg")
        )
        plan = self._plans[kind] = (vmomi.wsdl_name_of(widened), widened, fields)
        return plan

    def _any(self, out: list[str], name: str, value: Any, declared: type[Any]) -> None:
        if isinstance(value, list):
            self._any_list(out, name, value, declared)
        elif isinstance(value, vmodl.MethodFault):
            self._fault(out, name, value, object)
        elif isinstance(value, VmomiSupport.DataObject):
            self._data_object(out, name, value, object)
        elif isinstance(value, VmomiSupport.ManagedObject):
            self._reference(out, name, value, object, ' xsi:type="ManagedObjectReference"')
        else:
            out.append(f'<{name} xsi:type="{_simple_name(value, declared)}">{_text(value)}</{name}>')

    def _any_list(self, out: list[str], name: str, value: list[Any], declared: type[Any]) -> None:
        item = vmomi.item_type(value) or vmomi.item_type(declared)
        if item is None:
            raise Unserializable(f"{name}: a plain list cannot be written where any type may stand")
        if issubclass(item, VmomiSupport.ManagedObject):
            array, tag = _ARRAY_OF_REFERENCES, "ManagedObjectReference"
        elif item in _WRITTEN_AS_STRING:
            array, tag = "ArrayOfString", "string"
        else:
            tag = vmomi.wsdl_name_of(item)
            array = f"ArrayOf{tag[:1].upper()}{tag[1:]}"
        out.append(f'<{name} xsi:type="{array}">')
        for element in value:
            self._element(out, tag, element, item)
        out.append(f"</{name}>")


_SIMPLE: Final = frozenset(
    {str, bool, int, float, VmomiSupport.long, VmomiSupport.short, VmomiSupport.byte, VmomiSupport.double}
)
_WRITTEN_AS_STRING: Final = (type, VmomiSupport.ManagedMethod, VmomiSupport.PropertyPath)


@cache
def serializer_for(version: str) -> Serializer:
    """Return the serializer of an API version such as ``vim.version.v8_0_3_0``."""
    return Serializer(version)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return escape(value)
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, type):
        return vmomi.wsdl_name_of(value)
    if isinstance(value, VmomiSupport.ManagedMethod):
        return str(value.info.wsdlName)
    raise Unserializable(f"a {type(value).__name__} cannot be written")


def _simple_name(value: Any, declared: type[Any]) -> str:
    """Return the qualified type name of a simple value where any type may stand."""
    if type(value) is int:
        return _chosen_name(value, declared)
    key = (type(value), declared)
    known = _simple_names.get(key)
    if known is None:
        known = _simple_names[key] = _chosen_name(value, declared)
    return known


_simple_names: dict[tuple[type[Any], type[Any]], str] = {}


def _chosen_name(value: Any, declared: type[Any]) -> str:
    if isinstance(value, type | VmomiSupport.ManagedMethod | VmomiSupport.PropertyPath):
        return "xsd:string"
    if isinstance(value, bool):
        return "xsd:boolean"
    kind = declared if declared is not object and issubclass(type(value), _bases(declared)) else type(value)
    if kind is int and not -(1 << 31) <= value < 1 << 31:
        kind = VmomiSupport.long
    if issubclass(kind, VmomiSupport.Enum):
        return vmomi.wsdl_name_of(kind)
    return f"xsd:{vmomi.wsdl_name_of(kind)}" if kind in _NAMED else f"xsd:{_fallback_name(value)}"


_NAMED: Final = frozenset(
    {
        str,
        int,
        float,
        datetime,
        VmomiSupport.long,
        VmomiSupport.short,
        VmomiSupport.byte,
        VmomiSupport.double,
        VmomiSupport.binary,
        VmomiSupport.URI,
    }
)


def _bases(declared: type[Any]) -> tuple[type[Any], ...]:
    """Return the plain types whose values may stand for a declared simple type."""
    return tuple(base for base in (int, float, str, bytes) if issubclass(declared, base)) or (declared,)


def _fallback_name(value: Any) -> str:
    for base, name in ((str, "string"), (int, "int"), (float, "double"), (bytes, "base64Binary")):
        if isinstance(value, base):
            return name
    return "dateTime" if isinstance(value, datetime) else "base64Binary"
