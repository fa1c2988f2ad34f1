"""The .vmx file: a VM's configuration as text, written and read."""

import re
from collections.abc import Iterator
from typing import Any

from pyVmomi import vim

from app.simulator.vm import guest_systems
from app.simulator.vm.config import config_stem, extra_value, option, vmx_path_of
from app.simulator.vm.controllers import (
    IDE,
    SCSI_CONTROLLERS,
    STORAGE_KINDS,
    nvme_controller,
    sata_controller,
    scsi_controller,
    storage_kind,
)
from app.simulator.vm.devices import ETHERNET_CARDS, cdrom, connect_info, network_backing
from app.simulator.vm.values import Device

_device = vim.vm.device
_LINE = re.compile(r'\s*(?P<key>[^#=\s][^=]*?)\s*=\s*"(?P<value>.*)"\s*', re.DOTALL)
_ESCAPED = re.compile(r"\|([0-9A-Fa-f]{2})")
_ADDRESS_TYPES = {"assigned": "vpx", "generated": "generated", "manual": "static"}
_API_ADDRESS_TYPES = {text: api for api, text in _ADDRESS_TYPES.items()}


def render(config: vim.vm.ConfigInfo) -> str:
    """Write the .vmx text of a VM."""
    lines = dict(_general(config))
    for device in config.hardware.device:
        lines.update(_of_device(device, config))
    known = {key.lower() for key in lines}
    lines.update({entry.key: str(entry.value) for entry in config.extraConfig if entry.key.lower() not in known})
    return "".join(f'{key} = "{escape(value)}"\n' for key, value in lines.items())


def _general(config: vim.vm.ConfigInfo) -> Iterator[tuple[str, str]]:
    base = config_stem(vmx_path_of(config).rpartition("/")[2])
    boot_delay: Any = config.bootOptions.bootDelay if config.bootOptions else 0
    yield ".encoding", "UTF-8"
    yield "config.version", "8"
    yield "virtualHW.version", config.version.removeprefix("vmx-")
    yield "nvram", extra_value(config, "nvram") or f"{base}.nvram"
    yield "displayName", config.name
    yield "guestOS", guest_systems.vmx_name(config.guestId)
    yield "annotation", config.annotation or ""
    yield "uuid.bios", spaced(config.uuid)
    yield "uuid.location", spaced(config.locationId or config.uuid)
    if config.instanceUuid:
        yield "vc.uuid", spaced(config.instanceUuid)
    yield "memSize", str(config.hardware.memoryMB)
    yield "numvcpus", str(config.hardware.numCPU)
    yield "cpuid.coresPerSocket", str(config.hardware.numCoresPerSocket or 1)
    yield "firmware", config.firmware or "bios"
    if config.bootOptions and config.bootOptions.efiSecureBootEnabled:
        yield "uefi.secureBoot.enabled", "TRUE"
    if boot_delay:
        yield "bios.bootDelay", str(boot_delay)
    reservation: Any = config.memoryAllocation.reservation if config.memoryAllocation else None
    if reservation:
        yield "sched.mem.min", str(reservation)
    if config.memoryReservationLockedToMax:
        yield "sched.mem.pin", "TRUE"
    yield "mem.hotadd", _flag(config.memoryHotAddEnabled)
    yield "vcpu.hotadd", _flag(config.cpuHotAddEnabled)
    yield "ctkEnabled", _flag(config.changeTrackingEnabled)
    yield "disk.EnableUUID", _flag(config.flags.diskUuidEnabled)
    yield "tools.syncTime", _flag(config.tools.syncTimeWithHost if config.tools else False)
    yield "tools.upgrade.policy", (config.tools.toolsUpgradePolicy if config.tools else None) or "manual"
    yield "vmci0.present", "TRUE"
    yield "floppy0.present", "FALSE"


def _of_device(device: Device, config: vim.vm.ConfigInfo) -> Iterator[tuple[str, str]]:
    if isinstance(device, _device.VirtualController):
        yield from _of_controller(device)
    elif isinstance(device, _device.VirtualDisk):
        yield from _of_disk(device, config)
    elif isinstance(device, _device.VirtualCdrom):
        place = _place(device, config)
        yield f"{place}.present", "TRUE"
        iso = getattr(device.backing, "fileName", None)
        yield f"{place}.deviceType", "cdrom-image" if iso else "atapi-cdrom"
        if iso:
            yield f"{place}.fileName", _file_name(iso, config)
        yield f"{place}.startConnected", _flag(bool(device.connectable and device.connectable.startConnected))
    elif isinstance(device, _device.VirtualEthernetCard):
        yield from _of_card(device)
    elif isinstance(device, _device.VirtualTPM):
        yield "vtpm.present", "TRUE"


def _of_controller(device: _device.VirtualController) -> Iterator[tuple[str, str]]:
    kind = storage_kind(device)
    if kind is not None and kind is not IDE:
        yield f"{kind.name}{device.busNumber}.present", "TRUE"
    if isinstance(device, _device.VirtualSCSIController):
        yield f"scsi{device.busNumber}.virtualDev", scsi_model(device)
        sharing = {"physicalSharing": "physical", "virtualSharing": "virtual"}.get(device.sharedBus, "none")
        yield f"scsi{device.busNumber}.sharedBus", sharing
    elif isinstance(device, _device.VirtualUSBXHCIController):
        yield "usb_xhci.present", "TRUE"
    elif isinstance(device, _device.VirtualUSBController):
        yield "usb.present", "TRUE"


def scsi_model(device: _device.VirtualSCSIController) -> str:
    """Return the name of a SCSI controller's model in .vmx files."""
    return next((model for model, kind in SCSI_CONTROLLERS.items() if type(device) is kind), "lsilogic")


def _place(device: Device, config: vim.vm.ConfigInfo) -> str:
    controller = next(other for other in config.hardware.device if other.key == device.controllerKey)
    kind = storage_kind(controller)
    name = kind.name if kind is not None else "ide"
    return f"{name}{getattr(controller, 'busNumber', 0)}:{device.unitNumber}"


def _of_disk(device: _device.VirtualDisk, config: vim.vm.ConfigInfo) -> Iterator[tuple[str, str]]:
    place = _place(device, config)
    mode = str(getattr(device.backing, "diskMode", None) or "persistent")
    yield f"{place}.present", "TRUE"
    yield f"{place}.deviceType", "disk" if place.startswith("nvme") else "scsi-hardDisk"
    yield f"{place}.fileName", _file_name(str(getattr(device.backing, "fileName", "")), config)
    if mode != "persistent":
        yield f"{place}.mode", mode.replace("_", "-")
    if config.changeTrackingEnabled and mode == "persistent":
        yield f"{place}.ctkEnabled", "TRUE"
    if getattr(device.backing, "sharing", None) == "sharingMultiWriter":
        yield f"{place}.sharing", "multi-writer"


def _of_card(device: _device.VirtualEthernetCard) -> Iterator[tuple[str, str]]:
    place = f"ethernet{device.key - 4000}"
    model = next((name for name, kind in ETHERNET_CARDS.items() if type(device) is kind), "vmxnet3")
    yield f"{place}.present", "TRUE"
    yield f"{place}.virtualDev", model
    if isinstance(device.backing, _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo):
        port = device.backing.port
        yield f"{place}.dvs.switchId", port.switchUuid
        yield f"{place}.dvs.portgroupId", port.portgroupKey or ""
        yield f"{place}.dvs.portId", port.portKey or ""
    else:
        yield f"{place}.networkName", str(getattr(device.backing, "deviceName", ""))
    address_type = _ADDRESS_TYPES.get((device.addressType or "").lower(), "static")
    yield f"{place}.addressType", address_type
    yield f"{place}.{'generatedAddress' if address_type == 'generated' else 'address'}", device.macAddress or ""
    yield f"{place}.startConnected", _flag(bool(device.connectable is None or device.connectable.startConnected))


def _file_name(path: str, config: vim.vm.ConfigInfo) -> str:
    """Files in the VM's own directory are named without it, others by their absolute path on the host."""
    home, _, _ = vmx_path_of(config).rpartition("/")
    if path.startswith(home + "/") and "/" not in path[len(home) + 1 :]:
        return path[len(home) + 1 :]
    datastore, _, relative = path.removeprefix("[").partition("] ")
    return f"/vmfs/volumes/{datastore}/{relative}"


def parse(text: str) -> dict[str, str]:
    """Read the settings of a .vmx file, keys in lower case; lines that are no settings are left out."""
    return {key.lower(): value for key, value in _spelled(text).items()}


def _spelled(text: str) -> dict[str, str]:
    """Read the settings of a .vmx file with their keys as they are spelled."""
    matches = (_LINE.fullmatch(line) for line in text.replace("\r\n", "\n").split("\n"))
    return {match["key"]: _unescape(match["value"]) for match in matches if match is not None}


def spec_from_text(text: str, vmx_path: str) -> vim.vm.ConfigSpec:
    """Turn a .vmx file into the spec of a VM that attaches the disks it names.

    Raises:
        vim.fault.InvalidVmConfig: it is not a .vmx file.
    """
    settings = parse(text)
    if "displayname" not in settings or "virtualhw.version" not in settings:
        raise vim.fault.InvalidVmConfig(msg=f"{vmx_path} is not a configuration file.", property="path")
    return vim.vm.ConfigSpec(
        name=settings["displayname"],
        version=f"vmx-{int(settings['virtualhw.version']):02}",
        guestId=guest_systems.from_vmx_name(settings.get("guestos", "other-64")),
        annotation=settings.get("annotation"),
        uuid=_dashed(settings.get("uuid.bios")),
        instanceUuid=_dashed(settings.get("vc.uuid")),
        locationId=_dashed(settings.get("uuid.location")),
        memoryMB=int(settings.get("memsize", "1024")),
        numCPUs=int(settings.get("numvcpus", "1")),
        numCoresPerSocket=int(settings.get("cpuid.corespersocket", "1")),
        firmware=settings.get("firmware", "bios"),
        memoryHotAddEnabled=_is_true(settings, "mem.hotadd"),
        cpuHotAddEnabled=_is_true(settings, "vcpu.hotadd"),
        changeTrackingEnabled=_is_true(settings, "ctkenabled"),
        bootOptions=vim.vm.BootOptions(
            efiSecureBootEnabled=_is_true(settings, "uefi.secureboot.enabled"),
            bootDelay=int(settings.get("bios.bootdelay", "0")),
        ),
        flags=vim.vm.FlagInfo(diskUuidEnabled=_is_true(settings, "disk.enableuuid")),
        extraConfig=[option(key, value) for key, value in _spelled(text).items() if not _is_known(key)],
        memoryAllocation=vim.ResourceAllocationInfo(reservation=int(settings.get("sched.mem.min", "0"))),
        memoryReservationLockedToMax=_is_true(settings, "sched.mem.pin"),
        deviceChange=[
            _device.VirtualDeviceSpec(operation="add", device=device)
            for device in [
                *_read_controllers(settings),
                *_read_drives(settings, vmx_path),
                *_read_cards(settings),
                *_read_extras(settings),
            ]
        ],
    )


_KNOWN = frozenset({
    ".encoding", "annotation", "bios.bootdelay", "config.version", "cpuid.corespersocket", "ctkenabled",
    "disk.enableuuid", "displayname", "firmware", "guestos", "mem.hotadd", "memsize", "numvcpus", "sched.mem.min",
    "sched.mem.pin", "tools.synctime", "tools.upgrade.policy", "uefi.secureboot.enabled", "uuid.bios",
    "uuid.location", "vc.uuid", "vcpu.hotadd", "virtualhw.version",
})  # fmt: skip
_OF_DEVICES = re.compile(r"(scsi|sata|nvme|ide|ethernet|floppy|usb|usb_xhci|vmci|vtpm)\d*(:\d+)?\..*")


def _is_known(key: str) -> bool:
    """Return whether a setting has a place of its own in a configuration; all others are ``extraConfig``."""
    return key.lower() in _KNOWN or _OF_DEVICES.fullmatch(key.lower()) is not None


def _read_controllers(settings: dict[str, str]) -> Iterator[Device]:
    for bus in range(4):
        if _is_true(settings, f"scsi{bus}.present"):
            model = settings.get(f"scsi{bus}.virtualdev", "lsilogic")
            sharing = {"physical": "physicalSharing", "virtual": "virtualSharing"}
            yield scsi_controller(
                model if model in SCSI_CONTROLLERS else "lsilogic",
                bus,
                sharing.get(settings.get(f"scsi{bus}.sharedbus", ""), "noSharing"),
            )
        if _is_true(settings, f"sata{bus}.present"):
            yield sata_controller(bus)
        if _is_true(settings, f"nvme{bus}.present"):
            yield nvme_controller(bus)


def _read_drives(settings: dict[str, str], vmx_path: str) -> Iterator[Device]:
    for kind in STORAGE_KINDS:
        for bus in range(kind.most):
            for unit in kind.usable_units:
                place = f"{kind.name}{bus}:{unit}"
                if _is_true(settings, f"{place}.present"):
                    yield _read_drive(settings, place, kind.first_key + bus, unit, vmx_path)


def _read_drive(settings: dict[str, str], place: str, controller: int, unit: int, vmx_path: str) -> Device:
    if "cdrom" in settings.get(f"{place}.devicetype", "disk"):
        return cdrom(controller, unit)
    path = absolute(settings.get(f"{place}.filename", ""), vmx_path)
    backing = _device.VirtualDisk.FlatVer2BackingInfo(
        fileName=path,
        diskMode=settings.get(f"{place}.mode", "persistent").replace("-", "_"),
        sharing="sharingMultiWriter" if settings.get(f"{place}.sharing") == "multi-writer" else "sharingNone",
    )
    return _device.VirtualDisk(key=-1, controllerKey=controller, unitNumber=unit, capacityInKB=0, backing=backing)


def _read_cards(settings: dict[str, str]) -> Iterator[Device]:
    for number in range(10):
        place = f"ethernet{number}"
        if not _is_true(settings, f"{place}.present"):
            continue
        backing: Device.BackingInfo
        if f"{place}.dvs.switchid" in settings:
            backing = _device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(
                port=vim.dvs.PortConnection(
                    switchUuid=settings[f"{place}.dvs.switchid"],
                    portgroupKey=settings.get(f"{place}.dvs.portgroupid") or None,
                    portKey=settings.get(f"{place}.dvs.portid") or None,
                )
            )
        else:
            backing = network_backing(settings.get(f"{place}.networkname", ""), None)
        model = settings.get(f"{place}.virtualdev", "vmxnet3")
        start = settings.get(f"{place}.startconnected", "TRUE").upper() == "TRUE"
        kind = ETHERNET_CARDS.get(model, _device.VirtualVmxnet3)
        yield kind(
            key=-100 - number,
            backing=backing,
            addressType=_API_ADDRESS_TYPES.get(settings.get(f"{place}.addresstype", ""), "manual"),
            macAddress=settings.get(f"{place}.address") or settings.get(f"{place}.generatedaddress"),
            connectable=connect_info(connected=False, start_connected=start),
        )


def _read_extras(settings: dict[str, str]) -> Iterator[Device]:
    if _is_true(settings, "usb_xhci.present"):
        yield _device.VirtualUSBXHCIController(key=-200, busNumber=0)
    if _is_true(settings, "usb.present"):
        yield _device.VirtualUSBController(key=-201, busNumber=0)
    if _is_true(settings, "vtpm.present"):
        yield _device.VirtualTPM(key=-202)


def absolute(file_name: str, vmx_path: str) -> str:
    """Turn a file name from a .vmx file into a datastore path."""
    if file_name.startswith("/vmfs/volumes/"):
        datastore, _, relative = file_name.removeprefix("/vmfs/volumes/").partition("/")
        return f"[{datastore}] {relative}"
    return file_name if file_name.startswith("[") else f"{vmx_path.rpartition('/')[0]}/{file_name}"


def spaced(uuid: str) -> str:
    """Spell a UUID as .vmx files do: ``56 4d a1 …-… 0f``."""
    digits = uuid.replace("-", "").replace(" ", "").lower()
    pairs = [digits[i : i + 2] for i in range(0, 32, 2)]
    return " ".join(pairs[:8]) + "-" + " ".join(pairs[8:])


def _dashed(text: str | None) -> str | None:
    if not text:
        return None
    digits = text.replace("-", "").replace(" ", "")
    return (
        "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        if len(digits) == 32
        else None
    )


def _flag(value: bool | None) -> str:  # noqa: FBT001 - it is the value itself
    return "TRUE" if value else "FALSE"


def _is_true(settings: dict[str, str], key: str) -> bool:
    return settings.get(key, "").upper() == "TRUE"


def escape(value: str) -> str:
    """Spell a value so that it fits between quotes on one line."""
    return "".join(f"|{ord(char):02X}" if char in '|"#' or ord(char) < 32 else char for char in value)


def _unescape(value: str) -> str:
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)
