"""Mounting what this machine serves on hosts, and unmounting it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from app.core.clock import SystemClock
from app.core.guests import ShowsGuests
from app.core.nfshosting import NfsMount, RunsFromNfs
from app.domain.errors import (
    NfsMountFailed,
    NfsMountInUse,
    OperationalError,
    PrivilegeMissing,
    VmCreationFailed,
)
from app.domain.vms import VmPlacement
from app.simulator.releases import RELEASES, Version
from app.simulator.spec import Flavour, UserSpec
from app.vsphere import nfs_mounts, registration
from app.vsphere.factory import VSphereFactory
from tests.contract.vsphere.answer_thief import AnswerThief
from tests.contract.vsphere.nfs_site import MOUNT, SPEC, NfsSite, nfs_site
from tests.support import libnfs
from tests.support.simulated import platform_of

READER = UserSpec(name="reader", password="r", privileges=frozenset())


on_each_release = pytest.mark.parametrize("site", RELEASES, indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NfsSite]:
    version: Version = getattr(request, "param", SPEC.version)
    with nfs_site(tmp_path, replace(SPEC, version=version, users=(*SPEC.users, READER))) as opened:
        yield opened


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfs_mounts, "_SEEN_S", 0.3)
    monkeypatch.setattr(nfs_mounts, "_ACCESSIBLE_S", 0.3)
    monkeypatch.setattr(nfs_mounts, "_PAUSE_S", 0.05)


def failure(site: NfsSite, fault: Callable[[], vmodl.MethodFault]) -> str:
    host = site.host()
    site.simulator.faults.fail_call("CreateNasDatastore", fault=fault)
    with pytest.raises(NfsMountFailed) as failed:
        site.vsphere.mount_nfs(host, MOUNT)
    assert MOUNT.path not in f"{failed.value} {failed.value.__cause__}"
    return failed.value.message


def test_a_session_offers_both_ports(site: NfsSite) -> None:
    assert isinstance(site.vsphere, RunsFromNfs)
    assert isinstance(site.vsphere, ShowsGuests)


# ---- the host ----------------------------------------------------------------------------------------------


@on_each_release
def test_host_is_that_of_the_vm_with_its_own_addresses(site: NfsSite) -> None:
    host = site.vsphere.nfs_host(site.saved(), VmPlacement(name="instant"))
    assert host.name == "esx02.lab"
    assert host.addresses == (site.simulator.host,)


def test_datastore_that_is_not_there_yet_does_not_matter(site: NfsSite) -> None:
    wanted = VmPlacement(name="instant", datastore="Standfast-1", disk_datastores=((2000, "Standfast-1"),))
    assert site.vsphere.nfs_host(site.saved(), wanted).name == "esx02.lab"


def test_host_that_is_not_there_is_refused(site: NfsSite) -> None:
    with pytest.raises(VmCreationFailed, match=r"no-such-host"):
        site.vsphere.nfs_host(site.saved(), VmPlacement(name="instant", host="no-such-host"))


def test_host_without_an_address_cannot_be_served(site: NfsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registration, "_addresses", lambda connection, host: ())
    with pytest.raises(VmCreationFailed, match=r"esx02\.lab reports no IP address"):
        site.host()


# ---- mounting ----------------------------------------------------------------------------------------------


@on_each_release
def test_datastore_is_mounted_under_its_name(site: NfsSite) -> None:
    mounted = site.mounted()
    assert mounted.name == MOUNT.name
    assert site.vsphere.hosts_mounting(MOUNT) == (site.host(),)


@on_each_release
def test_mounting_again_changes_nothing(site: NfsSite) -> None:
    first = site.mounted()
    assert site.mounted() == first
    assert site.simulator.faults.calls("CreateNasDatastore") == 1


def test_what_is_mounted_under_another_name_is_used(site: NfsSite) -> None:
    other = site.vsphere.mount_nfs(site.host(), replace(MOUNT, name="by hand"))
    assert site.mounted() == other
    assert other.name == "by hand"


def test_name_of_another_datastore_is_said(site: NfsSite) -> None:
    with pytest.raises(NfsMountFailed, match=r"esx02\.lab could not mount .* another datastore of this name"):
        site.vsphere.mount_nfs(site.host(), replace(MOUNT, name="ds1"))


@pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")
def test_export_that_is_not_given_out_is_no_datastore(site: NfsSite) -> None:
    with pytest.raises(NfsMountFailed) as failed:
        site.vsphere.mount_nfs(site.host(), replace(MOUNT, path="/another"))
    assert "/another" not in f"{failed.value} {failed.value.__cause__}"


def test_answer_that_is_lost_mounts_once(site: NfsSite) -> None:
    host = site.host()
    with AnswerThief(site.simulator) as thief:
        platform = replace(platform_of(site.simulator), port=thief.port)
        with VSphereFactory(SystemClock()).connect(platform, site.simulator.password) as vsphere:
            thief.steal_next("CreateNasDatastore")
            mounted = vsphere.mount_nfs(host, MOUNT)
    assert mounted == site.mounted()
    assert site.simulator.faults.calls("CreateNasDatastore") == 1


def already_exists() -> vmodl.MethodFault:
    return vim.fault.AlreadyExists(msg="The specified key, name, or identifier already exists.", name="x")


def limit() -> vmodl.MethodFault:
    text = "Unable to complete Sysinfo operation: NFS has reached the maximum number of supported volumes."
    return vim.fault.PlatformConfigFault(msg="An error occurred during host configuration.", text=text)


def unreached() -> vmodl.MethodFault:
    text = f"NFS mount 127.0.0.1:{MOUNT.path} failed: Unable to connect to NFS server."
    return vim.fault.PlatformConfigFault(msg="An error occurred during host configuration.", text=text)


def denied() -> vmodl.MethodFault:
    said = vmodl.LocalizableMessage(
        key="nfs",
        arg=[vmodl.KeyAnyValue(key="1", value=MOUNT.path)],
        message=f"NFS mount {MOUNT.path} failed: The mount request was denied by the NFS server.",
    )
    return vim.fault.HostConfigFault(msg="Call failed.", faultMessage=[said])


def connections() -> vmodl.MethodFault:
    return vim.fault.NasConnectionLimitReached(msg="上限", name="x", remoteHost="h", remotePath=MOUNT.path)


def no_permission() -> vmodl.MethodFault:
    return vim.fault.NoPermissionOnNasVolume(msg="拒绝", name="x")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (limit, "NFS.MaxVolumes"),
        (unreached, "does not reach the NFS service"),
        (denied, "was not let in"),
        (connections, "NFS.MaxVolumes"),
        (no_permission, "was not let in"),
        (vim.fault.HostConnectFault, "cannot connect to the host"),
        (vim.fault.NoVirtualNic, "no VMkernel adapter"),
        (vim.fault.HostConfigFault, "does not accept the configuration"),
        (already_exists, "does not show the datastore"),
    ],
)
def test_why_a_host_does_not_mount_is_said_without_the_path(
    site: NfsSite, quick: None, fault: Callable[[], vmodl.MethodFault], words: str
) -> None:
    assert words in failure(site, fault)


def test_account_that_may_not_is_told_which_privilege_it_lacks(site: NfsSite) -> None:
    def refuse() -> vmodl.MethodFault:
        return vim.fault.NoPermission(privilegeId="Host.Config.Storage")

    host = site.host()
    site.simulator.faults.fail_call("CreateNasDatastore", fault=refuse)
    with pytest.raises(PrivilegeMissing, match=r"Host\.Config\.Storage"):
        site.vsphere.mount_nfs(host, MOUNT)


def test_host_that_is_gone_is_an_error_of_the_operators(site: NfsSite) -> None:
    with pytest.raises(OperationalError):
        site.vsphere.mount_nfs("host-999", MOUNT)


def test_datastore_that_the_host_cannot_access_is_not_used(
    site: NfsSite, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.mounted()
    monkeypatch.setattr(nfs_mounts, "_is_accessible", lambda row: False)
    with pytest.raises(NfsMountFailed, match="cannot access it"):
        site.mounted()


# ---- unmounting --------------------------------------------------------------------------------------------


@on_each_release
def test_datastore_is_unmounted_once(site: NfsSite) -> None:
    site.mounted()
    site.vsphere.unmount_nfs(site.host(), MOUNT)
    assert site.vsphere.hosts_mounting(MOUNT) == ()
    site.vsphere.unmount_nfs(site.host(), MOUNT)


def test_only_the_same_export_is_unmounted(site: NfsSite) -> None:
    mounted = site.mounted()
    for other in (replace(MOUNT, path="/other"), replace(MOUNT, server="10.0.0.1")):
        site.vsphere.unmount_nfs(site.host(), other)
        assert site.vsphere.hosts_mounting(other) == ()
    assert site.mounted() == mounted


def test_name_does_not_matter_for_unmounting(site: NfsSite) -> None:
    site.mounted()
    site.vsphere.unmount_nfs(site.host(), replace(MOUNT, name="whatever"))
    assert site.vsphere.hosts_mounting(MOUNT) == ()


def test_every_host_that_mounts_it_is_known(site: NfsSite) -> None:
    hosts = tuple(sorted(str(host.moid) for host in site.simulator.world.inventory.hosts))
    for host in hosts:
        site.vsphere.mount_nfs(host, MOUNT)
    assert site.vsphere.hosts_mounting(MOUNT) == hosts


def test_datastore_in_use_stays(site: NfsSite) -> None:
    vm = site.recovered()
    with pytest.raises(NfsMountInUse, match=r"esx02\.lab does not let go of .*Standfast-1"):
        site.vsphere.unmount_nfs(site.host(), MOUNT)
    site.vsphere.unregister_vm(vm.id)
    site.vsphere.unmount_nfs(site.host(), MOUNT)


def test_host_that_is_gone_has_nothing_mounted(site: NfsSite) -> None:
    site.vsphere.unmount_nfs("host-999", MOUNT)


def test_answer_to_the_unmounting_that_is_lost_does_not_matter(site: NfsSite) -> None:
    site.mounted()
    host = site.host()
    with AnswerThief(site.simulator) as thief:
        platform = replace(platform_of(site.simulator), port=thief.port)
        with VSphereFactory(SystemClock()).connect(platform, site.simulator.password) as vsphere:
            thief.steal_next("RemoveDatastore")
            vsphere.unmount_nfs(host, MOUNT)
    assert site.vsphere.hosts_mounting(MOUNT) == ()


@pytest.mark.parametrize("fault", [vim.fault.HostConfigFault, vim.fault.ResourceInUse])
def test_unmounting_that_is_refused_is_said(site: NfsSite, fault: Any) -> None:
    site.mounted()
    site.simulator.faults.fail_call("RemoveDatastore", fault=fault)
    with pytest.raises(NfsMountInUse):
        site.vsphere.unmount_nfs(site.host(), MOUNT)


def test_mount_of_a_single_host(tmp_path: Path) -> None:
    spec = replace(SPEC, flavour=Flavour.ESXI, hosts=("esx02.lab",))
    with nfs_site(tmp_path, spec) as site:
        assert site.vsphere.nfs_host(site.saved(), VmPlacement(name="x")).addresses == (site.simulator.host,)
        assert site.mounted().name == MOUNT.name
        created = site.recovered()
        site.vsphere.unregister_vm(created.id)
        site.vsphere.unmount_nfs(site.host(), MOUNT)
        assert site.vsphere.hosts_mounting(MOUNT) == ()


def test_the_path_of_a_mount_is_not_shown() -> None:
    assert MOUNT.path not in repr(NfsMount(server="a", path=MOUNT.path, name="b"))
