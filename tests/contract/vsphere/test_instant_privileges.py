"""The privileges that docs/vsphere.md names for instant recovery are enough, and are asked of nobody else."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import PrivilegeMissing
from app.domain.vms import PowerState, VmPlacement
from app.simulator.spec import UserSpec
from app.vsphere import privileges
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.nfs_site import MOUNT, SPEC, NfsSite, nfs_site
from tests.contract.vsphere.platforms import ROOT
from tests.support.simulated import platform_of

_ROW = re.compile(r"^\|[^|]*\|(?P<ids>[^|]*)\|[^|]*\|$", re.MULTILINE)
RECOVERER = UserSpec(name="recoverer", password="r", privileges=frozenset(privileges.INSTANT_RECOVERY))
RESTORER = UserSpec(name="restorer", password="r", privileges=frozenset(privileges.RESTORE))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[NfsSite]:
    with nfs_site(tmp_path, replace(SPEC, users=(*SPEC.users, RECOVERER, RESTORER))) as opened:
        yield opened


def connect(site: NfsSite, user: UserSpec) -> VSphereHypervisor:
    platform = replace(platform_of(site.simulator), user=user.name)
    return VSphereFactory(SystemClock()).connect(platform, user.password)


def test_the_list_is_the_documented_one() -> None:
    text = (ROOT / "docs" / "vsphere.md").read_text(encoding="utf-8")
    section = text.partition("Instant recovery, which")[2].partition("\nWithout")[0]
    documented = {
        privilege for row in _ROW.finditer(section) for privilege in re.findall(r"`([\w.]+)`", row["ids"])
    }
    assert documented == set(privileges.INSTANT_RECOVERY) - set(privileges.RESTORE)


def test_instant_recovery_needs_no_more_than_is_documented(site: NfsSite) -> None:
    saved, folder = site.saved(), site.served()
    with connect(site, RECOVERER) as vsphere:
        mounted = vsphere.mount_nfs(vsphere.nfs_host(saved, VmPlacement(name="instant")).id, MOUNT)
        vm = vsphere.create_vm(saved, site.placement(mounted, folder, is_isolated=True), log=site.log).id
        vsphere.unregister_vm(vm)
        vm = vsphere.register_vm(
            "[Standfast-1] instant/instant.vmx", VmPlacement(name="instant", host=site.host())
        )
        site.machine(vm).moved_here = True
        vsphere.start_moved(vm, was_copied=False)
        assert vsphere.guest_signs(vm).hostname == ""
        assert vsphere.screenshot(vm)
        wanted = VmPlacement(name="instant", datastore="ds1")
        vsphere.move_storage(vm, wanted, on_progress=lambda _: None, cancel=CancelToken())
        assert vsphere.vm_details(vm).summary.power_state is PowerState.ON
        (host,) = vsphere.hosts_mounting(MOUNT)
        vsphere.unmount_nfs(host, MOUNT)


def test_account_for_restores_is_told_what_instant_recovery_lacks(site: NfsSite) -> None:
    with connect(site, RESTORER) as vsphere, pytest.raises(PrivilegeMissing, match=r"Host\.Config\.Storage"):
        vsphere.mount_nfs(site.host(), MOUNT)


def test_account_for_restores_is_complete_without_them(site: NfsSite) -> None:
    with connect(site, RESTORER) as vsphere:
        checked = vsphere.check_privileges()
    assert not {check.privilege for check in checked} - {*privileges.BACKUP, *privileges.RESTORE}
    assert all(check.is_granted for check in checked if check.for_restore)
