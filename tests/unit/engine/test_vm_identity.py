"""A backup and a restore work on the VM on record, never on one that only shares an id, a UUID or a name."""

import os
from dataclasses import replace

import pytest

from app.contract.platforms import ProbePlatform
from app.contract.restore import ConfirmedVm, FindOriginals, OriginalRow, OverOriginal
from app.contract.tasks import StartBackup, TaskReport
from app.domain.identity import Verdict
from app.domain.ids import VmId
from app.domain.restore_point import RestorePoint
from app.domain.states import BackupKind, TaskState
from tests.support.engine_lab import EngineLab, codes_of, filled_vm, text_of
from tests.support.moved_vms import copy_of, give_ids


def start(lab: EngineLab, vm: VmId, name: str = "web") -> TaskReport:
    """Back a VM up under an id that may be gone."""
    request = StartBackup(platform=lab.platform, vm=vm, vm_name=name, standby=lab.standby, rule_name="nightly")
    return lab.finished(lab.engine.execute(request))


def error_of(report: TaskReport) -> str | None:
    return report.task.error.code if report.task.error else None


def restored(lab: EngineLab, point: RestorePoint, confirmed: ConfirmedVm | None = None) -> TaskReport:
    return lab.restore(point, OverOriginal(confirmed=confirmed))


# --- backup ------------------------------------------------------------------------------------------------------


def test_a_stranger_with_the_id_is_not_backed_up_under_the_old_name(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    before = [point.id for point in lab.points()]
    give_ids(lab.host, {web: "vm-77"})
    with lab.host.lock:
        lab.host.vms.pop("vm-77")
    stranger = filled_vm(lab, name="db")
    give_ids(lab.host, {stranger: web})
    report = start(lab, web)
    assert (report.task.state, error_of(report)) == (TaskState.FAILED, "vm.id_of_another"), text_of(report)
    assert report.task.error is not None
    assert "db" in report.task.error.message
    assert "web" in report.task.error.message
    assert [point.id for point in lab.points()] == before
    assert lab.host.our_snapshots() == []


def test_a_vm_that_was_registered_again_is_backed_up_under_its_new_id(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    give_ids(lab.host, {web: "vm-77"})
    report = start(lab, web)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert "backup.vm_followed" in codes_of(report)
    assert report.task.vm == "vm-77"
    assert {point.facts.vm for point in lab.points()} == {web, "vm-77"}


def test_behind_a_stranger_the_vm_is_found_under_its_new_id(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    give_ids(lab.host, {web: "vm-77"})
    give_ids(lab.host, {filled_vm(lab, name="db"): web})
    report = start(lab, web)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert lab.points(VmId("vm-77"))[0].facts.name == "web"


def test_two_vms_with_one_uuid_are_not_followed(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    copy_of(lab.host, web, "web-copy")
    give_ids(lab.host, {web: "vm-77"})
    report = start(lab, web)
    assert error_of(report) == "vm.under_another_id", text_of(report)
    assert report.task.error is not None
    assert "vm-77" in report.task.error.hint
    assert len(lab.points()) == 1


def test_a_renamed_vm_is_still_the_same(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    lab.host.vm(web).name = "web (moved to Berlin)"
    assert start(lab, web).task.state is TaskState.COMPLETED


def test_a_vm_that_is_gone_says_so(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    lab.backup(web)
    with lab.host.lock:
        lab.host.vms.pop(web)
    filled_vm(lab, name="db")
    assert error_of(start(lab, web)) == "vm.not_found"


def test_on_a_platform_that_was_set_up_again_ids_prove_nothing(lab: EngineLab) -> None:
    lab.host.platform_uuid = "vcenter-1"
    web, db = filled_vm(lab, name="web"), filled_vm(lab, name="db")
    lab.backup(web)
    lab.backup(db)
    lab.host.platform_uuid = "vcenter-2"
    give_ids(lab.host, {web: db, db: web})
    report = start(lab, web)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert report.task.vm == db
    newest = lab.points()
    assert {(point.facts.vm, point.facts.name, point.facts.platform_uuid) for point in newest} == {
        (web, "web", "vcenter-1"),
        (db, "db", "vcenter-1"),
        (db, "web", "vcenter-2"),
    }
    assert len({point.chain for point in newest}) == 3, (
        "it does not go into the chain of the VM that had the id before"
    )


# --- restore over the original -----------------------------------------------------------------------------------


def test_a_copy_is_not_replaced_by_the_restore_of_its_original(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    point = lab.backup(web)
    copy = copy_of(lab.host, web, "web-copy")
    with lab.host.lock:
        lab.host.vms.pop(web)
    report = restored(lab, point)
    assert error_of(report) == "restore.original_is_another", text_of(report)
    assert lab.host.names == ["web-copy"]
    assert lab.host.named("web-copy") == copy


def test_beside_a_copy_the_original_that_was_registered_again_is_asked_for(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    point = lab.backup(web)
    copy_of(lab.host, web, "web-copy")
    give_ids(lab.host, {web: "vm-77"})
    assert error_of(restored(lab, point)) == "restore.original_unsure"
    assert lab.host.names == ["web", "web-copy"]
    uuid = lab.host.vm(VmId("vm-77")).instance_uuid
    confirmed = ConfirmedVm(vm=VmId("vm-77"), name="web", instance_uuid=uuid)
    report = restored(lab, point, confirmed)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert "restore.original_confirmed" in codes_of(report)
    assert lab.host.names == ["web", "web-copy"]
    assert lab.host.named("web") != "vm-77"


def test_an_original_that_was_registered_again_is_followed(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    point = lab.backup(web)
    give_ids(lab.host, {web: "vm-77"})
    report = restored(lab, point)
    assert report.task.state is TaskState.COMPLETED, text_of(report)
    assert "restore.original_moved" in codes_of(report)
    assert lab.host.names == ["web"]


def test_what_was_confirmed_and_is_another_vm_now_is_not_touched(lab: EngineLab) -> None:
    web = filled_vm(lab, name="web")
    point = lab.backup(web)
    confirmed = ConfirmedVm(vm=web, name="web", instance_uuid="another")
    assert error_of(restored(lab, point, confirmed)) == "restore.original_changed"
    assert lab.host.named("web") == web


@pytest.mark.parametrize("step", ["open_writer", "power_off", "rename_vm"])
def test_an_original_that_changes_meanwhile_is_not_touched(lab: EngineLab, step: str) -> None:
    web = filled_vm(lab, name="web")
    point = lab.backup(web)

    def exchange(call: str) -> None:
        if call == step:
            lab.host.faults.on_call = None
            lab.host.vm(web).instance_uuid = "another"
            lab.host.vm(web).name = "stranger"
            for disk in lab.host.vm(web).disks.values():
                disk.uuid = "another"

    lab.host.faults.on_call = exchange
    report = restored(lab, point)
    if step == "rename_vm":  # renamed by us already; it is not deleted
        assert "restore.original_not_removed" in codes_of(report), text_of(report)
    else:
        assert error_of(report) == "restore.original_changed", text_of(report)
    assert web in lab.host.vms


# --- disks that no point holds -----------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["its mode is independent_persistent", "several VMs may write to it"])
def test_an_original_with_a_left_out_disk_is_refused_before_anything_starts(lab: EngineLab, reason: str) -> None:
    web = filled_vm(lab, disks=2)
    lab.host.vm(web).disks[2001].unsupported_reason = reason
    point = lab.backup(web)
    data = os.urandom(4096)
    lab.host.write(web, 2001, 0, data)
    calls: list[str] = []
    lab.host.faults.on_call = calls.append
    report = restored(lab, point)
    assert error_of(report) == "restore.disks_not_held", text_of(report)
    assert report.task.error is not None
    assert "Hard disk 2" in report.task.error.message
    assert not {"create_vm", "power_off", "rename_vm", "destroy_vm"} & set(calls)
    assert lab.host.content(web, 2001)[:4096] == data


def add_disk(lab: EngineLab, vm: VmId, key: int) -> None:
    with lab.host.lock:
        lab.host.vm(vm).disks[key] = lab.host.new_disk(vm, key, "Hard disk 9", 4096)


def test_a_disk_that_was_added_after_the_point_is_refused_too(lab: EngineLab) -> None:
    web = filled_vm(lab)
    point = lab.backup(web)
    add_disk(lab, web, 2005)
    assert error_of(restored(lab, point)) == "restore.disks_not_held"
    lab.backup(web, BackupKind.FULL)
    assert error_of(restored(lab, point)) == "restore.disks_not_held", "this point does not hold it"


def test_a_disk_that_is_added_while_the_restore_runs_is_not_deleted(lab: EngineLab) -> None:
    web = filled_vm(lab)
    point = lab.backup(web)

    def add(call: str) -> None:
        if call == "open_writer":
            lab.host.faults.on_call = None
            add_disk(lab, web, 2005)

    lab.host.faults.on_call = add
    report = restored(lab, point)
    assert error_of(report) == "restore.disks_not_held", text_of(report)
    assert lab.host.names == [lab.host.vm(web).name]
    assert lab.host.vm(web).powered_on


# --- what the operator sees before -------------------------------------------------------------------------------


def original_of(lab: EngineLab, point: RestorePoint) -> OriginalRow:
    (row,) = lab.engine.ask(FindOriginals(standby=lab.standby, points=(point.id,)))
    return row


def test_the_original_is_shown_as_it_is_now(lab: EngineLab) -> None:
    web = filled_vm(lab, disks=2)
    lab.host.vm(web).disks[2001].unsupported_reason = "independent"
    point = lab.backup(web)
    lab.host.vm(web).name = "web (old)"
    row = original_of(lab, point)
    assert (row.platform, row.verdict, row.is_proven) == (lab.platform, Verdict.SAME, True)
    assert [vm.name for vm in row.choices] == ["web (old)"]
    assert [text.partition(" (")[0] for text in row.uncovered_of(web)] == ["Hard disk 2"]


def test_copies_are_shown_to_the_operator_and_never_proven(lab: EngineLab) -> None:
    web = filled_vm(lab)
    point = lab.backup(web)
    copy = copy_of(lab.host, web, "web-copy")
    give_ids(lab.host, {web: "vm-77"})
    row = original_of(lab, point)
    assert (row.verdict, row.is_proven, {vm.id for vm in row.choices}) == (Verdict.UNSURE, False, {"vm-77"})
    with lab.host.lock:
        lab.host.vms.pop("vm-77")
    row = original_of(lab, point)
    assert (row.verdict, row.choices) == (Verdict.ANOTHER, ())
    assert row.other is not None
    assert row.other.id == copy


def test_a_platform_is_found_by_its_uuid_under_another_address(lab: EngineLab) -> None:
    lab.host.platform_uuid = "vcenter-1"
    web = filled_vm(lab)
    point = lab.backup(web)
    lab.engine.ask(ProbePlatform(platform=lab.platform))
    elsewhere = replace(point, facts=replace(point.facts, platform_address="192.0.2.9"))
    lab.catalog.points.put(lab.standby, "", elsewhere)
    row = original_of(lab, point)
    assert (row.platform, row.verdict) == (lab.platform, Verdict.SAME)
    unknown = replace(point, facts=replace(point.facts, platform_address="192.0.2.9", platform_uuid="vcenter-9"))
    lab.catalog.points.put(lab.standby, "", unknown)
    row = original_of(lab, point)
    assert (row.platform, row.address) == (None, "192.0.2.9")
