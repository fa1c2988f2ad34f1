"""The serializer says the same as pyVmomi's own, which is the reference for what a vSphere server writes."""

from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import SoapAdapter, VmomiSupport, vim, vmodl

from app.simulator.soap.serializer import Unserializable, serializer_for

NEW, OLD = "vim.version.v8_0_3_0", "vim.version.version7"
ENVELOPE = '<e xmlns="urn:vim25" xmlns:xsi="{}" xmlns:xsd="{}">{}</e>'
Tree = tuple[str, dict[str, str], str, list[Any]]

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"))
KINDS = (
    vim.vm.ConfigSpec,
    vim.vm.ConfigInfo,
    vim.vm.RuntimeInfo,
    vim.TaskInfo,
    vim.HostServiceTicket,
    vim.vm.device.VirtualDisk,
    vim.vm.device.VirtualDeviceSpec,
    vim.vm.SnapshotTree,
    vim.event.VmPoweredOnEvent,
    vim.AboutInfo,
    vim.VirtualMachine.DiskChangeInfo,
)
DERIVED: dict[str, tuple[type[Any], ...]] = {
    "vim.vm.device.VirtualDevice": (vim.vm.device.VirtualDisk, vim.vm.device.VirtualE1000),
    "vim.vm.device.VirtualDevice.BackingInfo": (
        vim.vm.device.VirtualDisk.FlatVer2BackingInfo,
        vim.vm.device.VirtualDisk.SeSparseBackingInfo,
    ),
    "vmodl.MethodFault": (vim.fault.InvalidPowerState, vmodl.fault.InvalidArgument, vim.fault.FileLocked),
}


def values(declared: Any, depth: int) -> st.SearchStrategy[Any]:
    """Make values of a declared type, some of them of a derived one."""
    simple: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-(1 << 31), (1 << 31) - 1),
        VmomiSupport.long: st.integers(-(1 << 63), (1 << 63) - 1).map(VmomiSupport.long),
        VmomiSupport.short: st.integers(-(1 << 15), (1 << 15) - 1).map(VmomiSupport.short),
        VmomiSupport.byte: st.integers(-128, 127).map(VmomiSupport.byte),
        float: st.floats(allow_nan=False, allow_infinity=False, width=32),
        VmomiSupport.double: st.floats(allow_nan=False, allow_infinity=False).map(VmomiSupport.double),
        str: TEXTS,
        datetime: st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - bounds only
            lambda moment: moment.replace(tzinfo=UTC, microsecond=0)  # pyVmomi loses zeros of fractions
        ),
        VmomiSupport.binary: st.binary().map(VmomiSupport.binary),
        VmomiSupport.ManagedMethod: st.just(VmomiSupport.GetWsdlMethod("urn:vim25", "PowerOnVM_Task")),
        type: st.sampled_from([vim.VirtualMachine, vim.HostSystem]),
        object: st.one_of(st.booleans(), TEXTS, st.integers(-5, 5)),
    }
    if declared in simple:
        return simple[declared]
    if issubclass(declared, list):
        items = st.lists(values(declared.Item, depth), max_size=2)
        return items.map(lambda found: declared([obj for obj in found if obj is not None]))
    if issubclass(declared, VmomiSupport.Enum):
        return st.sampled_from(declared.values)
    if issubclass(declared, VmomiSupport.ManagedObject):
        return st.just(declared("moid-7"))
    if issubclass(declared, VmomiSupport.DataObject):
        kinds = DERIVED.get(declared.__name__, (declared,))
        return st.none() if depth == 0 else st.sampled_from(kinds).flatmap(lambda kind: objects(kind, depth - 1))
    return TEXTS.map(declared)


@st.composite
def objects(draw: st.DrawFn, kind: type[Any], depth: int) -> Any:
    """Make a data object with some properties set."""
    infos = [info for info in kind._GetPropertyList() if not info.name.startswith("dynamic")]
    made = kind()
    if not infos:
        return made
    chosen = draw(st.lists(st.sampled_from(infos), max_size=6, unique_by=lambda info: info.name))
    for info in chosen:
        value = draw(values(info.type, depth))
        if value is not None:
            object.__setattr__(made, info.name, value)
    return made


def fill_required(value: Any) -> None:
    """Set what pyVmomi's serializer insists on, so that both have something to write."""
    if isinstance(value, list):
        for item in value:
            fill_required(item)
    if not isinstance(value, VmomiSupport.DataObject):
        return
    for info in value._GetPropertyList():
        current = getattr(value, info.name)
        if current is None and not info.flags & VmomiSupport.F_OPTIONAL:
            object.__setattr__(value, info.name, required_value(info.type))
        elif isinstance(current, list) and not current and not info.flags & VmomiSupport.F_OPTIONAL:
            object.__setattr__(value, info.name, info.type([required_value(info.type.Item)]))
        fill_required(getattr(value, info.name))


def required_value(kind: Any) -> Any:
    if issubclass(kind, VmomiSupport.Enum):
        return kind.values[0]
    if issubclass(kind, VmomiSupport.ManagedObject):
        return kind("moid-1")
    if issubclass(kind, VmomiSupport.DataObject):
        return kind()
    if kind is object:
        return "anything"
    return datetime(2026, 1, 1, tzinfo=UTC) if kind is datetime else kind()


def tree(element: ElementTree.Element, text: str) -> Tree:
    """Turn an element into something comparable: prefixes resolved, white space between elements gone."""
    attributes = {}
    for name, value in element.attrib.items():
        if name == "versionId":
            continue
        plain = name.rpartition("}")[2]
        attributes[plain] = value.removeprefix("vim25:")
    content = element.text or ""
    children = [tree(child, text) for child in element]
    return element.tag.rpartition("}")[2], attributes, "" if children else content, children


def read(xml: str) -> list[Tree]:
    whole = ENVELOPE.format(VmomiSupport.XMLNS_XSI, VmomiSupport.XMLNS_XSD, xml)
    return [tree(child, xml) for child in ElementTree.fromstring(whole)]


def by_pyvmomi(value: Any, declared: type[Any], version: str) -> list[Tree]:
    info = VmomiSupport.Object(name="v", type=declared, version="vim.version.version1", flags=4)
    names = {**SoapAdapter.SOAP_NSMAP, "urn:vim25": ""}
    return read(SoapAdapter.SerializeToStr(value, info, version, names))


@given(st.sampled_from(KINDS).flatmap(lambda kind: objects(kind, 2)), st.sampled_from([NEW, OLD]))
def test_data_objects_are_written_as_pyvmomi_writes_them(value: Any, version: str) -> None:
    fill_required(value)
    declared = type(value)
    assert read(serializer_for(version).element("v", value, declared)) == by_pyvmomi(value, declared, version)


@given(st.sampled_from(KINDS).flatmap(lambda kind: objects(kind, 1)))
def test_where_any_type_may_stand_the_type_is_named_as_pyvmomi_names_it(value: Any) -> None:
    fill_required(value)
    for info in value._GetPropertyList():
        content = getattr(value, info.name)
        if content is not None and not (isinstance(content, list) and not isinstance(content, VmomiSupport.Array)):
            written = serializer_for(NEW).any_element("v", content)
            assert read(written) == by_pyvmomi(content, object, NEW), info.name


@pytest.mark.parametrize(
    ("value", "declared", "expected"),
    [
        (5, VmomiSupport.long, "xsd:long"),
        (5, int, "xsd:int"),
        (5, object, "xsd:int"),
        (1 << 40, object, "xsd:long"),
        (True, bool, "xsd:boolean"),
        ("poweredOn", vim.VirtualMachine.PowerState, "VirtualMachinePowerState"),
        ("text", str, "xsd:string"),
        (b"\x00\x01", VmomiSupport.binary, "xsd:base64Binary"),
    ],
)
def test_a_plain_value_takes_its_type_from_the_declared_property(
    value: Any, declared: type[Any], expected: str
) -> None:
    assert f'xsi:type="{expected}"' in serializer_for(NEW).any_element("val", value, declared)


def test_a_plain_list_takes_its_type_from_the_declared_property() -> None:
    written = serializer_for(NEW).any_element("val", ["a"], VmomiSupport.GetVmodlType("string[]"))
    assert written == '<val xsi:type="ArrayOfString"><string>a</string></val>'


def test_properties_younger_than_the_client_are_left_out() -> None:
    about = vim.AboutInfo(name="n", patchLevel="00100")
    assert "patchLevel" in serializer_for(NEW).element("v", about, vim.AboutInfo)
    assert "patchLevel" not in serializer_for(OLD).element("v", about, vim.AboutInfo)


def test_what_xml_cannot_carry_becomes_a_question_mark() -> None:
    assert serializer_for(NEW).element("v", "a\x00b\x1f<&>\r\n", str) == "<v>a?b?&lt;&amp;&gt;&#13;\n</v>"


@pytest.mark.parametrize("value", [object(), {"a": 1}, [object()]])
def test_what_is_no_vim_value_is_refused(value: Any) -> None:
    with pytest.raises(Unserializable):
        serializer_for(NEW).any_element("v", value)
