"""VMs that a backup cannot reach, or that are the platform's own, over the wire."""

from dataclasses import replace

import pytest

from app.cli.demo.stage import Stage
from app.contract.doctor import ExaminePlatform, Severity
from app.contract.platforms import ListPlatformRows, ListVms
from app.contract.points import ListPoints
from app.contract.restore import OverOriginal, StartRestore
from app.contract.transports import ProbeTransports
from app.domain.ids import VmId
from app.domain.states import BackupKind, TaskState
from app.engine.platforms.errors import NothingToProbe
from app.simulator.inventory.maintenance import HostConnection
from app.simulator.spec import DiskSpec, VmSpec, cluster_agent
from app.simulator.vm.machine import Machine, VmConnection
from tests.e2e.conftest import OpenStage
from tests.support.stage import (
    MIB,
    back_up,
    examined,
    explain,
    finished,
    our_snapshots,
    small_spec,
    start_backup,
    vm_named,
)

WEB = VmSpec(name="web-01", disks=(DiskSpec(capacity_bytes=8 * MIB),))


def machine(stage: Stage, vm: VmId) -> Machine:
    found = stage.simulator.world.inventory.vms[vm]
    assert isinstance(found, Machine)
    return found


@pytest.mark.parametrize(
    ("state", "code"),
    [
        ("disconnected", "vm.disconnected"),
        ("inaccessible", "vm.inaccessible"),
        ("invalid", "vm.invalid"),
        ("orphaned", "vm.orphaned"),
    ],
)
def test_a_backup_fails_before_anything_is_created(
    open_fresh_stage: OpenStage, state: VmConnection, code: str
) -> None:
    stage = open_fresh_stage(small_spec(WEB))
    vm = vm_named(stage, "web-01")
    made = back_up(stage, vm, BackupKind.FULL)
    machine(stage, vm.id).set_connection(state)
    report = finished(stage.engine, start_backup(stage, vm, BackupKind.INCREMENTAL))
    assert report.task.error is not None, explain(report)
    assert report.task.error.code == code
    assert {"snapshot.created", "backup.configuration_saved"}.isdisjoint(line.code for line in report.log)
    assert [(finding.code, finding.severity) for finding in examined(stage, vm)] == [(code, Severity.ERROR)]

    over = StartRestore(standby=stage.standby, point=made.point.id, platform=stage.platform, target=OverOriginal())
    restored = finished(stage.engine, stage.engine.execute(over))
    assert restored.task.state is TaskState.FAILED, explain(restored)
    assert "restore.vm_created" not in {line.code for line in restored.log}

    machine(stage, vm.id).set_connection("connected")
    assert our_snapshots(stage) == []
    back_up(stage, vm, BackupKind.INCREMENTAL)


@pytest.mark.parametrize(
    ("state", "code", "finding"),
    [
        ("disconnected", "vm.disconnected", "doctor.host_disconnected"),
        ("notResponding", "vm.host_silent", "doctor.host_silent"),
    ],
)
def test_a_host_that_is_away_is_named(
    open_fresh_stage: OpenStage, state: HostConnection, code: str, finding: str
) -> None:
    stage = open_fresh_stage(small_spec(WEB))
    vm = vm_named(stage, "web-01")
    machine(stage, vm.id).host.set_connection(state)
    report = finished(stage.engine, start_backup(stage, vm, BackupKind.FULL))
    assert report.task.error is not None
    assert report.task.error.code == code
    assert vm.host in str(report.task.error.message)
    found = stage.engine.ask(ExaminePlatform(platform=stage.platform))
    assert (vm.host, finding) in [(known.subject, known.code) for known in found]


def test_the_probe_of_the_transports_takes_a_vm_that_is_reached_and_no_vm_of_the_system(
    open_fresh_stage: OpenStage,
) -> None:
    off = replace(WEB, powered_on=False)
    agent = replace(cluster_agent(1), powered_on=False)
    stage = open_fresh_stage(small_spec(replace(off, name="a-lost"), replace(off, name="z-there"), agent))
    machine(stage, vm_named(stage, "a-lost").id).set_connection("orphaned")
    assert stage.engine.ask(ProbeTransports(platform=stage.platform)).vm_name == "z-there"
    machine(stage, vm_named(stage, "z-there").id).set_connection("disconnected")
    with pytest.raises(NothingToProbe):
        stage.engine.ask(ProbeTransports(platform=stage.platform))


@pytest.mark.parametrize("is_embedded", [False, True])
def test_a_vm_of_cluster_services_is_not_offered_and_a_rule_says_what_it_is(
    open_fresh_stage: OpenStage, is_embedded: bool
) -> None:
    agent = cluster_agent(1, embedded=is_embedded)
    namesake = VmSpec(name="vCLS (1)", disks=WEB.disks)
    stage = open_fresh_stage(small_spec(WEB, agent, namesake))
    assert [vm.name for vm in stage.engine.ask(ListVms(platform=stage.platform))] == ["vCLS (1)", "web-01"]
    (row,) = stage.engine.ask(ListPlatformRows())
    assert row.vm_count == 2
    vms = stage.simulator.world.inventory.vms.values()
    (hidden,) = [known for known in vms if known.name == agent.name]
    named = replace(vm_named(stage, "web-01"), id=VmId(hidden.moid), name=hidden.name)
    report = finished(stage.engine, start_backup(stage, named, BackupKind.FULL))
    assert report.task.error is not None
    assert report.task.error.code == "vm.of_the_system"
    assert "vCLS" in report.task.error.message
    (finding,) = examined(stage, named)
    assert (finding.code, finding.severity) == ("vm.of_the_system", Severity.ERROR)
    assert stage.engine.ask(ListPoints(standby=stage.standby)) == ()
    back_up(stage, vm_named(stage, "vCLS (1)"), BackupKind.FULL)
