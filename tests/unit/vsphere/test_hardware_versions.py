"""A VM of a newer virtual hardware version on an older host: lowered and said, or refused with what to do."""

from typing import Any

import pytest
from pyVmomi import vim

from app.domain.vms import VmPlacement
from app.vsphere.hardware_versions import VersionTooOld, choose_version, newest_version
from app.vsphere.placement import Place
from app.vsphere.rebuild import Rebuilt, rebuild
from tests.unit.vsphere import saved as given
from tests.unit.vsphere.rebuilding import WHOLE
from tests.unit.vsphere.test_placement import host

device = vim.vm.device
BIOS = vim.vm.BootOptions(efiSecureBootEnabled=False)


def restored(version: str, offered: frozenset[str], *devices: Any, esxi: str = "", **config: Any) -> Rebuilt:
    saved = given.saved(*(devices or (given.scsi(), given.disk())), version=version, **config)
    disks = {item.key: "ds1" for item in saved.config.hardware.device if isinstance(item, device.VirtualDisk)}
    here = host("esx7", "ds1", hardware_versions=offered, version=esxi)
    place = Place(folder="f", pool="p", host=here, datastore="ds1", disk_datastores=disks)
    return rebuild(saved, place, VmPlacement(name="web"), WHOLE, "mark")


def test_version_that_the_host_knows_is_kept() -> None:
    result = restored("vmx-19", frozenset({"vmx-19", "vmx-21"}))
    assert result.spec.version == "vmx-19"
    assert not any("hardware version" in warning for warning in map(str, result.warnings))


def test_newer_version_is_lowered_to_the_hosts_newest_and_that_is_said() -> None:
    result = restored("vmx-21", frozenset({"vmx-17", "vmx-19"}))
    assert result.spec.version == "vmx-19"
    assert any("vmx-21" in warning and "vmx-19" in warning for warning in map(str, result.warnings))


def test_what_the_older_version_lacks_is_off_and_said() -> None:
    flags = vim.vm.FlagInfo(vbsEnabled=True, vvtdEnabled=True)
    result = restored("vmx-21", frozenset({"vmx-13"}), flags=flags)
    assert (result.spec.flags.vbsEnabled, result.spec.flags.vvtdEnabled) == (None, None)
    assert any("Virtualization-based security" in warning for warning in map(str, result.warnings))


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"sgxInfo": vim.vm.SgxInfo(epcSize=64)}, "SGX"),
        ({"sgxInfo": vim.vm.SgxInfo(epcSize=0)}, None),
        ({"sevEnabled": True}, "SEV"),
        ({"sevEnabled": False}, None),
    ],
)
def test_only_what_was_on_is_said_to_be_off(config: dict[str, Any], said: str | None) -> None:
    warnings = [str(warning) for warning in restored("vmx-21", frozenset({"vmx-14"}), **config).warnings]
    about = [warning for warning in warnings if "needs a newer virtual hardware version" in warning]
    assert len(about) == (said is not None)
    assert all((said or "") in warning for warning in about)


@pytest.mark.parametrize(
    ("hardware", "said"),
    [
        ({"simultaneousThreads": 2}, "Several threads"),
        ({"simultaneousThreads": 1}, None),
        ({"motherboardLayout": "acpiHostBridges"}, "motherboard"),
        ({"motherboardLayout": "i440bxHostBridge"}, None),
    ],
)
def test_hardware_that_an_older_version_lacks_is_said(hardware: dict[str, Any], said: str | None) -> None:
    saved = given.saved(given.scsi(), given.disk(), version="vmx-21")
    for name, value in hardware.items():
        setattr(saved.config.hardware, name, value)
    chosen = choose_version(saved.config, {"vmx-19"}, "", "esx7", cpus=1, memory_mib=1024)
    texts = [str(warning) for warning in chosen.warnings if "needs a newer" in str(warning)]
    assert len(texts) == (said is not None)
    assert all((said or "") in text for text in texts)


def test_versions_that_nobody_can_read_are_left_to_the_host_and_that_is_said() -> None:
    result = restored("unreadable", frozenset())
    assert result.spec.version is None
    assert any("the host chooses one" in str(warning) for warning in result.warnings)


@pytest.mark.parametrize(
    ("esxi", "newest"),
    [
        ("8.0.3", 21),
        ("8.0.0", 20),
        ("7.0.3", 19),
        ("7.0.0", 17),
        ("6.7.0", 14),
        ("6.5.0", 13),
        ("", 0),
        ("4.1", 0),
    ],
)
def test_host_that_does_not_say_has_the_version_of_its_esxi(esxi: str, newest: int) -> None:
    assert newest_version((), esxi) == newest


def test_host_that_says_nothing_at_all_is_not_second_guessed() -> None:
    assert restored("vmx-21", frozenset()).spec.version == "vmx-21"


def test_two_digits_are_compared_as_numbers() -> None:
    assert restored("vmx-09", frozenset({"vmx-11", "vmx-21"})).spec.version == "vmx-09"


@pytest.mark.parametrize(
    ("devices", "config", "what", "esxi"),
    [
        ((device.VirtualNVMEController(key=31000, busNumber=0),), {"bootOptions": BIOS}, "NVMe", "6.5"),
        ((device.VirtualTPM(key=11000),), {"bootOptions": BIOS}, "TPM", "6.7"),
        ((), {}, "secure boot", "6.5"),
    ],
)
def test_what_the_older_version_cannot_hold_is_refused_with_what_to_do(
    devices: tuple[Any, ...], config: dict[str, Any], what: str, esxi: str
) -> None:
    with pytest.raises(VersionTooOld, match=rf"{what}.*ESXi {esxi} or newer"):
        restored("vmx-21", frozenset({"vmx-11"}), *devices, **config)


@pytest.mark.parametrize(
    ("cpus", "memory_mib", "what"), [(512, 4096, "512 CPUs"), (4, 8 << 20, "8388608 MB of memory")]
)
def test_more_cpus_or_memory_than_the_older_version_allows_is_refused(
    cpus: int, memory_mib: int, what: str
) -> None:
    config = given.saved(version="vmx-21").config
    with pytest.raises(VersionTooOld, match=what):
        choose_version(config, {"vmx-17"}, "", "esx7", cpus=cpus, memory_mib=memory_mib)
