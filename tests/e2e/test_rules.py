"""A rule on a real wire: it runs by itself, its VMs go back as a group, and it goes on with the new ones."""

from app.cli.demo.stage import Stage
from app.contract.doctor import ExaminePlatform, ExamineRule, Severity
from app.contract.platforms import InspectServer, ListPlatformRows
from app.contract.points import ListPoints
from app.contract.restore import GroupMember, StartGroupRestore
from app.contract.rules import (
    CreateRule,
    ListRules,
    ListRuleVms,
    OneTime,
    Periodic,
    Policy,
    RuleDraft,
    RunNow,
    VmChoice,
    VmsInRules,
)
from app.contract.tasks import TaskDetails
from app.domain.ids import VmId
from app.domain.policies import OneTimePolicy, PeriodicPolicy, Plan, PolicyUnit
from app.domain.states import BackupKind, TaskState
from app.simulator.spec import DiskSpec, VmSpec
from tests.e2e.conftest import OpenStage
from tests.support.stage import DEADLINE_S, explain, finished, our_snapshots, small_spec, vm_named
from tests.support.waiting import wait_until

MIB = 1024 * 1024


def draft(stage: Stage, policy: Policy, *names: str) -> RuleDraft:
    vms = [vm_named(stage, name) for name in names]
    return RuleDraft(
        name="nightly",
        platform=stage.platform,
        standby=stage.standby,
        target_path="vm/group",
        vms=tuple(VmChoice(vm=vm.id, name=vm.name) for vm in vms),
        policy=policy,
    )


def test_a_rule_runs_by_itself_and_follows_its_vms_through_a_group_restore(open_fresh_stage: OpenStage) -> None:
    disk = DiskSpec(capacity_bytes=16 * MIB)
    stage = open_fresh_stage(small_spec(VmSpec(name="web", disks=(disk,)), VmSpec(name="db", disks=(disk,))))
    engine = stage.engine
    now = OneTime(policy=OneTimePolicy(start=engine.services.clock.now()))
    rule = engine.execute(CreateRule(draft=draft(stage, now, "web", "db")))
    wait_until(
        lambda: engine.ask(ListRules())[0].state is TaskState.COMPLETED,
        deadline_s=DEADLINE_S,
        what="the one-time rule",
    )
    points = engine.ask(ListPoints(standby=stage.standby, target_path="vm/group"))
    assert sorted(known.point.facts.name for known in points) == ["db", "web"]

    members = tuple(GroupMember(vm=known.point.facts.vm, point=known.point.id) for known in points)
    for task in engine.execute(StartGroupRestore(rule=rule, members=members, power_on=True)):
        report = finished(engine, task)
        assert report.task.state is TaskState.COMPLETED, explain(report)
    present = {vm_named(stage, name).id for name in ("web", "db")}
    assert present.isdisjoint({member.vm for member in members})
    protected: dict[VmId, str] = engine.ask(VmsInRules(platform=stage.platform))
    assert set(protected) == present

    for kind in (BackupKind.INCREMENTAL, BackupKind.INCREMENTAL):
        for task in engine.execute(RunNow(rule=rule, kind=kind)):
            report = finished(engine, task)
            assert report.task.state is TaskState.COMPLETED, explain(engine.ask(TaskDetails(task=task)))
    for vm in present:
        kinds = [known.point.kind for known in engine.ask(ListPoints(standby=stage.standby, vm=vm))]
        assert kinds == [BackupKind.INCREMENTAL, BackupKind.FULL]
    assert [row.point_count for row in engine.ask(ListRuleVms(rule=rule))] == [3, 3]
    assert our_snapshots(stage) == []


def test_the_doctor_finds_nothing_wrong_with_a_fresh_vcenter(stage: Stage) -> None:
    engine, simulator = stage.engine, stage.simulator
    shown = engine.ask(InspectServer(address=simulator.host, port=simulator.port))
    assert shown.thumbprint_sha256 == simulator.thumbprint_sha256
    vm = vm_named(stage, "web-01")
    plan = Plan(unit=PolicyUnit.DAILY, kind=BackupKind.FULL, times=())
    draft_ = draft(stage, Periodic(policy=PeriodicPolicy(plans=(plan,))), vm.name)
    for findings in (engine.ask(ExaminePlatform(platform=stage.platform)), engine.ask(ExamineRule(draft=draft_))):
        wrong = [finding for finding in findings if finding.severity in (Severity.ERROR, Severity.WARNING)]
        # The simulated hosts have names that nobody resolves.
        assert {finding.code for finding in wrong} <= {"doctor.port_closed", "doctor.name_unresolved"}
        assert {"doctor.can_back_up", "doctor.can_restore"} <= {finding.code for finding in findings}
    (row,) = engine.ask(ListPlatformRows())
    assert (row.reachable, row.vm_count, row.error) == (True, 1, None)
    assert row.license_name
