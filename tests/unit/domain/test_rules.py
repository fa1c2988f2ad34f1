from dataclasses import replace
from datetime import UTC, datetime

import pytest

from app.domain.ids import PlatformId, RuleId, StandbyId, VmId
from app.domain.policies import OneTimePolicy
from app.domain.rules import (
    AdvancedSettings,
    BackupRule,
    ProtectedVm,
    RuleProblem,
    VmSituation,
    rule_state,
    vm_state,
)
from app.domain.states import TaskState, shown_state

WEB = ProtectedVm(vm=VmId("vm-1"), name="web-01")


def rule(name: str = "生产组", vms: tuple[ProtectedVm, ...] = (WEB,), path: str = "prod") -> BackupRule:
    return BackupRule(
        id=RuleId("r1"),
        name=name,
        platform=PlatformId("p1"),
        standby=StandbyId("s1"),
        target_path=path,
        vms=vms,
        policy=OneTimePolicy(start=datetime(2026, 11, 22, tzinfo=UTC)),
    )


def problems(checked: BackupRule, vms_taken: dict[VmId, str] | None = None) -> list[RuleProblem]:
    return [kind for kind, _ in checked.problems(names_taken=["Nightly "], vms_taken=vms_taken or {})]


def test_a_complete_rule_has_no_problem() -> None:
    assert problems(rule()) == []
    assert problems(rule(name="x" * 64)) == []


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        (rule(name="  "), RuleProblem.NAME_MISSING),
        (rule(name="x" * 65), RuleProblem.NAME_TOO_LONG),
        (rule(name="a\nb"), RuleProblem.NAME_UNPRINTABLE),
        (rule(name=" nightly"), RuleProblem.NAME_TAKEN),
        (rule(vms=()), RuleProblem.NO_VM),
        (rule(path=" "), RuleProblem.TARGET_PATH_MISSING),
    ],
)
def test_each_broken_field_is_named(broken: BackupRule, expected: RuleProblem) -> None:
    assert problems(broken) == [expected]


def test_a_vm_belongs_to_one_rule_and_that_rule_is_named() -> None:
    found = rule().problems(names_taken=[], vms_taken={VmId("vm-1"): "nightly"})
    assert found == ((RuleProblem.VM_IN_OTHER_RULE, "nightly"),)


def test_a_vm_is_found_by_its_name_only_where_one_has_it() -> None:
    twin = replace(WEB, vm=VmId("vm-2"))
    other = ProtectedVm(vm=VmId("vm-3"), name="db-01")
    several = rule(vms=(WEB, twin, other))
    assert several.vm_named("db-01") == other
    assert several.vm_named("web-01") is None
    assert several.vm_named("gone") is None


def test_change_tracking_is_used_by_default_and_by_hand_when_the_automatic_is_off() -> None:
    assert AdvancedSettings().wants_change_tracking
    assert not AdvancedSettings(automatic_change_tracking=False).wants_change_tracking
    assert AdvancedSettings(automatic_change_tracking=False, use_change_tracking=True).wants_change_tracking


def test_a_rule_shows_the_most_urgent_state_of_its_vms() -> None:
    assert rule_state([TaskState.IDLE, TaskState.RUNNING, TaskState.PENDING]) is TaskState.RUNNING
    assert rule_state([TaskState.IDLE, TaskState.FAILED]) is TaskState.FAILED
    assert rule_state([TaskState.COMPLETED, TaskState.UNKNOWN]) is TaskState.UNKNOWN
    assert rule_state([]) is TaskState.STOPPED
    for state in TaskState:
        assert rule_state([state]) is state


# --- stopping --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", TaskState)
def test_a_task_that_was_asked_to_stop_is_stopping_until_it_has_ended(state: TaskState) -> None:
    assert shown_state(state, is_asked_to_stop=False) is state
    expected = state if state.is_final else TaskState.STOPPING
    assert shown_state(state, is_asked_to_stop=True) is expected


def test_what_is_stopping_has_not_ended_and_cannot_be_stopped_again() -> None:
    assert not TaskState.STOPPING.is_final
    assert not TaskState.STOPPING.can_be_stopped
    assert TaskState.RUNNING.can_be_stopped
    assert not TaskState.STOPPED.can_be_stopped


@pytest.mark.parametrize("state", TaskState)
def test_every_state_has_its_place_among_the_urgent(state: TaskState) -> None:
    assert rule_state([state]) is state


def test_a_vm_that_was_stopped_is_not_called_so_while_its_run_goes_on() -> None:
    situation = VmSituation(
        is_started=False,
        is_one_time=False,
        unfinished=TaskState.STOPPING,
        last=None,
        standby_reachable=True,
        is_scheduled=True,
    )
    assert vm_state(situation) is TaskState.STOPPING
    assert vm_state(replace(situation, unfinished=None)) is TaskState.STOPPED
