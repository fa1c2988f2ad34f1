"""Logins for VMware's library: by the certificate that was verified, never by another one."""

import hashlib
import ssl
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.domain.errors import CertificateChanged
from app.domain.ids import VmId
from app.domain.platforms import PlatformKind
from app.simulator.server import VSphereSimulator
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.hardship import SPEC
from tests.contract.vsphere.platforms import PASSWORD, Target
from tests.support.simulated import platform_of


def test_a_login_names_the_vm_the_account_and_the_certificate(vsphere: VSphereHypervisor, target: Target) -> None:
    logins = vsphere.disk_access.vddk
    assert logins is not None
    vm = vsphere.list_vms()[0].id
    login = logins.vddk_login(vm)
    platform = target.platform
    assert (login.server, login.port, login.user) == (platform.address, platform.port, platform.user)
    assert (login.vm, login.password) == (f"moref={vm}", target.password)
    certificate = ssl.get_server_certificate((platform.address, platform.port))
    digest = hashlib.sha1(ssl.PEM_cert_to_DER_cert(certificate), usedforsecurity=False).digest()
    assert login.thumbprint_sha1 == digest.hex(":").upper()
    assert login.holds_vms is (vsphere.facts.kind is PlatformKind.VCENTER)
    assert PASSWORD not in repr(login)


def test_a_changed_certificate_gives_no_login(tmp_path: Path) -> None:
    with (
        VSphereSimulator(SPEC, tmp_path / "vc") as simulator,
        VSphereFactory(SystemClock()).connect(platform_of(simulator), simulator.password) as vsphere,
    ):
        logins = vsphere.disk_access.vddk
        assert logins is not None
        simulator.faults.change_certificate()
        with pytest.raises(CertificateChanged):
            logins.vddk_login(VmId("vm-1"))
