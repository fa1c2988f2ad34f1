"""Rules are created, changed and deleted, and every guard holds."""

import platform
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.offers import OfferPoint, WithdrawPoint
from app.contract.platforms import RemovePlatform
from app.contract.points import StartVerify
from app.contract.rules import (
    AddVmsToRule,
    ChangeRulePolicy,
    CheckRule,
    CreateRule,
    DeleteRule,
    DescribeRule,
    ListRules,
    ListRuleVms,
    OneTime,
    Periodic,
    PreviewRuleDeletion,
    RemoveVmsFromRule,
    RuleDraft,
    RunNow,
    StartRules,
    StopVms,
    VmChoice,
    VmsInRules,
)
from app.contract.standbys import RemoveStandby
from app.domain.changes import Subject
from app.domain.changetracking import ChangeTracking
from app.domain.errors import OperationalError
from app.domain.events import RuleRemoved, TaskStateChanged
from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import PeriodicPolicy, PolicyUnit, Retention
from app.domain.rules import AdvancedSettings
from app.domain.states import BackupKind, TaskState
from app.engine.rules.errors import (
    LastVmOfRule,
    RuleInUse,
    RuleRefused,
    RuleUnknown,
    StillStopping,
    VmNotInRule,
)
from app.engine.tasks.dispatcher import Limits
from app.engine.tasks.spec import BackupSpec
from app.engine.tasks.stored import read_spec
from app.repository.errors import PointPinned
from tests.support.engine_lab import filled_vm
from tests.support.rule_lab import BY_HAND, RuleLab, daily, local, once, periodic
from tests.support.waiting import wait_until
from tests.unit.engine.test_engine import Gate

FULL = BackupKind.FULL
ONE_AT_A_TIME = Limits(max_tasks=1, max_tasks_per_host=8)


def problems(lab: RuleLab, draft: RuleDraft) -> set[tuple[str, str]]:
    return {(row.field, row.code) for row in lab.engine.ask(CheckRule(draft=draft))}


def the_spec(lab: RuleLab) -> BackupSpec:
    (record,) = lab.catalog.tasks.find()
    spec = read_spec(record)
    assert isinstance(spec, BackupSpec)
    return spec


# --- creating ----------------------------------------------------------------------------------------------------


def test_a_rule_comes_back_as_it_was_entered(lab: RuleLab) -> None:
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    advanced = AdvancedSettings(quiesce=True, lan_free=True)
    rule = lab.rule(web, db, advanced=advanced, target_path=r"\vm\\web/./")
    details = lab.engine.ask(DescribeRule(rule=rule))
    assert details.draft.target_path == "vm/web"
    assert details.draft.vms == (VmChoice(vm=web, name="web"), VmChoice(vm=db, name="db"))
    assert (details.draft.advanced, details.draft.policy) == (advanced, periodic())
    assert (details.row.platform_name, details.row.standby_name) == ("lab", "standby")
    assert lab.engine.ask(VmsInRules(platform=lab.platform)) == {web: "nightly", db: "nightly"}
    assert lab.hears(Subject.RULES, rule)


def test_every_problem_of_a_draft_is_named_with_its_field(lab: RuleLab) -> None:
    web = lab.host.add_vm("web")
    lab.rule(web)
    empty = lab.draft(name="  ", target_path=" ", policy=Periodic(policy=PeriodicPolicy(plans=())))
    assert problems(lab, empty) == {
        ("name", "name_missing"),
        ("vms", "no_vm"),
        ("target_path", "target_path_missing"),
        ("policy", "no_plan"),
    }
    taken = lab.draft(web, name="NIGHTLY", target_path="../outside", policy=once(local(9, day=1)))
    assert problems(lab, taken) == {
        ("name", "name_taken"),
        ("vms", "vm_in_other_rule"),
        ("target_path", "target_path_refused"),
        ("policy", "start_before_today"),
    }
    nowhere = RuleDraft(
        name="x" * 65,
        platform=PlatformId("none"),
        standby=StandbyId("none"),
        target_path="a",
        vms=(VmChoice(vm=VmId("v"), name="v"), VmChoice(vm=VmId("v"), name="v")),
        policy=periodic(retention=Retention(period=65)),
    )
    assert problems(lab, nowhere) == {
        ("name", "name_too_long"),
        ("platform", "platform_unknown"),
        ("standby", "standby_unknown"),
        ("vms", "vm_twice"),
        ("policy", "retention_out_of_range"),
    }
    with pytest.raises(RuleRefused, match="A chosen VM is in the rule nightly already"):
        lab.engine.execute(CreateRule(draft=taken))
    assert len(lab.engine.ask(ListRules())) == 1


def test_an_edited_rule_does_not_stand_in_its_own_way(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    draft = lab.engine.ask(DescribeRule(rule=rule)).draft
    assert lab.engine.ask(CheckRule(draft=draft, rule=rule)) == ()


def test_a_target_inside_another_repository_is_refused(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)), target_path="vm")
    lab.tick()
    inside = lab.draft(lab.host.add_vm("db"), name="other", target_path="vm/points")
    assert problems(lab, inside) == {("target_path", "target_inside_repository")}
    beside = lab.draft(lab.host.named("db"), name="other", target_path="vm2")
    assert problems(lab, beside) == set()


def test_the_root_of_a_standby_can_be_a_target(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"), policy=once(local(8)), target_path="/")
    lab.tick()
    assert lab.row(rule).target_path == "/"
    assert len(lab.points()) == 1


def test_the_unit_of_the_retention_follows_the_plans(lab: RuleLab) -> None:
    rule = lab.rule(
        lab.host.add_vm("web"), policy=periodic(retention=Retention(period=3, unit=PolicyUnit.MONTHLY))
    )
    policy = lab.engine.ask(DescribeRule(rule=rule)).draft.policy
    assert not isinstance(policy, OneTime)
    assert policy.policy.retention == Retention(period=3, unit=PolicyUnit.DAILY)


@pytest.mark.parametrize(
    ("advanced", "tracking"),
    [
        (AdvancedSettings(), ChangeTracking.AUTOMATIC),
        (AdvancedSettings(automatic_change_tracking=False, use_change_tracking=True), ChangeTracking.IF_ENABLED),
        (AdvancedSettings(automatic_change_tracking=False), ChangeTracking.OFF),
    ],
)
def test_advanced_settings_reach_the_backup(
    lab: RuleLab, advanced: AdvancedSettings, tracking: ChangeTracking
) -> None:
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)), advanced=advanced)
    lab.tick()
    assert the_spec(lab).tracking is tracking
    assert the_spec(lab).transports == ()


def test_lan_free_goes_along_to_the_task(lab: RuleLab) -> None:
    advanced = AdvancedSettings(lan_free=True, quiesce=True)
    lab.rule(lab.host.add_vm("web"), policy=once(local(8)), advanced=advanced)
    lab.tick()
    assert the_spec(lab).lan_free
    assert the_spec(lab).quiesce


# --- changing ----------------------------------------------------------------------------------------------------


def test_vms_are_added_unless_they_are_in_a_rule_already(lab: RuleLab) -> None:
    web, db, mail = (lab.host.add_vm(name) for name in ("web", "db", "mail"))
    rule, _other = lab.rule(web), lab.rule(db, name="other", target_path="vm/db")
    for vm, name in ((web, "nightly"), (db, "other")):
        with pytest.raises(RuleRefused, match=name):
            lab.engine.execute(AddVmsToRule(rule=rule, vms=(VmChoice(vm=vm, name="x"),)))
    lab.engine.execute(AddVmsToRule(rule=rule, vms=(VmChoice(vm=mail, name="mail"),)))
    assert [row.name for row in lab.engine.ask(ListRuleVms(rule=rule))] == ["mail", "web"]
    lab.at(local(12))
    assert sorted(row.vm_name for row in lab.tasks()) == ["db", "mail", "web"]


def test_a_vm_is_taken_out_with_or_without_its_data(lab: RuleLab) -> None:
    vms = web, db, mail = tuple(lab.host.add_vm(name) for name in ("web", "db", "mail"))
    rule = lab.rule(*vms)
    lab.at(local(12))
    lab.engine.execute(RemoveVmsFromRule(rule=rule, vms=(db,)))
    lab.engine.execute(RemoveVmsFromRule(rule=rule, vms=(web,), delete_data=True))
    assert {known.point.facts.vm for known in lab.catalog.points.find()} == {db, mail}
    with lab.engine.services.repositories.lease(lab.standby, "vm/web") as repository:
        assert {point.facts.vm for point in repository.points().points} == {db, mail}
    with pytest.raises(LastVmOfRule):
        lab.engine.execute(RemoveVmsFromRule(rule=rule, vms=(mail,)))
    with pytest.raises(VmNotInRule):
        lab.engine.execute(RemoveVmsFromRule(rule=rule, vms=(web,)))


def test_a_policy_that_cannot_be_is_refused(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    with pytest.raises(RuleRefused, match="The same run time is there twice"):
        lab.engine.execute(ChangeRulePolicy(rule=rule, policy=periodic(daily("09:00", "09:00"))))
    assert lab.engine.ask(DescribeRule(rule=rule)).draft.policy == periodic()


# --- deleting ----------------------------------------------------------------------------------------------------


def test_deleting_without_data_leaves_the_points(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"))
    lab.at(local(12))
    lab.engine.execute(DeleteRule(rule=rule, delete_data=False))
    assert lab.engine.ask(ListRules()) == ()
    assert len(lab.catalog.points.find(vm=vm)) == 1
    assert any(isinstance(event, RuleRemoved) and event.rule == rule for event in lab.events)
    lab.at(local(12, day=3))
    assert len(lab.tasks()) == 1
    again = lab.rule(vm)
    lab.at(local(12, day=4))
    assert lab.kinds() == [FULL, BackupKind.INCREMENTAL]
    assert lab.vm_row(again, vm).point_count == 2


def test_deleting_with_data_removes_what_the_preview_said(lab: RuleLab) -> None:
    web, db = filled_vm(lab), lab.host.add_vm("db")
    rule = lab.rule(web)
    lab.rule(db, name="other")
    lab.at(local(12))
    lab.at(local(12, day=3))
    preview = lab.engine.ask(PreviewRuleDeletion(rule=rule))
    assert (preview.point_count, preview.blocked_by) == (2, ())
    assert preview.freed_bytes > 0
    lab.engine.execute(DeleteRule(rule=rule, delete_data=True))
    assert {known.point.facts.vm for known in lab.catalog.points.find()} == {db}


def blockers(lab: RuleLab, rule: RuleId) -> list[str]:
    return [str(user) for user in lab.engine.ask(PreviewRuleDeletion(rule=rule)).blocked_by]


def test_data_that_a_task_uses_is_not_deleted(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    lab.at(local(12))
    (known,) = lab.catalog.points.find()
    lab.engine.manager.set_limits(Limits(max_tasks=0, max_tasks_per_host=1))
    verify = StartVerify(standby=lab.standby, target_path="vm/web", point=known.point.id)
    lab.engine.execute(verify)
    assert blockers(lab, rule) == ["verification of web"]
    with pytest.raises(RuleInUse, match="verification of web"):
        lab.engine.execute(DeleteRule(rule=rule, delete_data=True))
    lab.engine.execute(DeleteRule(rule=rule, delete_data=False))
    assert len(lab.catalog.points.find()) == 1
    lab.engine.manager.set_limits(ONE_AT_A_TIME)


def test_data_that_is_pinned_is_not_deleted_and_nothing_is_changed(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    lab.at(local(12))
    lab.at(local(12, day=3))
    newest = max(lab.catalog.points.find(), key=lambda known: known.point.created_at)
    point = newest.point.id
    lab.engine.execute(OfferPoint(standby=lab.standby, target_path="vm/web", point=point, over_tcp=True))
    assert blockers(lab, rule) == [f"disks over NBD of web on {platform.node()}"]
    with pytest.raises(PointPinned):
        lab.engine.execute(DeleteRule(rule=rule, delete_data=True))
    assert len(lab.catalog.points.find()) == 2, "neither is deleted when one may not be"
    (row,) = lab.engine.ask(ListRules())
    assert row.state is not TaskState.STOPPED, "the rule was not even stopped"
    lab.engine.execute(WithdrawPoint(standby=lab.standby, target_path="vm/web", point=point))
    lab.engine.execute(DeleteRule(rule=rule, delete_data=True))
    assert lab.catalog.points.find() == ()


def test_deleting_a_rule_stops_its_running_backup_first(lab: RuleLab) -> None:
    gate = Gate(lab)
    rule = lab.rule(vm := lab.host.add_vm("web"))
    lab.turn_to(local(12))
    lab.engine.tick()
    wait_until(lambda: gate.waiting == 1)
    deleting = threading.Thread(target=lab.engine.execute, args=(DeleteRule(rule=rule, delete_data=True),))
    deleting.start()
    wait_until(lambda: lab.state(rule, vm) is not TaskState.STOPPED and not started(lab, rule))
    gate.open()
    deleting.join(30)
    assert lab.engine.ask(ListRules()) == ()
    assert list(lab.ended().values()) == [TaskState.STOPPED]
    assert lab.catalog.points.find(vm=vm) == ()
    assert lab.host.our_snapshots() == []


def started(lab: RuleLab, rule: RuleId) -> bool:
    known = lab.catalog.rules.get(rule)
    return known is not None and any(vm.is_started for vm in known.vms)


def test_a_rule_whose_backup_does_not_stop_in_time_is_not_deleted(tmp_path: Path) -> None:
    with RuleLab(tmp_path, settings=replace(BY_HAND, stop_wait_s=0.05)) as lab:
        gate = Gate(lab)
        rule = lab.rule(lab.host.add_vm("web"))
        lab.turn_to(local(12))
        lab.engine.tick()
        wait_until(lambda: gate.waiting == 1)
        with pytest.raises(StillStopping):
            lab.engine.execute(DeleteRule(rule=rule, delete_data=True))
        assert lab.row(rule).id == rule
        gate.open()
        lab.tick()
        lab.engine.execute(DeleteRule(rule=rule, delete_data=True))


def test_what_rules_use_cannot_be_removed(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"))
    for command in (RemovePlatform(platform=lab.platform), RemoveStandby(standby=lab.standby)):
        with pytest.raises(OperationalError, match="used by the backup rules nightly"):
            lab.engine.execute(command)


def test_rules_and_vms_that_are_not_there_are_named(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    with pytest.raises(RuleUnknown):
        lab.engine.execute(DeleteRule(rule=RuleId("none"), delete_data=False))
    with pytest.raises(RuleUnknown):
        lab.engine.execute(StartRules(rules=(rule, RuleId("none"))))
    with pytest.raises(VmNotInRule):
        lab.engine.execute(StopVms(rule=rule, vms=(VmId("none"),)))


# --- run now -----------------------------------------------------------------------------------------------------


def test_run_now_goes_before_what_waits_and_leaves_out_what_runs(lab: RuleLab) -> None:
    lab.engine.manager.set_limits(ONE_AT_A_TIME)
    gate = Gate(lab)
    first, second, third = (lab.host.add_vm(f"vm{number}") for number in range(3))
    rule = lab.rule(first, second, third)
    urgent = lab.rule(lab.host.add_vm("urgent"), name="urgent", target_path="vm/urgent")
    lab.turn_to(local(12))
    lab.engine.tick()
    wait_until(lambda: gate.waiting == 1)
    promoted = lab.engine.execute(RunNow(rule=rule, vms=(third,), kind=BackupKind.INCREMENTAL))
    assert len(lab.engine.execute(RunNow(rule=urgent, kind=FULL))) == 1
    assert lab.engine.execute(RunNow(rule=rule, vms=(first,), kind=FULL)) == ()
    assert len(lab.tasks()) == 5, "the one that waited was only moved up"
    gate.open()
    lab.tick()
    began = [
        event.task
        for event in lab.events
        if isinstance(event, TaskStateChanged) and event.state is TaskState.PREPARING
    ]
    names = {row.id: row.vm_name for row in lab.tasks()}
    assert [names[task] for task in began] == ["vm0", "vm2", "urgent", "vm1", "urgent"]
    assert began[1] == promoted[0]
    assert set(lab.ended().values()) == {TaskState.COMPLETED}


def test_run_now_of_a_stopped_vm_runs_all_the_same(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"))
    lab.engine.execute(StopVms(rule=rule, vms=(vm,)))
    lab.engine.execute(RunNow(rule=rule, kind=FULL))
    lab.tick()
    assert lab.kinds() == [FULL]
    assert lab.state(rule, vm) is TaskState.STOPPED
