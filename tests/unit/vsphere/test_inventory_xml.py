"""The fast reader of the property collector's answers, whatever prefixes a server chooses."""

import io
from typing import Any
from xml.parsers.expat import ExpatError

import pytest
from pyVmomi import vim

from app.domain.messages import MessageKind
from app.vsphere.inventory import Places, summary_of
from app.vsphere.inventory_xml import DeviceFacts, LightPage, Ref, SnapshotCount, parse_page
from app.vsphere.reasons import (
    INDEPENDENT,
    MULTI_WRITER,
    PERSISTENT_MEMORY,
    RAW_PHYSICAL,
    SHARED_CONTROLLER,
)

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
def test_an_answer_to_a_forgotten_session_is_no_row_without_values(xsi: str) -> None:
    fault = '<fault><fault xsi:type="NotAuthenticated"><privilegeId>System.View</privilegeId></fault></fault>'
    with pytest.raises(vim.fault.NotAuthenticated):
        page(vm(f"<missingSet><path>name</path>{fault}</missingSet>"), xsi)


def test_a_value_that_may_not_be_read_is_unset() -> None:
    fault = '<fault><fault xsi:type="NoPermission"><privilegeId>System.Read</privilegeId></fault></fault>'
    (row,) = page(vm(prop("name", "web"), f"<missingSet><path>config</path>{fault}</missingSet>")).rows
    assert (row.text("name"), row.text("config")) == ("web", None)


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
    assert row.values["config.hardware.device"] == DeviceFacts(2097153 + 1024 * 1024, ("00:50:56:81:00:01",), 2)
    assert row.values["snapshot"] == SnapshotCount(2)
    assert row.flag("config.template")


def disk(key: int, backing: str, kind: str = "FlatVer2", controller: int = 1000) -> str:
    return (
        f'<VirtualDevice xsi:type="VirtualDisk"><key>{key}</key><deviceInfo xsi:type="Description">'
        f"<label>Hard disk {key}</label><summary>1</summary></deviceInfo>"
        f'<backing xsi:type="VirtualDisk{kind}BackingInfo"><fileName>[ds] {key}.vmdk</fileName>{backing}'
        "<parent><fileName>below</fileName><diskMode>append</diskMode><sharing>no</sharing></parent></backing>"
        f"<controllerKey>{controller}</controllerKey><capacityInBytes>512</capacityInBytes></VirtualDevice>"
    )


def controller(key: int, sharing: str, kind: str = "ParaVirtualSCSIController") -> str:
    return (
        f'<VirtualDevice xsi:type="{kind}"><key>{key}</key><busNumber>0</busNumber>'
        f"<sharedBus>{sharing}</sharedBus></VirtualDevice>"
    )


@pytest.mark.parametrize(
    ("backing", "kind", "reason"),
    [
        ("<diskMode>persistent</diskMode><sharing>sharingNone</sharing>", "FlatVer2", None),
        ("<diskMode>independent_nonpersistent</diskMode>", "FlatVer2", INDEPENDENT),
        ("<diskMode>persistent</diskMode><sharing>sharingMultiWriter</sharing>", "FlatVer2", MULTI_WRITER),
        ("<compatibilityMode>physicalMode</compatibilityMode>", "RawDiskMappingVer1", RAW_PHYSICAL),
        ("<compatibilityMode>virtualMode</compatibilityMode>", "RawDiskMappingVer1", None),
        ("<diskMode>persistent</diskMode>", "LocalPMem", PERSISTENT_MEMORY),
    ],
)
def test_disks_that_backups_leave_out_are_known_with_their_reason(
    backing: str, kind: str, reason: MessageKind | None
) -> None:
    (row,) = page(vm(prop("config.hardware.device", disk(2000, backing, kind), "ArrayOfVirtualDevice"))).rows
    summary = summary_of(row, Places())
    assert (summary.disk_count, summary.disk_bytes) == (1, 512)
    assert [(left.label, left.reason.kind) for left in summary.disks_left_out] == (
        [] if reason is None else [("Hard disk 2000", reason)]
    )


@pytest.mark.parametrize("sharing", ["virtualSharing", "physicalSharing"])
def test_disks_of_a_shared_controller_are_known_wherever_it_is_in_the_list(sharing: str) -> None:
    persistent = "<diskMode>persistent</diskMode>"
    devices = (
        controller(1000, "noSharing")
        + disk(2000, persistent)
        + disk(2016, persistent, controller=1001)
        + controller(1001, sharing, "VirtualLsiLogicSASController")
    )
    found = page(
        vm(
            prop("config.hardware.device", devices, "ArrayOfVirtualDevice"),
            prop("runtime.powerState", "poweredOn"),
        )
        + vm(prop("config.hardware.device", disk(2016, persistent, controller=1001), "ArrayOfVirtualDevice"))
    )
    shared, other = (summary_of(row, Places()) for row in found.rows)
    [left] = shared.disks_left_out
    assert (left.label, left.reason) == ("Hard disk 2016", SHARED_CONTROLLER.fill(sharing=sharing))
    assert shared.snapshot_doubt is not None
    assert (other.disks_left_out, other.snapshot_doubt) == ((), None)


@pytest.mark.parametrize(("role", "is_secondary"), [("1", False), ("2", True), ("10", True)])
def test_a_secondary_under_fault_tolerance_is_not_backed_up(role: str, *, is_secondary: bool) -> None:
    (row,) = page(vm(prop("config.ftInfo.role", role, "xsd:int"))).rows
    assert (summary_of(row, Places()).unsupported_reason is not None) is is_secondary


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
