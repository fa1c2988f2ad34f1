"""VMs on disks that this machine serves: created, registered, started, moved to a datastore and looked at."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pyVmomi import vim, vmodl

from app.core.cancel import CancelToken
from app.core.clock import SystemClock
from app.domain.errors import (
    LicenseRefused,
    OperationalError,
    PowerOperationFailed,
    TaskCancelled,
    VmCreationFailed,
    VmNotFound,
)
from app.domain.ids import VmId
from app.domain.vms import PowerState, VmPlacement
from app.simulator.releases import RELEASES, Version
from app.simulator.vm import screenshot
from app.vsphere import creation, guests, saved_vm, tasks
from app.vsphere.errors import DatastoreUnknown, OperationUnsupported, PlatformRefused
from app.vsphere.factory import VSphereFactory
from app.vsphere.hypervisor import VSphereHypervisor
from tests.contract.vsphere.answer_thief import AnswerThief
from tests.contract.vsphere.nfs_site import DISK, MOUNT, NAME, SPEC, NfsSite, nfs_site
from tests.support.simulated import platform_of

on_each_release = pytest.mark.parametrize("site", RELEASES, indirect=True)


@pytest.fixture
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NfsSite]:
    version: Version = getattr(request, "param", SPEC.version)
    with nfs_site(tmp_path, replace(SPEC, version=version)) as opened:
        yield opened


@pytest.fixture
def thief(site: NfsSite) -> Iterator[tuple[AnswerThief, VSphereHypervisor]]:
    """What steals answers, and a session that passes by it."""
    with AnswerThief(site.simulator) as stealing:
        platform = replace(platform_of(site.simulator), port=stealing.port)
        with VSphereFactory(SystemClock()).connect(platform, site.simulator.password) as vsphere:
            yield stealing, vsphere


def contents(site: NfsSite, vm: VmId) -> list[bytes]:
    """The first byte of each disk of a VM."""
    return [tree.leaf.read(0, 1) for tree in site.machine(vm).trees.values() if tree.leaf is not None]


# ---- created -----------------------------------------------------------------------------------------------


@on_each_release
def test_vm_is_created_on_the_disks_that_are_there(site: NfsSite) -> None:
    created = site.recovered()
    assert [disk.path for _, disk in created.disks] == [
        "[Standfast-1] instant/instant.vmdk",
        "[Standfast-1] instant/instant_1.vmdk",
    ]
    assert contents(site, created.id) == [b"\x01", b"\x02"]
    assert all(disk.capacity_bytes == DISK.capacity_bytes for _, disk in created.disks)
    assert site.vsphere.vm_details(created.id).summary.host == "esx02.lab"


def test_files_of_the_vm_are_in_the_folder_of_its_disks(site: NfsSite) -> None:
    site.recovered()
    assert {path.name for path in site.export.iterdir()} == {"instant"}
    assert {"instant.vmx", "instant.vmdk", "instant-flat.vmdk"} <= {
        path.name for path in (site.export / "instant").iterdir()
    }


def test_isolated_vm_has_no_connected_adapter(site: NfsSite) -> None:
    created = site.recovered(is_isolated=True)
    files = site.vsphere.save_configuration(created.id, log=site.log).files
    devices = saved_vm.read(files["config.json"]).config.hardware.device
    cards = [device for device in devices if isinstance(device, vim.vm.device.VirtualEthernetCard)]
    assert [card.connectable is not None and card.connectable.startConnected for card in cards] == [False]
    assert created.warnings == ()


def test_creation_that_fails_leaves_the_disks(site: NfsSite) -> None:
    site.simulator.faults.fail_call("ReconfigVM_Task", fault=vmodl.fault.SystemError, times=9)
    wanted = site.placement(site.mounted(), site.served())
    without_second = replace(wanted, present_disks=(wanted.present_disks[0], (2001, "[Standfast-1] no/no.vmdk")))
    with pytest.raises(VmCreationFailed):
        site.vsphere.create_vm(site.saved(), without_second, log=site.log)
    assert [vm.name for vm in site.vsphere.list_vms()] == ["web-01"]
    assert (site.export / "instant" / "instant-flat.vmdk").read_bytes()[:1] == b"\x01"


def test_vm_that_is_made_but_not_finished_is_unregistered(site: NfsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise PlatformRefused(address="x", operation="y", detail="z")

    monkeypatch.setattr(creation, "finishing_spec", fail)
    with pytest.raises(VmCreationFailed):
        site.recovered()
    assert [vm.name for vm in site.vsphere.list_vms()] == ["web-01"]
    assert {"instant-flat.vmdk", "instant_1-flat.vmdk"} <= {
        path.name for path in (site.export / "instant").iterdir()
    }


def test_name_with_signs_that_no_file_has(site: NfsSite) -> None:
    folder = site.served("测试 a/b 100%")
    wanted = replace(site.placement(site.mounted(), folder), name="测试 a/b 100%")
    created = site.vsphere.create_vm(site.saved(), wanted, log=site.log)
    assert site.vsphere.vm_details(created.id).summary.name == "测试 a/b 100%"
    assert (site.export / folder.name / f"{folder.name}.vmx").is_file()


# ---- registered --------------------------------------------------------------------------------------------

PATH = "[Standfast-1] instant/instant.vmx"


@on_each_release
def test_vm_is_registered_by_its_files_and_once(site: NfsSite) -> None:
    created = site.recovered()
    site.vsphere.unregister_vm(created.id)
    assert [vm.name for vm in site.vsphere.list_vms()] == ["web-01"]
    wanted = VmPlacement(name="instant", host=site.host(), datastore="not there")
    vm = site.vsphere.register_vm(PATH, wanted)
    assert site.vsphere.vm_details(vm).summary.host == "esx02.lab"
    assert site.vsphere.register_vm(PATH, wanted) == vm
    assert contents(site, vm) == [b"\x01", b"\x02"]


def test_answer_that_is_lost_registers_once(site: NfsSite, thief: tuple[AnswerThief, VSphereHypervisor]) -> None:
    site.vsphere.unregister_vm(site.recovered().id)
    stealing, vsphere = thief
    stealing.steal_next("RegisterVM_Task")
    vm = vsphere.register_vm(PATH, VmPlacement(name="instant"))
    assert [vm.id for vm in site.vsphere.list_vms() if vm.name == "instant"] == [vm]


def test_vm_without_files_is_not_registered(site: NfsSite) -> None:
    site.mounted()
    with pytest.raises(VmCreationFailed):
        site.vsphere.register_vm("[Standfast-1] none/none.vmx", VmPlacement(name="none"))
    assert [vm.name for vm in site.vsphere.list_vms()] == ["web-01"]


def test_host_that_is_not_there_registers_nothing(site: NfsSite) -> None:
    with pytest.raises(VmCreationFailed, match="no-such-host"):
        site.vsphere.register_vm(PATH, VmPlacement(name="none", host="no-such-host"))


def test_vm_that_is_gone_is_unregistered(site: NfsSite) -> None:
    created = site.recovered()
    site.vsphere.unregister_vm(created.id)
    site.vsphere.unregister_vm(created.id)
    assert (site.export / "instant" / "instant.vmx").is_file()


def test_running_vm_is_not_unregistered(site: NfsSite) -> None:
    with pytest.raises(OperationalError):
        site.vsphere.unregister_vm(site.vm().id)
    assert site.vm().power_state is PowerState.ON


# ---- started -----------------------------------------------------------------------------------------------


def moved(site: NfsSite) -> VmId:
    """A VM whose files are not where it last ran."""
    vm = site.recovered().id
    site.machine(vm).moved_here = True
    return vm


@pytest.mark.parametrize("was_copied", [False, True])
def test_question_whether_it_was_moved_is_answered(site: NfsSite, was_copied: bool) -> None:
    vm = moved(site)
    before = site.vsphere.vm_details(vm).summary
    site.vsphere.start_moved(vm, was_copied=was_copied)
    after = site.vsphere.vm_details(vm).summary
    assert after.power_state is PowerState.ON
    assert (after.bios_uuid != before.bios_uuid) is was_copied


@on_each_release
def test_vm_that_asks_nothing_just_starts(site: NfsSite) -> None:
    vm = site.recovered().id
    site.vsphere.start_moved(vm, was_copied=False)
    site.vsphere.start_moved(vm, was_copied=False)
    assert site.vsphere.vm_details(vm).summary.power_state is PowerState.ON


def test_plain_start_leaves_the_question_to_a_person(site: NfsSite) -> None:
    vm = moved(site)
    with pytest.raises(PowerOperationFailed, match="only a person can answer"):
        site.vsphere.power_on(vm)


def test_account_that_may_not_answer_does_not_start_it(site: NfsSite) -> None:
    vm = moved(site)
    site.simulator.faults.fail_call(
        "AnswerVM", fault=lambda: vim.fault.NoPermission(privilegeId="VirtualMachine.Interact.AnswerQuestion")
    )
    with pytest.raises(OperationalError, match="AnswerQuestion"):
        site.vsphere.start_moved(vm, was_copied=False)
    assert site.vsphere.vm_details(vm).summary.power_state is PowerState.OFF


def test_answer_that_someone_else_gave_is_fine(site: NfsSite) -> None:
    vm = moved(site)
    site.simulator.faults.fail_call("AnswerVM", fault=vim.fault.ConcurrentAccess)

    def answer() -> None:
        machine = site.machine(vm)
        while machine.question is None or not site.simulator.faults.calls("AnswerVM"):
            threading.Event().wait(0.05)
        machine.question.answer = "1"
        machine.question.answered.set()

    person = threading.Thread(target=answer)
    person.start()
    site.vsphere.start_moved(vm, was_copied=True)
    person.join()
    assert site.vsphere.vm_details(vm).summary.power_state is PowerState.ON


# ---- moved to a datastore ----------------------------------------------------------------------------------


def move(site: NfsSite, vm: VmId, vsphere: VSphereHypervisor | None = None, **placement: object) -> list[int]:
    seen: list[int] = []
    wanted = replace(VmPlacement(name="instant", datastore="ds1"), **placement)  # type: ignore[arg-type]
    (vsphere or site.vsphere).move_storage(vm, wanted, on_progress=seen.append, cancel=CancelToken())
    return seen


def paths(site: NfsSite, vm: VmId) -> list[str]:
    return [disk.path.partition("]")[0][1:] for disk in site.vsphere.vm_details(vm).disks]


@on_each_release
def test_files_of_a_running_vm_are_moved(site: NfsSite) -> None:
    vm = site.recovered().id
    site.vsphere.power_on(vm)
    seen = move(site, vm)
    assert seen == sorted(seen)
    assert paths(site, vm) == ["ds1", "ds1"]
    assert contents(site, vm) == [b"\x01", b"\x02"]
    assert site.vsphere.vm_details(vm).summary.power_state is PowerState.ON
    assert site.vsphere.vm_details(vm).summary.datastores == ("ds1",)
    site.vsphere.unmount_nfs(site.host(), MOUNT)


def test_disks_go_where_each_is_to_go(site: NfsSite) -> None:
    created = site.recovered()
    second = created.disks[1][1].key
    move(site, created.id, disk_datastores=((second, "ds2"),))
    assert paths(site, created.id) == ["ds1", "ds2"]


def test_vm_that_was_moved_already_stays(site: NfsSite) -> None:
    vm = site.recovered().id
    move(site, vm)
    assert move(site, vm) == []
    assert site.simulator.faults.calls("RelocateVM_Task") == 1


def test_answer_that_is_lost_moves_once(site: NfsSite, thief: tuple[AnswerThief, VSphereHypervisor]) -> None:
    vm = site.recovered().id
    stealing, vsphere = thief
    stealing.steal_next("RelocateVM_Task")
    move(site, vm, vsphere)
    assert site.simulator.faults.calls("RelocateVM_Task") == 1
    assert paths(site, vm) == ["ds1", "ds1"]


def test_datastore_that_is_not_there_is_said(site: NfsSite) -> None:
    vm = site.recovered().id
    with pytest.raises(DatastoreUnknown, match="ds9"):
        move(site, vm, datastore="ds9")
    with pytest.raises(ValueError, match="without a datastore"):
        move(site, vm, datastore=None)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (vim.fault.RestrictedVersion, LicenseRefused),
        (vim.fault.VMotionNotLicensed, LicenseRefused),
        (vmodl.fault.NotEnoughLicenses, LicenseRefused),
        (vmodl.fault.NotSupported, OperationUnsupported),
        (vim.fault.StorageVMotionNotSupported, OperationUnsupported),
        (vim.fault.MigrationFault, PlatformRefused),
    ],
)
def test_why_it_is_not_moved_is_said(
    site: NfsSite, fault: type[vmodl.MethodFault], error: type[OperationalError]
) -> None:
    vm = site.recovered().id
    site.simulator.faults.fail_task("RelocateVM_Task", fault=fault)
    with pytest.raises(error):
        move(site, vm)
    assert paths(site, vm) == ["Standfast-1", "Standfast-1"]


def test_move_is_cancelled_on_the_platform(site: NfsSite) -> None:
    vm = site.recovered().id
    cancel = CancelToken()
    site.simulator.faults.hang_task("RelocateVM_Task")
    timer = threading.Timer(0.5, cancel.cancel)
    timer.start()
    with pytest.raises(TaskCancelled):
        site.vsphere.move_storage(
            vm, VmPlacement(name="instant", datastore="ds1"), on_progress=lambda _: None, cancel=cancel
        )
    timer.join()
    assert site.simulator.faults.calls("CancelTask") == 1
    assert paths(site, vm) == ["Standfast-1", "Standfast-1"]
    site.simulator.faults.release()
    move(site, vm)
    assert paths(site, vm) == ["ds1", "ds1"]


# ---- looked at ---------------------------------------------------------------------------------------------


def test_guest_with_tools_shows_its_name(site: NfsSite) -> None:
    signs = site.vsphere.guest_signs(site.vm().id)
    assert (signs.tools_run, signs.has_tools, signs.hostname) == (True, True, NAME)


def test_guest_without_tools_shows_nothing(site: NfsSite) -> None:
    signs = site.vsphere.guest_signs(site.recovered().id)
    assert (signs.tools_run, signs.hostname) == (False, "")


def test_vm_that_is_gone_shows_nothing(site: NfsSite) -> None:
    with pytest.raises(VmNotFound):
        site.vsphere.guest_signs(VmId("vm-9999"))


def running(site: NfsSite) -> VmId:
    vm = site.recovered().id
    site.vsphere.power_on(vm)
    return vm


def pictures(site: NfsSite) -> list[str]:
    return [path.name for path in (site.export / "instant").iterdir() if path.suffix == ".png"]


@on_each_release
def test_picture_of_the_console_is_taken_and_leaves_nothing(site: NfsSite) -> None:
    vm = running(site)
    assert site.vsphere.screenshot(vm).startswith(b"\x89PNG\r\n\x1a\n")
    assert pictures(site) == []


def test_vm_that_is_off_has_no_picture(site: NfsSite) -> None:
    with pytest.raises(PlatformRefused, match="take a picture"):
        site.vsphere.screenshot(site.recovered().id)


def test_what_is_no_picture_is_refused_and_leaves_nothing(site: NfsSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot, "png", lambda rows: b"GIF89a")
    with pytest.raises(PlatformRefused, match="no picture in the PNG format"):
        site.vsphere.screenshot(running(site))
    assert pictures(site) == []


def test_picture_that_is_too_large_is_refused_and_leaves_nothing(
    site: NfsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guests, "_PICTURE_BYTES", 100)
    with pytest.raises(PlatformRefused, match="larger than"):
        site.vsphere.screenshot(running(site))
    assert pictures(site) == []


def test_file_that_is_none_of_the_vms_pictures_is_not_touched(
    site: NfsSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = running(site)
    monkeypatch.setattr(tasks, "run_task", lambda *_: "[Standfast-1] instant/instant.vmx")
    with pytest.raises(PlatformRefused, match="no picture in the PNG format"):
        site.vsphere.screenshot(vm)
    assert (site.export / "instant" / "instant.vmx").is_file()
