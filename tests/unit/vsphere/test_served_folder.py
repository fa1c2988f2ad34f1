"""What is put into the folder of a VM that is to run from served disks."""

import re
from typing import Any

import pytest

from app.core.nfshosting import DiskToServe, ServedFolder
from app.domain.vms import SavedConfiguration
from app.vsphere import saved_vm
from app.vsphere.errors import ConfigurationUnreadable
from app.vsphere.served_folder import folder_files
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.rebuilding import device

GIB = 1 << 30
UUID = "6000c29a-0000-0000-0000-000000002000"


def folder(*devices: Any, keys: tuple[int, ...] = (2000,), name: str = "web-01", **options: Any) -> ServedFolder:
    vm = given.saved(*(devices or (given.scsi(), given.disk(uuid=UUID))))
    configuration = SavedConfiguration(files={"config.json": saved_vm.write(vm)})
    disks = [DiskToServe(key=key, capacity_bytes=GIB) for key in keys]
    return folder_files(configuration, disks, name, **options)


def database(content: bytes) -> dict[str, str]:
    return dict(re.findall(r'^ddb\.(\S+) = "(.*)"$', content.decode(), re.MULTILINE))


def test_disks_are_named_as_a_platform_names_them() -> None:
    made = folder(given.scsi(), given.disk(), given.disk(2001, unit=1), keys=(2001, 2000))
    assert made.name == "web-01"
    assert [(disk.key, disk.attached, disk.data) for disk in made.disks] == [
        (2001, "web-01.vmdk", "web-01-flat.vmdk"),
        (2000, "web-01_1.vmdk", "web-01_1-flat.vmdk"),
    ]


def test_each_disk_has_a_descriptor_that_names_its_data() -> None:
    made = folder()
    (file,) = made.files
    assert file.name == made.disks[0].attached
    assert f'RW {GIB // 512} VMFS "{made.disks[0].data}"' in file.data.decode()
    assert database(file.data)["virtualHWVersion"] == "19"


def test_disks_get_new_uuids_unless_the_identity_is_kept() -> None:
    spelled = "60 00 c2 9a 00 00 00 00-00 00 00 00 00 00 20 00"
    first, second = (database(folder().files[0].data)["uuid"] for _ in range(2))
    assert len({first, second, spelled}) == 3
    assert database(folder(keep_identity=True).files[0].data)["uuid"] == spelled


def test_disk_whose_uuid_is_none_gets_a_new_one() -> None:
    odd = given.disk(uuid="60 00 c2 9a 00 00 00 00-00 00 00 00 00 00 20 00 00 00")
    assert len(database(folder(given.scsi(), odd, keep_identity=True).files[0].data)["uuid"]) == 47


def test_disk_on_an_ide_controller_is_described_so() -> None:
    made = folder(given.disk(3000, controller=200), keys=(3000,))
    assert database(made.files[0].data)["adapterType"] == "ide"
    assert database(folder().files[0].data)["adapterType"] == "lsilogic"


def test_disk_that_the_configuration_does_not_know_is_described_all_the_same() -> None:
    assert folder(keys=(2999,)).disks[0].key == 2999


def test_pmem_disk_is_served_as_any_other() -> None:
    vm = given.disk(uuid=UUID)
    vm.backing = device.VirtualDisk.LocalPMemBackingInfo(fileName="[ds1] a.vmdk", diskMode="persistent", uuid=UUID)
    assert database(folder(given.scsi(), vm, keep_identity=True).files[0].data)["uuid"].startswith("60 00 c2 9a")


def test_without_a_saved_vm_there_is_no_folder() -> None:
    with pytest.raises(ConfigurationUnreadable):
        folder_files(SavedConfiguration(files={}), [], "web-01")
