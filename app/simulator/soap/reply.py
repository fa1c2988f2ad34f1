"""Wraps results and faults into SOAP envelopes."""

from typing import Any

from pyVmomi import SoapAdapter

from app.simulator import vmomi
from app.simulator.soap.serializer import RawXml, Serializer, escape

_START = SoapAdapter.XML_HEADER + "\n" + SoapAdapter.SOAP_START
_END: str = SoapAdapter.SOAP_END


def result_envelope(method: vmomi.Method, result: Any, serializer: Serializer) -> bytes:
    """Return the answer to a call that went well.

    Raises:
        Unserializable: the result has no form on the wire.
    """
    raw = isinstance(result, RawXml)
    content = result.text if raw else serializer.element("returnval", result, method.result)
    name = method.wsdl_name
    return f'{_START}<{name}Response xmlns="{vmomi.NAMESPACE}">{content}</{name}Response>{_END}'.encode()


def fetch_envelope(result: Any, declared: type[Any], serializer: Serializer) -> bytes:
    """Return the answer to pyVmomi's property getter, whose result has the property's declared type."""
    content = serializer.element("returnval", result, declared)
    return f'{_START}<FetchResponse xmlns="{vmomi.NAMESPACE}">{content}</FetchResponse>{_END}'.encode()


def fault_envelope(fault: Any, serializer: Serializer) -> bytes:
    """Return the answer to a call that failed."""
    name = vmomi.wsdl_name_of(type(fault))
    detail = serializer.bare_fault(f"{name}Fault", fault)
    return (
        f"{_START}<soapenv:Fault><faultcode>ServerFaultCode</faultcode>"
        f"<faultstring>{escape(vmomi.message_of(fault))}</faultstring><detail>{detail}</detail>"
        f"</soapenv:Fault>{_END}"
    ).encode()
