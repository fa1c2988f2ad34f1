"""vSphere's data objects survive JSON, and nothing else is taken for one."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyVmomi import VmomiSupport, vim

from app.vsphere import saved_vm
from app.vsphere.errors import ConfigurationUnreadable
from app.vsphere.vim_json import UnreadableDocument, decode, encode
from tests.unit.vsphere.saved import card, config, disk, saved, scsi

device = vim.vm.device
CONCRETE: dict[type, tuple[type, ...]] = {
    device.VirtualDevice: (
        device.VirtualDisk,
        device.VirtualVmxnet3,
        device.ParaVirtualSCSIController,
        device.VirtualCdrom,
        device.VirtualNVMEController,
    ),
    device.VirtualDevice.BackingInfo: (
        device.VirtualDisk.FlatVer2BackingInfo,
        device.VirtualDisk.SeSparseBackingInfo,
        device.VirtualEthernetCard.NetworkBackingInfo,
        device.VirtualEthernetCard.DistributedVirtualPortBackingInfo,
    ),
    vim.vm.BootOptions.BootableDevice: (
        vim.vm.BootOptions.BootableDiskDevice,
        vim.vm.BootOptions.BootableCdromDevice,
    ),
}
texts = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=12)
times = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def values_of(declared: Any, depth: int) -> st.SearchStrategy[Any]:
    """Any value that a property of this type may have."""
    if issubclass(declared, list):
        return st.lists(values_of(declared.Item, depth), max_size=2).map(declared)
    if declared is object:
        return st.one_of(texts, st.booleans(), st.integers(-(2**31), 2**31 - 1))
    if issubclass(declared, VmomiSupport.DataObject):
        return objects_of(declared, depth - 1) if depth else st.none()
    if issubclass(declared, VmomiSupport.ManagedObject):
        return texts.filter(bool).map(lambda moid: declared(f"m-{moid}"))
    if issubclass(declared, VmomiSupport.Enum):
        return st.sampled_from(declared.values).map(declared)
    if declared is bool:
        return st.booleans()
    if declared is datetime:
        return times
    if issubclass(declared, VmomiSupport.binary):
        return st.binary(max_size=8).map(VmomiSupport.binary)
    if issubclass(declared, VmomiSupport.short):
        return st.integers(-(2**15), 2**15 - 1).map(declared)
    if issubclass(declared, (int, float)):
        return st.integers(-(2**31), 2**31 - 1).map(declared)
    return texts.map(declared)


def objects_of(declared: Any, depth: int) -> st.SearchStrategy[Any]:
    """Any data object of this type or one of its concrete subtypes, each property set or not."""
    kinds = CONCRETE.get(declared, (declared,))
    return st.sampled_from(kinds).flatmap(
        lambda kind: st.fixed_dictionaries(
            {},
            optional={
                info.name: values_of(info.type, depth)
                for info in kind._GetPropertyList()
                if info.name not in {"dynamicType", "dynamicProperty", "faultCause", "fault"}
            },
        ).map(lambda members: kind(**{name: value for name, value in members.items() if is_set(value)}))
    )


def is_set(value: Any) -> bool:
    return value is not None and not (isinstance(value, list) and not value)


def plain(value: Any) -> Any:
    """A value in a form that can be compared, types included."""
    if isinstance(value, VmomiSupport.DataObject):
        members = {name: plain(member) for name, member in value.__dict__.items()}
        return type(value).__name__, {name: member for name, member in members.items() if is_set(member)}
    if isinstance(value, VmomiSupport.ManagedObject):
        return type(value).__name__, value._moId
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@settings(max_examples=25)
@given(objects_of(vim.vm.VirtualHardware, 3))
def test_any_hardware_survives_json(hardware: Any) -> None:
    document = json.loads(json.dumps(encode(hardware)))
    assert plain(decode(document, vim.vm.VirtualHardware)) == plain(hardware)


@settings(max_examples=25)
@given(objects_of(vim.vm.ConfigInfo, 1))
def test_any_configuration_survives_json(info: Any) -> None:
    assert plain(decode(encode(info), vim.vm.ConfigInfo)) == plain(info)


@pytest.mark.parametrize("name", ["Bob's", "the sales'", "'quoted'"])
def test_a_reference_keeps_the_quotes_in_its_id(name: str) -> None:
    backing = device.VirtualEthernetCard.NetworkBackingInfo(
        deviceName=name, network=vim.Network(f"HaNetwork-{name}")
    )
    assert decode(encode(backing), type(backing)).network._moId == f"HaNetwork-{name}"


def test_saved_vm_reads_back_as_it_was() -> None:
    before = saved(scsi(), disk(), card())
    after = saved_vm.read(saved_vm.write(before))
    assert plain(after.config) == plain(before.config)
    assert saved_vm.write(after) == saved_vm.write(before)


def test_chinese_names_stay_readable_in_the_file() -> None:
    assert "磐备".encode() in saved_vm.write(saved(name="磐备"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"_vimtype": "vim.vm.NoSuchType"}, "not known"),
        ({"_vimtype": "vim.vm.FlagInfo"}, "where a vim.vm.ConfigInfo belongs"),
        ({"_vimtype": "vim.VirtualMachine"}, "where a vim.vm.ConfigInfo belongs"),
        ({"_vimtype": None}, "type is missing"),
        ({"madeUp": 1}, "no property 'madeUp'"),
        ({"template": "yes"}, "does not belong"),
        ({"template": 1}, "does not belong"),
        ({"name": 5}, "does not belong"),
        ({"modified": "yesterday"}, "not a time"),
        ({"vmxConfigChecksum": "!!!"}, "base64"),
        ({"hardware": {"_vimtype": "vim.vm.VirtualHardware", "numCPU": True}}, "truth value"),
        ({"hardware": {"_vimtype": "vim.vm.VirtualHardware", "device": "x"}}, "does not belong"),
        ({"files": []}, "does not belong"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, Any], complaint: str) -> None:
    document = encode(config([])) | change
    with pytest.raises(UnreadableDocument, match=complaint):
        decode(document, vim.vm.ConfigInfo)


def test_reference_to_another_kind_of_object_is_refused() -> None:
    document = encode(card())
    document["backing"]["network"] = "vim.Datastore:datastore-1"
    with pytest.raises(UnreadableDocument, match="not a reference"):
        decode(document, device.VirtualDevice)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "something else"},
        {"version": 2},
        {"power_state": "exploded"},
        {"folder": [1]},
        {"networks": []},
        {"config": {"_vimtype": "vim.vm.ConfigInfo", "newerProperty": 1}},
    ],
)
def test_file_that_is_not_ours_or_newer_is_refused(change: dict[str, Any]) -> None:
    document = json.loads(saved_vm.write(saved())) | change
    with pytest.raises(ConfigurationUnreadable):
        saved_vm.read(json.dumps(document).encode())


def test_file_without_a_member_is_refused() -> None:
    document = json.loads(saved_vm.write(saved()))
    del document["config"]
    with pytest.raises(ConfigurationUnreadable, match="config"):
        saved_vm.read(json.dumps(document).encode())
