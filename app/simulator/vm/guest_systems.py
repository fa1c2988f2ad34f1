"""Guest operating systems by vSphere's identifiers: their names, and what .vmx files call them."""

_FULL_NAMES = {
    "debian10_64Guest": "Debian GNU/Linux 10 (64-bit)",
    "debian11_64Guest": "Debian GNU/Linux 11 (64-bit)",
    "debian12_64Guest": "Debian GNU/Linux 12 (64-bit)",
    "ubuntu64Guest": "Ubuntu Linux (64-bit)",
    "centos7_64Guest": "CentOS 7 (64-bit)",
    "centos8_64Guest": "CentOS 8 (64-bit)",
    "rhel7_64Guest": "Red Hat Enterprise Linux 7 (64-bit)",
    "rhel8_64Guest": "Red Hat Enterprise Linux 8 (64-bit)",
    "rhel9_64Guest": "Red Hat Enterprise Linux 9 (64-bit)",
    "rockylinux_64Guest": "Rocky Linux (64-bit)",
    "sles15_64Guest": "SUSE Linux Enterprise 15 (64-bit)",
    "other5xLinux64Guest": "Other 5.x Linux (64-bit)",
    "otherLinux64Guest": "Other Linux (64-bit)",
    "otherGuest": "Other (32-bit)",
    "otherGuest64": "Other (64-bit)",
    "windows9Server64Guest": "Microsoft Windows Server 2016 (64-bit)",
    "windows2019srv_64Guest": "Microsoft Windows Server 2019 (64-bit)",
    "windows2019srvNext_64Guest": "Microsoft Windows Server 2022 (64-bit)",
    "windows2022srvNext_64Guest": "Microsoft Windows Server 2025 (64-bit)",
    "windows9_64Guest": "Microsoft Windows 10 (64-bit)",
    "windows11_64Guest": "Microsoft Windows 11 (64-bit)",
}
_VMX_NAMES = {
    "otherGuest": "other",
    "otherGuest64": "other-64",
    "otherLinux64Guest": "otherlinux-64",
    "other5xLinux64Guest": "other5xlinux-64",
    "ubuntu64Guest": "ubuntu-64",
    "rockylinux_64Guest": "rockylinux-64",
    "windows9Server64Guest": "windows9srv-64",
}
_BY_VMX_NAME = {name: guest for guest, name in _VMX_NAMES.items()}


_FIRST_KNOWN = {"windows2022srvNext_64Guest": 20, "windows11_64Guest": 18, "windows2019srvNext_64Guest": 18}
"""The hardware versions that know a guest system first, where simulated hosts may be older."""


def known_with(version: int) -> list[str]:
    """Return the guest systems that a virtual hardware version knows."""
    return [guest for guest in _FULL_NAMES if _FIRST_KNOWN.get(guest, 0) <= version]


def is_known_with(guest_id: str, version: int) -> bool:
    """Return whether a virtual hardware version knows a guest system; one that is not on the list it does."""
    return _FIRST_KNOWN.get(guest_id, 0) <= version


def full_name(guest_id: str) -> str:
    """Return the name that people read."""
    return _FULL_NAMES.get(guest_id, guest_id.removesuffix("Guest"))


def family(guest_id: str) -> str:
    """Return ``windowsGuest``, ``linuxGuest`` or ``otherGuestFamily``."""
    if guest_id.startswith("win"):
        return "windowsGuest"
    return "otherGuestFamily" if guest_id.startswith("otherGuest") else "linuxGuest"


def vmx_name(guest_id: str) -> str:
    """Return what a .vmx file calls the guest: ``debian12-64``."""
    return _VMX_NAMES.get(guest_id) or guest_id.removesuffix("Guest").replace("_", "-")


def from_vmx_name(name: str) -> str:
    """Return the identifier of a guest named as in a .vmx file."""
    return _BY_VMX_NAME.get(name) or name.replace("-", "_") + "Guest"
