"""The fast reader of the property collector's answers, whatever prefixes a server chooses."""

import io
from typing import Any
from xml.parsers.expat import ExpatError

import pytest

from app.vsphere.inventory import Places, summary_of
from app.vsphere.inventory_xml import DeviceFacts, LightPage, Ref, SnapshotCount, parse_page

ENVELOPE = """<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:{xsi}="http://www.w3.org/2001/XMLSchema-instance">
<soapenv:Header><operationID>x</operationID></soapenv:Header>
<soapenv:Body><RetrievePropertiesExResponse xmlns="urn:vim25"><returnval>{inside}</returnval>
</RetrievePropertiesExResponse></soapenv:Body></soapenv:Envelope>"""


def page(inside: str, xsi: str = "xsi") -> LightPage:
    return parse_page(io.BytesIO(ENVELOPE.format(inside=inside.replace("xsi:", f"{xsi}:"), xsi=xsi).encode()))


def vm(*properties: str) -> str:
    return f'<objects><obj type="VirtualMachine">vm-7</obj>{"".join(properties)}</objects>'


def prop(name: str, value: str, kind: str = "xsd:string", **attributes: str) -> str:
    extra = "".join(f' {key}="{text}"' for key, text in attributes.items())
    return f'<propSet><name>{name}</name><val xsi:type="{kind}"{extra}>{value}</val></propSet>'


DEVICES = """
<VirtualDevice xsi:type="ParaVirtualSCSIController"><key>1000</key><deviceInfo><label>SCSI</label></deviceInfo>
<device>2000</device></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2000</key><backing xsi:type="VirtualDiskFlatVer2BackingInfo">
<fileName>[ds] a.vmdk</fileName><parent><capacityInKB>77</capacityInKB></parent></backing>
<capacityInKB>2048</capacityInKB><capacityInBytes>2097153</capacityInBytes></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2001</key><capacityInKB>1024</capacityInKB></VirtualDevice>
<VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key><macAddress>00:50:56:81:00:01</macAddress></VirtualDevice>
"""


@pytest.mark.parametrize("xsi", ["xsi", "XMLSchema-instance"])
def test_values_of_every_kind_are_read(xsi: str) -> None:
    tree = (
        "<rootSnapshotList><name>a</name><childSnapshotList><name>b</name></childSnapshotList></rootSnapshotList>"
    )
    found = page(
        vm(
            prop("name", "web &amp; more"),
            prop("runtime.host", "host-9", "ManagedObjectReference", type="HostSystem"),
            prop(
                "datastore",
                '<ManagedObjectReference type="Datastore" xsi:type="ManagedObjectReference">datastore-1'
                "</ManagedObjectReference>"
                '<ManagedObjectReference type="Datastore">datastore-2</ManagedObjectReference>',
                "ArrayOfManagedObjectReference",
            ),
            prop("config.hardware.device", DEVICES, "ArrayOfVirtualDevice"),
            prop("snapshot", tree, "VirtualMachineSnapshotInfo"),
            prop("config.template", "true", "xsd:boolean"),
        ),
        xsi,
    )
    (row,) = found.rows
    assert found.token is None
    assert row.ref == Ref("VirtualMachine", "vm-7")
    assert row.text("name") == "web & more"
    assert row.reference("runtime.host") == Ref("HostSystem", "host-9")
    assert row.references("datastore") == (Ref("Datastore", "datastore-1"), Ref("Datastore", "datastore-2"))
    assert row.values["config.hardware.device"] == DeviceFacts(2097153 + 1024 * 1024, ("00:50:56:81:00:01",))
    assert row.values["snapshot"] == SnapshotCount(2)
    assert row.flag("config.template")


def test_token_of_the_next_page_is_read() -> None:
    assert page(f"<token>17</token>{vm()}").token == "17"


def test_answer_without_objects_is_empty() -> None:
    assert page("") == LightPage()


def test_one_objects_values_do_not_leak_into_the_next() -> None:
    found = page(vm(prop("config.hardware.device", DEVICES, "ArrayOfVirtualDevice")) + vm(prop("name", "x")))
    assert [sorted(row.values) for row in found.rows] == [["config.hardware.device"], ["name"]]


def test_property_that_may_not_be_read_is_left_out() -> None:
    missing = (
        "<missingSet><path>config.uuid</path><fault><fault xsi:type='NoPermission'><object type='VirtualMachine'>"
        "vm-7</object><privilegeId>System.Read</privilegeId></fault><localizedMessage/></fault></missingSet>"
    )
    (row,) = page(vm(prop("name", "web-01"), missing)).rows
    assert dict(row.values) == {"name": "web-01"}


def test_answer_that_is_not_xml_is_an_error() -> None:
    with pytest.raises(ExpatError):
        parse_page(io.BytesIO(b"<html><body>Service Unavailable"))


def test_vm_whose_host_is_lost_still_has_a_row() -> None:
    (row,) = page(vm(prop("name", "web%2f01"))).rows
    summary = summary_of(row, Places())
    expected: dict[str, Any] = {
        "name": "web/01",
        "host": "",
        "datacenter": "",
        "disk_bytes": 0,
        "snapshot_count": 0,
    }
    assert {name: getattr(summary, name) for name in expected} == expected
    assert summary.instance_uuid is None
    assert not summary.change_tracking_supported


def test_vm_in_a_vapp_is_in_the_vapps_folder() -> None:
    places = Places()
    others = (
        '<objects><obj type="VirtualApp">resgroup-v1</obj>'
        + prop("name", "Shop")
        + prop("parentFolder", "group-v3", "ManagedObjectReference", type="Folder")
        + '</objects><objects><obj type="Folder">group-v3</obj>'
        + prop("name", "vm")
        + prop("parent", "datacenter-2", "ManagedObjectReference", type="Datacenter")
        + '</objects><objects><obj type="Datacenter">datacenter-2</obj>'
        + prop("name", "Shanghai")
        + prop("parent", "group-d1", "ManagedObjectReference", type="Folder")
        + "</objects>"
    )
    for other in page(others).rows:
        places.add(other)
    (row,) = page(vm(prop("parentVApp", "resgroup-v1", "ManagedObjectReference", type="VirtualApp"))).rows
    summary = summary_of(row, places)
    assert (summary.datacenter, summary.folder) == ("Shanghai", ("Shop",))
