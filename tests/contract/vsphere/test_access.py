"""Who may do what on a platform, what a bare host is like, and how disks are addressed."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.access import AccessMode
from app.core.clock import SystemClock
from app.domain.errors import (
    CertificateChanged,
    LicenseRefused,
    OperationalError,
    PrivilegeMissing,
)
from app.domain.platforms import PlatformKind
from app.domain.vms import PowerState
from app.simulator.server import VSphereSimulator
from app.simulator.spec import Flavour, License, SimulatorSpec, UserSpec, VmSpec
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.conftest import QUICK
from tests.contract.vsphere.hardship import DISK, READER, SPEC, shared, simulator, snapshot, vsphere
from tests.support.fakes import RecordingTaskLog
from tests.support.simulated import platform_of

__all__ = ["shared", "simulator", "vsphere"]


# ---- rights, licenses, certificates ---------------------------------------------------------------------------


def test_account_without_rights_names_the_missing_privilege(
    simulator: VSphereSimulator, log: RecordingTaskLog
) -> None:
    platform = replace(platform_of(simulator), user=READER.name)
    with VSphereFactory(SystemClock(), timings=QUICK).connect(platform, READER.password) as reader:
        vm = reader.list_vms()[0]
        with pytest.raises(PrivilegeMissing, match=r"VirtualMachine\.State\.CreateSnapshot") as missing:
            snapshot(reader, vm, log)
        assert missing.value.params["target"] == vm.name
        assert reader.disk_access.nfc is not None
        with pytest.raises(PrivilegeMissing, match="DiskRandomAccess"):
            reader.disk_access.nfc.nfc_ticket(vm.id, 2000, AccessMode.WRITE)


def test_changed_certificate_stops_the_work(tmp_path: Path) -> None:
    with VSphereSimulator(SPEC, tmp_path / "vc") as simulator:
        platform = platform_of(simulator)
        with VSphereFactory(SystemClock()).connect(platform, simulator.password) as vsphere:
            vsphere.list_vms()
            simulator.faults.change_certificate()
            simulator.cut_connections()
            with pytest.raises(CertificateChanged):
                vsphere.list_vms()


# ---- a bare ESXi ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def esxi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VSphereSimulator]:
    spec = SimulatorSpec(
        flavour=Flavour.ESXI,
        version="7.0.3",
        hosts=("esx01.lab",),
        users=(UserSpec(name="root", password="root-password"),),
        license=License.FREE,
        vms=(VmSpec(name="lonely", disks=(DISK,)),),
    )
    with VSphereSimulator(spec, tmp_path_factory.mktemp("esxi") / "host") as simulator:
        yield simulator


def test_bare_host_is_read_like_a_vcenter(esxi: VSphereSimulator) -> None:
    with VSphereFactory(SystemClock()).connect(platform_of(esxi), esxi.password) as vsphere:
        assert vsphere.facts.kind is PlatformKind.ESXI
        assert vsphere.facts.version == "7.0.3"
        (vm,) = vsphere.list_vms()
        assert (vm.name, vm.datacenter, vm.folder, vm.host) == ("lonely", "ha-datacenter", (), "esx01.lab")
        assert vsphere.vm_details(vm.id).summary == vm


def test_free_license_is_reported_at_registration_and_when_it_refuses(
    esxi: VSphereSimulator, log: RecordingTaskLog
) -> None:
    with VSphereFactory(SystemClock(), timings=QUICK).connect(platform_of(esxi), esxi.password) as vsphere:
        with pytest.raises(LicenseRefused):
            vsphere.check_license()
        with pytest.raises(LicenseRefused):
            snapshot(vsphere, vsphere.list_vms()[0], log)


def test_vcenter_needs_no_license_check(vsphere: VSphereHypervisor) -> None:
    vsphere.check_license()


# ---- access to disks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("access", list(AccessMode))
def test_nfc_ticket_names_the_host_and_hides_its_session(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator, access: AccessMode
) -> None:
    vm = next(vm for vm in vsphere.list_vms() if vm.power_state is PowerState.OFF)
    disk = vsphere.vm_details(vm.id).disks[0]
    assert vsphere.disk_access.nfc is not None
    first, second = (vsphere.disk_access.nfc.nfc_ticket(vm.id, disk.key, access) for _ in range(2))
    assert first.port == simulator.nfc_port
    assert first.service == "vpxa-nfc"
    assert first.thumbprint_sha1
    assert first.session_id != second.session_id
    assert first.session_id not in repr(first)


def test_nfc_ticket_of_a_bare_host_dials_the_host_itself(esxi: VSphereSimulator) -> None:
    with VSphereFactory(SystemClock()).connect(platform_of(esxi), esxi.password) as vsphere:
        (vm,) = vsphere.list_vms()
        assert vsphere.disk_access.nfc is not None
        disk = vsphere.vm_details(vm.id).disks[0]
        ticket = vsphere.disk_access.nfc.nfc_ticket(vm.id, disk.key, AccessMode.READ)
        assert (ticket.host, ticket.service) == (esxi.host, "nfc")


def test_datastore_file_is_addressed_with_a_live_cookie(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    assert vsphere.disk_access.https is not None
    vm = vsphere.list_vms()[0]
    path = vsphere.vm_details(vm.id).disks[0].path
    before = vsphere.disk_access.https.https_file(path)
    simulator.faults.expire_sessions()
    after = vsphere.disk_access.https.https_file(path)
    assert before.target == after.target
    assert "dcPath=Shanghai&dsName=ds1" in after.target
    assert before.cookie != after.cookie
    assert after.cookie not in repr(after)
    assert after.thumbprint_sha256 == simulator.thumbprint_sha256


@pytest.mark.parametrize("path", ["[no such datastore] a/a.vmdk", "not a datastore path"])
def test_datastore_that_is_not_there_is_reported(vsphere: VSphereHypervisor, path: str) -> None:
    assert vsphere.disk_access.https is not None
    with pytest.raises(OperationalError, match="datastore"):
        vsphere.disk_access.https.https_file(path)


def test_inventory_larger_than_one_answer_is_read_in_pages(
    vsphere: VSphereHypervisor, simulator: VSphereSimulator
) -> None:
    before = simulator.faults.calls("ContinueRetrievePropertiesEx")
    assert [vm.name for vm in vsphere.list_vms()] == ["web-01", "web-02"]
    assert simulator.faults.calls("ContinueRetrievePropertiesEx") > before + 1
