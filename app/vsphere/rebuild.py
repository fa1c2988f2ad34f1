"""A saved VM as the specification that creates it again: a pure function.

Source: protocols page *vSphere facts*, section "Creating a VM again".
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyVmomi import vim

from app.domain.messages import Message
from app.domain.vms import VmPlacement
from app.vsphere.adapter_networks import NetworkChoices
from app.vsphere.deviations import GUEST_UNKNOWN, NVRAM_ENCRYPTED, WAS_ENCRYPTED, WAS_MANAGED
from app.vsphere.hardware_versions import VersionChoice, choose_version, known_guest
from app.vsphere.names import DatastorePath, escaped, file_name_of
from app.vsphere.placement import Origin, Place
from app.vsphere.plain_values import copy_plain, is_plain
from app.vsphere.rebuild_devices import DeviceChoices, DiskSlot, rebuild_devices
from app.vsphere.saved_vm import SavedVm
from app.vsphere.settings_allowed import kept_settings, left_out_text, vapp_config

MARK = "standfast.creation"
"""Key in ``extraConfig`` under which a VM that we create carries an id of its own: only such a VM may be removed
when its creation fails half-way."""

_device = vim.vm.device
_SAME_NAME = (
    *("guestId", "alternateGuestName", "annotation", "consolePreferences", "rebootPowerOff"),
    *("vcpuConfig", "memoryHotAddEnabled", "cpuHotAddEnabled", "cpuHotRemoveEnabled", "latencySensitivity"),
    *("swapPlacement", "firmware", "maxMksConnections", "guestAutoLockEnabled", "memoryReservationLockedToMax"),
    *("nestedHVEnabled", "vPMCEnabled", "sevEnabled", "sgxInfo"),
)
"""Properties that ConfigInfo and ConfigSpec have in common and that go over. Not among them: what makes the VM one
of another product (``managedBy``), paths of files, and the channel from the guest to the host's message bus."""
_FLAGS = (
    *("enableLogging", "htSharing", "diskUuidEnabled", "virtualMmuUsage", "virtualExecUsage"),
    *("snapshotPowerOffBehavior", "vvtdEnabled", "vbsEnabled"),
)
"""Without those that slow the VM down or fill the host's disk for debugging."""
_POWER = (
    *("powerOffType", "suspendType", "resetType", "defaultPowerOffType", "defaultSuspendType"),
    *("defaultResetType", "standbyAction"),
)
_TOOLS = (
    *("afterPowerOn", "afterResume", "beforeGuestStandby", "beforeGuestShutdown", "beforeGuestReboot"),
    *("toolsUpgradePolicy", "syncTimeWithHostAllowed", "syncTimeWithHost"),
)
_ALLOCATION = ("reservation", "expandableReservation", "limit", "shares")
_BOOT = (
    *("bootDelay", "enterBIOSSetup", "efiSecureBootEnabled", "bootRetryEnabled", "bootRetryDelay"),
    "networkBootProtocol",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The UUIDs and addresses of the saved VM that the new one keeps."""

    uuid: str | None
    instance_uuid: str | None
    taken_mac_addresses: frozenset[str]
    """Lower case; adapters with one of these get a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """The specification and what belongs to it."""

    spec: Any
    """``vim.vm.ConfigSpec``"""
    disks: dict[int, DiskSlot]
    """Slot of each disk that is created or attached, by its saved key."""
    mac_addresses: tuple[str, ...]
    """Those that are asked for, lower case."""
    eager_bytes: int
    """Bytes that the platform zeroes while it creates the VM."""
    warnings: tuple[Message, ...] = field(default_factory=tuple)


def origin_of(saved: SavedVm, platform_instance: str = "") -> Origin:
    """Return where a saved VM came from.

    Args:
        saved: the saved VM.
        platform_instance: what the platform that is restored to calls itself; see ``SavedVm.platform_instance``.
    """
    known = saved.datastores.values()
    files = saved.config.files
    both = saved.platform_instance and platform_instance
    return Origin(
        datacenter=saved.datacenter,
        folder=saved.folder,
        host=saved.host,
        resource_pool=saved.resource_pool,
        datastore=_datastore_of(files.vmPathName if files is not None else None, known),
        disk_datastores={
            device.key: _datastore_of(getattr(device.backing, "fileName", None), known)
            for device in saved.config.hardware.device
            if isinstance(device, _device.VirtualDisk)
        },
        datacenter_id=saved.datacenter_id,
        datacenter_path=saved.datacenter_path,
        folder_id=saved.folder_id,
        host_id=saved.host_id,
        hardware_version=saved.config.version or "",
        resource_pool_id=saved.resource_pool_id,
        resource_pool_path=saved.resource_pool_path,
        datastore_ids={name: moid for moid, name in saved.datastores.items()},
        same_platform=saved.platform_instance == platform_instance if both else None,
    )


def _datastore_of(path: str | None, known: Iterable[str]) -> str:
    try:
        return DatastorePath.parse(path or "", known).datastore
    except ValueError:
        return ""


def mac_addresses_of(saved: SavedVm) -> frozenset[str]:
    """Return the MAC addresses of a saved VM, lower case."""
    return frozenset(
        device.macAddress.lower()
        for device in saved.config.hardware.device
        if isinstance(device, _device.VirtualEthernetCard) and device.macAddress
    )


def disk_keys_of(saved: SavedVm) -> tuple[int, ...]:
    """Return the keys of a saved VM's disks."""
    devices = saved.config.hardware.device
    return tuple(device.key for device in devices if isinstance(device, _device.VirtualDisk))


def rebuild(saved: SavedVm, place: Place, wanted: VmPlacement, identity: Identity, mark: str) -> Rebuilt:
    """Make the specification of a VM from a saved one, with empty disks but for those that exist already."""
    config = saved.config
    devices = rebuild_devices(
        config.hardware.device,
        DeviceChoices(
            disk_datastores=place.disk_datastores,
            networks=NetworkChoices(
                names=saved.networks,
                instead=dict(wanted.networks),
                offered=place.host.networks,
                by_adapter=dict(wanted.adapter_networks),
                elsewhere=place.other_networks,
                same_platform=place.same_platform,
            ),
            adapter_addresses=dict(wanted.adapter_addresses),
            keep_disk_uuids=identity.uuid is not None,
            present_disks=dict(wanted.present_disks),
            is_isolated=wanted.is_isolated,
            keeps_mac=lambda mac: mac.lower() not in identity.taken_mac_addresses,
        ),
    )
    version = version_for(saved, place, wanted)
    spec = vim.vm.ConfigSpec(name=escaped(wanted.name))
    spec.files = vim.vm.FileInfo(vmPathName=_path_of(place.datastore, wanted))
    copy_plain(config, spec, [name for name in _SAME_NAME if name not in version.lost])
    spec.version = version.version
    spec.guestId = known_guest(spec.guestId or "", place.guest_ids) or None
    _set_hardware(config, spec, wanted, version.lost)
    _set_settings(config, spec, version.lost)
    _shrink_reservations(config, spec)
    spec.uuid, spec.instanceUuid = identity.uuid, identity.instance_uuid
    settings, left_out = kept_settings(config.extraConfig or ())
    spec.vAppConfig, left_out_of_vapp = vapp_config(config.vAppConfig)
    spec.extraConfig = [*settings, vim.option.OptionValue(key=MARK, value=mark)]
    spec.deviceChange = devices.changes
    return Rebuilt(
        spec=spec,
        disks=devices.disks,
        mac_addresses=tuple(devices.mac_addresses),
        eager_bytes=sum(_eager_bytes(change.device) for change in devices.changes),
        warnings=(
            *place.warnings,
            *version.warnings,
            *_other_guest(config, spec),
            *devices.warnings,
            *left_out_text([*left_out, *left_out_of_vapp]),
            *_losses(config),
        ),
    )


def _path_of(datastore: str, wanted: VmPlacement) -> str:
    """Return where a VM's files go: the path of its ``.vmx``, or a datastore on which the platform chooses one."""
    if wanted.directory is None:
        return f"[{datastore}]"
    return f"[{datastore}] {wanted.directory}/{file_name_of(wanted.name)}.vmx"


def _other_guest(config: Any, spec: Any) -> list[Message]:
    if spec.guestId in (None, config.guestId):
        return []
    return [GUEST_UNKNOWN.fill(guest=config.guestId, other=spec.guestId)]


def version_for(saved: SavedVm, place: Place, wanted: VmPlacement) -> VersionChoice:
    """Choose the virtual hardware version for a saved VM at a place.

    Raises:
        VersionTooOld: no version there can hold it.
    """
    hardware = saved.config.hardware
    return choose_version(
        saved.config,
        place.host.hardware_versions,
        place.host.version,
        place.host.name,
        cpus=wanted.cpus or hardware.numCPU,
        memory_mib=wanted.memory_mib or hardware.memoryMB,
    )


def _copied(source: Any, names: Sequence[str]) -> Any:
    if source is None:
        return None
    made = type(source)()
    copy_plain(source, made, names)
    return made


def _set_hardware(config: Any, spec: Any, wanted: VmPlacement, lost: frozenset[str]) -> None:
    hardware = config.hardware
    spec.numCPUs = wanted.cpus or hardware.numCPU
    spec.memoryMB = wanted.memory_mib or hardware.memoryMB
    cores = wanted.cores_per_socket or hardware.numCoresPerSocket
    if cores:
        # A platform refuses a number of CPUs that does not fill its sockets.
        spec.numCoresPerSocket = cores if spec.numCPUs % cores == 0 else 1
    names = ("virtualICH7MPresent", "virtualSMCPresent", "motherboardLayout", "simultaneousThreads")
    copy_plain(hardware, spec, [name for name in names if name not in lost])


def _set_settings(config: Any, spec: Any, lost: frozenset[str]) -> None:
    spec.flags = _copied(config.flags, [name for name in _FLAGS if name not in lost])
    spec.tools = _copied(config.tools, _TOOLS)
    spec.powerOpInfo = _copied(config.defaultPowerOps, _POWER)
    spec.bootOptions = _copied(config.bootOptions, _BOOT)
    spec.cpuAllocation = _copied(config.cpuAllocation, _ALLOCATION)
    spec.memoryAllocation = _copied(config.memoryAllocation, _ALLOCATION)
    spec.cpuFeatureMask = [
        vim.vm.ConfigSpec.CpuIdInfoSpec(operation="add", info=copy.deepcopy(mask))
        for mask in config.cpuFeatureMask or ()
        if is_plain("cpuFeatureMask", mask)
    ]


def _shrink_reservations(config: Any, spec: Any) -> None:
    """Reserve no more for a VM that is smaller than it was: no host starts one that wants more than it has."""
    memory, cpus = spec.memoryAllocation, spec.cpuAllocation
    if memory is not None and (memory.reservation or 0) > spec.memoryMB:
        memory.reservation = spec.memoryMB
    had = config.hardware.numCPU
    if cpus is not None and cpus.reservation and had and spec.numCPUs < had:
        cpus.reservation = cpus.reservation * spec.numCPUs // had


def _eager_bytes(device: Any) -> int:
    backing = getattr(device, "backing", None)
    return int(device.capacityInBytes) if getattr(backing, "eagerlyScrub", None) else 0


def is_encrypted(config: Any) -> bool:
    """Return whether the files of a VM's home, its NVRAM among them, are encrypted; its ConfigInfo says so.

    A VM that is created again is not: its firmware could not read an encrypted NVRAM.
    """
    return config.keyId is not None


def _losses(config: Any) -> list[Message]:
    losses = []
    if is_encrypted(config):
        losses += [WAS_ENCRYPTED.fill(), NVRAM_ENCRYPTED.fill()]
    if config.managedBy is not None and config.managedBy.extensionKey:
        losses.append(WAS_MANAGED.fill(manager=config.managedBy.extensionKey))
    return losses


# ---- after the creation ----------------------------------------------------------------------------------------


def finishing_spec(saved: SavedVm, rebuilt: Rebuilt, new_devices: Sequence[Any], new_disks: dict[int, int]) -> Any:
    """Return the change that only works on the created VM, or None: boot order and video card.

    Args:
        saved: the saved VM.
        rebuilt: what it was created from.
        new_devices: devices of the created VM.
        new_disks: keys of its disks by their saved keys.
    """
    spec = vim.vm.ConfigSpec()
    order = _boot_order(saved.config, new_devices, new_disks)
    if order:
        spec.bootOptions = copy.deepcopy(rebuilt.spec.bootOptions) or vim.vm.BootOptions()
        spec.bootOptions.bootOrder = order
    video = _video_card(saved.config, new_devices)
    if video is not None:
        spec.deviceChange = [_device.VirtualDeviceSpec(operation="edit", device=video)]
    return spec if order or video is not None else None


def _boot_order(config: Any, new_devices: Sequence[Any], new_disks: dict[int, int]) -> list[Any]:
    saved_order = (config.bootOptions.bootOrder or []) if config.bootOptions is not None else []
    keys = {**new_disks, **_new_card_keys(config.hardware.device, new_devices)}
    order = []
    for entry in saved_order:
        key = getattr(entry, "deviceKey", None)
        if key is None:
            order.append(type(entry)())
        elif key in keys:
            order.append(type(entry)(deviceKey=keys[key]))
    return order


def _new_card_keys(saved: Sequence[Any], new: Sequence[Any]) -> dict[int, int]:
    def cards(devices: Sequence[Any]) -> list[int]:
        return [device.key for device in devices if isinstance(device, _device.VirtualEthernetCard)]

    old_keys, new_keys = cards(saved), cards(new)
    return dict(zip(old_keys, new_keys, strict=True)) if len(old_keys) == len(new_keys) else {}


_VIDEO = (
    *("videoRamSizeInKB", "numDisplays", "useAutoDetect", "enable3DSupport", "use3dRenderer"),
    "graphicsMemorySizeInKB",
)


def _video_card(config: Any, new_devices: Sequence[Any]) -> Any:
    old = next((device for device in config.hardware.device if isinstance(device, _device.VirtualVideoCard)), None)
    new = next((device for device in new_devices if isinstance(device, _device.VirtualVideoCard)), None)
    if old is None or new is None or all(getattr(old, name) in {None, getattr(new, name)} for name in _VIDEO):
        return None
    changed = copy.deepcopy(new)
    copy_plain(old, changed, _VIDEO)
    return changed
