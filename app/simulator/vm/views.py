"""The properties of a VM that follow from its configuration and state."""

import functools
import zlib
from typing import Any

from pyVmomi import vim

from app.simulator.vm import guest_systems
from app.simulator.vm.layout import space_of
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import changed, disks_of, fresh

TOOLS_VERSION = "12389"
_device = vim.vm.device


@functools.lru_cache(maxsize=1)
def _idle_runtime() -> vim.vm.RuntimeInfo:
    return vim.vm.RuntimeInfo(
        connectionState="connected",
        powerState="poweredOff",
        faultToleranceState="notConfigured",
        toolsInstallerMounted=False,
        suspendInterval=0,
        maxCpuUsage=5200,
        maxMemoryUsage=1024,
        numMksConnections=0,
        recordReplayState="inactive",
        onlineStandby=False,
        consolidationNeeded=False,
        paused=False,
        snapshotInBackground=False,
        instantCloneFrozen=False,
        suspendedToMemory=False,
        cryptoState=None,
    )


def runtime(vm: Machine) -> vim.vm.RuntimeInfo:
    """Return what the VM does right now."""
    return changed(
        _idle_runtime(),
        host=vm.host.ref,
        connectionState=vm.connection,
        powerState=vm.power_state,
        bootTime=vm.boot_time,
        question=None if vm.question is None else vm.question.info,
        consolidationNeeded=vm.consolidation_needed,
        faultToleranceState="notConfigured" if vm.config.ftInfo is None else "running",
        cleanPowerOff=vm.power_state == "poweredOff",
        minRequiredEVCModeKey="intel-broadwell" if vm.power_state == "poweredOn" else None,
    )


def tools_run(vm: Machine) -> bool:
    """Return whether VMware Tools answer in the guest."""
    return vm.hostname is not None and vm.power_state == "poweredOn" and vm.has_booted


def ip_address(vm: Machine) -> str:
    """Return the guest's address, which follows from its name."""
    number = zlib.crc32(vm.name.encode())
    return f"10.{20 + (number >> 16) % 200}.{(number >> 8) % 256}.{1 + number % 254}"


def guest(vm: Machine) -> vim.vm.GuestInfo:
    """Return what VMware Tools report."""
    running = tools_run(vm)
    installed = vm.hostname is not None
    guest_id = vm.config.guestId
    info = fresh(
        vim.vm.GuestInfo,
        toolsStatus="toolsOk" if running else "toolsNotRunning" if installed else "toolsNotInstalled",
        toolsVersionStatus="guestToolsUnmanaged" if installed else "guestToolsNotInstalled",
        toolsVersionStatus2="guestToolsUnmanaged" if installed else "guestToolsNotInstalled",
        toolsRunningStatus="guestToolsRunning" if running else "guestToolsNotRunning",
        toolsVersion=TOOLS_VERSION if installed else "0",
        toolsInstallType="guestToolsTypeOpenVMTools" if installed else None,
        guestState="running" if running else "notRunning",
        guestOperationsReady=running,
        interactiveGuestOperationsReady=False,
        guestStateChangeSupported=running,
        appHeartbeatStatus="appStatusGray",
        appState="none",
    )
    if not running:
        return info
    return changed(
        info,
        hostName=vm.hostname,
        ipAddress=ip_address(vm),
        guestId=guest_id,
        guestFamily=guest_systems.family(guest_id),
        guestFullName=guest_systems.full_name(guest_id),
        net=_guest_nics(vm),
    )


def _guest_nics(vm: Machine) -> list[vim.vm.GuestInfo.NicInfo]:
    cards = [device for device in vm.config.hardware.device if isinstance(device, _device.VirtualEthernetCard)]
    return [
        fresh(
            vim.vm.GuestInfo.NicInfo,
            network=getattr(card.backing, "deviceName", None),
            ipAddress=[ip_address(vm)] if index == 0 else [],
            macAddress=card.macAddress,
            connected=True,
            deviceConfigId=card.key,
        )
        for index, card in enumerate(cards)
    ]


def heartbeat(vm: Machine) -> str:
    """Return the colour of the tools' heartbeat."""
    return "green" if tools_run(vm) else "gray"


def summary(vm: Machine) -> vim.vm.Summary:
    """Return the digest that lists show."""
    config = vm.config
    devices = config.hardware.device
    guest = vm.read("guest")
    return fresh(
        vim.vm.Summary,
        vm=vm.ref,
        runtime=vm.read("runtime"),
        guest=fresh(
            vim.vm.Summary.GuestSummary,
            guestId=guest.guestId,
            guestFullName=guest.guestFullName,
            toolsStatus=guest.toolsStatus,
            toolsVersionStatus=guest.toolsVersionStatus,
            toolsVersionStatus2=guest.toolsVersionStatus2,
            toolsRunningStatus=guest.toolsRunningStatus,
            hostName=guest.hostName,
            ipAddress=guest.ipAddress,
        ),
        config=fresh(
            vim.vm.Summary.ConfigSummary,
            name=config.name,
            template=config.template,
            vmPathName=config.files.vmPathName,
            memorySizeMB=config.hardware.memoryMB,
            cpuReservation=0,
            memoryReservation=0,
            numCpu=config.hardware.numCPU,
            numEthernetCards=sum(isinstance(device, _device.VirtualEthernetCard) for device in devices),
            numVirtualDisks=len(disks_of(devices)),
            uuid=config.uuid,
            instanceUuid=config.instanceUuid,
            guestId=config.guestId,
            guestFullName=config.guestFullName,
            annotation=config.annotation,
            installBootRequired=False,
            tpmPresent=any(isinstance(device, _device.VirtualTPM) for device in devices),
            numVmiopBackings=0,
            hwVersion=config.version,
        ),
        storage=_storage_summary(vm),
        quickStats=quick_stats(vm),
        overallStatus="green",
    )


def quick_stats(vm: Machine) -> vim.vm.Summary.QuickStats:
    """Return what the VM uses, roughly."""
    running = vm.power_state == "poweredOn"
    return fresh(
        vim.vm.Summary.QuickStats,
        overallCpuUsage=120 if running else 0,
        overallCpuDemand=120 if running else 0,
        guestMemoryUsage=vm.config.hardware.memoryMB // 4 if running else 0,
        hostMemoryUsage=vm.config.hardware.memoryMB if running else 0,
        guestHeartbeatStatus=heartbeat(vm),
        uptimeSeconds=_uptime_s(vm),
    )


def _uptime_s(vm: Machine) -> int:
    return 0 if vm.boot_time is None else int((vm.world.now() - vm.boot_time).total_seconds())


def _storage_summary(vm: Machine) -> vim.vm.Summary.StorageSummary:
    usage = usage_by_datastore(vm)
    committed = sum(used for used, _ in usage.values())
    return fresh(
        vim.vm.Summary.StorageSummary,
        committed=committed,
        uncommitted=sum(promised for _, promised in usage.values()),
        unshared=committed,
        timestamp=vm.world.now(),
    )


def usage_by_datastore(vm: Machine) -> dict[str, tuple[int, int]]:
    """Return the bytes that a VM takes and the bytes that it may still take, by datastore name."""
    usage = dict.fromkeys(sorted(vm.datastore_names), (0, 0))
    for name, used, promised in space_of(vm):
        before = usage.get(name, (0, 0))
        usage[name] = (before[0] + used, before[1] + promised)
    return usage


def storage(vm: Machine) -> vim.vm.StorageInfo:
    """Return what the VM takes on each datastore."""
    inventory = vm.world.inventory
    return fresh(
        vim.vm.StorageInfo,
        perDatastoreUsage=[
            fresh(
                vim.vm.StorageInfo.UsageOnDatastore,
                datastore=inventory.datastore_ref(name),
                committed=used,
                uncommitted=promised,
                unshared=used,
            )
            for name, (used, promised) in usage_by_datastore(vm).items()
            if inventory.datastore_ref(name) is not None
        ],
        timestamp=vm.world.now(),
    )


def datastores(vm: Machine) -> list[vim.Datastore]:
    """Return the datastores that hold files of the VM."""
    found = (vm.world.inventory.datastore_ref(name) for name in sorted(vm.datastore_names))
    return [ref for ref in found if ref is not None]


def networks(vm: Machine) -> list[vim.Network]:
    """Return the networks that the VM's cards are on."""
    refs: dict[str, Any] = {}
    for card in vm.config.hardware.device:
        if isinstance(card, _device.VirtualEthernetCard):
            network = vm.world.inventory.network_of(
                getattr(card.backing, "network", None), getattr(card.backing, "deviceName", None), vm
            ) or vm.world.inventory.portgroup_of(
                getattr(getattr(card.backing, "port", None), "portgroupKey", None)
            )
            if network is not None:
                refs[network.moid] = network.ref
    return list(refs.values())


def resource_config(vm: Machine) -> vim.ResourceConfigSpec:
    """Return the VM's claim on its pool."""
    return fresh(
        vim.ResourceConfigSpec,
        entity=vm.ref,
        cpuAllocation=vm.config.cpuAllocation,
        memoryAllocation=vm.config.memoryAllocation,
    )
