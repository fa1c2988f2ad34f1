"""Frozen disks that the platform moves, and snapshots that somebody removes, while a backup reads."""

import os
from collections.abc import Callable

import pytest

from app.contract.restore import NewVm
from app.domain.states import BackupKind, TaskState
from app.domain.vms import VmPlacement
from app.engine import messages
from tests.support.engine_lab import EngineLab, codes_of, filled_vm, text_of
from tests.support.platforms import posix_only

pytestmark = posix_only("what is open is moved, as the simulator moves it")


def at_call(lab: EngineLab, step: str, number: int, action: Callable[[], None]) -> None:
    """Do something once, at a call of a name."""
    left = [number]

    def look(call: str) -> None:
        if call == step:
            left[0] -= 1
            if left[0] == 0:
                action()

    lab.host.faults.on_call = look


STEPS = [
    *(("save_configuration", 1), ("changed_extents", 1)),
    *(("open_reader", 1), ("open_reader", 2), ("open_reader", 3)),
    *(("read", 1), ("read", 2), ("read", 12)),
]


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_storage_vmotion_at_any_step_is_followed(lab: EngineLab, step: str, number: int) -> None:
    vm = filled_vm(lab, disks=2)
    lab.backup(vm)
    for key in (2000, 2001):
        lab.host.write(vm, key, 0, os.urandom(2 << 20))
    at_call(lab, step, number, lambda: lab.host.relocate(vm, "elsewhere"))
    report = lab.finished(lab.start_backup(vm, BackupKind.INCREMENTAL))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert messages.DISK_MOVED.code in codes_of(report)
    point = lab.points()[0]
    for key in (2000, 2001):
        assert lab.content(point.id, key) == lab.host.content(vm, key)
    assert lab.host.our_snapshots() == []


def test_a_vm_that_moves_again_and_again_is_followed_each_time(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.write(vm, 2000, 0, os.urandom(4 << 20))
    reads = [0]

    def move_now_and_then(call: str) -> None:
        reads[0] += call == "read"
        if call == "read" and reads[0] % 3 == 0:
            lab.host.relocate(vm, f"place-{reads[0]}")

    lab.host.faults.on_call = move_now_and_then
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert codes_of(report).count(messages.DISK_MOVED.code) > 1
    assert lab.content(lab.points()[0].id) == lab.host.content(vm, 2000)


def test_a_disk_that_moves_before_every_read_is_given_up_with_the_reason(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    moves = [0]

    def move_always(call: str) -> None:
        if call == "read":
            moves[0] += 1
            lab.host.relocate(vm, f"place-{moves[0]}")

    lab.host.faults.on_call = move_always
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "transport.disk_access_failed"
    assert moves[0] < 20
    assert lab.points() == []
    assert lab.host.our_snapshots() == []


@pytest.mark.parametrize(("step", "number"), STEPS)
def test_a_snapshot_that_somebody_removes_fails_the_task_and_says_so(
    lab: EngineLab, step: str, number: int
) -> None:
    vm = filled_vm(lab, disks=2)
    good = lab.backup(vm)
    lab.host.write(vm, 2000, 0, os.urandom(2 << 20))
    at_call(lab, step, number, lambda: lab.host.drop_snapshots(vm))
    report = lab.finished(lab.start_backup(vm, BackupKind.FULL))
    assert report.task.state is TaskState.FAILED, text_of(report)
    assert report.task.error is not None
    assert report.task.error.code == "snapshot.gone"
    assert "web" in report.task.error.message
    assert [point.id for point in lab.points()] == [good.id]


def test_a_failure_without_a_move_keeps_its_own_reason(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.faults.fail_read_at = 2
    report = lab.finished(lab.start_backup(vm))
    assert report.task.error is not None
    assert "the connection was lost" in report.task.error.message
    assert messages.DISK_MOVED.code not in codes_of(report)


@pytest.mark.parametrize(
    ("step", "number"),
    [("vm_created", 1), ("open_writer", 1), ("open_writer", 2), ("open_reader", 1), ("read", 1)],
)
def test_a_new_vm_that_is_moved_while_it_is_restored_is_followed(lab: EngineLab, step: str, number: int) -> None:
    vm = filled_vm(lab, disks=2)
    point = lab.backup(vm)
    at_call(lab, step, number, lambda: lab.host.relocate(lab.host.named("web-copy"), "elsewhere"))
    report = lab.restore(point, NewVm(placement=VmPlacement(name="web-copy")))
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert messages.DISK_MOVED.code in codes_of(report)
    copy = lab.host.named("web-copy")
    for key in (2000, 2001):
        assert lab.host.content(copy, key) == lab.host.content(vm, key)
