"""What a saved configuration may set in the VM that is created from it: lists of what is allowed, nothing else.

The saved configuration is a file at the standby, which may have been forged. Allowed is what describes the machine
to its guest; never what names a file of a host, opens a port, loosens the isolation of the guest from its host,
switches debugging on, or is executed by an agent of the guest. See ``docs/threat-model.md``.
"""

import re
from collections.abc import Iterable
from typing import Any

from pyVmomi import vim

from app.domain.messages import Message
from app.vsphere.deviations import MORE_SETTINGS_LEFT_OUT, SETTINGS_LEFT_OUT

_BOOLEAN = r"true|false|0|1|yes|no"
_TRUE = r"true|1|yes"
_NUMBER = r"-?\d{1,12}"
_WORD = r"[\w .,:+-]{1,128}"
_CPUID = r"[01x:hrtskf-]{1,64}|true|false|-?\d{1,6}"

_ALLOWED: tuple[tuple[str, str], ...] = (
    (r"disk\.enableuuid|devices\.hotplug|hpet0\.present|mce\.enable|vhv\.enable|vvtd\.enable", _BOOLEAN),
    (r"smbios\.reflecthost|board-id\.reflecthost|vcpu\.hotadd|mem\.hotadd|uefi\.secureboot\.enabled", _BOOLEAN),
    (
        r"ctkdisallowed|hypervisor\.cpuid\.v0|sched\.mem\.pin|svga\.present|svga\.autodetect|mks\.enable3d",
        _BOOLEAN,
    ),
    (r"time\.synchronize\.(continue|restore|resume\.disk|shrink|tools\.(startup|enable))", _BOOLEAN),
    (r"bios\.bootdeviceclasses|firmware|answer\.msg\.uuid\.altered|sched\.cpu\.latencysensitivity", _WORD),
    (r"keyboard\.typematicmindelay|rtc\.difffromutc|monitor\.phys_bits_used", _NUMBER),
    (r"featmask\.vm\.hv\.capable", _WORD),
    (r"svga\.(vramsize|maxwidth|maxheight|numdisplays|graphicsmemorykb)", _NUMBER),
    (r"mks\.use3drenderer", r"automatic|software|hardware"),
    (r"cpuid\.(corespersocket|[0-9a-f]{1,8}(\.[0-9a-f]{1,8})?\.e[abcd]x(\.(amd|intel))?)", _CPUID),
    (
        r"numa\.(autosize(\.once|\.vcpu\.maxpervirtualnode)?|vcpu\.(maxpervirtualnode|min|preferht))",
        rf"{_BOOLEAN}|{_NUMBER}",
    ),
    (r"remotedisplay\.maxconnections|tools\.setinfo\.sizelimit|log\.keepold|log\.rotatesize", _NUMBER),
    (r"tools\.(synctime|remindinstall)", _BOOLEAN),
    (r"tools\.upgrade\.policy", r"manual|upgradeatpowercycle|useglobal"),
    # Only what separates the guest from its host further: the other way round would loosen it.
    (r"isolation\.[\w.]{1,80}\.disable|tools\.guest\.desktop\.autolock|monitor_control\.restrict_backdoor", _TRUE),
    (r"guestinfo\.[\w-]{1,64}", _WORD),
)
"""Patterns of keys in lower case, each with the pattern of the values that they may have."""
_EXECUTED = frozenset(
    {
        *("userdata", "user-data", "vendordata", "vendor-data", "metadata", "meta-data", "seedfrom", "seed-from"),
        *("public-keys", "password", "ovfenv", "ignition", "combustion", "script", "runonce"),
    }
)
"""Names that first-boot agents of guests (cloud-init, Ignition …) read commands, keys or passwords from."""
_BOOKKEEPING = re.compile(
    r"nvram|pcibridge\d+\..*|.*\.pcislotnumber|migrate\..*|sched\.swap\.derivedname|uuid\..*|vc\.uuid|viv\.moid"
    r"|vmware\.tools\..*|vmxstats\.filename|guestinfo\.(vmtools\..*|appinfo|detailed\.data|toolsinstallerrcode)"
    r"|guestos\.detailed\.data|tools\.(capability|deploypkg)\..*|toolsinstallmanager\..*|numa\.autosize\.cookie"
    r"|svga\.guestbackedprimaryaware|softpoweroff|replay\..*|vmci0\..*|cleanshutdown|monitor\.phys_bits_used"
    r"|virtualhw\..*|extendedconfigfile|standfast\..*|(scsi|sata|nvme|ide|ehci|usb)\d*([.:].*)?\.(redo|present)"
)
"""What the platform writes for itself; no one misses it."""
_VAPP_TRANSPORTS = frozenset({"com.vmware.guestInfo", "iso"})
_VAPP_TEXT = re.compile(r"[^\x00-\x1f\x7f]{0,256}")
_MOST_NAMED = 40


def is_kept_setting(key: str, value: object = None) -> bool:
    """Return whether a setting of ``extraConfig`` goes over into a VM that is created again.

    Args:
        key: the setting's name.
        value: its value; None asks about the name alone.
    """
    lower = key.lower()
    if lower.removeprefix("guestinfo.") in _EXECUTED:
        return False
    for keys, values in _ALLOWED:
        if re.fullmatch(keys, lower, re.ASCII):
            return value is None or (
                isinstance(value, str | int) and re.fullmatch(values, str(value).lower(), re.ASCII) is not None
            )
    return False


def kept_settings(options: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return the options that go over, and the names of those that do not and that someone may miss."""
    kept: list[Any] = []
    left_out: list[str] = []
    for option in options:
        if option.value is not None and is_kept_setting(option.key, option.value):
            kept.append(vim.option.OptionValue(key=option.key, value=option.value))
        elif not _BOOKKEEPING.fullmatch(option.key.lower()) and not _is_kept_empty(option):
            left_out.append(option.key)
    return kept, left_out


def _is_kept_empty(option: Any) -> bool:
    return option.value in (None, "") and is_kept_setting(option.key)


def left_out_text(names: Iterable[str]) -> list[Message]:
    """Say which settings were left out, by name; nothing when there are none."""
    known = list(dict.fromkeys(names))
    if not known:
        return []
    shown = ", ".join(_plain(name) for name in known[:_MOST_NAMED])
    if len(known) > _MOST_NAMED:
        return [MORE_SETTINGS_LEFT_OUT.fill(settings=shown, count=len(known) - _MOST_NAMED)]
    return [SETTINGS_LEFT_OUT.fill(settings=shown)]


def _plain(name: str) -> str:
    """Return a name without line breaks and control characters, and not too long."""
    return "".join(char if char.isprintable() else "?" for char in name[:120])


# ---- vApp properties -------------------------------------------------------------------------------------------


def vapp_config(saved: Any) -> tuple[Any, list[str]]:
    """Return the vApp properties that go over, and the names of those that do not.

    Properties are data for the guest. OVF sections, license texts and what agents execute are left out.
    """
    if saved is None:
        return None, []
    kept = [item for item in saved.property or () if _is_kept_property(item)]
    left_out = [f"vApp property {item.id}" for item in saved.property or () if not _is_kept_property(item)]
    left_out += [f"OVF section {section.type}" for section in saved.ovfSection or ()]
    products = list(saved.product or ())
    transports = [transport for transport in saved.ovfEnvironmentTransport or () if transport in _VAPP_TRANSPORTS]
    left_out += [
        f"OVF transport {transport}"
        for transport in saved.ovfEnvironmentTransport or ()
        if transport not in _VAPP_TRANSPORTS
    ]
    if not (kept or products or transports):
        return None, left_out
    return vim.vApp.VmConfigSpec(
        product=[vim.vApp.ProductSpec(operation="add", info=_copied(product, _PRODUCT)) for product in products],
        property=[vim.vApp.PropertySpec(operation="add", info=_copied(item, _PROPERTY)) for item in kept],
        ovfEnvironmentTransport=transports,
    ), left_out


_PRODUCT = ("key", "classId", "instanceId", "name", "vendor", "version", "fullVersion")
_PROPERTY = (
    *("key", "classId", "instanceId", "id", "category", "label", "type", "userConfigurable", "defaultValue"),
    *("value", "description"),
)


def _is_kept_property(info: Any) -> bool:
    name = (info.id or "").lower()
    texts = [info.value or "", info.defaultValue or ""]
    is_plain = all(_VAPP_TEXT.fullmatch(text) for text in texts)
    return bool(re.fullmatch(r"[\w.-]{1,64}", name)) and name.rpartition(".")[2] not in _EXECUTED and is_plain


def _copied(source: Any, names: Iterable[str]) -> Any:
    made = type(source)()
    for name in names:
        value = getattr(source, name)
        if value is not None:
            setattr(made, name, value)
    return made
