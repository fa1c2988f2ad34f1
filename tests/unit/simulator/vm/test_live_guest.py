"""A guest that writes before, during and after snapshots: each frozen disk is of one moment, nothing is missed."""

from pathlib import Path
from typing import Any

from pyVmomi import vim

from app.simulator.guests import find_partition
from app.simulator.spec import DiskSpec, VmSpec
from tests.unit.simulator.vm.lab import MIB, VmLab, disks, spec_of

CAPACITY = 24 * MIB
ROUNDS = 6


def frozen_disk(lab: VmLab, snapshot: Any) -> bytes:
    held = lab.machine("busy").trees[2000].frozen[snapshot._moId]
    return held.read(0, CAPACITY)


def patched(before: bytes, now: bytes, answer: Any) -> bytes:
    content = bytearray(before)
    for area in answer.changedArea:
        content[area.start : area.start + area.length] = now[area.start : area.start + area.length]
    return bytes(content)


def busy_lab(directory: Path) -> VmLab:
    busy = VmSpec(
        name="busy",
        hostname="busy",
        disks=(DiskSpec(capacity_bytes=CAPACITY), DiskSpec(capacity_bytes=CAPACITY)),
        workload_bytes_per_s=16 * MIB,
        change_tracking=True,
    )
    return VmLab(directory, spec_of(busy))


def test_the_areas_told_lead_from_each_moment_to_the_next(tmp_path: Path) -> None:
    with busy_lab(tmp_path) as lab:
        vm = lab.vm("busy")
        workload = lab.sim.world.guests.of("busy")
        before, since, total = bytes(CAPACITY), "*", 0
        for number in range(ROUNDS):
            snapshot = lab.snapshot(vm, f"s{number}")
            now = frozen_disk(lab, snapshot)
            answer = vm.QueryChangedDiskAreas(snapshot, 2000, 0, since)
            assert patched(before, now, answer) == now
            workload.write_now(256 << 10)
            assert frozen_disk(lab, snapshot) == now
            before, since = now, disks(snapshot)[0].backing.changeId
            lab.remove(snapshot)
            total += sum(area.length for area in answer.changedArea) if number else 0
        assert 0 < total < ROUNDS * CAPACITY
        assert [disk.backing.fileName for disk in disks(vm)] == ["[ds1] busy/busy.vmdk", "[ds1] busy/busy_1.vmdk"]


def test_a_frozen_disk_carries_a_file_system_that_can_be_mounted(tmp_path: Path) -> None:
    with busy_lab(tmp_path) as lab:
        snapshot = lab.snapshot(lab.vm("busy"))
        for key in (2000, 2001):
            held = lab.machine("busy").trees[key].frozen[snapshot._moId]
            assert find_partition(held) is not None


def test_the_guest_goes_on_after_every_operation(tmp_path: Path) -> None:
    with busy_lab(tmp_path) as lab:
        vm, guests = lab.vm("busy"), lab.sim.world.guests

        def writes() -> bool:
            return bool(guests.write_now("busy", 4096))

        snapshot = lab.snapshot(vm)
        assert writes()
        lab.run(vm.RelocateVM_Task(vim.vm.RelocateSpec(datastore=lab.datacenter.datastore[1])))
        assert writes()
        lab.remove(snapshot)
        assert writes()
        lab.run(vm.SuspendVM_Task())
        lab.run(vm.PowerOnVM_Task())
        assert writes()
        snapshot = lab.snapshot(vm, memory=True)
        lab.run(snapshot.RevertToSnapshot_Task())
        assert writes()
        lab.run(vm.PowerOffVM_Task())
        content = lab.leaf("busy").read(0, CAPACITY)
        lab.run(vm.RemoveAllSnapshots_Task())
        assert lab.leaf("busy").read(0, CAPACITY) == content
