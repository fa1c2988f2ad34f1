"""Restores and verifications, over a real repository and a hypervisor of local files."""

import os

import pytest

from app.contract.points import ListPoints, ListRecoverableVms, StartVerify
from app.contract.restore import DescribeSavedVm, ListPlaces, NewVm, OverOriginal, StartRestore
from app.contract.tasks import CancelTask, ListTasks, RetryTask
from app.domain.errors import OperationalError
from app.domain.events import TaskStateChanged
from app.domain.ids import PointId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import VerificationState
from app.domain.vms import VmPlacement
from app.engine import messages
from app.engine.errors import PlacesUnknown, TaskNotEnded
from tests.support.engine_lab import EngineLab, codes_of, text_of

MIB = 1 << 20
COPY = NewVm(placement=VmPlacement(name="web-copy"))


def backed_up(lab: EngineLab) -> tuple[VmId, RestorePoint, dict[int, bytes]]:
    """Make a VM with two disks, back it up, and let its guest destroy everything."""
    vm = lab.host.add_vm("web", [3 * MIB, MIB + 512])
    lab.host.write(vm, 2000, 70_000, os.urandom(900_000))
    lab.host.write(vm, 2001, MIB, os.urandom(512))
    point = lab.backup(vm)
    contents = {key: lab.host.content(vm, key) for key in (2000, 2001)}
    lab.host.write(vm, 2000, 0, os.urandom(3 * MIB))
    return vm, point, contents


def cancel_at(lab: EngineLab, step: str) -> None:
    def hook(call: str) -> None:
        if call == step:
            for row in lab.engine.manager.unfinished():
                lab.engine.execute(CancelTask(task=row.id))

    lab.host.faults.on_call = hook


# --- as a new VM -----------------------------------------------------------------------------------------------


def test_a_new_vm_holds_exactly_what_the_point_holds(lab: EngineLab) -> None:
    vm, point, contents = backed_up(lab)
    report = lab.restore(point, COPY, power_on=True)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    copy = lab.host.named("web-copy")
    assert {key: lab.host.content(copy, key) for key in contents} == contents
    assert lab.host.vm(copy).powered_on
    assert lab.host.vm(copy).instance_uuid != lab.host.vm(vm).instance_uuid
    assert lab.host.vm(vm).powered_on
    assert list(lab.catalog.restore_journal.open_traces()) == []


def test_the_states_of_a_restore_come_in_order(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    lab.events.clear()
    lab.restore(point, COPY)
    assert [event.state for event in lab.events if isinstance(event, TaskStateChanged)] == [
        TaskState.PREPARING,
        TaskState.CREATING_VM,
        TaskState.RUNNING,
        TaskState.VERIFYING,
        TaskState.COMPLETED,
    ]


def test_a_vm_whose_creation_failed_half_way_is_found_by_its_mark_and_removed(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    lab.host.faults.half_creations = 1
    report = lab.restore(point, COPY)
    assert report.task.state is TaskState.FAILED
    assert messages.LEFT_VM_REMOVED.code in codes_of(report)
    assert lab.host.names == ["web"]
    assert list(lab.catalog.restore_journal.open_traces()) == []


@pytest.mark.allows_log("is tried again later")
def test_a_vm_left_behind_stays_in_the_journal_until_it_can_be_removed(lab: EngineLab) -> None:
    vm, point, _ = backed_up(lab)
    lab.host.faults.half_creations = 1
    lab.host.faults.destroy_failures = 1
    report = lab.restore(point, COPY)
    assert messages.LEFT_VM_NOT_REMOVED.code in codes_of(report)
    assert lab.host.names == ["web", "web-copy"]
    assert [trace.task for trace in lab.catalog.restore_journal.open_traces()] == [report.task.id]
    lab.backup(vm)
    assert lab.host.names == ["web"]
    assert list(lab.catalog.restore_journal.open_traces()) == []


def test_progress_counts_what_is_written_and_what_is_read_back(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    sample = lab.restore(point, COPY).task.progress
    assert sample.done_bytes == sample.total_bytes > sample.written_bytes > 0


def test_every_earlier_point_can_be_restored(lab: EngineLab) -> None:
    vm = lab.host.add_vm("web", [2 * MIB])
    expected: dict[PointId, bytes] = {}
    for number in range(3):
        lab.host.write(vm, 2000, number * 300_000, os.urandom(100_000))
        expected[lab.backup(vm).id] = lab.host.content(vm, 2000)
    for number, (point, content) in enumerate(expected.items()):
        report = lab.restore(lab.point(point), NewVm(placement=VmPlacement(name=f"copy-{number}")))
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        assert lab.host.content(lab.host.named(f"copy-{number}"), 2000) == content


def test_a_name_in_use_is_refused_before_anything_is_created(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    report = lab.restore(point, NewVm(placement=VmPlacement(name="web")))
    assert report.task.error is not None
    assert report.task.error.code == "restore.name_taken"
    assert lab.host.names == ["web"]


def test_a_vm_that_cannot_be_powered_on_is_restored_all_the_same(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    lab.host.faults.power_on_failures = 1
    report = lab.restore(point, COPY, power_on=True)
    assert report.task.state is TaskState.COMPLETED
    assert messages.NOT_POWERED_ON.code in codes_of(report)


STEPS = ["create_vm", "vm_created", "open_writer", "write", "open_reader", "read"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("target", [COPY, OverOriginal()], ids=["new", "over"])
def test_cancelling_at_any_step_takes_away_what_was_created(
    lab: EngineLab, step: str, target: NewVm | OverOriginal
) -> None:
    vm, point, _ = backed_up(lab)
    before = lab.host.content(vm, 2000)
    cancel_at(lab, step)
    report = lab.restore(point, target)
    assert report.task.state is TaskState.STOPPED, text_of(report)
    assert lab.host.names == ["web"]
    assert lab.host.vm(vm).powered_on
    assert lab.host.content(vm, 2000) == before
    assert list(lab.catalog.restore_journal.open_traces()) == []


def test_a_wrong_byte_on_the_restored_disk_is_found_and_nothing_of_it_stays(lab: EngineLab) -> None:
    vm, point, _ = backed_up(lab)
    lab.host.faults.garble_write_at = 1
    report = lab.restore(point, OverOriginal())
    assert report.task.error is not None
    assert report.task.error.code == "restore.data_differs"
    assert lab.host.names == ["web"]
    assert lab.host.named("web") == vm
    assert lab.host.vm(vm).powered_on


def test_a_wrong_byte_is_found_without_an_allocated_map_as_well(lab: EngineLab) -> None:
    _, point, contents = backed_up(lab)
    lab.host.faults.tells_allocated = False
    report = lab.restore(point, COPY)
    assert report.task.state is TaskState.COMPLETED
    assert lab.host.content(lab.host.named("web-copy"), 2000) == contents[2000]


# --- over the original -----------------------------------------------------------------------------------------


def test_over_the_original_the_restored_vm_takes_its_name_and_identity(lab: EngineLab) -> None:
    vm, point, contents = backed_up(lab)
    identity = lab.host.vm(vm).instance_uuid
    report = lab.restore(point, OverOriginal(), power_on=True)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert lab.host.names == ["web"]
    restored = lab.host.named("web")
    assert restored != vm
    assert lab.host.vm(restored).instance_uuid == identity
    assert {key: lab.host.content(restored, key) for key in contents} == contents


def test_the_original_runs_untouched_until_the_new_one_is_proven(lab: EngineLab) -> None:
    vm, point, _ = backed_up(lab)
    seen: list[tuple[str, bool, list[str]]] = []

    def watch(call: str) -> None:
        if call in ("read", "power_off", "rename_vm", "destroy_vm"):
            seen.append((call, lab.host.vm(vm).powered_on, lab.host.names))

    lab.host.faults.on_call = watch
    lab.restore(point, OverOriginal())
    calls = [call for call, _, _ in seen]
    assert calls[-4:] == ["power_off", "rename_vm", "rename_vm", "destroy_vm"]
    assert set(calls[:-4]) == {"read"}
    assert all(running for call, running, _ in seen if call == "read")
    assert "web" in seen[-1][2]
    assert len(seen[-1][2]) == 2  # the old one is still there when its removal begins


def test_an_original_that_is_gone_is_created_again_under_its_name(lab: EngineLab) -> None:
    vm, point, contents = backed_up(lab)
    with lab.factory.connect(lab.catalog.platforms.all()[0], "correct horse") as session:
        session.destroy_vm(vm)
    report = lab.restore(point, OverOriginal())
    assert messages.ORIGINAL_GONE.code in codes_of(report)
    assert lab.host.content(lab.host.named("web"), 2000) == contents[2000]


def test_an_original_that_cannot_be_renamed_keeps_its_place(lab: EngineLab) -> None:
    vm, point, _ = backed_up(lab)
    lab.host.faults.rename_failures = 1
    report = lab.restore(point, OverOriginal())
    assert report.task.state is TaskState.FAILED
    assert lab.host.names == ["web"]
    assert lab.host.named("web") == vm
    assert lab.host.vm(vm).powered_on
    assert list(lab.catalog.restore_journal.open_traces()) == []


def test_an_original_that_cannot_be_removed_is_kept_aside_and_named(lab: EngineLab) -> None:
    _, point, contents = backed_up(lab)
    lab.host.faults.destroy_failures = 1
    report = lab.restore(point, OverOriginal())
    assert report.task.state is TaskState.COMPLETED
    (line,) = [line for line in report.log if line.code == messages.ORIGINAL_NOT_REMOVED.code]
    (kept,) = [name for name in lab.host.names if name != "web"]
    assert kept in line.text
    assert lab.host.content(lab.host.named("web"), 2000) == contents[2000]


def test_long_names_stay_within_what_a_platform_takes(lab: EngineLab) -> None:
    vm = lab.host.add_vm("w" * 80)
    point = lab.backup(vm)
    longest: list[int] = []
    lab.host.faults.on_call = lambda _: longest.append(max(len(name) for name in lab.host.names))
    assert lab.restore(point, OverOriginal()).task.state is TaskState.COMPLETED
    assert max(longest) == 80


# --- verification ------------------------------------------------------------------------------------------------


def test_a_whole_point_is_verified_and_remembered_as_such(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    report = lab.verify(point)
    assert report.task.state is TaskState.COMPLETED
    assert report.task.progress.fraction == 1.0
    (known,) = lab.engine.ask(ListPoints(standby=lab.standby))
    assert known.verification is VerificationState.WHOLE
    assert known.verified_at is not None


def test_damage_fails_the_verification_and_is_named_in_the_log(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    for path in (lab.directory / "standby").rglob("*"):
        if path.is_file() and "pack" in path.name:
            content = bytearray(path.read_bytes())
            content[len(content) // 2] ^= 0xFF
            path.write_bytes(bytes(content))
    report = lab.verify(point)
    assert report.task.state is TaskState.FAILED
    assert report.task.error is not None
    assert report.task.error.code == "verify.damaged"
    assert messages.POINT_DAMAGE.code in codes_of(report)
    (known,) = lab.engine.ask(ListPoints(standby=lab.standby))
    assert known.verification is VerificationState.DAMAGED


def test_a_point_that_nobody_lists_is_refused_at_the_door(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    missing = PointId(point.id + "0")
    for command in (
        StartVerify(standby=lab.standby, point=missing),
        StartRestore(standby=lab.standby, point=missing, platform=lab.platform, target=COPY),
    ):
        with pytest.raises(OperationalError, match="not in the repository"):
            lab.engine.execute(command)
    assert len(lab.engine.ask(ListTasks())) == 1  # the backup


# --- asking, and asking again -----------------------------------------------------------------------------------


def test_a_restore_is_found_by_its_kind_and_bears_its_names(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    request = StartRestore(
        standby=lab.standby, point=point.id, platform=lab.platform, name="after the flood", target=COPY
    )
    task = lab.engine.execute(request)
    assert lab.engine.wait_until_idle(60)
    (row,) = lab.engine.ask(ListTasks(kinds=(TaskKind.RESTORE,)))
    assert (row.id, row.name, row.target_name) == (task, "after the flood", "web-copy")
    others = lab.engine.ask(ListTasks(kinds=(TaskKind.BACKUP,)))
    assert [backup.name for backup in others] == [""]


def test_a_failed_task_can_be_asked_for_once_more(lab: EngineLab) -> None:
    _, point, contents = backed_up(lab)
    blocker = lab.host.add_vm("web-copy", [MIB])
    failed = lab.restore(point, COPY)
    assert failed.task.state is TaskState.FAILED
    lab.host.vm(blocker).name = "elsewhere"
    again = lab.engine.execute(RetryTask(task=failed.task.id))
    assert again != failed.task.id
    assert lab.engine.wait_until_idle(60)
    copy = lab.host.named("web-copy")
    assert {key: lab.host.content(copy, key) for key in contents} == contents


def test_a_running_task_cannot_be_asked_for_once_more(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    refused: list[OperationalError] = []

    def hook(call: str) -> None:
        if call == "create_vm":
            for row in lab.engine.manager.unfinished():
                with pytest.raises(TaskNotEnded) as caught:
                    lab.engine.execute(RetryTask(task=row.id))
                refused.append(caught.value)

    lab.host.faults.on_call = hook
    lab.restore(point, COPY)
    assert len(refused) == 1


def test_vms_with_points_are_listed_by_name(lab: EngineLab) -> None:
    vm, point, _ = backed_up(lab)
    (known,) = lab.engine.ask(ListRecoverableVms())
    assert (known.vm, known.vm_name, known.count, known.newest) == (vm, "web", 1, point.created_at)


def test_a_platform_that_offers_no_choice_says_so(lab: EngineLab) -> None:
    _, point, _ = backed_up(lab)
    with pytest.raises(PlacesUnknown):
        lab.engine.ask(ListPlaces(platform=lab.platform))
    with pytest.raises(PlacesUnknown):
        lab.engine.ask(DescribeSavedVm(standby=lab.standby, point=point.id, platform=lab.platform))
