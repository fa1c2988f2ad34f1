"""The only door to the untyped parts of pyVmomi: descriptions of types and methods, and cheap copies of values.

It also describes what pyVmomi does not know: the service behind NFC tickets (protocols page *NFC*, section 1).
These types are private to the simulator and not registered with pyVmomi, so that a client in the same process
may register its own.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from pyVmomi import VmomiSupport, vim, vmodl

NAMESPACE = "urn:vim25"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method."""

    name: str
    type: type[Any]
    optional: bool
    privilege: str | None = None

    @property
    def is_list(self) -> bool:
        """Return whether the element may repeat."""
        return issubclass(self.type, list)


@dataclass(frozen=True, slots=True)
class Method:
    """A WSDL method."""

    wsdl_name: str
    owner: type[Any]
    params: tuple[Parameter, ...]
    result: type[Any]
    privilege: str | None = None

    @property
    def is_task(self) -> bool:
        """Return whether the method only starts a task."""
        return self.wsdl_name.endswith("_Task")


def property_info(owner: type[Any], name: str) -> Any:
    """Return pyVmomi's description of a property (``name``, ``type``, ``version``, ``flags``), or None."""
    return property_infos(owner).get(name)


def property_names(owner: type[Any]) -> tuple[str, ...]:
    """Return the names of all properties of a managed or data object type, inherited ones first."""
    return tuple(property_infos(owner))


def property_infos(owner: type[Any]) -> dict[str, Any]:
    """Return pyVmomi's descriptions of all properties of a type by name; empty for other types."""
    found = _known_infos.get(owner)
    if found is None:
        listing = owner._GetPropertyList() if hasattr(owner, "_GetPropertyList") else ()
        found = _known_infos[owner] = {info.name: info for info in listing}
    return found


_known_infos: dict[type[Any], dict[str, Any]] = {}


@cache
def method(wsdl_name: str) -> Method | None:
    """Return the description of a vim25 method, or None when there is no such method."""
    internal = _internal_methods().get(wsdl_name)
    if internal is not None:
        return internal
    try:
        info: Any = VmomiSupport.GetWsdlMethod(NAMESPACE, wsdl_name).info
    except KeyError:
        return None
    params = tuple(
        Parameter(param.name, param.type, bool(param.flags & VmomiSupport.F_OPTIONAL), param.privId)
        for param in info.params
    )
    return Method(wsdl_name, info.type, params, info.result, info.privId)


@cache
def method_name(wsdl_name: str) -> Any:
    """Return the value of type ``vmodl.MethodName`` that stands for a method.

    Raises:
        KeyError: there is no such method.
    """
    return VmomiSupport.GetWsdlMethod(NAMESPACE, wsdl_name)


@cache
def own_name(wsdl_name: str) -> str:
    """Return a method's name in the model: ``Revert`` for ``RevertToSnapshot_Task``."""
    try:
        return str(VmomiSupport.GetWsdlMethod(NAMESPACE, wsdl_name).info.name)
    except KeyError:
        return wsdl_name.removesuffix("_Task")


_shared: dict[int, Any] = {}
"""Data objects that many others hold, by identity; each lives as long as the program."""


def share(value: T) -> T:
    """Note that a data object never changes and is held by many others: then it is written once only."""
    _shared[id(value)] = value
    return value


def is_shared(value: object) -> bool:
    """Return whether a data object was given to :func:`share`."""
    return id(value) in _shared


def wsdl_name_of(kind: type[Any]) -> str:
    """Return the name that a type has on the wire."""
    found = _known_names.get(kind)
    if found is None:
        found = _known_names[kind] = str(VmomiSupport.GetWsdlName(kind))
    return found


_known_names: dict[type[Any], str] = {}


def item_type(kind: Any) -> type[Any] | None:
    """Return the type of an array's items, or None when it is not an array."""
    item: type[Any] | None = getattr(kind, "Item", None)
    return item


def is_data_object(value: Any) -> bool:
    """Return whether a value has properties, and is not a reference to an object that has some."""
    return isinstance(value, VmomiSupport.DataObject)


def is_at_least(version: str, introduced: str) -> bool:
    """Return whether an API version such as ``vim.version.v8_0_3_0`` has what another one introduced."""
    known: dict[str, set[str]] = VmomiSupport.parentMap
    return version == introduced or introduced in known[version]


def reference(moid: str) -> Any:
    """Return a reference to an object whose type is not known."""
    return VmomiSupport.ManagedObject(moid)


def refers_to(ref: Any, kind: type[Any]) -> bool:
    """Return whether a reference may stand for an object of a type: it names the type or one above it."""
    return issubclass(kind, type(ref)) or wsdl_name_of(type(ref)) == wsdl_name_of(kind)


def stamp(template: T, **changes: Any) -> T:
    """Copy a data object shallowly with some properties exchanged, some fifty times faster than making one.

    The copy shares everything that is not exchanged with its template, and the types are not checked.
    """
    copy = object.__new__(type(template))
    copy.__dict__.update(template.__dict__)
    copy.__dict__.update(changes)
    return copy


def message_of(fault: Any) -> str:
    """Return the sentence of a fault, never empty."""
    text: str | None = fault.msg
    return text or type(fault).__name__.rpartition(".")[2]


@cache
def internal_types() -> dict[str, type[Any]]:
    """Return the types that pyVmomi does not know, by their name on the wire."""
    nfc = _managed_type("NfcService")
    provisioning = _managed_type("HostLowLevelProvisioningManager")
    content: Any = type(
        "vim.InternalServiceInstanceContent",
        (vmodl.DynamicData,),
        {
            "_wsdlName": "InternalServiceInstanceContent",
            "_version": _VERSION1,
            "_propInfo": (
                infos := {info.name: info for info in (_field("nfcService", nfc), _field(_LLPM, provisioning))}
            ),
            "_propList": list(infos.values()),
        },
    )
    return {kind._wsdlName: kind for kind in (nfc, provisioning, content)}


_VERSION1 = "vim.version.version1"
_LLPM = "llProvisioningManager"


def _managed_type(wsdl_name: str) -> Any:
    fields: dict[str, Any] = {"_propInfo": {}, "_propList": [], "_methodInfo": {}}
    return type(
        f"vim.{wsdl_name}",
        (VmomiSupport.ManagedObject,),
        {"_wsdlName": wsdl_name, "_version": _VERSION1, **fields},
    )


def _field(name: str, kind: type[Any]) -> Any:
    return VmomiSupport.Object(name=name, type=kind, version=_VERSION1, flags=VmomiSupport.F_OPTIONAL)


@cache
def _internal_methods() -> dict[str, Method]:
    types = internal_types()
    nfc = types["NfcService"]
    vm = Parameter("vm", vim.VirtualMachine, optional=False)
    disk = (
        vm,
        Parameter("diskDeviceKey", int, optional=False),
        Parameter("hostForAccess", vim.HostSystem, optional=True),
    )
    # the privileges are asked for on the VM, by the service itself
    ticket, view = vim.HostServiceTicket, "System.View"
    methods = (
        Method(
            "RetrieveInternalContent",
            vim.ServiceInstance,
            (),
            types["InternalServiceInstanceContent"],
            "System.Anonymous",
        ),
        Method("NfcGetVmFiles", nfc, (vm,), ticket, view),
        Method("NfcRandomAccessOpenReadonly", nfc, disk, ticket, view),
        Method("NfcRandomAccessOpenDisk", nfc, disk, ticket, view),
        Method(
            "NfcGetServerNfcLibVersion",
            nfc,
            (Parameter("hostForAccess", vim.HostSystem, optional=False),),
            int,
            view,
        ),
    )
    return {method.wsdl_name: method for method in methods}
