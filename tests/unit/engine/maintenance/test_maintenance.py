import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.contract.standbys import StartGarbageCollection
from app.contract.tasks import ListTasks, TaskDetails, TaskRow
from app.domain.ids import StandbyId
from app.domain.policies import Retention
from app.domain.states import BackupKind, TaskKind, TaskState
from app.engine.standbys.maintenance import VERIFY_EVERY, longest_unverified, places_to_collect
from tests.support.engine_lab import filled_vm
from tests.support.local_host import LocalHost
from tests.support.rule_lab import BY_HAND, RuleLab, daily, local, periodic

KIB = 1024
MAINTAINED = replace(BY_HAND, maintenance_look_s=600.0)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RuleLab]:
    with RuleLab(tmp_path, host=LocalHost(tmp_path / "host"), settings=MAINTAINED) as opened:
        yield opened


def maintained(lab: RuleLab, kind: TaskKind) -> list[TaskRow]:
    return [row for row in lab.engine.ask(ListTasks(kinds=(kind,))) if row.kind is kind]


def test_garbage_is_collected_once_a_day(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00")))
    lab.live_until(local(23, day=5), timedelta(hours=1))
    collections = maintained(lab, TaskKind.GARBAGE_COLLECTION)
    assert len(collections) == 4
    assert {row.state for row in collections} == {TaskState.COMPLETED}
    assert collections[0].vm_name.endswith("/vm/web")


def test_space_of_expired_points_comes_back_once_their_grace_time_is_over(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00", kind=BackupKind.FULL), retention=Retention(period=1)))
    sizes: list[int] = []
    chance = random.Random(3)
    for day in range(2, 28):
        lab.host.write(vm, 2000, 0, chance.randbytes(512 * KIB))
        lab.live_until(local(20, day=day), timedelta(hours=4))
        sizes.append(sum(file.stat().st_size for file in lab.directory.rglob("*.pack")))
    assert max(sizes[12:]) <= max(sizes[:12]) * 1.25, sizes
    assert len(lab.catalog.points.find()) <= 2


def test_a_point_is_read_back_when_it_was_not_for_a_month(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00"), retention=Retention(period=64)))
    lab.live_until(local(13), timedelta(hours=1))
    assert longest_unverified(lab.catalog.points.find(), lab.turnable.now()) is None
    lab.at(lab.turnable.now() + VERIFY_EVERY)
    for _ in range(6):
        lab.at(lab.turnable.now() + timedelta(minutes=11))
    verified = maintained(lab, TaskKind.VERIFY)
    assert [row.state for row in verified] == [TaskState.COMPLETED]


def test_garbage_collection_is_due_at_first_and_then_after_a_day() -> None:
    collected, fresh = (StandbyId("s"), ""), (StandbyId("s"), "new")
    assert places_to_collect([collected, fresh], {collected: local(1)}, local(2)) == [fresh]
    assert places_to_collect([collected], {collected: local(1)}, local(1, day=3)) == [collected]


def test_garbage_collection_that_was_noted_in_the_future_is_due_now() -> None:
    place = (StandbyId("s"), "")
    assert places_to_collect([place], {place: local(1).replace(year=2035)}, local(2)) == [place]
    assert places_to_collect([place], {place: local(2, 30)}, local(2)) == []


def test_a_point_of_the_future_is_read_back_first(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00"), retention=Retention(period=64)))
    lab.live_until(local(13), timedelta(hours=1))
    (point,) = lab.catalog.points.find()
    now = lab.turnable.now()
    before = now - timedelta(days=4000)
    assert longest_unverified([point], before) == point
    assert longest_unverified([replace(point, verified_at=before)], before) is None
    ahead = replace(point, verified_at=now + timedelta(days=4000))
    assert longest_unverified([ahead], now) is None, "its making counts"
    assert longest_unverified([ahead], now + VERIFY_EVERY) == ahead


def test_garbage_is_collected_every_day_after_the_clock_stood_in_the_future(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00")))
    lab.live_until(local(13), timedelta(hours=1))
    right = lab.turnable.now()
    lab.turn_to(right.replace(year=2035))
    lab.live_until(right.replace(year=2035) + timedelta(hours=2), timedelta(hours=1))
    collected = len(maintained(lab, TaskKind.GARBAGE_COLLECTION))
    lab.turn_to(right + timedelta(hours=1))
    lab.live_until(right + timedelta(days=3), timedelta(hours=1))
    assert len(maintained(lab, TaskKind.GARBAGE_COLLECTION)) - collected in (2, 3)


def test_garbage_collection_asked_for_by_hand_tells_what_it_freed(lab: RuleLab) -> None:
    vm = filled_vm(lab)
    lab.rule(vm, policy=periodic(daily("12:00")))
    lab.live_until(local(13), timedelta(hours=1))
    task = lab.engine.execute(StartGarbageCollection(standby=lab.standby, target_path="vm/web"))
    assert lab.engine.wait_until_idle(30)
    lines = [line.code for line in lab.engine.ask(TaskDetails(task=task)).log]
    assert "upkeep.swept" in lines
