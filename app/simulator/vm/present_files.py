"""Updates the file names in the configurations of a VM and its snapshots after files were merged or moved."""

from collections.abc import Iterator

from pyVmomi import vim

from app.simulator.storage import SimDisk
from app.simulator.vm import layout
from app.simulator.vm.config import with_devices
from app.simulator.vm.disks import described_disk, with_present_backings
from app.simulator.vm.machine import Machine
from app.simulator.vm.snapshot import Snapshot
from app.simulator.vm.snapshot_files import save_list
from app.simulator.vm.values import Device, disks_of, replaced


def show_present_files(vm: Machine) -> None:
    """Update the configurations of the VM and of its snapshots to the files that are there now."""
    with vm.world.lock:
        for snapshot in vm.every_snapshot():
            devices: list[Device] = snapshot.config.hardware.device
            for device, frozen in _frozen_disks(vm, snapshot):
                change_id = getattr(device.backing, "changeId", None)
                devices = replaced(devices, described_disk(vm, device, frozen, change_id))
            snapshot.set(config=with_devices(snapshot.config, devices))
        vm.set_config(with_present_backings(vm, vm.config))
        vm.snapshots_changed()
    layout.save_configuration(vm)
    if vm.root_snapshots:
        save_list(vm)


def _frozen_disks(vm: Machine, snapshot: Snapshot) -> Iterator[tuple[vim.vm.device.VirtualDisk, SimDisk]]:
    for device in disks_of(snapshot.config.hardware.device):
        tree = vm.trees.get(device.key)
        frozen = None if tree is None else tree.frozen.get(snapshot.moid)
        if frozen is not None:
            yield device, frozen
