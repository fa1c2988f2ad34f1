"""Reads a SOAP call into a method, the object it is for, and its arguments, on pyVmomi's deserializer."""

from dataclasses import dataclass
from typing import Any
from xml.parsers.expat import ExpatError, ParserCreate, XMLParserType

from pyVmomi import SoapAdapter, VmomiSupport, vmodl

from app.simulator import vmomi

_PROPERTY = vmomi.Parameter("prop", str, optional=False)
_THIS = vmomi.Parameter("_this", VmomiSupport.ManagedObject, optional=False)
_FETCH = vmomi.Method("Fetch", VmomiSupport.ManagedObject, (_PROPERTY,), object)
_ENVELOPE = SoapAdapter.XMLNS_SOAPENV + SoapAdapter.NS_SEP


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it came over the wire."""

    method: vmomi.Method
    this: Any
    """Reference to the object it is for."""
    arguments: dict[str, Any]
    """Every parameter by name; None where it was left out, lists where it may repeat."""


def read_request(body: bytes) -> Request:
    """Read the body of a POST.

    Raises:
        vmodl.fault.InvalidRequest: it is not XML, not SOAP, not a vim25 call, or an argument makes no sense.
        vmodl.fault.MethodNotFound: there is no such method.
    """
    reader = _Reader()
    try:
        reader.parse(body)
        return reader.request()
    except vmodl.MethodFault:
        raise
    except (ExpatError, KeyError, TypeError, ValueError, AttributeError, LookupError, RuntimeError) as error:
        # pyVmomi's deserializer answers nonsense with any of these
        raise _invalid(f"{type(error).__name__}: {error}") from error


def _invalid(detail: str) -> vmodl.fault.InvalidRequest:
    return vmodl.fault.InvalidRequest(msg=f"The request could not be parsed: {detail}")


class _ValueReader(SoapAdapter.SoapDeserializer):
    """pyVmomi's deserializer, which also knows the simulator's private types."""

    def LookupWsdlType(self, ns: str, name: str, allowManagedObjectReference: bool = False) -> Any:  # noqa: FBT001, FBT002 - as the base calls it
        base: Any = super()
        return vmomi.internal_types().get(name) or base.LookupWsdlType(ns, name, allowManagedObjectReference)


class _Reader(SoapAdapter.ExpatDeserializerNSHandlers):
    """Walks envelope, body and method; hands each parameter to a value reader."""

    def __init__(self) -> None:
        base: Any = super()
        base.__init__()
        value_reader: Any = _ValueReader
        self._value: Any = value_reader(None)
        self._parser: XMLParserType = ParserCreate(namespace_separator=SoapAdapter.NS_SEP)
        self._method: vmomi.Method | None = None
        self._expected: dict[str, vmomi.Parameter] = {}
        self._found: dict[str, list[Any]] = {}
        self._pending: str | None = None
        self._in_body = False

    def parse(self, body: bytes) -> None:
        self._parser.buffer_text = True
        self._parser.EntityDeclHandler = self._refuse_entity
        SoapAdapter.SetHandlers(self._parser, SoapAdapter.GetHandlers(self))
        self._parser.Parse(body, True)  # noqa: FBT003 - expat's own signature
        self._collect()

    def request(self) -> Request:
        method = self._method
        if method is None:
            raise _invalid("there is no call in the SOAP body")
        this = self._found.pop("_this", None)
        if this is None:
            raise _invalid(f"{method.wsdl_name} is not addressed to an object")
        return Request(method, this[-1], {param.name: self._argument(method, param) for param in method.params})

    def _argument(self, method: vmomi.Method, parameter: vmomi.Parameter) -> Any:
        values = self._found.get(parameter.name)
        if parameter.is_list:
            # an array may come as repeated elements or, typed, as one element that holds the items
            flat = [item for value in values or () for item in (value if isinstance(value, list) else [value])]
            return parameter.type(flat)
        if values:
            return values[-1]
        if not parameter.optional:
            raise _invalid(f"required parameter {parameter.name} of {method.wsdl_name} is missing")
        return None

    def _refuse_entity(self, *_: object) -> None:
        raise _invalid("entity declarations are not accepted")

    def _collect(self) -> None:
        if self._pending is not None:
            self._found.setdefault(self._pending, []).append(self._value.result)
            self._pending = None

    def StartElementHandler(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition(SoapAdapter.NS_SEP)[2]
        if not self._in_body:
            self._in_body = tag == _ENVELOPE + "Body"
        elif self._method is None:
            self._begin_call(name)
        else:
            self._begin_parameter(name, tag, attributes)

    def EndElementHandler(self, tag: str) -> None:
        """Nothing to do: the value reader consumes the ends that matter."""

    def CharacterDataHandler(self, data: str) -> None:
        """Nothing to do: text between parameters is white space."""

    def _begin_call(self, name: str) -> None:
        method = _FETCH if name == "Fetch" else vmomi.method(name)
        if method is None:
            raise vmodl.fault.MethodNotFound(msg=f"There is no method {name}.", method=name)
        self._method = method
        self._expected = {param.name: param for param in (_THIS, *method.params)}

    def _begin_parameter(self, name: str, tag: str, attributes: dict[str, str]) -> None:
        self._collect()
        parameter = self._expected.get(name)
        if parameter is None:
            raise _invalid(f"unexpected element {name}")
        self._pending = name
        kind = vmomi.item_type(parameter.type) or parameter.type
        self._value.Deserialize(self._parser, kind, isFault=False, nsMap=self.nsMap)
        self._value.StartElementHandler(tag, attributes)
