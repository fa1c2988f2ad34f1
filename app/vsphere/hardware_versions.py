"""Virtual hardware versions: what a host creates VMs with, and what of a saved VM an older version can hold.

Sources: "Hardware features available with virtual machine compatibility settings" and "Virtual machine hardware
versions" of Broadcom's documentation.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyVmomi import vim

from app.domain.messages import Message, MessageKind
from app.vsphere.deviations import (
    COUNTERS,
    IOMMU,
    MOTHERBOARD,
    NEEDS_NEWER_VERSION,
    NESTED,
    SEV,
    SGX,
    THREADS,
    VBS,
    VERSION_LOWERED,
    VERSION_MALFORMED,
    VERSION_UNKNOWN,
)
from app.vsphere.faults import FOREIGN
from app.vsphere.properties import Query
from app.vsphere.reasons import (
    AND,
    CPUS,
    EFI,
    MEMORY,
    NEWER_ESXI,
    NEWER_HOST,
    NVME,
    SATA,
    SECURE_BOOT,
    TPM,
    USB3,
    VERSION_NEEDED,
    Unsuitable,
)

_device = vim.vm.device
_VERSION = re.compile(r"vmx-(\d{1,3})")

_NEWEST_BY_ESXI: tuple[tuple[tuple[int, ...], int], ...] = (
    ((9, 0), 22),
    ((8, 0, 2), 21),
    ((8, 0), 20),
    ((7, 0, 2), 19),
    ((7, 0, 1), 18),
    ((7, 0), 17),
    ((6, 7), 14),
    ((6, 5), 13),
    ((6, 0), 11),
    ((5, 5), 10),
    ((5, 1), 9),
    ((5, 0), 8),
)
"""The newest version of each ESXi, the newest ESXi first."""
_ESXI_OF = {22: "9.0", 21: "8.0 U2", 20: "8.0", 19: "7.0 U2", 18: "7.0 U1", 17: "7.0", 15: "6.7 U2", 14: "6.7"} | {
    13: "6.5",
    11: "6.0",
    10: "5.5",
    9: "5.1",
    8: "5.0",
}
_MOST_CPUS = ((18, 768), (15, 256), (11, 128), (9, 64), (8, 32), (0, 8))
_MOST_MEMORY_MIB = ((18, 24 << 20), (13, 6128 << 10), (11, 4080 << 10), (8, 1011 << 10), (0, 255 << 10))
_DEVICES: tuple[tuple[type[Any], int, MessageKind], ...] = (
    (_device.VirtualNVMEController, 13, NVME),
    (_device.VirtualTPM, 14, TPM),
    (_device.VirtualAHCIController, 10, SATA),
    (_device.VirtualUSBXHCIController, 8, USB3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChoice:
    """The version that a VM is created with."""

    version: str | None
    """``vmx-19``; None leaves it to the host."""
    warnings: tuple[Message, ...] = ()
    lost: frozenset[str] = frozenset()
    """Properties of the configuration that this version does not know."""


class VersionTooOld(Unsuitable):
    """No version of the host can hold the VM. Never leaves this package."""


def number_of(version: str | None) -> int:
    """Return the number in ``vmx-19``; 0 when there is none."""
    match = _VERSION.fullmatch(version or "")
    return int(match[1]) if match else 0


def offered_versions(query: Query, browsers: Iterable[Any]) -> Mapping[str, frozenset[str]]:
    """Ask each environment for the versions that its hosts create VMs with.

    Returns:
        The versions by the hosts' ids; a host whose environment does not answer is missing.
    """
    found: dict[str, set[str]] = {}
    for browser in browsers:
        if browser is None:
            continue
        try:
            descriptors = vim.EnvironmentBrowser(browser._moId, query.stub).QueryConfigOptionDescriptor()
        except FOREIGN:
            continue
        for descriptor in descriptors or ():
            if descriptor.createSupported is not False:
                for host in descriptor.host or ():
                    found.setdefault(host._moId, set()).add(descriptor.key)
    return {moid: frozenset(versions) for moid, versions in found.items()}


def guest_systems(query: Query, environment: str, host: str, version: str) -> frozenset[str]:
    """Ask which guest systems a host knows with a hardware version; empty when it does not say."""
    browser = vim.EnvironmentBrowser(environment, query.stub)
    try:
        option = browser.QueryConfigOption(key=version, host=vim.HostSystem(host, query.stub))
    except FOREIGN:
        return frozenset()
    return frozenset(
        descriptor.id for descriptor in (option.guestOSDescriptor if option is not None else None) or ()
    )


_GENERAL_GUESTS = (
    ("windows", "srv", ("windows2019srv_64Guest", "windows9Server64Guest", "windows8Server64Guest")),
    ("windows", "", ("windows9_64Guest", "windows8_64Guest", "windows7_64Guest")),
    ("other", "", ("otherGuest64", "otherGuest")),
    ("", "", ("other5xLinux64Guest", "other4xLinux64Guest", "other3xLinux64Guest", "otherLinux64Guest")),
)
"""Where the beginning and a part of a guest system's id fit, the ids that stand for it on older hosts."""


def known_guest(guest: str, known: frozenset[str]) -> str:
    """Return the guest system that stands for one that a host may not know."""
    if not known or guest in known:
        return guest
    lower = guest.lower()
    fitting = next(ids for begin, part, ids in _GENERAL_GUESTS if lower.startswith(begin) and part in lower)
    return next(
        (identifier for identifier in (*fitting, "otherGuest64", "otherGuest") if identifier in known), guest
    )


def newest_version(offered: Iterable[str], esxi: str) -> int:
    """Return the number of the newest version of a host; 0 when it is not known.

    Args:
        offered: the versions that the host says it creates VMs with; empty when it did not say.
        esxi: version of its ESXi, which decides then.
    """
    numbers = [number_of(version) for version in offered]
    if any(numbers):
        return max(numbers)
    release = tuple(int(part) for part in re.findall(r"\d+", esxi)[:3])
    return next((newest for since, newest in _NEWEST_BY_ESXI if release >= since), 0) if release else 0


def choose_version(
    config: Any, offered: Iterable[str], esxi: str, host: str, *, cpus: int, memory_mib: int
) -> VersionChoice:
    """Choose the version for a saved VM on a host: its own, or the newest there that can hold it.

    Args:
        config: ``vim.vm.ConfigInfo`` of the saved VM.
        offered: versions that the host creates VMs with.
        esxi: version of its ESXi.
        host: its name.
        cpus: number of virtual CPUs that the VM gets.
        memory_mib: memory that it gets.

    Raises:
        VersionTooOld: what the VM is made of needs a newer version than the host has.
    """
    saved = number_of(config.version)
    newest = newest_version(offered, esxi)
    usable = bool(saved) and (saved <= newest or not newest)
    chosen = saved if usable else newest
    _refuse_what_does_not_fit(config, chosen, host, cpus=cpus, memory_mib=memory_mib, lowered=not usable)
    if usable:
        return VersionChoice(version=config.version)
    if not newest:
        return VersionChoice(version=None, warnings=(VERSION_UNKNOWN.fill(host=host),))
    version = f"vmx-{newest:02}"
    if not saved:
        return VersionChoice(version=version, warnings=(VERSION_MALFORMED.fill(),))
    lost = frozenset(name for name, since in _PROPERTIES if since > newest)
    gone = [text for name, text in _SAID.items() if name in lost and _is_set(config, name)]
    warnings = [
        VERSION_LOWERED.fill(version=config.version, host=host, lowered=version),
        *(NEEDS_NEWER_VERSION.fill(feature=feature) for feature in gone),
    ]
    return VersionChoice(version=version, warnings=tuple(warnings), lost=lost)


_PROPERTIES = (
    ("simultaneousThreads", 20),
    ("motherboardLayout", 20),
    ("sgxInfo", 17),
    ("sevEnabled", 17),
    ("vbsEnabled", 14),
    ("vvtdEnabled", 14),
    ("nestedHVEnabled", 9),
    ("vPMCEnabled", 9),
)
"""Properties of the configuration, each with the version that knows it first."""
_SAID = {
    "sevEnabled": SEV,
    "vbsEnabled": VBS,
    "vvtdEnabled": IOMMU,
    "nestedHVEnabled": NESTED,
    "sgxInfo": SGX,
    "vPMCEnabled": COUNTERS,
    "simultaneousThreads": THREADS,
    "motherboardLayout": MOTHERBOARD,
}
_OFF = {"simultaneousThreads": (0, 1), "motherboardLayout": ("", "i440bxHostBridge")}
"""Values with which a property asks for nothing that older versions lack."""


def _is_set(config: Any, name: str) -> bool:
    values = (getattr(part, name, None) for part in (config, config.flags, config.hardware))
    if name == "sgxInfo":
        return any(value is not None and bool(value.epcSize) for value in values)
    return any(bool(value) and value not in _OFF.get(name, ()) for value in values)


def _refuse_what_does_not_fit(
    config: Any, version: int, host: str, *, cpus: int, memory_mib: int, lowered: bool
) -> None:
    """Refuse what the version cannot hold; with the VM's own version, only what was asked for beyond it."""
    needs: list[tuple[int, Message]] = []
    if version and lowered:
        needs = [*_needs(config, version), *_sizes(version, cpus=cpus, memory_mib=memory_mib)]
    elif version and _is_resized(config, cpus, memory_mib):
        needs = list(_sizes(version, cpus=cpus, memory_mib=memory_mib))
    if not needs:
        return
    needed = max(number for number, _ in needs)
    what = needs[0][1]
    for _, other in needs[1:]:
        what = AND.fill(one=what, other=other)
    esxi = _ESXI_OF.get(needed, "")
    raise VersionTooOld(
        VERSION_NEEDED.fill(
            version=f"vmx-{version:02}",
            host=host,
            what=what,
            count=len(needs),
            needed=f"vmx-{needed:02}",
            remedy=NEWER_ESXI.fill(version=esxi) if esxi else NEWER_HOST,
        )
    )


def _is_resized(config: Any, cpus: int, memory_mib: int) -> bool:
    return (cpus, memory_mib) != (config.hardware.numCPU, config.hardware.memoryMB)


def _needs(config: Any, version: int) -> Iterable[tuple[int, Message]]:
    for kind, since, text in _DEVICES:
        if version < since and any(isinstance(device, kind) for device in config.hardware.device):
            yield since, text.fill()
    if version < 13 and config.bootOptions is not None and config.bootOptions.efiSecureBootEnabled:
        yield 13, SECURE_BOOT.fill()
    if version < 8 and config.firmware == "efi":
        yield 8, EFI.fill()


def _sizes(version: int, *, cpus: int, memory_mib: int) -> Iterable[tuple[int, Message]]:
    limits: tuple[tuple[Sequence[tuple[int, int]], int, Message], ...] = (
        (_MOST_CPUS, cpus, CPUS.fill(count=cpus)),
        (_MOST_MEMORY_MIB, memory_mib, MEMORY.fill(mib=memory_mib)),
    )
    for table, wanted, text in limits:
        most = next(most for since, most in table if version >= since)
        if wanted > most:
            able = [since for since, limit in table if limit >= wanted]
            yield (min(able) if able else table[0][0]), text
