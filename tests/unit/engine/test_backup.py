"""Backups as an operator sees them, over a real repository and a hypervisor of local files."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from app.contract.tasks import TaskLogLines
from app.domain.changetracking import ChangeTracking
from app.domain.errors import StandbyUnavailable
from app.domain.events import TaskStateChanged
from app.domain.extents import Extent
from app.domain.progress import ProgressSample
from app.domain.states import BackupKind, TaskState
from app.engine import messages
from app.repository import Repository
from tests.support.engine_lab import CHUNK, QUICK, EngineLab, codes_of, filled_vm, text_of
from tests.support.local_disks import BLOCK

MIB = 1 << 20
FULL, INCREMENTAL, DIFFERENTIAL = BackupKind.FULL, BackupKind.INCREMENTAL, BackupKind.DIFFERENTIAL
NO_AUDIT = replace(QUICK, audit_blocks=0)


@pytest.fixture
def plain(tmp_path: Path) -> "EngineLab":
    """A lab whose audit reads nothing, for tests that count what is read."""
    return EngineLab(tmp_path, settings=NO_AUDIT)


# --- states and facts ----------------------------------------------------------------------------------------


def test_the_states_come_in_the_documented_order(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.backup(vm)
    states = [event.state for event in lab.events if isinstance(event, TaskStateChanged)]
    assert states == [
        TaskState.PREPARING,
        TaskState.SAVING_CONFIGURATION,
        TaskState.QUERYING_CHANGES,
        TaskState.CHECKING_DATA,
        TaskState.RUNNING,
        TaskState.REMOVING_SNAPSHOT,
        TaskState.COMPLETED,
    ]


def test_the_catalog_keeps_the_stages_with_their_times(lab: EngineLab) -> None:
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    stages = [stage.state for stage in report.task.stages]
    assert stages[0] is TaskState.PENDING
    assert stages[-1] is TaskState.COMPLETED
    moments = [stage.at for stage in report.task.stages]
    assert moments == sorted(moments)
    assert report.task.started_at == moments[1]
    assert report.task.ended_at == moments[-1]


def test_the_snapshot_is_gone_before_the_point_is_committed(lab: EngineLab) -> None:
    told = [line.code for line in lab.finished(lab.start_backup(filled_vm(lab))).log]
    created, removed = messages.SNAPSHOT_CREATED.code, messages.SNAPSHOT_REMOVED.code
    assert told.index(created) < told.index(removed) < told.index(messages.POINT_COMMITTED.code)
    assert list(lab.catalog.snapshot_journal.open_entries()) == []


def test_progress_counts_the_bytes_that_had_to_be_read(lab: EngineLab) -> None:
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    sample: ProgressSample = report.task.progress
    assert sample.total_bytes == sample.done_bytes == sample.read_bytes > 0
    assert sample.fraction == 1.0


def test_every_log_line_has_its_english_text(lab: EngineLab) -> None:
    report = lab.finished(lab.start_backup(filled_vm(lab)))
    assert all("{" not in line.text and line.text != line.code for line in report.log)
    assert lab.engine.ask(TaskLogLines(task=report.task.id, after=report.log[-2].id)) == report.log[-1:]


# --- what is read --------------------------------------------------------------------------------------------


def test_a_full_backup_reads_what_is_allocated_and_restores_the_disk(plain: EngineLab) -> None:
    with plain as lab:
        vm = filled_vm(lab, disks=2)
        point = lab.backup(vm, FULL)
        assert (point.kind, point.parent) == (FULL, None)
        assert [disk.read_whole for disk in point.disks] == [True, True]
        for key in (2000, 2001):
            assert lab.content(point.id, key) == lab.host.content(vm, key)
            assert lab.host.read_bytes(vm, key) == 12 * BLOCK


def test_incremental_reads_only_changed_extents(plain: EngineLab) -> None:
    with plain as lab:
        vm = filled_vm(lab)
        first = lab.backup(vm)
        lab.host.write(vm, 2000, 3 * MIB + 5, b"changed")
        lab.host.write(vm, 2000, 4 * MIB + 1000, b"at the very end")
        lab.host.forget_reads()
        point = lab.backup(vm, INCREMENTAL)
        assert (point.kind, point.parent) == (INCREMENTAL, first.id)
        assert lab.host.read_bytes(vm, 2000) == point.read_bytes == BLOCK + 1536
        assert lab.content(point.id) == lab.host.content(vm, 2000)


def test_a_differential_reads_everything_since_the_last_full(plain: EngineLab) -> None:
    with plain as lab:
        vm = filled_vm(lab)
        full = lab.backup(vm)
        lab.host.write(vm, 2000, 0, b"one")
        lab.backup(vm, INCREMENTAL)
        lab.host.write(vm, 2000, 2 * MIB, b"two")
        point = lab.backup(vm, DIFFERENTIAL)
        assert (point.kind, point.parent, point.read_bytes) == (DIFFERENTIAL, full.id, 2 * BLOCK)
        assert lab.content(point.id) == lab.host.content(vm, 2000)


def test_a_point_holds_the_moment_of_its_snapshot(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    before = lab.host.content(vm, 2000)

    def write_behind_the_snapshot(call: str) -> None:
        if call == "snapshot_created":
            lab.host.write(vm, 2000, 200_000, b"later")

    lab.host.faults.on_call = write_behind_the_snapshot
    point = lab.backup(vm)
    assert lab.content(point.id) == before
    lab.host.faults.on_call = None
    assert lab.content(lab.backup(vm).id) == lab.host.content(vm, 2000) != before


@pytest.mark.parametrize("tells", [True, False])
def test_a_vm_without_tracking_is_read_by_the_transports_map_or_whole(plain: EngineLab, *, tells: bool) -> None:
    with plain as lab:
        vm = lab.host.add_vm("old", tracking_supported=False)
        lab.host.write(vm, 2000, 0, b"data")
        lab.host.faults.tells_allocated = tells
        for _ in range(2):
            lab.host.forget_reads()
            report = lab.finished(lab.start_backup(vm))
            assert messages.TRACKING_UNSUPPORTED.code in codes_of(report)
            assert (messages.EVERYTHING_IS_READ.code in codes_of(report)) == (not tells)
            assert lab.host.read_bytes(vm, 2000) == (BLOCK if tells else 4 * MIB)
        assert [point.kind for point in lab.points()] == [FULL, FULL]
        assert lab.content(lab.points()[0].id) == lab.host.content(vm, 2000)


def test_tracking_is_left_alone_where_the_rule_does_not_want_it(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    for wish in (ChangeTracking.OFF, ChangeTracking.IF_ENABLED):
        lab.backup(vm, tracking=wish)
        assert not lab.host.vm(vm).tracking_enabled
    lab.backup(vm, tracking=ChangeTracking.AUTOMATIC)
    assert lab.host.vm(vm).tracking_enabled
    assert lab.backup(vm, tracking=ChangeTracking.OFF).kind is FULL
    assert lab.backup(vm, tracking=ChangeTracking.IF_ENABLED).kind is INCREMENTAL


# --- fall-backs ------------------------------------------------------------------------------------------------


def test_a_disk_whose_tracking_is_lost_is_read_whole_and_the_others_are_not(plain: EngineLab) -> None:
    with plain as lab:
        vm = filled_vm(lab, disks=2)
        lab.backup(vm)
        lab.host.faults.lost_tracking = {2000}
        report = lab.finished(lab.start_backup(vm))
        point = lab.points()[0]
        assert [disk.read_whole for disk in point.disks] == [True, False]
        assert point.kind is INCREMENTAL
        assert messages.WHOLE_CHANGES_LOST.code in codes_of(report)
        assert lab.content(point.id, 2000) == lab.host.content(vm, 2000)


def test_a_resized_disk_is_read_whole_and_the_next_one_is_incremental_again(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.backup(vm)
    lab.host.resize(vm, 2000, 6 * MIB)
    lab.host.write(vm, 2000, 5 * MIB, b"in the new part")
    grown = lab.backup(vm)
    assert (grown.kind, grown.disks[0].read_whole) == (FULL, True)
    assert lab.content(grown.id) == lab.host.content(vm, 2000)
    assert lab.backup(vm).kind is INCREMENTAL


@pytest.mark.parametrize("snapshots_after", [0, 3])
def test_a_vm_that_was_reverted_is_read_whole(lab: EngineLab, snapshots_after: int) -> None:
    """Further snapshots let the change ids grow past the parent's again: they alone do not tell."""
    vm = filled_vm(lab)
    lab.backup(vm)
    theirs = lab.host.take_snapshot(vm, "before the update")
    lab.host.write(vm, 2000, 0, b"to be undone")
    lab.backup(vm)
    lab.host.revert(vm, theirs)
    for number in range(snapshots_after):
        lab.host.take_snapshot(vm, f"another {number}")
    report = lab.finished(lab.start_backup(vm))
    assert messages.WHOLE_WENT_BACK.code in codes_of(report)
    assert lab.content(lab.points()[0].id) == lab.host.content(vm, 2000)
    assert lab.backup(vm).kind is INCREMENTAL


def _break_pack_of(lab: EngineLab) -> None:
    packs = [path for path in (lab.directory / "standby").rglob("*") if path.is_file() and "pack" in path.name]
    assert packs
    for path in packs:
        content = bytearray(path.read_bytes())
        middle = len(content) // 3
        content[middle : middle + 64] = bytes(64)
        path.write_bytes(bytes(content))


@pytest.mark.parametrize("is_new", [True, False], ids=["other_bytes", "the_same_bytes_again"])
@pytest.mark.parametrize("audit_blocks", [0, 64], ids=["while_merging", "by_the_audit"])
def test_a_parent_found_damaged_makes_the_disk_whole(tmp_path: Path, audit_blocks: int, is_new: bool) -> None:
    """Even where what was written is what the damaged chunk held: its record must not be taken for stored."""
    with EngineLab(tmp_path, settings=replace(QUICK, audit_blocks=audit_blocks)) as lab:
        vm = lab.host.add_vm("web", [4 * MIB])
        lab.host.write(vm, 2000, 0, os.urandom(4 * MIB))
        lab.backup(vm)
        _break_pack_of(lab)
        was = lab.host.content(vm, 2000)
        for offset in range(10, 4 * MIB, CHUNK):
            lab.host.write(vm, 2000, offset, bytes([was[offset] ^ is_new]))
        report = lab.finished(lab.start_backup(vm))
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        assert messages.WHOLE_PARENT_DAMAGED.code in codes_of(report)
        newest = lab.points()[0]
        assert (newest.kind, newest.parent) == (FULL, None)
        assert lab.content(newest.id) == lab.host.content(vm, 2000)


def test_an_unsupported_disk_is_left_out_with_a_warning(lab: EngineLab) -> None:
    vm = filled_vm(lab, disks=2)
    lab.host.vm(vm).disks[2001].unsupported_reason = "independent mode"
    report = lab.finished(lab.start_backup(vm))
    assert [disk.key for disk in lab.points()[0].disks] == [2000]
    (line,) = [line for line in report.log if line.code == messages.DISK_LEFT_OUT.code]
    assert "independent mode" in line.text


def test_a_vm_without_any_supported_disk_fails_before_a_snapshot_is_taken(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    lab.host.vm(vm).disks[2000].unsupported_reason = "physical RDM"
    report = lab.finished(lab.start_backup(vm))
    assert report.task.error is not None
    assert report.task.error.code == "backup.nothing_to_back_up"
    assert messages.SNAPSHOT_CREATED.code not in [line.code for line in report.log]


# --- quiescing -------------------------------------------------------------------------------------------------


def test_a_quiesced_point_is_consistent_and_one_that_failed_to_says_so(lab: EngineLab) -> None:
    vm = filled_vm(lab)
    assert lab.backup(vm, quiesce=True).consistent
    lab.host.faults.quiesce_failures = 1
    report = lab.finished(lab.start_backup(vm, quiesce=True))
    assert report.task.state is TaskState.COMPLETED
    assert messages.QUIESCE_GIVEN_UP.code in codes_of(report)
    assert not lab.points()[0].consistent


def test_a_vm_that_is_off_needs_no_quiescing_to_be_consistent(lab: EngineLab) -> None:
    vm = lab.host.add_vm("off", powered_on=False)
    report = lab.finished(lab.start_backup(vm, quiesce=True))
    assert messages.QUIESCE_NEEDS_RUNNING_VM.code in codes_of(report)
    assert lab.points()[0].consistent


# --- the audit -------------------------------------------------------------------------------------------------


def test_a_lie_of_change_tracking_is_caught_and_the_chain_starts_anew(tmp_path: Path) -> None:
    everything = replace(QUICK, audit_blocks=1000)
    with EngineLab(tmp_path, settings=everything) as lab:
        vm = filled_vm(lab, disks=2)
        lab.backup(vm)
        lab.host.write(vm, 2000, 2 * MIB, b"never reported")
        lab.host.write(vm, 2001, 2 * MIB, b"reported")
        lab.host.faults.hidden_changes = [(2000, Extent(2 * MIB, BLOCK))]
        generation = lab.host.vm(vm).disks[2000].tracking.generation
        report = lab.finished(lab.start_backup(vm))
        assert report.task.state is TaskState.COMPLETED, text_of(report)
        (line,) = [line for line in report.log if line.code == messages.AUDIT_FOUND_LIE.code]
        assert line.level.name == "ERROR"
        assert dict(line.params)["offset"] == str(2 * MIB)
        lying, honest = lab.points()[0].disks
        assert (lying.read_whole, lying.change_id, honest.read_whole) == (True, None, False)
        assert lab.content(lab.points()[0].id) == lab.host.content(vm, 2000)
        assert messages.TRACKING_RESET.code in codes_of(report)
        assert lab.host.vm(vm).disks[2000].tracking.generation != generation
        lab.host.faults.hidden_changes = []
        assert lab.backup(vm).disks[0].read_whole
        assert not lab.backup(vm).disks[0].read_whole


def test_an_allocated_map_that_hides_data_is_caught_too(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=replace(QUICK, audit_blocks=1000)) as lab:
        vm = filled_vm(lab)
        lab.host.faults.hidden_changes = [(2000, Extent(2 * BLOCK, BLOCK))]
        point = lab.backup(vm)
        assert lab.content(point.id) == lab.host.content(vm, 2000)
        assert point.disks[0].change_id is None


def test_without_the_audit_a_lie_goes_unseen_which_is_why_there_is_one(plain: EngineLab) -> None:
    with plain as lab:
        vm = filled_vm(lab)
        lab.backup(vm)
        lab.host.write(vm, 2000, 2 * MIB, b"never reported")
        lab.host.faults.hidden_changes = [(2000, Extent(2 * MIB, BLOCK))]
        assert lab.content(lab.backup(vm).id) != lab.host.content(vm, 2000)


@pytest.mark.parametrize(("disks", "openings"), [(1, 1), (3, 5)])
def test_the_disk_that_is_audited_last_stays_open_until_it_is_written(
    lab: EngineLab, disks: int, openings: int
) -> None:
    vm = filled_vm(lab, disks=disks)
    lab.backup(vm)
    opened: list[str] = []
    lab.host.faults.on_call = opened.append
    lab.host.write(vm, 2000, 0, b"changed")
    lab.backup(vm)
    assert opened.count("open_reader") == openings
    assert not lab.host.open_disks


@pytest.mark.parametrize("step", ["begin_point", "open_point"])
def test_a_disk_that_is_kept_open_is_closed_when_the_backup_fails(
    lab: EngineLab, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    vm = filled_vm(lab, disks=2)
    lab.backup(vm)

    def fail(*_args: object, **_more: object) -> None:
        raise StandbyUnavailable(path="standby", detail="gone")

    monkeypatch.setattr(Repository, step, fail)
    report = lab.finished(lab.start_backup(vm))
    assert report.task.state is TaskState.FAILED
    assert not lab.host.open_disks
    assert not lab.host.our_snapshots()


def test_the_audit_reads_no_more_blocks_than_the_settings_say(tmp_path: Path) -> None:
    with EngineLab(tmp_path, settings=replace(QUICK, audit_blocks=5)) as lab:
        vm = filled_vm(lab)
        lab.backup(vm)
        lab.host.forget_reads()
        lab.backup(vm)
        assert 4 * BLOCK < lab.host.read_bytes(vm, 2000) <= 5 * BLOCK
