"""Rules run by themselves: on time, once, in the operator's time zone, and what is missed is said."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from app.catalog.errors import CatalogUnavailable
from app.contract.rules import ChangeRulePolicy, StartVms, StopVms
from app.domain.ids import RuleId
from app.domain.policies import Weekday
from app.domain.states import BackupKind, TaskKind, TaskState
from app.engine.tasks.dispatcher import Limits
from tests.support.rule_lab import BERLIN, BY_HAND, RuleLab, daily, local, once, periodic, weekly
from tests.support.waiting import wait_until
from tests.unit.engine.test_engine import Gate

FULL, INCREMENTAL = BackupKind.FULL, BackupKind.INCREMENTAL


NOTHING_BEGINS = Limits(max_tasks=0, max_tasks_per_host=1)


def test_a_daily_rule_runs_every_day_at_its_time_and_the_first_run_is_full(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm, policy=periodic(daily("12:00", "20:30")))
    lab.tick()
    assert lab.tasks() == []
    assert lab.row(rule).next_run == local(12)
    lab.at(local(11, 59))
    assert lab.tasks() == []
    lab.at(local(12))
    lab.at(local(20, 30))
    lab.at(local(12, day=3))
    assert lab.moments() == [local(12), local(20, 30), local(12, day=3)]
    assert lab.kinds() == [FULL, INCREMENTAL, INCREMENTAL]
    assert [row.rule for row in lab.tasks()] == [rule] * 3
    assert lab.row(rule).next_run == local(20, 30, day=3)


def test_one_look_at_the_same_minute_begins_a_run_once(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"))
    lab.at(local(12))
    for _ in range(3):
        lab.tick()
        lab.turnable.turn(1)
    assert len(lab.tasks()) == 1


def test_two_plans_on_one_minute_make_one_run_of_the_more_complete_kind(lab: RuleLab) -> None:
    policy = periodic(daily("12:00"), weekly(Weekday.TUESDAY, "12:00"))
    lab.rule(lab.host.add_vm("web"), policy=policy)
    lab.at(local(12))
    lab.at(local(12, day=3))
    lab.at(local(12, day=4))
    assert lab.kinds() == [FULL, FULL, INCREMENTAL]


def test_a_run_that_overlaps_its_predecessor_is_skipped_and_logged(lab: RuleLab) -> None:
    gate = Gate(lab)
    slow, quick = lab.host.add_vm("slow"), lab.host.add_vm("quick")
    lab.rule(slow, policy=periodic(daily("12:00", "13:00")))
    lab.turn_to(local(12))
    lab.engine.tick()
    wait_until(lambda: gate.waiting == 1)
    lab.rule(quick, name="other", policy=periodic(daily("13:00")), target_path="vm/other")
    lab.turn_to(local(13))
    lab.engine.tick()
    wait_until(lambda: gate.waiting == 2)
    assert [row.vm_name for row in lab.tasks()] == ["slow", "quick"]
    assert lab.log_codes().count("rule.run_skipped") == 1
    gate.open()
    lab.tick()
    assert set(lab.ended().values()) == {TaskState.COMPLETED}


def test_missed_runs_are_made_up_for_by_one_where_the_operator_allowed_it(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        host = lab.host
        lab.rule(host.add_vm("web"), policy=periodic(daily("12:00"), run_missed=True))
        lab.rule(host.add_vm("db"), name="left alone", policy=periodic(), target_path="vm/db")
        lab.at(local(12))
        assert len(lab.tasks()) == 2
    with RuleLab(tmp_path, host=host, start=local(9, day=6)) as lab:
        lab.tick()
        later = lab.tasks()[2:]
        assert [(row.vm_name, row.kind) for row in later] == [("web", TaskKind.BACKUP)]
        assert lab.log_codes().count("rule.run_made_up") == 1
        assert lab.log_codes().count("rule.run_missed") == 1
        lab.at(local(12, day=6))
        assert len(lab.tasks()) == 5


def test_a_run_that_is_a_little_late_is_no_missed_run(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"))
    lab.at(local(12, 4))
    assert len(lab.tasks()) == 1
    lab.at(local(12, 6, day=3))
    assert len(lab.tasks()) == 1
    assert lab.log_codes()[-1] == "rule.run_missed"


def test_a_one_time_rule_runs_once_and_stays_completed(lab: RuleLab) -> None:
    vm = lab.host.add_vm("web")
    rule = lab.rule(vm, policy=once(local(15)))
    lab.tick()
    assert lab.state(rule, vm) is TaskState.IDLE
    assert lab.row(rule).next_kind is FULL
    lab.at(local(15))
    assert lab.row(rule).state is TaskState.COMPLETED
    assert lab.row(rule).next_run is None
    lab.at(local(15, day=9))
    assert len(lab.tasks()) == 1


def test_a_one_time_start_that_passed_today_means_now(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=once(local(6)))
    assert lab.state(rule, vm) is TaskState.STARTING
    lab.tick()
    assert lab.state(rule, vm) is TaskState.COMPLETED


def test_a_one_time_run_is_never_missed_only_late(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        host = lab.host
        lab.rule(host.add_vm("web"), policy=once(local(15)))
        lab.tick()
    with RuleLab(tmp_path, host=host, start=local(9, day=20)) as lab:
        lab.tick()
        assert list(lab.ended().values()) == [TaskState.COMPLETED]


def test_starting_a_completed_one_time_rule_runs_it_again(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=once(local(8)))
    lab.tick()
    lab.engine.execute(StartVms(rule=rule, vms=(vm,)))
    lab.tick()
    assert len(lab.tasks()) == 2


def test_stopped_vms_do_not_run_and_what_passed_meanwhile_is_not_made_up(lab: RuleLab) -> None:
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    rule = lab.rule(web, db, policy=periodic(daily("12:00"), run_missed=True))
    lab.engine.execute(StopVms(rule=rule, vms=(db,)))
    lab.at(local(12))
    assert [row.vm_name for row in lab.tasks()] == ["web"]
    lab.turn_to(local(13))
    lab.engine.execute(StartVms(rule=rule, vms=(db,)))
    lab.tick()
    assert len(lab.tasks()) == 1
    lab.at(local(12, day=3))
    assert len(lab.tasks()) == 3


def test_a_new_policy_counts_from_the_moment_it_is_set(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"), policy=periodic(daily("20:00")))
    lab.tick()
    lab.turn_to(local(12))
    policy = periodic(daily("09:00", "13:00"), run_missed=True)
    lab.engine.execute(ChangeRulePolicy(rule=rule, policy=policy))
    lab.tick()
    assert lab.tasks() == []
    lab.at(local(13))
    assert len(lab.tasks()) == 1


def test_runs_follow_the_wall_clock_over_summer_time(tmp_path: Path) -> None:
    start = local(0, day=28, zone=BERLIN)
    with RuleLab(tmp_path, start=start) as lab:
        lab.zone_now = BERLIN
        lab.rule(lab.host.add_vm("web"), policy=periodic(daily("02:30")))
        lab.live_until(local(6, day=30, zone=BERLIN), timedelta(minutes=5))
        # On 29 March the wall clock jumps from 2 to 3: the run begins at the end of the gap.
        assert lab.moments() == [
            local(2, 30, day=28, zone=BERLIN),
            local(3, day=29, zone=BERLIN),
            local(2, 30, day=30, zone=BERLIN),
        ]


def test_another_time_zone_moves_the_next_runs(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    lab.tick()
    lab.zone_now = BERLIN
    assert lab.row(rule).next_run == local(12, zone=BERLIN)
    lab.at(local(12))
    assert lab.tasks() == []
    lab.at(local(12, zone=BERLIN))
    assert len(lab.tasks()) == 1


def test_a_clock_that_is_set_back_a_little_repeats_nothing(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"))
    lab.at(local(12, 1))
    lab.turn_to(local(11, 55))
    lab.tick()
    lab.at(local(12))
    assert len(lab.tasks()) == 1
    lab.at(local(12, day=3))
    assert len(lab.tasks()) == 2


def test_a_clock_that_was_years_ahead_does_not_stop_the_rules(lab: RuleLab) -> None:
    rule = lab.rule(lab.host.add_vm("web"))
    lab.tick()
    lab.turnable.turn(10 * 365 * 86400)
    lab.tick()
    lab.turn_to(local(9, day=3))
    lab.tick()
    assert "rule.clock_went_back" in lab.log_codes()
    assert lab.row(rule).next_run == local(12, day=3)
    lab.at(local(12, day=3))
    assert lab.tasks()[-1].state is TaskState.COMPLETED


def test_what_waits_when_the_engine_ends_runs_after_the_next_start(tmp_path: Path) -> None:
    with RuleLab(tmp_path, settings=replace(BY_HAND, max_tasks=1)) as lab:
        host, gate = lab.host, Gate(lab)
        lab.rule(*(host.add_vm(f"vm{number}") for number in range(3)))
        lab.turn_to(local(12))
        lab.engine.tick()
        wait_until(lambda: gate.waiting == 1)
        assert [row.state for row in lab.tasks()].count(TaskState.PENDING) == 2
        lab.engine.manager.set_limits(NOTHING_BEGINS)  # as when the process dies
        gate.open()
    host.faults.on_call = None
    with RuleLab(tmp_path, host=host, start=local(12, 1)) as lab:
        lab.tick()
        # The one that ran was stopped in order, or had read its last byte by then.
        assert sorted(state.value for state in lab.ended().values())[:2] == ["completed", "completed"]


def test_the_engine_keeps_the_clock_by_itself(tmp_path: Path) -> None:
    with RuleLab(tmp_path, settings=replace(BY_HAND, tick_s=0.02)) as lab:
        lab.rule(lab.host.add_vm("web"))
        lab.turn_to(local(12))
        wait_until(lambda: TaskState.COMPLETED in lab.ended().values())


@pytest.mark.parametrize("read", ["all", "considered"])
def test_a_rule_made_while_the_scheduler_looks_costs_no_rule_its_run(
    lab: RuleLab, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    lab.rule(lab.host.add_vm("web"))
    later = lab.host.add_vm("db")
    inner = getattr(lab.catalog.rules, read)

    def and_then_make_a_rule() -> object:
        found = inner()
        monkeypatch.undo()
        lab.rule(later, name="later", target_path="vm/db")
        return found

    monkeypatch.setattr(lab.catalog.rules, read, and_then_make_a_rule)
    lab.at(local(12))
    assert [row.vm_name for row in lab.tasks()] == ["web"]
    lab.at(local(12, day=3))
    assert [row.vm_name for row in lab.tasks()][1:].count("db") == 1


def test_a_rule_deleted_while_the_scheduler_looks_costs_no_other_its_run(
    lab: RuleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = lab.rule(lab.host.add_vm("db"), name="a", target_path="vm/db")
    lab.rule(lab.host.add_vm("web"), name="b")
    read = lab.catalog.rules.considered

    def without_the_first() -> dict[RuleId, datetime]:
        lab.catalog.rules.remove(gone)
        return read()

    monkeypatch.setattr(lab.catalog.rules, "considered", without_the_first)
    lab.at(local(12))
    assert [row.vm_name for row in lab.tasks()] == ["web"]


@pytest.mark.allows_log("look is tried again|another rule could not be dealt with")
def test_a_rule_that_fails_costs_no_other_its_run(lab: RuleLab, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = lab.rule(lab.host.add_vm("db"), name="a", target_path="vm/db")
    lab.rule(lab.host.add_vm("web"), name="b")
    consider = lab.catalog.rules.consider

    def refuse(rule: RuleId, until: datetime) -> None:
        if rule == broken:
            raise CatalogUnavailable(location="catalog.db", detail="disk I/O error")
        consider(rule, until)

    monkeypatch.setattr(lab.catalog.rules, "consider", refuse)
    lab.at(local(12))
    assert [row.vm_name for row in lab.tasks()].count("web") == 1
