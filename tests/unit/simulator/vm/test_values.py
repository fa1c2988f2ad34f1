"""What the simulator shows is made of exactly the types that pyVmomi declares, and never changed in place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyVmomi import VmomiSupport, vim, vmodl

from app.simulator import vmomi
from app.simulator.objects import SimObject
from app.simulator.spec import DiskSpec, Flavour, VmSpec
from app.simulator.vm import vmx
from app.simulator.vm.values import changed, fresh
from tests.unit.simulator.vm.conftest import SMALL
from tests.unit.simulator.vm.lab import MIB, VmLab, spec_of

ODD = VmSpec(
    name="odd",
    hostname="odd.lab",
    firmware="efi",
    networks=("VM Network", "dvPG"),
    disks=(
        SMALL,
        DiskSpec(capacity_bytes=MIB, kind="rdm_physical", filesystem=False),
        DiskSpec(capacity_bytes=MIB, controller="nvme", filesystem=False),
        DiskSpec(capacity_bytes=MIB, controller="sata", thin=False, filesystem=False),
        DiskSpec(
            capacity_bytes=MIB,
            controller="lsisas1068",
            multi_writer=True,
            bus_sharing="physicalSharing",
            filesystem=False,
        ),
    ),
)
PLAIN = VmSpec(name="plain", disks=(SMALL,), change_tracking=True)


def flaws(value: Any, declared: Any, place: str) -> Iterator[str]:
    """Find what is not of its declared type, however deep."""
    if value is None or isinstance(value, type):
        return
    if isinstance(value, list):
        item = getattr(declared, "Item", object)
        for index, element in enumerate(value):
            yield from flaws(element, item, f"{place}[{index}]")
        return
    try:
        VmomiSupport.CheckField(VmomiSupport.Object(name=place, type=declared, flags=0), value)
    except TypeError as error:
        yield f"{place}: {error}"
        return
    if isinstance(value, VmomiSupport.DataObject):
        for info in value._GetPropertyList():
            content = getattr(value, info.name)
            missing = content is None and not info.flags & VmomiSupport.F_OPTIONAL
            if missing and info.type is not vmodl.MethodFault:
                yield f"{place}.{info.name} is required and missing"
            yield from flaws(content, info.type, f"{place}.{info.name}")


@pytest.fixture(scope="module", params=[Flavour.VCENTER, Flavour.ESXI], ids=["vcenter", "esxi"])
def shown(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VmLab]:
    is_vcenter = request.param is Flavour.VCENTER
    odd = ODD if is_vcenter else changed_spec(ODD)
    spec = spec_of(odd, PLAIN, flavour=request.param, distributed_networks=("dvPG",) if is_vcenter else ())
    with VmLab(Path(tmp_path_factory.mktemp("values")), spec) as lab:
        lab.snapshot(lab.vm("plain"), "one", memory=True)
        lab.snapshot(lab.vm("plain"), "two")
        yield lab


def changed_spec(spec: VmSpec) -> VmSpec:
    return VmSpec(name=spec.name, disks=spec.disks, hostname=spec.hostname, firmware=spec.firmware)


def ours(lab: VmLab) -> list[SimObject]:
    return [
        obj
        for obj in lab.sim.world.objects.values()
        if type(obj).__module__.startswith(("app.simulator.inventory", "app.simulator.vm"))
    ]


def test_every_property_is_of_its_declared_type(shown: VmLab) -> None:
    found: list[str] = []
    for obj in ours(shown):
        for name in vmomi.property_names(obj.vim_type):
            info = vmomi.property_info(obj.vim_type, name)
            found += flaws(obj.read(name), info.type, f"{type(obj).__name__} {obj.moid}: {name}")
    assert found == []


def test_every_required_property_is_there(shown: VmLab) -> None:
    missing = [
        (type(obj).__name__, name)
        for obj in ours(shown)
        for name in vmomi.property_names(obj.vim_type)
        if not vmomi.property_info(obj.vim_type, name).flags & VmomiSupport.F_OPTIONAL and obj.read(name) is None
    ]
    assert missing == []


def test_every_property_crosses_the_wire(shown: VmLab) -> None:
    for obj in ours(shown):
        if not isinstance(obj.ref, vim.ManagedEntity | vim.vm.Snapshot):
            continue
        remote = type(obj.ref)(obj.moid, shown.si._stub)
        for name in vmomi.property_names(obj.vim_type):
            info = vmomi.property_info(obj.vim_type, name)
            if not vmomi.is_at_least(shown.si._stub.version, info.version):
                continue  # newer than the simulated version
            local = obj.read(name)
            arrived = getattr(remote, name)
            if isinstance(arrived, list):
                assert len(arrived) == len(local or []), (obj, name)
            else:
                assert (arrived is None) == (local is None), (obj, name)


def test_the_disks_of_an_odd_vm_hang_where_they_should(shown: VmLab) -> None:
    vm = shown.vm("odd")
    by_key = {device.key: device for device in vm.config.hardware.device}
    kinds = {
        device.key: type(by_key[device.controllerKey]).__name__.rpartition(".")[2]
        for device in vm.config.hardware.device
        if isinstance(device, vim.vm.device.VirtualDisk)
    }
    assert kinds == {
        2000: "ParaVirtualSCSIController",
        2001: "ParaVirtualSCSIController",
        32000: "VirtualNVMEController",
        16000: "VirtualAHCIController",
        2016: "VirtualLsiLogicSASController",
    }
    assert by_key[1001].sharedBus == "physicalSharing"
    assert by_key[2016].backing.sharing == "sharingMultiWriter"
    assert by_key[16000].backing.thinProvisioned is False
    assert isinstance(by_key[2001].backing, vim.vm.device.VirtualDisk.RawDiskMappingVer1BackingInfo)


def test_a_copy_shares_what_it_does_not_change_and_the_original_stays() -> None:
    original = vim.vm.FileInfo(vmPathName="a", logDirectory="b")
    twin = changed(original, vmPathName="c")
    assert (original.vmPathName, twin.vmPathName, twin.logDirectory) == ("a", "c", "b")
    with pytest.raises(AttributeError):
        changed(original, vmPath="typo")
    with pytest.raises(AttributeError):
        fresh(vim.vm.FileInfo, nothing=1)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40))
def test_any_text_survives_a_vmx_file(text: str) -> None:
    line = f'annotation = "{vmx.escape(text)}"\n'
    assert vmx.parse(line) == {"annotation": text}
