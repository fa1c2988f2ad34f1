"""Which VM it is, over the wire: registered again, copied, and with disks that no point holds."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from app.cli.demo.stage import Stage
from app.contract.platforms import ListVms
from app.contract.restore import ConfirmedVm, FindOriginals, OriginalRow, OverOriginal, StartRestore
from app.contract.tasks import TaskReport
from app.domain.identity import Verdict
from app.domain.ids import VmId
from app.domain.states import BackupKind, TaskState
from app.simulator.spec import DiskSpec, Flavour, SimulatorSpec, VmSpec
from app.simulator.vm.values import changed
from app.simulator.vm.virtual_machine import VirtualMachine
from tests.e2e.conftest import OpenStage
from tests.support.stage import MIB, Made, back_up, explain, finished, small_spec, start_backup, vm_named
from tests.support.vm_identities import register_again, set_up_again, share_uuids

TWO = (VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=16 * MIB),)), VmSpec(name="db-01"))
ESXI = SimulatorSpec(flavour=Flavour.ESXI, hosts=("esx01.lab",), vms=TWO)


def machine(stage: Stage, vm: VmId) -> VirtualMachine:
    found = stage.simulator.world.get(vm)
    assert isinstance(found, VirtualMachine)
    return found


def renumbered(stage: Stage, ids: Mapping[str, str | None]) -> dict[str, str]:
    return register_again(stage.simulator.world, ids)


def over_original(stage: Stage, made: Made, confirmed: ConfirmedVm | None = None) -> TaskReport:
    task = stage.engine.execute(
        StartRestore(
            standby=stage.standby,
            point=made.point.id,
            platform=stage.platform,
            target=OverOriginal(confirmed=confirmed),
        )
    )
    return finished(stage.engine, task)


def original(stage: Stage, made: Made) -> OriginalRow:
    (row,) = stage.engine.ask(FindOriginals(standby=stage.standby, points=(made.point.id,)))
    return row


def names(stage: Stage) -> dict[str, str]:
    return {vm.name: vm.id for vm in stage.engine.ask(ListVms(platform=stage.platform))}


@pytest.mark.parametrize("spec", [small_spec(*TWO), ESXI], ids=["vcenter", "esxi"])
def test_all_vms_of_a_host_that_was_added_again_go_on_and_can_be_restored(
    open_fresh_stage: OpenStage, spec: SimulatorSpec
) -> None:
    stage = open_fresh_stage(spec)
    web, db = vm_named(stage, "web-01"), vm_named(stage, "db-01")
    first = back_up(stage, web, BackupKind.FULL)
    back_up(stage, db, BackupKind.FULL)
    facts = first.point.facts
    assert (facts.bios_uuid, facts.folder) == (web.bios_uuid, web.folder)
    assert facts.platform_uuid
    given = renumbered(stage, {web.id: db.id, db.id: None})
    report = finished(stage.engine, start_backup(stage, web, BackupKind.INCREMENTAL))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert "backup.vm_followed" in [line.code for line in report.log]
    assert report.task.vm == db.id
    row = original(stage, first)
    assert (row.is_proven, [vm.id for vm in row.choices]) == (True, [given[web.id]])
    assert row.choices[0].booted_at is not None
    report = over_original(stage, first)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert set(names(stage)) == {"web-01", "db-01"}
    assert names(stage)["db-01"] == given[db.id]


def test_a_vcenter_that_was_set_up_again_at_its_address(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(*TWO))
    web, db = vm_named(stage, "web-01"), vm_named(stage, "db-01")
    made = back_up(stage, web, BackupKind.FULL)
    set_up_again(stage.simulator.world, "11111111-2222-3333-4444-555555555555")
    renumbered(stage, {web.id: db.id, db.id: web.id})
    report = finished(stage.engine, start_backup(stage, web, BackupKind.INCREMENTAL))
    assert report.task.state is TaskState.COMPLETED, explain(report)
    row = original(stage, made)
    assert (report.task.vm, row.verdict, row.is_proven) == (db.id, Verdict.MOVED, True)


def test_a_stranger_with_the_id_is_left_alone(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(*TWO))
    web, db = vm_named(stage, "web-01"), vm_named(stage, "db-01")
    made = back_up(stage, web, BackupKind.FULL)
    gone = machine(stage, web.id)
    given = renumbered(stage, {web.id: None, db.id: web.id})
    gone.set_config(changed(gone.config, instanceUuid="50000000-0000-0000-0000-000000000000"))
    gone.rename("something else")
    report = finished(stage.engine, start_backup(stage, web, BackupKind.INCREMENTAL))
    assert report.task.error is not None, explain(report)
    assert report.task.error.code == "vm.id_of_another"
    report = over_original(stage, made)
    assert names(stage)["db-01"] == web.id, "it was not replaced"
    assert given[web.id] in names(stage).values()


def test_a_copy_of_the_original_survives_its_restore(open_fresh_stage: OpenStage) -> None:
    stage = open_fresh_stage(small_spec(*TWO))
    web, db = vm_named(stage, "web-01"), vm_named(stage, "db-01")
    made = back_up(stage, web, BackupKind.FULL)
    share_uuids(machine(stage, web.id), machine(stage, db.id))
    given = renumbered(stage, {web.id: None})
    report = over_original(stage, made)
    assert report.task.error is not None, explain(report)
    assert report.task.error.code == "restore.original_unsure"
    row = original(stage, made)
    assert (row.verdict, [vm.id for vm in row.choices]) == (Verdict.UNSURE, [given[web.id]])
    chosen = row.choices[0]
    confirmed = ConfirmedVm(vm=chosen.id, name=chosen.name, instance_uuid=chosen.instance_uuid)
    report = over_original(stage, made, confirmed)
    assert report.task.state is TaskState.COMPLETED, explain(report)
    assert names(stage)["db-01"] == db.id


@pytest.mark.parametrize(
    "left_out",
    [
        DiskSpec(capacity_bytes=16 * MIB, mode="independent_persistent"),
        DiskSpec(capacity_bytes=16 * MIB, mode="independent_nonpersistent"),
        DiskSpec(capacity_bytes=16 * MIB, kind="rdm_physical"),
    ],
    ids=["independent", "nonpersistent", "rdm"],
)
def test_a_disk_that_no_point_holds_is_never_deleted(open_fresh_stage: OpenStage, left_out: DiskSpec) -> None:
    disks = (DiskSpec(capacity_bytes=16 * MIB), left_out)
    stage = open_fresh_stage(small_spec(VmSpec(name="web-01", disks=disks)))
    web = vm_named(stage, "web-01")
    made = back_up(stage, web, BackupKind.FULL)
    before = _files(stage)
    assert len(original(stage, made).uncovered_of(web.id)) == 1
    report = over_original(stage, made)
    assert report.task.error is not None, explain(report)
    assert report.task.error.code == "restore.disks_not_held"
    assert names(stage) == {"web-01": web.id}
    assert _files(stage) == before
    assert machine(stage, web.id).is_running


def _files(stage: Stage) -> set[Path]:
    return {path for path in stage.simulator.world.directory.rglob("*.vmdk") if path.is_file()}
