"""Makes the VMs of the spec; those of large inventories are described on demand."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyVmomi import vim

from app.simulator.guests import install_guest
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.folder import Folder
from app.simulator.inventory.host import HostSystem
from app.simulator.objects import Lazy
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.storage import DatastorePath, SimDisk
from app.simulator.vm import layout
from app.simulator.vm.config import NewVm, config_stem, new_config, with_devices
from app.simulator.vm.controllers import (
    NVME,
    SATA,
    SCSI,
    SCSI_CONTROLLERS,
    disk_key,
    link_controllers,
    nvme_controller,
    sata_controller,
    scsi_controller,
    storage_kind,
)
from app.simulator.vm.devices import (
    cdrom,
    default_devices,
    ethernet_card,
    flat_backing,
    network_backing,
    pmem_backing,
    rdm_backing,
    virtual_disk,
)
from app.simulator.vm.disk_tree import DiskTree, next_delta_path
from app.simulator.vm.disks import described_disk
from app.simulator.vm.encryption import encrypted
from app.simulator.vm.identity import bios_uuid, derived_uuid, disk_uuid, new_mac
from app.simulator.vm.machine import Machine
from app.simulator.vm.values import Device, disks_of, replaced
from app.simulator.vm.virtual_machine import VirtualMachine
from app.simulator.world import World

_FlatBacking = vim.vm.device.VirtualDisk.FlatVer2BackingInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecPlace:
    """Where a VM of the spec is."""

    folder: Folder
    host: HostSystem
    pool: ResourcePool
    home: DatastorePath
    moid: str


def vm_from_spec(world: World, spec: VmSpec, place: SpecPlace, linked_to: Machine | None = None) -> VirtualMachine:
    """Make a VM of the spec, with its files unless the spec leaves them out; it is not in the inventory yet.

    Args:
        world: what it will be part of.
        spec: names its networks, and its datastores as the simulator keeps them.
        place: where it is.
        linked_to: the VM whose disks its own are deltas of.

    Raises:
        StorageError: its disks could not be created.
    """
    macs = [new_mac(world) for _ in spec.networks]
    names = {place.home.datastore} | {disk.datastore for disk in spec.disks if disk.datastore is not None}
    vm = VirtualMachine(
        world,
        place.moid,
        spec.name,
        place.folder,
        made=Lazy(lambda: _describe(world, spec, place, macs)),
        host=place.host,
        pool=place.pool,
        datastore_names=frozenset(names),
        hostname=spec.hostname,
        has_files=False,
        power_state="poweredOn" if spec.powered_on and not spec.template else "poweredOff",
    )
    vm.workload_bytes_per_s = spec.workload_bytes_per_s
    if spec.disk_files:
        _create_files(vm, spec, linked_to)
    return vm


def _describe(world: World, spec: VmSpec, place: SpecPlace, macs: Sequence[tuple[str, str]]) -> vim.vm.ConfigInfo:
    datastore = world.inventory.datastores[place.home.datastore]
    config = new_config(
        NewVm(
            name=spec.name,
            vmx_path=str(place.home),
            uuid=bios_uuid(world.spec.seed, "bios", place.home),
            instance_uuid="50" + derived_uuid(world.spec.seed, "instance", place.home)[2:],
            hardware_version=f"vmx-{place.host.newest_hardware}",
            created=world.now(),
            datastore_url=datastore.url,
            guest_id=spec.guest_id,
            cpus=spec.cpus,
            memory_mb=spec.memory_mb,
            firmware=spec.firmware,
            template=spec.template,
            change_tracking=spec.change_tracking,
            managed_by=spec.managed_by,
            extra_config=spec.extra_config,
        ),
        link_controllers(_devices(world, spec, place, macs)),
    )
    return encrypted(config) if spec.encrypted else config


def _devices(world: World, spec: VmSpec, place: SpecPlace, macs: Sequence[tuple[str, str]]) -> Iterator[Device]:
    yield from default_devices()
    bays = _Bays()
    disks = [_disk(world, disk, number, place, bays) for number, disk in enumerate(spec.disks)]
    bays.require_sata()
    yield from bays.controllers
    yield from disks
    yield cdrom(SATA.first_key, bays.take(sata_controller()))
    running = spec.powered_on and not spec.template
    for number, (name, (mac, address_type)) in enumerate(zip(spec.networks, macs, strict=True)):
        yield ethernet_card(
            number=number,
            model="vmxnet3",
            backing=_network_backing(world, name, place),
            mac=mac,
            address_type=address_type,
            connected=running,
        )


class _Bays:
    """Hands out places on controllers, adding controllers as they are needed."""

    def __init__(self) -> None:
        self.controllers: list[Device] = []
        self._taken: dict[int, int] = {}

    def place(self, disk: DiskSpec) -> tuple[Device, int]:
        """Return the controller and the unit for a disk."""
        for controller in self.controllers:
            if _suits(controller, disk) and self._taken.get(controller.key, 0) < _room(controller):
                return controller, self.take(controller)
        controller = self._new_controller(disk)
        self.controllers.append(controller)
        return controller, self.take(controller)

    def require_sata(self) -> None:
        """Add a SATA controller for the CD drive, unless there is one."""
        if not any(controller.key == SATA.first_key for controller in self.controllers):
            self.controllers.append(sata_controller())

    def take(self, controller: Device) -> int:
        """Return the next free unit of a controller."""
        kind = storage_kind(controller)
        assert kind is not None
        index = self._taken.get(controller.key, 0)
        self._taken[controller.key] = index + 1
        return kind.usable_units[index]

    def _new_controller(self, disk: DiskSpec) -> Device:
        kind = {"sata": SATA, "nvme": NVME}.get(disk.controller, SCSI)
        bus = sum(storage_kind(controller) is kind for controller in self.controllers)
        if kind is SATA:
            return sata_controller(bus)
        if kind is NVME:
            return nvme_controller(bus)
        return scsi_controller(disk.controller, bus, disk.bus_sharing)


def _suits(controller: Device, disk: DiskSpec) -> bool:
    kind = storage_kind(controller)
    if disk.controller in ("sata", "nvme"):
        return kind is not None and kind.name == disk.controller
    is_kind = type(controller) is SCSI_CONTROLLERS[disk.controller]
    return is_kind and getattr(controller, "sharedBus", None) == disk.bus_sharing


def _room(controller: Device) -> int:
    kind = storage_kind(controller)
    return 0 if kind is None else len(kind.usable_units)


def _disk(world: World, disk: DiskSpec, number: int, place: SpecPlace, bays: _Bays) -> Device:
    controller, unit = bays.place(disk)
    name = disk.datastore or place.home.datastore
    stem = config_stem(place.home.name) + (f"_{number}" if number else "")
    path = f"[{name}] {place.home.directory}/{stem}.vmdk"
    uuid = disk_uuid(world.spec.seed, path)
    datastore = world.inventory.datastore_ref(name)
    backing: Device.BackingInfo
    if disk.kind == "flat":
        backing = flat_backing(path, datastore=datastore, uuid=uuid, thin=disk.thin, mode=disk.mode)
    elif disk.kind == "pmem":
        backing = pmem_backing(path, datastore=datastore, uuid=uuid, mode=disk.mode)
    else:
        physical = disk.kind == "rdm_physical"
        backing = rdm_backing(path, datastore=datastore, uuid=uuid, physical=physical, mode=disk.mode)
    if disk.multi_writer:
        backing.sharing = "sharingMultiWriter"
    if isinstance(backing, _FlatBacking) and world.datastores[name].kind == "vsan":
        backing.backingObjectId = uuid
    made = virtual_disk(
        key=disk_key(controller, unit),
        number=number + 1,
        controller_key=controller.key,
        unit=unit,
        capacity_bytes=disk.capacity_bytes,
        backing=backing,
    )
    made.iofilter = list(disk.io_filters)
    return made


def _network_backing(world: World, name: str, place: SpecPlace) -> Device.BackingInfo:
    network = world.inventory.network_at(name, place.folder)
    switch = getattr(network, "switch_uuid", None)
    if switch is None:
        return network_backing(name, network.ref)
    port = vim.dvs.PortConnection(switchUuid=switch, portgroupKey=network.moid, portKey="0", connectionCookie=1)
    return vim.vm.device.VirtualEthernetCard.DistributedVirtualPortBackingInfo(port=port)


def _create_files(vm: VirtualMachine, spec: VmSpec, linked_to: Machine | None) -> None:
    world = vm.world
    trees: dict[int, DiskTree] = {}
    devices: list[Device] = vm.config.hardware.device
    for disk_spec, device in zip(spec.disks, disks_of(devices), strict=True):
        parent = None if linked_to is None else linked_to.trees[device.key].leaf
        path = str(getattr(device.backing, "fileName", ""))
        leaf = _new_disk(world, spec, disk_spec, device) if parent is None else parent.branch(path)
        if spec.needs_consolidation:
            leaf = leaf.branch(next_delta_path(leaf))
        trees[device.key] = DiskTree(world.disks, device.key, leaf)
        devices = replaced(devices, described_disk(vm, device, leaf))
    vm.set_trees(trees)
    vm.set_config(with_devices(vm.config, devices))
    vm.snapshots_changed()
    vm.apply_tracking()
    layout.save_configuration(vm)


def _new_disk(world: World, spec: VmSpec, disk: DiskSpec, device: Device) -> SimDisk:
    path = str(getattr(device.backing, "fileName", ""))
    made = world.disks.create(
        path,
        disk.capacity_bytes,
        thin=disk.thin,
        adapter="ide" if disk.controller == "sata" else "lsilogic",
        disk_uuid=getattr(device.backing, "uuid", None),
    )
    if disk.filesystem:
        seed = zlib.crc32(f"{world.spec.seed}/{path}".encode())
        install_guest(made, seed=seed, scheme="gpt" if spec.firmware == "efi" else "mbr")
    return made
