"""Limits change while tasks run, last, and are refused where an ESXi host has no memory for them."""

from dataclasses import replace
from pathlib import Path

import pytest

from app.bootstrap.host import limit_keeper
from app.bootstrap.installation import Installation
from app.cli.demo.stage import folders_in
from app.contract.limits import ChangeLimits, LimitsRow, ReadLimits
from app.contract.log import LogFilter, ReadLog
from app.domain.errors import OperationalError
from app.domain.limits import BufferBudgetExceeded, TaskLimits
from app.domain.states import TaskState
from app.transport.factory import NativeTransports
from tests.support.rule_lab import BY_HAND, RuleLab, local
from tests.support.waiting import wait_until
from tests.unit.engine.test_engine import Gate

MIB = 1024 * 1024


def test_larger_limits_let_waiting_tasks_begin_at_once(tmp_path: Path) -> None:
    with RuleLab(tmp_path, settings=replace(BY_HAND, max_tasks=1)) as lab:
        gate = Gate(lab)
        lab.rule(*(lab.host.add_vm(f"vm{number}") for number in range(4)))
        lab.turn_to(local(12))
        lab.engine.tick()
        wait_until(lambda: gate.waiting == 1)
        lab.engine.execute(ChangeLimits(max_tasks=3, transfer_buffer_mib=8))
        wait_until(lambda: gate.waiting == 3)
        assert lab.engine.ask(ReadLimits()) == LimitsRow(max_tasks=3, transfer_buffer_mib=8, host_buffer_mib=32)
        newest = lab.engine.ask(ReadLog(filter=LogFilter(text="limits"), limit=1)).rows[0]
        assert (newest.action, dict(newest.line.params)["tasks"]) == ("engine.limits", "3")
        lab.engine.execute(ChangeLimits(max_tasks=1, transfer_buffer_mib=8))
        assert [row.state for row in lab.tasks()].count(TaskState.PENDING) == 1
        gate.open()
        lab.tick()
        assert set(lab.ended().values()) == {TaskState.COMPLETED}


@pytest.mark.parametrize(("tasks", "buffer_mib"), [(8, 5), (33, 1), (0, 4), (4, 0)])
def test_limits_that_cannot_be_are_refused_and_nothing_changes(lab: RuleLab, tasks: int, buffer_mib: int) -> None:
    before = lab.engine.ask(ReadLimits())
    with pytest.raises(OperationalError) as caught:
        lab.engine.execute(ChangeLimits(max_tasks=tasks, transfer_buffer_mib=buffer_mib))
    if tasks and buffer_mib:
        assert isinstance(caught.value, BufferBudgetExceeded)
        assert f"= {tasks * buffer_mib} >" in caught.value.message
    assert lab.engine.ask(ReadLimits()) == before


def test_changed_limits_stand_in_the_operators_file_and_reach_the_transports(tmp_path: Path) -> None:
    installation, transports = Installation.find(folders_in(tmp_path)), NativeTransports()
    limit_keeper(installation, transports)(TaskLimits(tasks=16, buffer_mb=2))
    again = Installation.find(folders_in(tmp_path)).settings
    assert (again.bk_tsk_thd, again.i2vp_transbuffer) == (16, 2)
    assert transports.options.transfer_buffer_bytes == 2 * MIB
