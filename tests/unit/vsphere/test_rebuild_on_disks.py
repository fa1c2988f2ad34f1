"""A VM that is created on disks that exist, in a folder that exists."""

from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.deviations import DISK_WAS_ENCRYPTED
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.rebuilding import added, device, rebuilt

PATH = "[Standfast] web-01/web-01.vmdk"
ON_DISKS = VmPlacement(name="web/01", directory="web_01", present_disks=((2000, PATH),))


def test_present_disk_is_attached_and_nothing_is_created() -> None:
    result = rebuilt(
        given.saved(given.scsi(), given.disk(thinProvisioned=False, eagerlyScrub=True)), wanted=ON_DISKS
    )
    (disk,) = added(result, device.VirtualDisk)
    assert disk.backing.fileName == PATH
    assert disk.backing.diskMode == "persistent"
    assert not any(change.fileOperation for change in result.spec.deviceChange)
    assert result.eager_bytes == 0
    assert list(result.disks) == [2000]


def test_other_disks_are_created_empty() -> None:
    result = rebuilt(given.saved(given.scsi(), given.disk(), given.disk(2001, unit=1)), wanted=ON_DISKS)
    assert [change.fileOperation for change in result.spec.deviceChange] == [None, None, "create"]
    assert [disk.backing.fileName for disk in added(result, device.VirtualDisk)] == [PATH, "[ds9]"]


def test_nothing_is_said_of_how_a_present_disk_was_stored() -> None:
    odd = given.disk(backingObjectId="52000000-0000")
    odd.iofilter = ["VMW_spm_1.0.0"]
    assert rebuilt(given.saved(given.scsi(), odd), wanted=ON_DISKS).warnings == ()


def test_raw_device_is_a_present_disk_without_a_word() -> None:
    raw = given.disk()
    raw.backing = device.VirtualDisk.RawDiskMappingVer1BackingInfo(
        fileName="[ds1] a.vmdk", diskMode="persistent", compatibilityMode="virtualMode"
    )
    result = rebuilt(given.saved(given.scsi(), raw), wanted=ON_DISKS)
    assert added(result, device.VirtualDisk)[0].backing.fileName == PATH
    assert result.warnings == ()


def test_disk_that_was_encrypted_is_plain_now_and_that_is_said() -> None:
    encrypted = given.disk(keyId=vim.encryption.CryptoKeyId(keyId="k"))
    result = rebuilt(given.saved(given.scsi(), encrypted), wanted=ON_DISKS)
    assert [warning.kind for warning in result.warnings] == [DISK_WAS_ENCRYPTED]


def test_files_go_to_the_directory_that_exists() -> None:
    spec = rebuilt(given.saved(), wanted=ON_DISKS).spec
    assert spec.files.vmPathName == "[ds1] web_01/web_01.vmx"
    assert spec.name == "web%2f01"


def test_changes_are_not_tracked_and_no_snapshot_is_known() -> None:
    options = [
        vim.option.OptionValue(key=key, value="x")
        for key in ("ctkEnabled", "scsi0:0.ctkEnabled", "snapshot.current", "sched.swap.derivedName")
    ]
    spec = rebuilt(given.saved(extraConfig=options, changeTrackingEnabled=True), wanted=ON_DISKS).spec
    assert not spec.changeTrackingEnabled
    assert not {option.key for option in spec.extraConfig} & {option.key for option in options}


def test_isolated_vm_is_connected_to_nothing_and_cannot_connect_itself() -> None:
    cards = (given.card(), given.card(4001, "00:50:56:81:00:02", network="gone"))
    result = rebuilt(given.saved(*cards), wanted=VmPlacement(name="web-02", is_isolated=True))
    assert result.warnings == ()
    for card in added(result, device.VirtualVmxnet3):
        assert not card.connectable.startConnected
        assert not card.connectable.allowGuestControl
