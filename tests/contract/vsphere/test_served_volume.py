"""A host that mounts a volume of our own NFS server, through an NFS client that others wrote."""

import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.cancel import CancelToken
from app.core.nfshosting import NfsMount
from app.domain.errors import LicenseRefused, NfsMountFailed, NfsMountInUse, OperationalError, TaskCancelled
from app.domain.ids import VmId
from app.domain.vms import PowerState, VmPlacement
from app.simulator.nas import NasSettings
from app.simulator.spec import License
from app.vsphere import nfs_mounts
from app.vsphere.errors import OperationUnsupported
from tests.contract.vsphere.nfs_site import DISK, SPEC, NfsSite, nfs_site
from tests.support import libnfs
from tests.support.nfs_service import free_port
from tests.support.waiting import wait_until
from tests.unit.nfs.conftest import SECRET, Site

MOUNT = NfsMount(server="127.0.0.1", path=f"/{SECRET}", name="Standfast-1")
SETTINGS = NasSettings(mount_timeout_s=2.0, heartbeat_s=0.1, silence_s=0.2, apd_timeout_s=0.5)

pytestmark = pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "volume")
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def license_of_the_hosts() -> License:
    return License.ENTERPRISE


@pytest.fixture
def site(tmp_path: Path, server: Site, license_of_the_hosts: License) -> Iterator[NfsSite]:
    settings = replace(SETTINGS, port=server.server.port)
    spec = replace(SPEC, nas=settings, license=license_of_the_hosts, foreign_guests_have_tools=True)
    with nfs_site(tmp_path / "site", spec) as opened:
        yield opened


def served(site: NfsSite, server: Site) -> VmId:
    """A VM on disks in the volume."""
    mounted = site.vsphere.mount_nfs(site.host(), MOUNT)
    folder = site.served()
    port = server.server.port
    with libnfs.LibNfs(f"nfs://127.0.0.1/{SECRET}?nfsport={port}&mountport={port}") as client:
        client.mkdir(f"/{folder.name}")
        for path in (site.export / folder.name).iterdir():
            with client.open(f"/{folder.name}/{path.name}", os.O_RDWR | os.O_CREAT) as file:
                file.write(0, path.read_bytes())
                file.sync()
    return site.vsphere.create_vm(site.saved(), site.placement(mounted, folder), log=site.log).id


def move(site: NfsSite, vm: VmId, cancel: CancelToken | None = None) -> list[int]:
    seen: list[int] = []
    wanted = VmPlacement(name="instant", datastore="ds1")
    site.vsphere.move_storage(vm, wanted, on_progress=seen.append, cancel=cancel or CancelToken())
    return seen


def content(site: NfsSite, vm: VmId) -> list[bytes]:
    leaves = [tree.leaf for tree in site.machine(vm).trees.values()]
    return [leaf.read(0, DISK.capacity_bytes) for leaf in leaves if leaf is not None]


def test_vm_runs_from_the_volume_and_moves_away_while_it_runs(site: NfsSite, server: Site) -> None:
    vm = served(site, server)
    site.vsphere.start_moved(vm, was_copied=True)
    assert site.vsphere.guest_signs(vm).tools_run
    assert site.vsphere.screenshot(vm)
    with pytest.raises(NfsMountInUse):
        site.vsphere.unmount_nfs(site.host(), MOUNT)
    site.simulator.world.guests.write_now(site.machine(vm).name, 4096)
    before = content(site, vm)
    seen = move(site, vm)
    assert seen == sorted(seen)
    assert content(site, vm) == before
    assert site.vsphere.vm_details(vm).summary.power_state is PowerState.ON
    site.vsphere.unmount_nfs(site.host(), MOUNT)
    assert site.vsphere.hosts_mounting(MOUNT) == ()


def test_move_that_is_cancelled_leaves_the_vm_in_the_volume(site: NfsSite, server: Site) -> None:
    vm = served(site, server)
    site.vsphere.power_on(vm)
    site.simulator.faults.hang_task("RelocateVM_Task")
    cancel = CancelToken()

    def cancel_while_it_moves() -> None:
        wait_until(lambda: site.simulator.faults.calls("RelocateVM_Task") > 0, what="it moves")
        cancel.cancel()

    operator = threading.Thread(target=cancel_while_it_moves)
    operator.start()
    with pytest.raises(TaskCancelled):
        move(site, vm, cancel)
    operator.join()
    details = site.vsphere.vm_details(vm)
    assert {disk.path.partition("]")[0] for disk in details.disks} == {"[Standfast-1"}
    assert details.summary.power_state is PowerState.ON


@pytest.mark.parametrize("license_of_the_hosts", [License.ESSENTIALS])
def test_license_without_storage_vmotion_is_said(site: NfsSite, server: Site) -> None:
    vm = served(site, server)
    site.vsphere.power_on(vm)
    with pytest.raises((LicenseRefused, OperationUnsupported)):
        move(site, vm)
    site.vsphere.power_off(vm)
    move(site, vm)


def test_server_that_is_away_for_a_moment_is_waited_for(site: NfsSite, server: Site) -> None:
    host = site.host()
    mounted = site.vsphere.mount_nfs(host, MOUNT)
    port = server.server.port
    server.stop()
    wait_until(lambda: not _accessible(site, mounted.id), what="it is away")
    back = threading.Timer(0.5, server.start, args=(port,))
    back.start()
    assert site.vsphere.mount_nfs(host, MOUNT) == mounted
    back.join()


def _accessible(site: NfsSite, datastore: str) -> bool:
    places = site.vsphere.list_places()
    return any(store.id == datastore for host in places.hosts for store in host.datastores)


def test_server_that_stays_away_is_said(site: NfsSite, server: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nfs_mounts, "_ACCESSIBLE_S", 0.3)
    host = site.host()
    mounted = site.vsphere.mount_nfs(host, MOUNT)
    server.stop()
    wait_until(lambda: not _accessible(site, mounted.id), what="it is away")
    with pytest.raises(NfsMountFailed, match="cannot access it"):
        site.vsphere.mount_nfs(host, MOUNT)
    site.vsphere.unmount_nfs(host, MOUNT)
    server.start()


def refusal(site: NfsSite, mount: NfsMount) -> str:
    with pytest.raises(NfsMountFailed) as failed:
        site.vsphere.mount_nfs(site.host(), mount)
    assert mount.path not in f"{failed.value} {failed.value.__cause__}"
    return failed.value.message


def test_export_of_another_name_is_not_given_out(site: NfsSite) -> None:
    assert "was not let in" in refusal(site, replace(MOUNT, path="/another-secret"))


def test_server_that_is_not_there_is_not_reached(site: NfsSite) -> None:
    site.simulator.world.nas.port = free_port()
    assert "does not reach the NFS service" in refusal(site, MOUNT)


def test_host_that_mounts_as_many_as_it_may_names_the_setting(site: NfsSite) -> None:
    site.simulator.world.nas.most_volumes = 0
    assert "NFS.MaxVolumes" in refusal(site, MOUNT)


def test_nothing_is_mounted_after_a_refusal(site: NfsSite) -> None:
    site.simulator.world.nas.most_volumes = 0
    with pytest.raises(OperationalError):
        site.vsphere.mount_nfs(site.host(), MOUNT)
    assert site.vsphere.hosts_mounting(MOUNT) == ()
