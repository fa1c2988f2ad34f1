"""Failed backups of rules are tried again by themselves."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.contract.rules import ChangeRuleRetry, DeleteRule, DescribeRule, OneTime, Periodic, RunNow, StopVms
from app.contract.tasks import CancelTask, TaskDetails, TaskRow
from app.domain.events import TaskFailed
from app.domain.ids import RuleId, VmId
from app.domain.policies import RetryPlan
from app.domain.states import BackupKind, TaskState
from app.engine import messages
from app.engine.rules.errors import RuleRefused
from tests.support.engine_lab import codes_of
from tests.support.rule_lab import RuleLab, local, once, periodic

NOON = local(12)
AGAIN = timedelta(minutes=10, seconds=30)


def broken(lab: RuleLab) -> VmId:
    """Make a VM whose reads fail until a test mends that."""
    vm = lab.host.add_vm("web")
    lab.host.write(vm, 2000, 0, b"data")
    lab.host.faults.fail_read_at = 0
    return vm


def with_retry(retry: RetryPlan) -> Periodic:
    return Periodic(policy=replace(periodic().policy, retry=retry))


def codes(lab: RuleLab, task: TaskRow) -> list[str]:
    return codes_of(lab.engine.ask(TaskDetails(task=task.id)))


def test_a_failed_backup_is_tried_again_and_the_log_and_the_row_say_when(lab: RuleLab) -> None:
    vm = broken(lab)
    rule = lab.rule(vm)
    lab.at(NOON)
    (failed,) = lab.tasks()
    assert failed.state is TaskState.FAILED
    assert messages.RETRY_PLANNED.code in codes(lab, failed)
    told = lab.vm_row(rule, vm).next_try
    assert told is not None
    assert (told.number, told.of) == (1, 3)
    assert timedelta(minutes=10) <= told.at - NOON < AGAIN
    lab.host.faults.fail_read_at = None
    lab.at(NOON + timedelta(minutes=9))
    assert len(lab.tasks()) == 1
    lab.at(NOON + AGAIN)
    assert [task.state for task in lab.tasks()] == [TaskState.FAILED, TaskState.COMPLETED]
    assert lab.vm_row(rule, vm).next_try is None
    assert lab.vm_row(rule, vm).unviewed_errors == 0  # it was made up for
    assert messages.RETRY_BEGUN.code in lab.log_codes()


def test_it_ends_after_as_many_tries_as_the_rule_says_and_one_failure_counts(lab: RuleLab) -> None:
    vm = broken(lab)
    rule = lab.rule(vm, policy=with_retry(RetryPlan(times=2, pause_min=5)))
    lab.at(NOON)
    assert lab.vm_row(rule, vm).unviewed_errors == 1
    lab.live_until(NOON + timedelta(hours=1), timedelta(minutes=6))
    tasks = lab.tasks()
    assert [task.state for task in tasks] == [TaskState.FAILED] * 3
    assert messages.RETRY_USED_UP.code in codes(lab, tasks[-1])
    assert lab.vm_row(rule, vm).unviewed_errors == 1
    failures = [event for event in lab.events if isinstance(event, TaskFailed)]
    assert [failure.is_tried_again for failure in failures] == [True, True, False]


def test_a_rule_that_never_tries_again_does_not(lab: RuleLab) -> None:
    vm = broken(lab)
    rule = lab.rule(vm, policy=with_retry(RetryPlan(times=0)))
    lab.live_until(NOON + timedelta(hours=1), timedelta(minutes=10))
    assert len(lab.tasks()) == 1
    assert lab.vm_row(rule, vm).unviewed_errors == 1


def test_what_cannot_succeed_is_not_tried_again_and_that_is_said(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm)
    lab.secrets.values.clear()  # no password any more
    lab.live_until(NOON + timedelta(hours=1), timedelta(minutes=10))
    (task,) = lab.tasks()
    assert messages.RETRY_USELESS.code in codes(lab, task)
    assert lab.vm_row(rule, vm).next_try is None


def test_a_backup_that_the_operator_stopped_is_not_tried_again(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    lab.host.write(vm, 2000, 0, b"data")
    rule = lab.rule(vm)

    def stop(call: str) -> None:
        if call == "read":
            for task in lab.engine.manager.unfinished():
                lab.engine.execute(CancelTask(task=task.id))

    lab.host.faults.on_call = stop
    lab.live_until(NOON + timedelta(hours=1), timedelta(minutes=10))
    assert [task.state for task in lab.tasks()] == [TaskState.STOPPED]
    assert lab.vm_row(rule, vm).next_try is None


@pytest.mark.parametrize("way", ["stop", "delete", "run now", "switch off"])
def test_a_pending_try_is_dropped(lab: RuleLab, way: str) -> None:
    vm = broken(lab)
    rule = lab.rule(vm, policy=periodic())
    lab.at(NOON)
    assert lab.catalog.retries.all()
    if way == "stop":
        lab.engine.execute(StopVms(rule=rule, vms=(vm,)))
    elif way == "delete":
        lab.engine.execute(DeleteRule(rule=rule, delete_data=False))
    elif way == "run now":
        lab.host.faults.fail_read_at = None
        lab.engine.execute(RunNow(rule=rule, vms=(vm,), kind=BackupKind.FULL))
        assert lab.engine.wait_until_idle(30)
    else:
        lab.engine.execute(ChangeRuleRetry(rule=rule, retry=RetryPlan(times=0)))
    assert lab.catalog.retries.all() == ()
    before = len(lab.tasks())
    lab.live_until(NOON + timedelta(hours=1), timedelta(minutes=10))
    assert len(lab.tasks()) == before


def test_the_next_run_by_plan_takes_the_place_of_a_try(lab: RuleLab) -> None:
    vm = broken(lab)
    rule = lab.rule(vm, policy=with_retry(RetryPlan(times=3, pause_min=24 * 60)))
    lab.at(NOON)
    (task,) = lab.tasks()
    assert messages.RETRY_PLANNED_RUN_FIRST.code in codes(lab, task)
    assert lab.vm_row(rule, vm).next_try is None


def test_a_one_time_rule_is_tried_again_too(lab: RuleLab) -> None:
    vm = broken(lab)
    lab.rule(vm, policy=once(NOON))
    lab.at(NOON)
    lab.host.faults.fail_read_at = None
    lab.at(NOON + AGAIN)
    assert [task.state for task in lab.tasks()] == [TaskState.FAILED, TaskState.COMPLETED]


def test_a_pending_try_survives_a_restart(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        vm = broken(lab)
        lab.rule(vm)
        lab.at(NOON)
    lab.host.faults.fail_read_at = None
    with RuleLab(tmp_path, host=lab.host, start=NOON + AGAIN) as again:
        again.tick()
        assert [task.state for task in again.tasks()] == [TaskState.FAILED, TaskState.COMPLETED]


def test_a_backup_that_the_end_of_the_program_interrupted_is_tried_again(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        vm = lab.host.add_vm("web")
        lab.host.write(vm, 2000, 0, b"data")
        lab.rule(vm)
        lab.at(NOON)
        (task,) = lab.tasks()
        lab.catalog.tasks.enter(task.id, TaskState.RUNNING, lab.clock.now())
    with RuleLab(tmp_path, host=lab.host, start=NOON + timedelta(minutes=5)) as again:
        assert [retry.next.number for retry in again.catalog.retries.all()] == [1]
        again.at(NOON + timedelta(minutes=16))
        assert [run.state for run in again.tasks()] == [TaskState.FAILED, TaskState.COMPLETED]


def test_a_rule_from_before_has_the_usual_plan(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm, policy=periodic())
    policy = draft_policy(lab, rule)
    assert policy.policy.retry == RetryPlan(times=3, pause_min=10)


def test_changing_the_plan_leaves_the_policy_alone_and_refuses_nonsense(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm, policy=once(NOON))
    before = draft_policy(lab, rule)
    lab.engine.execute(ChangeRuleRetry(rule=rule, retry=RetryPlan(times=1, pause_min=60)))
    after = draft_policy(lab, rule)
    assert replace(after.policy, retry=before.policy.retry) == before.policy
    assert after.policy.retry == RetryPlan(times=1, pause_min=60)
    with pytest.raises(RuleRefused, match="Enter 0 to 10 tries"):
        lab.engine.execute(ChangeRuleRetry(rule=rule, retry=RetryPlan(times=99)))


def draft_policy(lab: RuleLab, rule: RuleId) -> OneTime | Periodic:
    return lab.engine.ask(DescribeRule(rule=rule)).draft.policy
