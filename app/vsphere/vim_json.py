"""vSphere's data objects as JSON: written by pyVmomi's encoder, read back by a strict decoder.

The encoder writes the type of each data object as ``_vimtype``, a managed object as ``<type>:<id>``, times in
ISO 8601 and bytes in base64. The decoder goes by the declared types of the properties; anything that does not
fit them is an error, never a guess.
"""

import base64
import binascii
import json
from datetime import datetime
from typing import Any

from pyVmomi import Iso8601, VmomiSupport
from pyVmomi.VmomiJSONEncoder import VmomiJSONEncoder

_TYPE = "_vimtype"
_INTEGERS = (int, VmomiSupport.long)


class UnreadableDocument(Exception):
    """The JSON does not describe the data object it should. Never leaves this package."""


class _Encoder(VmomiJSONEncoder):
    """Writes references whole: pyVmomi's own way loses quotes at the end of an id.

    The ids of an ESXi host's networks end with the names of port groups, which anybody chooses.
    """

    def default(self, obj: Any) -> Any:
        """Return what is written for an object."""
        if isinstance(obj, VmomiSupport.ManagedObject):
            return f"{type(obj).__name__}:{obj._moId}"
        return super().default(obj)  # type: ignore[no-untyped-call]


def encode(value: Any) -> Any:
    """Return a data object as plain JSON values."""
    return json.loads(json.dumps(value, cls=_Encoder, strip_dynamic=True))


def decode(document: Any, expected: type[Any]) -> Any:
    """Make a data object of plain JSON values.

    Raises:
        UnreadableDocument: the values do not fit the type.
    """
    return _value(document, expected, expected.__name__)


def _value(document: Any, declared: Any, where: str) -> Any:
    if document is None:
        return None
    if issubclass(declared, list):
        items = _expect(document, list, where)
        return declared([_value(item, declared.Item, f"{where}[{index}]") for index, item in enumerate(items)])
    if declared is object:
        return _anything(document, where)
    if issubclass(declared, VmomiSupport.DataObject):
        return _data_object(document, declared, where)
    if issubclass(declared, VmomiSupport.ManagedObject):
        return _managed_object(_expect(document, str, where), declared, where)
    return _simple(document, declared, where)


def _anything(document: Any, where: str) -> Any:
    if isinstance(document, dict):
        return _data_object(document, VmomiSupport.DataObject, where)
    if isinstance(document, list):
        raise UnreadableDocument(f"{where}: a list of unknown type")
    return document


def _data_object(document: Any, declared: type[Any], where: str) -> Any:
    members = _expect(document, dict, where)
    kind = _type_named(members.get(_TYPE), where)
    if not issubclass(kind, declared) or not issubclass(kind, VmomiSupport.DataObject):
        raise UnreadableDocument(f"{where}: a {kind.__name__} where a {declared.__name__} belongs")
    known = {info.name: info.type for info in kind._GetPropertyList()}
    made = kind()
    for name, member in members.items():
        if name == _TYPE:
            continue
        if name not in known:
            raise UnreadableDocument(f"{where}: {kind.__name__} has no property {name!r}")
        value = _value(member, known[name], f"{where}.{name}")
        # What is unset is unset or empty from the beginning, and pyVmomi refuses to set it so.
        if value is not None and not (isinstance(value, list) and not value):
            setattr(made, name, value)
    return made


def _type_named(name: Any, where: str) -> type[Any]:
    if not isinstance(name, str):
        raise UnreadableDocument(f"{where}: the type is missing")
    try:
        kind: type[Any] = VmomiSupport.GetVmodlType(name)
    except (KeyError, AttributeError) as error:
        raise UnreadableDocument(f"{where}: the type {name!r} is not known") from error
    return kind


def _managed_object(text: str, declared: type[Any], where: str) -> Any:
    name, colon, moid = text.partition(":")
    kind = _type_named(name, where)
    if not colon or not moid or not issubclass(kind, declared):
        raise UnreadableDocument(f"{where}: {text!r} is not a reference to a {declared.__name__}")
    return kind(moid)


def _simple(document: Any, declared: Any, where: str) -> Any:
    if declared is bool:
        return _expect(document, bool, where)
    if declared is datetime:
        return _time(_expect(document, str, where), where)
    if issubclass(declared, VmomiSupport.binary):
        return _bytes(_expect(document, str, where), where)
    if issubclass(declared, _INTEGERS):
        if isinstance(document, bool):
            raise UnreadableDocument(f"{where}: a truth value where a number belongs")
        return declared(_expect(document, int, where))
    if issubclass(declared, float):
        return declared(_expect(document, (int, float), where))
    if issubclass(declared, VmomiSupport.Enum):
        return _choice(_expect(document, str, where), declared, where)
    if issubclass(declared, str):
        return declared(_expect(document, str, where))
    raise UnreadableDocument(f"{where}: values of type {declared.__name__} are not supported")


def _choice(text: str, declared: Any, where: str) -> Any:
    if text not in declared.values:
        raise UnreadableDocument(f"{where}: {text!r} is not a {declared.__name__}")
    return declared(text)


def _time(text: str, where: str) -> datetime:
    moment: datetime | None = Iso8601.ParseISO8601(text)
    if moment is None:
        raise UnreadableDocument(f"{where}: {text!r} is not a time")
    return moment


def _bytes(text: str, where: str) -> Any:
    try:
        return VmomiSupport.binary(base64.b64decode(text, validate=True))
    except binascii.Error as error:
        raise UnreadableDocument(f"{where}: not base64") from error


def _expect(document: Any, kind: Any, where: str) -> Any:
    if not isinstance(document, kind):
        raise UnreadableDocument(f"{where}: a {type(document).__name__} does not belong here")
    return document
