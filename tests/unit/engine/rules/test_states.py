"""The states of a rule and of its VMs, as the operator reads them."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.contract.overview import ReadOverview, ReadStatus
from app.contract.platforms import ListVms
from app.contract.rules import RunNow, StartVms, StopVms
from app.contract.standbys import ListStandbyRows
from app.contract.tasks import ListTasks, TaskDetails
from app.domain.concerns import ConcernKind
from app.domain.engines import SILENT_AFTER, EngineBeat
from app.domain.events import StandbyUsabilityChanged
from app.domain.states import BackupKind, TaskState
from app.engine.standbys.filesystems import MARK_NAME
from tests.support.engine_lab import filled_vm
from tests.support.rule_lab import BY_HAND, RuleLab, daily, local, once, periodic
from tests.support.waiting import wait_until
from tests.unit.engine.test_engine import Gate


def test_a_new_rule_is_starting_until_the_scheduler_takes_it_up(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"))
    assert lab.state(rule, vm) is TaskState.STARTING
    lab.tick()
    assert lab.state(rule, vm) is TaskState.IDLE


def test_a_rule_shows_the_most_urgent_of_its_vms(lab: RuleLab) -> None:
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    rule = lab.rule(web, db)
    lab.tick()
    lab.engine.execute(StopVms(rule=rule, vms=(db,)))
    assert (lab.state(rule, web), lab.state(rule, db)) == (TaskState.IDLE, TaskState.STOPPED)
    assert lab.row(rule).state is TaskState.IDLE
    lab.engine.execute(StopVms(rule=rule, vms=(web,)))
    assert lab.row(rule).state is TaskState.STOPPED
    assert lab.row(rule).next_run is None
    lab.engine.execute(StartVms(rule=rule, vms=(web,)))
    assert lab.row(rule).next_run == local(12)


def test_a_running_vm_shows_its_stage_and_a_waiting_one_is_pending(tmp_path: Path) -> None:
    with RuleLab(tmp_path, settings=replace(BY_HAND, max_tasks=1)) as lab:
        gate = Gate(lab)
        web, db = filled_vm(lab, name="web"), lab.host.add_vm("db")
        rule = lab.rule(web, db)
        lab.turn_to(local(12))
        lab.engine.tick()
        wait_until(lambda: gate.waiting == 1)
        assert lab.state(rule, web) is TaskState.SAVING_CONFIGURATION
        assert lab.state(rule, db) is TaskState.PENDING
        assert lab.row(rule).state is TaskState.SAVING_CONFIGURATION
        assert lab.row(rule).fraction == 0.0
        gate.open()
        lab.tick()
        row = lab.vm_row(rule, web)
        assert (row.state, row.fraction, row.point_count, row.newest_point) == (TaskState.IDLE, None, 1, local(12))
        assert row.disk_bytes == 4 * 1024 * 1024 + 1536
        assert (lab.row(rule).last_result, lab.row(rule).last_run) == (TaskState.COMPLETED, local(12))


def test_a_failed_run_shows_until_the_next_succeeds_with_its_reason(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"))
    lab.host.faults.snapshot_failures = 1
    lab.at(local(12))
    row = lab.vm_row(rule, vm)
    assert row.state is TaskState.FAILED
    assert row.error is not None
    assert row.error.code == "snapshot.failed"
    assert (row.unviewed_errors, lab.row(rule).unviewed_errors) == (1, 1)
    assert lab.row(rule).last_result is TaskState.FAILED
    lab.at(local(12, day=3))
    assert lab.vm_row(rule, vm).error is None
    assert lab.state(rule, vm) is TaskState.IDLE


def test_a_vm_that_failed_is_not_hidden_by_others_of_its_rule_that_ended_later(lab: RuleLab) -> None:
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    rule = lab.rule(web, db)
    lab.host.faults.snapshot_failures = 1
    lab.at(local(12))
    failed = next(vm for vm in (web, db) if lab.state(rule, vm) is TaskState.FAILED)
    (other,) = {web, db} - {failed}
    lab.engine.execute(RunNow(rule=rule, vms=(other,), kind=BackupKind.FULL))
    lab.tick()
    assert lab.state(rule, other) is TaskState.IDLE
    assert lab.row(rule).last_result is TaskState.FAILED


def test_a_failed_one_time_rule_stays_failed(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=once(local(8)))
    lab.host.faults.snapshot_failures = 1
    lab.tick()
    assert lab.state(rule, vm) is TaskState.FAILED


@pytest.mark.parametrize("loss", ["moved away", "not mounted", "another disk"])
def test_a_standby_out_of_reach_makes_states_unknown_until_it_is_back(lab: RuleLab, loss: str) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"))
    stopped = lab.rule(other := lab.host.add_vm("db"), name="stopped", target_path="vm/db")
    lab.engine.execute(StopVms(rule=stopped, vms=(other,)))
    lab.at(local(12))
    root, aside = lab.directory / "standby", lab.directory / "aside"
    shutil.move(root, aside)
    if loss != "moved away":
        root.mkdir()
    if loss == "another disk":
        (root / MARK_NAME).write_text("somebody else's\n")
    look(lab)
    assert lab.state(rule, vm) is TaskState.UNKNOWN
    assert lab.row(rule).state is TaskState.UNKNOWN
    assert lab.row(stopped).state is TaskState.STOPPED
    (row,) = lab.engine.ask(ListStandbyRows())
    assert not row.reachable
    assert row.error is not None
    assert row.error.code == "standby.unavailable"
    lab.at(local(12, day=3))
    assert lab.tasks()[-1].state is TaskState.FAILED
    assert not (root / "vm").exists(), "nothing is created where the share is not mounted"
    shutil.rmtree(root, ignore_errors=True)
    shutil.move(aside, root)
    look(lab)
    lab.at(local(12, day=4))
    assert lab.state(rule, vm) is TaskState.IDLE
    changes = [event.usable for event in lab.events if isinstance(event, StandbyUsabilityChanged)]
    assert changes == [False, True]
    assert [code for code in lab.log_codes() if code.startswith("standby.l")] == ["standby.lost"]
    assert "standby.back" in lab.log_codes()


def look(lab: RuleLab) -> None:
    lab.engine.services.watch.refresh(wait_s=10, again=True)


def test_a_new_target_is_not_created_on_a_share_that_is_not_mounted(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"))
    root = lab.directory / "standby"
    shutil.move(root, lab.directory / "aside")
    root.mkdir()
    lab.at(local(12))
    (task,) = lab.tasks()
    assert task.error is not None
    assert MARK_NAME in task.error.message
    assert list(root.iterdir()) == []


def test_a_task_of_an_engine_that_is_silent_is_unknown(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=periodic(daily("12:00")))
    lab.tick()
    lab.engine.execute(RunNow(rule=rule, kind=BackupKind.FULL))
    lab.tick()
    (task,) = lab.tasks()
    record = lab.catalog.tasks.get(task.id)
    assert record is not None
    elsewhere = replace(record, id=type(task.id)("elsewhere"), state=TaskState.RUNNING, stages=(), ended_at=None)
    now = lab.turnable.now()
    lab.catalog.tasks.add(replace(elsewhere, created_at=now + timedelta(seconds=1)))
    assert lab.state(rule, vm) is TaskState.UNKNOWN
    beat = EngineBeat(id="other", host="elsewhere", pid=1, started_at=now, beat_at=now)
    lab.catalog.engines.begin(beat)
    assert lab.state(rule, vm) is TaskState.RUNNING
    lab.turnable.turn(SILENT_AFTER.total_seconds() + 1)
    assert lab.state(rule, vm) is TaskState.UNKNOWN
    lab.catalog.engines.beat("other", lab.turnable.now())
    assert lab.state(rule, vm) is TaskState.RUNNING
    lab.catalog.engines.end("other", lab.turnable.now())
    assert lab.state(rule, vm) is TaskState.UNKNOWN


def test_an_engine_leaves_its_heartbeat_in_the_catalog(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        host = lab.host
        (beat,) = lab.catalog.engines.all()
        assert beat.is_alive(lab.turnable.now())
        lab.turn_to(local(9))
        assert not lab.catalog.engines.all()[0].is_alive(lab.turnable.now())
        lab.tick()
        assert lab.catalog.engines.all()[0].beat_at == local(9)
    with RuleLab(tmp_path, host=host, start=local(10)) as lab:
        new, old = lab.catalog.engines.all()
        assert (old.ended_at, new.ended_at) == (local(9), None)


def test_a_stopped_vm_is_stopping_until_its_run_has_ended(lab: RuleLab) -> None:
    gate = Gate(lab)
    vm = filled_vm(lab, name="web")
    rule = lab.rule(vm)
    lab.turn_to(local(12))
    lab.engine.tick()
    wait_until(lambda: gate.waiting == 1)
    lab.engine.execute(StopVms(rule=rule, vms=(vm,)))
    assert lab.state(rule, vm) is TaskState.STOPPING
    assert lab.row(rule).state is TaskState.STOPPING
    (task,) = lab.engine.ask(ListTasks())
    assert task.state is TaskState.STOPPING
    assert lab.engine.ask(TaskDetails(task=task.id)).task.state is TaskState.STOPPING
    status = lab.engine.ask(ReadStatus())
    assert (status.running, status.stopping) == (1, 1)
    assert lab.engine.ask(ReadOverview()).running[0].state is TaskState.STOPPING
    gate.open()
    lab.tick()
    wait_until(lambda: lab.state(rule, vm) is TaskState.STOPPED)
    assert lab.engine.ask(ListTasks())[0].state is TaskState.STOPPED
    assert lab.engine.ask(ReadStatus()).stopping == 0


def test_the_overview_looks_at_every_platform_and_every_stopped_vm(
    lab: RuleLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(1 << 40, 1 << 30, 1 << 39))
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    lab.host.add_vm("bare")
    rule = lab.rule(web, db)
    overview = lab.engine.ask(ReadOverview())
    assert [concern.kind for concern in overview.concerns()] == [ConcernKind.PLATFORM_NEVER_READ]
    lab.engine.ask(ListVms(platform=lab.platform))
    lab.engine.execute(StopVms(rule=rule, vms=(db,)))
    kinds = {concern.kind: concern.count for concern in lab.engine.ask(ReadOverview()).concerns()}
    assert kinds == {ConcernKind.UNPROTECTED: 1, ConcernKind.STOPPED: 1}
