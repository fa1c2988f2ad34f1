"""VMs of vApps over the wire: backed up, and restored into their vApp."""

from pathlib import Path

import pytest

from app.cli.demo.comparison import compare_files
from app.cli.demo.stage import Stage
from app.contract.platforms import DescribeVm, ListVms
from app.contract.restore import NewVm, OverOriginal, StartRestore
from app.contract.tasks import TaskReport
from app.domain.ids import VmId
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmPlacement, VmSummary
from app.simulator.inventory.compute import ResourcePool
from app.simulator.inventory.vapp import VirtualApp
from app.simulator.spec import DiskSpec, SimulatorSpec, VAppSpec, VmSpec
from tests.e2e.conftest import OpenStage
from tests.support.other_client import OtherClient
from tests.support.stage import MIB, Made, assert_points_are_exact, back_up, explain, finished, vm_named

DISK = DiskSpec(capacity_bytes=16 * MIB)
SPEC = SimulatorSpec(
    resource_pools=(("East",),),
    vapps=(VAppSpec(path=("East", "Shop"), folder=("Web",)), VAppSpec(path=("East", "Shop", "Shop"))),
    vms=(
        VmSpec(name="front", disks=(DISK,), resource_pool=("East", "Shop", "Shop")),
        VmSpec(name="back", disks=(DISK,), resource_pool=("East", "Shop")),
    ),
)


@pytest.fixture
def stage(open_fresh_stage: OpenStage) -> Stage:
    return open_fresh_stage(SPEC)


def pool_of(stage: Stage, vm: VmId) -> ResourcePool:
    pool = stage.simulator.world.inventory.vms[vm].pool
    assert isinstance(pool, ResourcePool)
    return pool


def restore(stage: Stage, made: Made, target: NewVm | OverOriginal) -> TaskReport:
    wish = StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=target)
    report = finished(stage.engine, stage.engine.execute(wish))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    return report


def assert_holds(stage: Stage, source: VmSummary, made: Made, vm: VmSummary, folder: Path) -> None:
    disks = stage.engine.ask(DescribeVm(platform=stage.platform, vm=vm.id)).disks
    for old, new in zip(made.point.disks, disks, strict=True):
        copy = stage.export_live_disk(new.path, folder / f"{vm.id}-{new.key}.raw")
        assert compare_files(stage.frozen_copy(source.id, made.task, old.key), copy) is None


def test_a_vm_of_a_nested_vapp_is_backed_up_and_takes_its_place_again(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "front")
    full = back_up(stage, vm, BackupKind.FULL)
    stage.simulator.world.guests.write_now(vm.id, 2 * MIB)
    changed = back_up(stage, vm, BackupKind.INCREMENTAL)
    assert changed.point.kind is BackupKind.INCREMENTAL
    assert {"config.json", "vm.vmx", "vm.nvram"} <= set(changed.point.configuration_files)
    assert_points_are_exact(stage, vm.id, [full, changed])
    pool, config = pool_of(stage, vm.id), stage.simulator.world.inventory.vms[vm.id].config
    assert isinstance(pool, VirtualApp)
    (order,) = pool.order()
    order.startOrder, order.startDelay = 3, 9
    with OtherClient(stage.simulator) as other:
        other.order_vms(pool.moid, [order])
    report = restore(stage, changed, OverOriginal())
    after = vm_named(stage, "front")
    assert after.id != vm.id
    assert (after.folder, after.vapp_id) == (vm.folder, vm.vapp_id)
    assert pool_of(stage, after.id) is pool
    now = stage.simulator.world.inventory.vms[after.id].config
    assert (now.uuid, now.instanceUuid) == (config.uuid, config.instanceUuid)
    codes = {line.code for line in report.log}
    assert "restore.vm_not_as_it_was" not in codes, explain(report)
    assert "restore.order_kept" in codes
    assert [(entry.startOrder, entry.startDelay) for entry in pool.order()] == [(3, 9)]
    assert_holds(stage, vm, changed, after, tmp_path)
    assert len(stage.engine.ask(ListVms(platform=stage.platform))) == 2


def test_a_vm_goes_into_the_vapp_that_its_original_is_in_now(stage: Stage) -> None:
    vm = vm_named(stage, "front")
    made = back_up(stage, vm, BackupKind.FULL)
    machine = stage.simulator.world.inventory.vms[vm.id]
    outer = pool_of(stage, vm_named(stage, "back").id)
    machine.set_pool(outer)
    machine.set(parentVApp=outer.ref)
    restore(stage, made, OverOriginal())
    assert pool_of(stage, vm_named(stage, "front").id) is outer


def test_a_copy_is_made_in_the_vapp(stage: Stage, tmp_path: Path) -> None:
    vm = vm_named(stage, "back")
    made = back_up(stage, vm, BackupKind.FULL)
    restore(stage, made, NewVm(placement=VmPlacement(name="back-2")))
    copy = vm_named(stage, "back-2")
    assert (copy.folder, copy.vapp_id) == (vm.folder, vm.vapp_id)
    assert_holds(stage, vm, made, copy, tmp_path)
