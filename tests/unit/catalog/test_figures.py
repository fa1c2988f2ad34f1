"""Figures: every backup that ends is counted once, in the day it ended, for its VM, its rule and the whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.history import LogSearch, Moved, TrafficSlice
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.messages import LogLevel, MessageKind
from app.domain.policies import OneTimePolicy
from app.domain.rules import BackupRule, ProtectedVm
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TransferTotals
from tests.unit.catalog.test_catalog import task

SHANGHAI = ZoneInfo("Asia/Shanghai")
EVENING = datetime(2026, 3, 1, 17, 30, tzinfo=UTC)  # 01:30 of the next day in Shanghai
R1, R2 = RuleId("r1"), RuleId("r2")
A, B = VmId("vm-a"), VmId("vm-b")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock(), zone=lambda: SHANGHAI) as opened:
        yield opened


def ended(
    catalog: Catalog,
    number: int,
    state: TaskState = TaskState.COMPLETED,
    *,
    at: datetime = EVENING,
    rule: RuleId | None = R1,
    vm: VmId = A,
    kind: TaskKind = TaskKind.BACKUP,
) -> TaskId:
    record = task(number, rule=rule, vm=vm, vm_name=f"name of {vm}", kind=kind)
    catalog.tasks.add(record)
    catalog.tasks.enter(record.id, TaskState.PREPARING, at - timedelta(minutes=1))
    catalog.tasks.set_totals(record.id, TransferTotals(read_bytes=100, written_bytes=7))
    catalog.tasks.enter(record.id, state, at)
    return record.id


def counts(catalog: Catalog, rule: RuleId | None = None, vm: VmId | None = None) -> tuple[int, int]:
    total = catalog.figures.total(rule, vm)
    return total.succeeded, total.failed


def test_an_ended_backup_counts_for_its_vm_its_rule_and_the_whole_on_its_local_day(catalog: Catalog) -> None:
    ended(catalog, 1)
    ended(catalog, 2, TaskState.FAILED, vm=B)
    ended(catalog, 3, rule=R2, vm=B, at=EVENING - timedelta(hours=2))
    assert counts(catalog) == (2, 1)
    assert counts(catalog, R1) == (1, 1)
    assert counts(catalog, R1, A) == (1, 0)
    assert counts(catalog, R1, B) == (0, 1)
    assert counts(catalog, vm=B) == (1, 1)
    days = catalog.figures.days()
    assert [(day.day, day.succeeded, day.failed) for day in days] == [
        (date(2026, 3, 1), 1, 0),
        (date(2026, 3, 2), 1, 1),
    ]
    assert (days[1].read_bytes, days[1].stored_bytes) == (200, 14)
    assert catalog.figures.days(since=date(2026, 3, 2)) == days[1:]


def test_what_is_no_backup_and_what_was_stopped_is_not_counted(catalog: Catalog) -> None:
    ended(catalog, 1, TaskState.STOPPED)
    ended(catalog, 2, kind=TaskKind.RESTORE)
    ended(catalog, 3, TaskState.FAILED, kind=TaskKind.VERIFY)
    assert counts(catalog) == (0, 0)
    assert catalog.figures.unviewed() == 1, "a failed verification wants to be seen all the same"


def test_a_task_counts_once_even_when_its_end_is_noted_twice(catalog: Catalog) -> None:
    failed = ended(catalog, 1, TaskState.FAILED)
    catalog.tasks.enter(failed, TaskState.FAILED, EVENING + timedelta(hours=1))
    assert counts(catalog) == (0, 1)
    assert catalog.figures.unviewed() == 1


def test_failures_are_unviewed_until_they_are_viewed(catalog: Catalog) -> None:
    first = ended(catalog, 1, TaskState.FAILED)
    ended(catalog, 2, TaskState.FAILED, vm=B)
    ended(catalog, 3, TaskState.FAILED, rule=None)
    assert catalog.figures.unviewed_by_vm() == {(R1, A): 1, (R1, B): 1, (None, A): 1}
    assert catalog.figures.unviewed_among([first, TaskId("t9")]) == {first}
    assert catalog.figures.mark_viewed(R1, A) == 1
    assert (catalog.figures.unviewed(R1), catalog.figures.unviewed()) == (1, 2)
    assert catalog.figures.mark_viewed() == 2
    assert catalog.figures.unviewed() == 0


def test_ended_tasks_come_failed_ones_first_then_newest_first_page_by_page(catalog: Catalog) -> None:
    for number in range(12):
        state = TaskState.FAILED if number % 4 == 0 else TaskState.COMPLETED
        ended(catalog, number, state, at=EVENING + timedelta(minutes=number))
    ended(catalog, 50, rule=R2)
    catalog.tasks.add(task(60, rule=R1, vm=A))
    expected = ["t8", "t4", "t0", *(f"t{number}" for number in (11, 10, 9, 7, 6, 5, 3, 2, 1))]
    for limit in (1, 2, 3, 4, 5, 12):
        pages = [
            record.id
            for offset in range(0, 12, limit)
            for record in catalog.tasks.ended(rule=R1, limit=limit, offset=offset)
        ]
        assert pages == expected, f"pages of {limit}"
    assert [task.id for task in catalog.tasks.ended(rule=R1, vm=A, only_failed=True, limit=9)] == expected[:3]
    assert catalog.tasks.ended(rule=R1, limit=5, offset=12) == ()


def test_the_last_failure_of_a_vm_is_forgiven_by_its_next_success(catalog: Catalog) -> None:
    ended(catalog, 1, TaskState.FAILED)
    ended(catalog, 2, TaskState.COMPLETED, at=EVENING + timedelta(hours=1))
    ended(catalog, 3, TaskState.FAILED, vm=B)
    newest = ended(catalog, 4, TaskState.FAILED, vm=B, at=EVENING + timedelta(hours=1))
    ended(catalog, 5, TaskState.STOPPED, vm=B, at=EVENING + timedelta(hours=2))
    by_hand = ended(catalog, 6, TaskState.FAILED, rule=None, vm=A)
    assert catalog.figures.last_failures(10) == (newest, by_hand)
    assert catalog.figures.last_failures(1) == (newest,)


def test_deleting_a_rule_deletes_its_figures_and_keeps_its_tasks_and_the_whole(catalog: Catalog) -> None:
    failed = ended(catalog, 1, TaskState.FAILED)
    ended(catalog, 2, rule=R2)
    catalog.figures.forget_rule(R1)
    assert counts(catalog, R1) == counts(catalog, R1, A) == (0, 0)
    assert catalog.figures.unviewed() == 0
    assert catalog.figures.last_failures(5) == ()
    assert catalog.tasks.ended(rule=R1, limit=5) == ()
    kept = catalog.tasks.get(failed)
    assert kept is not None
    assert kept.rule is None
    assert counts(catalog) == (1, 1)
    assert counts(catalog, R2) == (1, 0)


def test_a_vm_that_took_the_place_of_another_goes_on_with_its_history(catalog: Catalog) -> None:
    catalog.rules.add(
        BackupRule(
            id=R1,
            name="nightly",
            platform=PlatformId("p1"),
            standby=StandbyId("s1"),
            target_path="x",
            vms=(ProtectedVm(vm=A, name="web"),),
            policy=OneTimePolicy(start=EVENING),
        ),
        created_at=EVENING,
        considered_until=EVENING,
    )
    failed = ended(catalog, 1, TaskState.FAILED)
    ended(catalog, 2, vm=B)
    catalog.tasks.log(failed, EVENING, LogLevel.NORMAL, MessageKind("test.said", "Said").fill())
    catalog.traffic.add([Moved(at_s=60, rule=R1, vm=A, read_bytes=5, written_bytes=0)])
    catalog.traffic.roll_up(200)
    assert catalog.rules.succeed_all(PlatformId("p1"), {A: B}, EVENING) == {A: R1}
    assert counts(catalog, R1, A) == (0, 0)
    assert counts(catalog, R1, B) == (1, 1)
    assert catalog.figures.unviewed(R1, B) == 1
    assert [task.id for task in catalog.tasks.ended(rule=R1, vm=B, limit=5)] == ["t1", "t2"]
    assert len(catalog.log.page(LogSearch(rule=R1, vm=B), limit=5).entries) == 1
    assert catalog.traffic.read(3600, 0, 3600, rule=R1, vm=B) == (TrafficSlice(0, 5, 0),)
    assert counts(catalog) == counts(catalog, R1) == (1, 1), "nothing is counted twice"
