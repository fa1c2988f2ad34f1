"""A VM's ConfigInfo: how a new one looks, and what a ConfigSpec makes of it (devices apart).

Pure functions on pyVmomi's data objects, which are never changed in place.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyVmomi import vim, vmodl

from app.simulator.storage import DatastorePath
from app.simulator.vm import guest_systems
from app.simulator.vm.identity import location_id
from app.simulator.vm.values import DataObjectT, Device, changed, fresh
from app.simulator.vmomi import share

MOST_NAME_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class NewVm:
    """What has to be known to describe a new VM; everything else has a default."""

    name: str
    vmx_path: str
    uuid: str
    instance_uuid: str
    hardware_version: str
    created: datetime
    datastore_url: str
    guest_id: str = "otherGuest64"
    cpus: int = 1
    memory_mb: int = 1024
    firmware: str = "bios"
    template: bool = False
    change_tracking: bool = False
    managed_by: tuple[str, str] | None = None
    extra_config: tuple[tuple[str, str], ...] = ()


def new_config(vm: NewVm, devices: Sequence[Device]) -> vim.vm.ConfigInfo:
    """Describe a new VM in full."""
    directory, _, base = vm.vmx_path.rpartition("/")
    datastore = DatastorePath.parse(vm.vmx_path).datastore
    common = _common_config()
    return changed(
        common,
        changeVersion=vm.created.isoformat(),
        modified=vm.created,
        createDate=vm.created,
        name=vm.name,
        guestFullName=guest_systems.full_name(vm.guest_id),
        guestId=vm.guest_id,
        version=vm.hardware_version,
        uuid=vm.uuid,
        instanceUuid=vm.instance_uuid,
        locationId=location_id(DatastorePath.parse(vm.vmx_path)),
        template=vm.template,
        files=fresh(
            vim.vm.FileInfo,
            vmPathName=vm.vmx_path,
            snapshotDirectory=directory + "/",
            suspendDirectory=directory + "/",
            logDirectory=directory + "/",
        ),
        hardware=changed(common.hardware, numCPU=vm.cpus, memoryMB=vm.memory_mb, device=list(devices)),
        extraConfig=[
            *common.extraConfig,
            option("nvram", config_stem(base) + ".nvram"),
            *(option(key, value) for key, value in vm.extra_config),
        ],
        datastoreUrl=[fresh(vim.vm.ConfigInfo.DatastoreUrlPair, name=datastore, url=vm.datastore_url)],
        firmware=vm.firmware,
        changeTrackingEnabled=vm.change_tracking,
        managedBy=None if vm.managed_by is None else _manager(*vm.managed_by),
    )


def _manager(extension: str, kind: str) -> vim.ext.ManagedByInfo:
    return vim.ext.ManagedByInfo(extensionKey=extension, type=kind)


@functools.lru_cache(maxsize=1)
def _common_config() -> vim.vm.ConfigInfo:
    """Return what the configurations of new VMs have in common; the object is shared by all VMs."""
    allocation = vim.ResourceAllocationInfo(
        reservation=0, expandableReservation=False, limit=-1, shares=vim.SharesInfo(shares=10240, level="normal")
    )
    return vim.vm.ConfigInfo(
        alternateGuestName="",
        annotation="",
        hardware=vim.vm.VirtualHardware(
            numCoresPerSocket=1,
            autoCoresPerSocket=False,
            virtualICH7MPresent=False,
            virtualSMCPresent=False,
            motherboardLayout="i440bxHostBridge",
            simultaneousThreads=1,
        ),
        extraConfig=[option(key, value) for key, value in _EXTRA_CONFIG],
        tools=_default_tools(),
        flags=_default_flags(),
        consolePreferences=vim.vm.ConsolePreferences(),
        defaultPowerOps=_default_power_operations(),
        cpuAllocation=allocation,
        memoryAllocation=allocation,
        latencySensitivity=vim.LatencySensitivity(level="normal"),
        bootOptions=_default_boot_options(),
        initialOverhead=vim.vm.ConfigInfo.OverheadInfo(
            initialMemoryReservation=55_000_000, initialSwapReservation=300_000_000
        ),
        npivTemporaryDisabled=True,
        swapPlacement="inherit",
        maxMksConnections=-1,
        guestAutoLockEnabled=True,
        **dict.fromkeys(_OFF_BY_DEFAULT, False),
    )


_EXTRA_CONFIG = (
    ("pciBridge0.present", "TRUE"),
    ("svga.present", "TRUE"),
    ("hpet0.present", "TRUE"),
    ("disk.EnableUUID", "TRUE"),
    ("migrate.hostLogState", "none"),
    ("sched.cpu.latencySensitivity", "normal"),
    ("svga.vramSize", "8388608"),
    ("vmware.tools.internalversion", "12389"),
    ("vmware.tools.requiredversion", "12389"),
)
_OFF_BY_DEFAULT = (
    "rebootPowerOff", "memoryHotAddEnabled", "cpuHotAddEnabled", "cpuHotRemoveEnabled", "vAssertsEnabled",
    "memoryReservationLockedToMax", "nestedHVEnabled", "vPMCEnabled", "messageBusTunnelEnabled", "sevEnabled",
)  # fmt: skip


def _default_tools() -> vim.vm.ToolsConfigInfo:
    return vim.vm.ToolsConfigInfo(
        toolsVersion=12389,
        toolsInstallType="guestToolsTypeOpenVMTools",
        afterPowerOn=True,
        afterResume=True,
        beforeGuestStandby=True,
        beforeGuestShutdown=True,
        toolsUpgradePolicy="manual",
        syncTimeWithHostAllowed=True,
        syncTimeWithHost=False,
    )


def _default_flags() -> vim.vm.FlagInfo:
    return vim.vm.FlagInfo(
        disableAcceleration=False,
        enableLogging=True,
        useToe=False,
        runWithDebugInfo=False,
        monitorType="release",
        htSharing="any",
        snapshotDisabled=False,
        snapshotLocked=False,
        diskUuidEnabled=True,
        virtualMmuUsage="automatic",
        virtualExecUsage="hvAuto",
        snapshotPowerOffBehavior="powerOff",
        recordReplayEnabled=False,
        faultToleranceType="unset",
        cbrcCacheEnabled=False,
        vvtdEnabled=False,
        vbsEnabled=False,
    )


def _default_power_operations() -> vim.vm.DefaultPowerOpInfo:
    return vim.vm.DefaultPowerOpInfo(
        powerOffType="soft",
        suspendType="hard",
        resetType="soft",
        defaultPowerOffType="soft",
        defaultSuspendType="hard",
        defaultResetType="soft",
        standbyAction="checkpoint",
    )


def _default_boot_options() -> vim.vm.BootOptions:
    return vim.vm.BootOptions(
        bootDelay=0,
        enterBIOSSetup=False,
        efiSecureBootEnabled=False,
        bootRetryEnabled=False,
        bootRetryDelay=10000,
        networkBootProtocol="ipv4",
    )


def option(key: str, value: str) -> vim.option.OptionValue:
    """Build one entry of ``extraConfig``."""
    return fresh(vim.option.OptionValue, key=key, value=value)


def extra_value(config: vim.vm.ConfigInfo, key: str) -> str | None:
    """Return a value of ``extraConfig``; keys differ in case only by accident."""
    wanted = key.lower()
    return next((str(entry.value) for entry in config.extraConfig if entry.key.lower() == wanted), None)


def config_stem(name: str) -> str:
    """Return the name of a configuration file without its ending: ``.vmx``, or ``.vmtx`` of a template."""
    return name.removesuffix(".vmx").removesuffix(".vmtx")


def vmx_path_of(config: vim.vm.ConfigInfo) -> str:
    """Return the datastore path of the VM's .vmx file."""
    return config.files.vmPathName or ""


def with_devices(config: vim.vm.ConfigInfo, devices: Sequence[Device]) -> vim.vm.ConfigInfo:
    """Return the configuration with other devices."""
    return changed(config, hardware=changed(config.hardware, device=list(devices)))


def check_spec(config: vim.vm.ConfigInfo, spec: vim.vm.ConfigSpec, *, power_state: str) -> None:
    """Refuse a spec that makes no sense for this VM in this power state.

    Raises:
        vmodl.MethodFault: the fault that a host answers with.
    """
    if spec.changeVersion and spec.changeVersion != config.changeVersion:
        raise vim.fault.ConcurrentAccess(msg="The virtual machine was changed in the meantime.")
    if spec.name is not None:
        check_name(spec.name)
    _check_sizes(spec)
    if power_state == "poweredOn":
        _check_running(config, spec)


def check_name(name: str) -> None:
    """Refuse a name that no VM may have.

    Raises:
        vim.fault.InvalidName: it is empty or too long.
    """
    if not name.strip() or len(name) > MOST_NAME_LENGTH:
        raise vim.fault.InvalidName(msg=f"The name '{name}' is invalid.", name=name)


def _check_sizes(spec: vim.vm.ConfigSpec) -> None:
    cores = spec.numCoresPerSocket
    memory_mb: Any = spec.memoryMB
    wrong = (
        "numCPUs"
        if spec.numCPUs is not None and not 1 <= spec.numCPUs <= 768
        else "memoryMB"
        if memory_mb is not None and (memory_mb < 4 or memory_mb % 4)
        else "numCoresPerSocket"
        if cores is not None and (cores < 0 or (cores and spec.numCPUs is not None and spec.numCPUs % cores))
        else "firmware"
        if spec.firmware not in (None, "bios", "efi")
        else None
    )
    if wrong:
        raise vmodl.fault.InvalidArgument(
            msg=f"A specified parameter was not correct: configSpec.{wrong}", invalidProperty=f"configSpec.{wrong}"
        )


def _check_running(config: vim.vm.ConfigInfo, spec: vim.vm.ConfigSpec) -> None:
    hardware = config.hardware
    memory_mb: Any = spec.memoryMB
    cold = (
        (spec.numCPUs not in (None, hardware.numCPU) and not config.cpuHotAddEnabled)
        or (memory_mb not in (None, hardware.memoryMB) and not config.memoryHotAddEnabled)
        or spec.firmware not in (None, config.firmware)
        or spec.uuid not in (None, config.uuid)
        or spec.guestId not in (None, config.guestId)
        or spec.cpuHotAddEnabled not in (None, config.cpuHotAddEnabled)
        or spec.memoryHotAddEnabled not in (None, config.memoryHotAddEnabled)
    )
    if cold:
        raise vim.fault.InvalidPowerState(
            msg="The attempted operation cannot be performed in the current state (Powered on).",
            requestedState="poweredOff",
            existingState="poweredOn",
        )


_SAME_NAMED = (
    "name", "uuid", "instanceUuid", "guestId", "annotation", "createDate", "firmware", "changeTrackingEnabled",
    "memoryHotAddEnabled", "cpuHotAddEnabled", "cpuHotRemoveEnabled", "latencySensitivity", "cpuAffinity",
    "memoryAffinity", "swapPlacement", "maxMksConnections", "guestAutoLockEnabled", "managedBy", "nestedHVEnabled",
    "memoryReservationLockedToMax", "vPMCEnabled", "messageBusTunnelEnabled", "rebootPowerOff", "vAssertsEnabled",
    "alternateGuestName", "npivTemporaryDisabled", "sevEnabled", "version", "locationId", "migrateEncryption",
    "scheduledHardwareUpgradeInfo", "consolePreferences",
)  # fmt: skip
_MERGED = (
    ("tools", "tools"),
    ("flags", "flags"),
    ("powerOpInfo", "defaultPowerOps"),
    ("bootOptions", "bootOptions"),
    ("cpuAllocation", "cpuAllocation"),
    ("memoryAllocation", "memoryAllocation"),
)


def with_spec(config: vim.vm.ConfigInfo, spec: vim.vm.ConfigSpec, now: datetime) -> vim.vm.ConfigInfo:
    """Return the configuration after a checked spec; its device changes are handled elsewhere."""
    fields: dict[str, Any] = {
        name: value for name in _SAME_NAMED if (value := getattr(spec, name, None)) is not None
    }
    for source, target in _MERGED:
        if (part := getattr(spec, source)) is not None:
            fields[target] = merged(getattr(config, target), part)
    if spec.guestId is not None:
        fields["guestFullName"] = guest_systems.full_name(spec.guestId)
    if spec.extraConfig:
        fields["extraConfig"] = _merged_options(config.extraConfig, spec.extraConfig)
    hardware = {
        target: value for source, target in _HARDWARE if (value := getattr(spec, source, None)) is not None
    }
    if hardware:
        if "memoryMB" in hardware:
            hardware["memoryMB"] = int(hardware["memoryMB"])
        fields["hardware"] = changed(config.hardware, **hardware)
    return changed(config, **fields, modified=now, changeVersion=now.isoformat())


_HARDWARE = (
    ("numCPUs", "numCPU"),
    ("numCoresPerSocket", "numCoresPerSocket"),
    ("memoryMB", "memoryMB"),
    ("virtualICH7MPresent", "virtualICH7MPresent"),
    ("virtualSMCPresent", "virtualSMCPresent"),
    ("motherboardLayout", "motherboardLayout"),
    ("simultaneousThreads", "simultaneousThreads"),
)


def merged(old: DataObjectT | None, new: DataObjectT) -> DataObjectT:
    """Return ``old`` with every field that ``new`` sets."""
    if old is None:
        return new
    return changed(
        old, **{name: value for name, value in new.__dict__.items() if value is not None and value != []}
    )


def _merged_options(
    old: Sequence[vim.option.OptionValue], new: Sequence[vim.option.OptionValue]
) -> list[vim.option.OptionValue]:
    """An empty value removes the option, as on a host."""
    options = {entry.key: entry for entry in old}
    for entry in new:
        if entry.value in (None, ""):
            options.pop(entry.key, None)
        else:
            options[entry.key] = entry
    return list(options.values())


@functools.lru_cache(maxsize=2)
@functools.cache
def capability(*, change_tracking: bool = True) -> vim.vm.Capability:
    """Return what a VM can do; the objects are shared by all VMs."""
    supported = dict.fromkeys(_SUPPORTED, True)
    return share(vim.vm.Capability(**supported, changeTrackingSupported=change_tracking))


_SUPPORTED = (
    "snapshotOperationsSupported", "multipleSnapshotsSupported", "snapshotConfigSupported",
    "poweredOffSnapshotsSupported", "memorySnapshotsSupported", "revertToSnapshotSupported",
    "quiescedSnapshotsSupported", "cpuFeatureMaskSupported", "toolsAutoUpdateSupported",
    "swapPlacementSupported", "toolsSyncTimeSupported", "diskSharesSupported", "bootOptionsSupported",
    "bootRetryOptionsSupported", "settingVideoRamSizeSupported", "multipleCoresPerSocketSupported",
    "guestAutoLockSupported", "memoryReservationLockSupported", "featureRequirementSupported",
    "seSparseDiskSupported", "nestedHVSupported", "vPMCSupported", "secureBootSupported",
)  # fmt: skip
