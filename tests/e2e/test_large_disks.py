"""A disk of 62 TiB, the largest of vSphere, is backed up and restored over the wire; its size costs nothing."""

import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from app.cli.demo.stage import Stage, open_stage
from app.contract.platforms import DescribeVm
from app.contract.restore import NewVm
from app.core.clock import SystemClock
from app.core.disks import ReadRequest
from app.domain.extents import Extent, complement
from app.domain.ids import VmId
from app.domain.states import BackupKind
from app.domain.vms import VmPlacement
from app.repository import Repository
from app.simulator.spec import DiskSpec, VmSpec
from app.simulator.storage import GRAIN_BYTES, SimDisk
from app.simulator.storage.sparse import SparseFile
from tests.support.roomy import roomy_folder
from tests.support.stage import MIB, Made, back_up, restore, small_spec, vm_named

TIB = 1 << 40
CAPACITY = 62 * TIB
FAR = (3 * TIB + 7 * MIB, 40 * TIB + 12_345, CAPACITY - 100)
"""Beyond 2 TiB, beyond 32 bits of grains of 4 KiB, and the last bytes."""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs a folder for files of any size")


@pytest.fixture
def stage() -> Iterator[Stage]:
    spec = small_spec(VmSpec(name="big-01", disks=(DiskSpec(capacity_bytes=CAPACITY),)))
    stores = tuple(replace(store, capacity_bytes=200 * TIB) for store in spec.datastores)
    with roomy_folder() as folder, open_stage(folder, replace(spec, datastores=stores)) as stage:
        yield stage


def leaf_of(stage: Stage, vm: VmId) -> SimDisk:
    leaf = stage.simulator.world.guests.of(vm).vm.trees[2000].leaf
    assert leaf is not None
    return leaf


def assert_exact(stage: Stage, vm: VmId, made: Made) -> None:
    """Compare what the frozen copy holds with the point, and the beginning of each of its holes with zeros."""
    with (
        SparseFile(stage.frozen_copy(vm, made.task, 2000)) as frozen,
        Repository.open(stage.root / "standby", local_dir=stage.root / "cmp", clock=SystemClock()) as repository,
        repository.open_point(made.point.id) as reader,
    ):
        disk = reader.open_disk(2000)
        for area in looked_at(frozen):
            (read,) = disk.read_many([ReadRequest(area.start, memoryview(bytearray(area.length_bytes)))])
            assert read.buffer == content_of(frozen, area), f"{area} differs"
        disk.close()


def looked_at(file: SparseFile) -> list[Extent]:
    held = file.data_ranges()
    holes = complement(held, CAPACITY)
    return [*held, *(Extent(hole.start, min(GRAIN_BYTES, hole.length_bytes)) for hole in holes)]


def content_of(file: SparseFile, area: Extent) -> bytes:
    return file.read(area.start, area.length_bytes)


def test_the_largest_disk_is_backed_up_by_its_changes_and_restored(stage: Stage) -> None:
    vm = vm_named(stage, "big-01")
    full = back_up(stage, vm, BackupKind.FULL)
    assert full.point.read_bytes < 1 << 30
    for offset in FAR:
        leaf_of(stage, vm.id).write(offset, (b"far away" * 1000)[: CAPACITY - offset])
    changed = back_up(stage, vm, BackupKind.INCREMENTAL)
    assert changed.point.parent == full.point.id
    assert 0 < changed.point.read_bytes < 32 * MIB
    for made in (full, changed):
        assert_exact(stage, vm.id, made)
    restore(stage, changed, NewVm(placement=VmPlacement(name="big-again")))
    (disk,) = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm_named(stage, "big-again").id)).disks
    copy = stage.export_live_disk(disk.path, stage.root / "again.raw")
    with SparseFile(copy) as again, SparseFile(stage.frozen_copy(vm.id, changed.task, 2000)) as frozen:
        assert again.size_bytes() == CAPACITY
        for area in [*looked_at(frozen), *looked_at(again)]:
            assert content_of(again, area) == content_of(frozen, area), f"{area} differs"
