"""What a saved configuration may set in a new VM: a list of what is allowed."""

import pytest
from pyVmomi import vim

from app.vsphere.settings_allowed import is_kept_setting, kept_settings, left_out_text, vapp_config


def option(key: str, value: object) -> vim.option.OptionValue:
    return vim.option.OptionValue(key=key, value=value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("disk.EnableUUID", "TRUE"),
        ("svga.vramSize", "8388608"),
        ("cpuid.coresPerSocket", "2"),
        ("cpuid.1.ecx", "----:----:----:----:----:----:--1-:----"),
        ("isolation.tools.copy.disable", "TRUE"),
        ("guestinfo.role", "web"),
        ("numa.vcpu.preferHT", "TRUE"),
    ],
)
def test_what_describes_the_machine_is_kept(key: str, value: str) -> None:
    assert is_kept_setting(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("log.fileName", "/vmfs/volumes/other/x.log"),
        ("vmx.log.destination", "syslog"),
        ("sched.swap.dir", "/vmfs/volumes/other"),
        ("workingDir", "/etc"),
        ("serial0.fileName", "/dev/char/serial/uart0"),
        ("scsi0:1.fileName", "/vmfs/devices/disks/naa.1"),
        ("pciPassthru0.id", "00000:003:00.0"),
        ("remotedisplay.vnc.enabled", "TRUE"),
        ("RemoteDisplay.vnc.password", "x"),
        ("isolation.tools.copy.disable", "FALSE"),
        ("isolation.tools.setGUIOptions.enable", "TRUE"),
        ("monitor_control.disable_directexec", "TRUE"),
        ("usb.generic.allowHID", "TRUE"),
        ("tools.guestlib.enableHostInfo", "TRUE"),
        ("debugStub.listen.guest64", "TRUE"),
        ("guestinfo.userdata", "I2Nsb3VkLWNvbmZpZw=="),
        ("guestinfo.ignition.config.data", "{}"),
        ("guestinfo.metadata", "x"),
        ("guestinfo.role", "x" * 200),
        ("guestinfo.role", 'web"\nlog.fileName = "/etc/passwd'),
        ("disk.EnableUUID", "TRUE\nfoo = 1"),
        ("svga.vramSize", "8388608; rm"),
        ("vmx.allowNested", "TRUE"),
        ("nvram", "/vmfs/volumes/other/vm.nvram"),
        ("standfast.creation", "another's mark"),
        ("extendedConfigFile", "/etc/x"),
    ],
)
def test_what_reaches_beyond_the_machine_goes(key: str, value: str) -> None:
    assert not is_kept_setting(key, value)


def test_what_goes_is_named_without_what_the_platform_wrote_itself() -> None:
    kept, gone = kept_settings(
        [option("nvram", "x.nvram"), option("pciBridge0.present", "TRUE"), option("log.fileName", "/x")]
    )
    assert kept == []
    assert gone == ["log.fileName"]
    (text,) = map(str, left_out_text([*gone, "evil\nline", *(f"key{number}" for number in range(100))]))
    assert "log.fileName" in text
    assert "\n" not in text
    assert text.endswith("and 62 more.")
    assert left_out_text([]) == []


def test_vapp_properties_stay_and_what_is_run_or_shown_goes() -> None:
    saved = vim.vApp.VmConfigInfo(
        property=[
            vim.vApp.PropertyInfo(key=0, id="ip", value="10.0.0.1"),
            vim.vApp.PropertyInfo(key=1, id="user-data", value="I2Nsb3Vk"),
        ],
        ovfSection=[vim.vApp.OvfSectionInfo(namespace="x", type="ns:Script", contents="<Script/>")],
        eula=["accept"],
        ovfEnvironmentTransport=["com.vmware.guestInfo", "com.example.other"],
        installBootRequired=True,
        installBootStopDelay=0,
    )
    spec, gone = vapp_config(saved)
    assert [item.info.id for item in spec.property] == ["ip"]
    assert spec.ovfEnvironmentTransport == ["com.vmware.guestInfo"]
    assert not spec.ovfSection
    assert not spec.eula
    assert spec.installBootRequired is None
    assert gone == ["vApp property user-data", "OVF section ns:Script", "OVF transport com.example.other"]
