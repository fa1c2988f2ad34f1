"""What a backup reads, decided from values alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.domain.ids import PointId, VmId
from app.domain.restore_point import PointDisk, RestorePoint, VmFacts
from app.domain.states import BackupKind
from app.domain.vms import VirtualDisk
from app.engine import messages
from app.engine.backup.plan import BackupPlan, plan_backup

GIB = 1 << 30
DISK = VirtualDisk(
    key=2000, label="Hard disk 1", uuid="u1", capacity_bytes=GIB, path="[ds] a.vmdk", thin=True, change_id="g/9"
)
SECOND = replace(DISK, key=2001, label="Hard disk 2", uuid="u2", path="[ds] b.vmdk")
FACTS = VmFacts(
    vm=VmId("vm-1"),
    name="web",
    platform_address="vc",
    instance_uuid=None,
    datacenter="dc",
    datastore="ds",
    host="h",
    hostname=None,
    guest="g",
)


def held(disk: VirtualDisk, change_id: str | None) -> PointDisk:
    return PointDisk(
        key=disk.key,
        label=disk.label,
        uuid=disk.uuid,
        capacity_bytes=disk.capacity_bytes,
        path=disk.path,
        change_id=change_id,
        root="00",
        read_bytes=0,
        stored_bytes=0,
        read_whole=False,
    )


def point(number: int, kind: BackupKind, *disks: PointDisk) -> RestorePoint:
    return RestorePoint(
        id=PointId(f"c/{number}"),
        chain="c",
        rule_name="r",
        created_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number),
        kind=kind,
        parent=None,
        facts=FACTS,
        disks=disks or (held(DISK, f"g/{number}"), held(SECOND, f"g/{number}")),
        configuration_files=(),
        consistent=True,
        tool_version="0",
    )


CHAIN = (
    point(5, BackupKind.INCREMENTAL),
    point(4, BackupKind.DIFFERENTIAL),
    point(3, BackupKind.FULL),
    point(2, BackupKind.INCREMENTAL),
    point(1, BackupKind.FULL),
)


def plan(
    asked: BackupKind,
    points: tuple[RestorePoint, ...] = CHAIN,
    disks: tuple[VirtualDisk, ...] = (DISK,),
    *,
    tracking_wanted: bool = True,
) -> BackupPlan:
    return plan_backup(asked, disks, points, tracking_wanted=tracking_wanted)


def codes(of: BackupPlan) -> list[str]:
    return [note.kind.code for note in of.notes]


@pytest.mark.parametrize("asked", list(BackupKind))
def test_the_first_point_is_always_full(asked: BackupKind) -> None:
    first = plan(asked, ())
    assert (first.kind, first.parent) == (BackupKind.FULL, None)
    assert all(disk.whole and disk.reason is None for disk in first.disks)
    assert (messages.FIRST_IS_FULL.code in codes(first)) == (asked is not BackupKind.FULL)


def test_a_full_backup_has_no_parent_though_there_are_points() -> None:
    full = plan(BackupKind.FULL)
    assert (full.kind, full.parent, full.disks[0].since) == (BackupKind.FULL, None, None)


def test_an_incremental_asks_for_the_changes_since_the_newest_point() -> None:
    incremental = plan(BackupKind.INCREMENTAL)
    assert (incremental.kind, incremental.parent) == (BackupKind.INCREMENTAL, "c/5")
    assert incremental.disks[0].since == "g/5"


def test_a_differential_asks_for_the_changes_since_the_last_full() -> None:
    differential = plan(BackupKind.DIFFERENTIAL)
    assert (differential.kind, differential.parent) == (BackupKind.DIFFERENTIAL, "c/3")
    assert differential.disks[0].since == "g/3"


def test_a_differential_without_any_full_left_becomes_full() -> None:
    alone = plan(BackupKind.DIFFERENTIAL, CHAIN[:2])
    assert alone.kind is BackupKind.FULL
    assert codes(alone) == [messages.NO_FULL_FOR_DIFFERENTIAL.code]


FALL_BACKS = [
    (replace(DISK, change_id=None), held(DISK, "g/5"), messages.WHOLE_NOT_TRACKED),
    (replace(DISK, uuid="other"), held(DISK, "g/5"), messages.WHOLE_OTHER_DISK),
    (replace(DISK, uuid=None), held(DISK, "g/5"), messages.WHOLE_OTHER_DISK),
    (replace(DISK, capacity_bytes=2 * GIB), held(DISK, "g/5"), messages.WHOLE_RESIZED),
    (replace(DISK, key=2007), held(DISK, "g/5"), messages.WHOLE_PARENT_LACKS_DISK),
    (DISK, held(DISK, None), messages.WHOLE_PARENT_NOT_TRACKED),
    (DISK, held(DISK, "h/5"), messages.WHOLE_TRACKING_RESET),
    (DISK, held(DISK, "g/9"), messages.WHOLE_WENT_BACK),
    (DISK, held(DISK, "g/10"), messages.WHOLE_WENT_BACK),
    (DISK, held(DISK, "nonsense"), messages.WHOLE_CHANGES_LOST),
]


@pytest.mark.parametrize(("disk", "before", "kind"), FALL_BACKS, ids=[kind.code for *_, kind in FALL_BACKS])
def test_a_disk_whose_changes_cannot_be_told_is_read_whole_and_says_why(
    disk: VirtualDisk, before: PointDisk, kind: object
) -> None:
    parent = point(5, BackupKind.FULL, before, held(SECOND, "g/5"))
    mixed = plan(BackupKind.INCREMENTAL, (parent,), (disk, SECOND))
    assert mixed.disks[0].whole
    assert mixed.disks[0].reason is not None
    assert mixed.disks[0].reason.kind is kind
    assert str(mixed.disks[0].reason).startswith(DISK.label)
    assert mixed.disks[1].since == "g/5"
    assert (mixed.kind, mixed.parent) == (BackupKind.INCREMENTAL, "c/5")


def test_a_backup_with_every_disk_read_whole_becomes_full_and_says_so() -> None:
    all_whole = plan(BackupKind.INCREMENTAL, (point(5, BackupKind.FULL, held(DISK, None)),))
    assert (all_whole.kind, all_whole.parent) == (BackupKind.FULL, None)
    assert messages.ALL_DISKS_WHOLE.code in codes(all_whole)


def test_nothing_is_asked_of_tracking_that_is_not_wanted() -> None:
    untracked = plan(BackupKind.INCREMENTAL, tracking_wanted=False)
    assert untracked.kind is BackupKind.FULL
    assert untracked.disks[0].reason is not None
    assert untracked.disks[0].reason.kind is messages.WHOLE_NOT_TRACKED


def test_a_differential_does_not_reach_behind_a_broken_tracking_chain() -> None:
    broken = point(5, BackupKind.INCREMENTAL, held(DISK, None), held(SECOND, "g/5"))
    differential = plan(BackupKind.DIFFERENTIAL, (broken, point(3, BackupKind.FULL)), (DISK, SECOND))
    assert differential.disks[0].reason is not None
    assert differential.disks[0].reason.kind is messages.WHOLE_CHAIN_BROKEN
    assert differential.disks[1].since == "g/3"


def test_turning_disks_whole_makes_the_plan_full_with_the_last_one_only() -> None:
    two = plan(BackupKind.INCREMENTAL, disks=(DISK, SECOND))
    reason = messages.WHOLE_TRACKING_LIED.fill(disk="Hard disk 1")
    one_left = two.with_whole(2000, reason, map_trusted=False, keep_change_id=False)
    assert (one_left.kind, one_left.parent) == (BackupKind.INCREMENTAL, "c/5")
    assert one_left.disks[1] == two.disks[1]
    assert not one_left.disks[0].map_trusted
    assert not one_left.disks[0].keep_change_id
    none_left = one_left.with_whole(2001, reason)
    assert (none_left.kind, none_left.parent) == (BackupKind.FULL, None)
    assert none_left.asked is BackupKind.INCREMENTAL


def test_a_parent_that_cannot_be_used_turns_every_disk_of_it_whole() -> None:
    alone = plan(BackupKind.INCREMENTAL, disks=(DISK, SECOND)).without_parent(
        messages.WHOLE_PARENT_DAMAGED, detail="it is damaged"
    )
    assert alone.kind is BackupKind.FULL
    assert all(disk.reason is not None and "it is damaged" in str(disk.reason) for disk in alone.disks)
