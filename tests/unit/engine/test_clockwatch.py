"""A clock that jumped removes nothing, says so, and is believed again once it is right or confirmed."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from app.contract.overview import ReadOverview
from app.contract.points import DeletePoint, ListDeletedPoints
from app.contract.program import ConfirmClock
from app.contract.standbys import StartGarbageCollection
from app.domain.clocks import ClockDoubtKind
from app.domain.history import Moved
from app.domain.ids import StandbyId, VmId
from app.domain.policies import Retention
from app.domain.standbys import Standby
from app.domain.states import TaskState
from app.engine.standbys.filesystems import look_at
from tests.support.engine_lab import codes_of
from tests.support.local_host import LocalHost
from tests.support.rule_lab import BY_HAND, RuleLab, daily, local, periodic

WEEK = periodic(daily("12:00"), retention=Retention(period=2))
TEN_YEARS = timedelta(days=3650)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RuleLab]:
    with RuleLab(tmp_path) as opened:
        yield opened


def doubts(lab: RuleLab) -> list[ClockDoubtKind]:
    return [doubt.kind for doubt in lab.engine.ask(ReadOverview()).clock_doubts]


def run_days(lab: RuleLab, first: int, last: int, ahead: timedelta = timedelta(0)) -> None:
    for day in range(first, last + 1):
        lab.at(local(12, day=day) + ahead)


def step(lab: RuleLab, by: timedelta) -> None:
    """Set the clock, as an operator or NTP does: no time passes."""
    lab.turnable.jump(by)


def test_a_clock_that_jumped_ten_years_removes_no_point_and_goes_on_once_it_is_right(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=WEEK)
    run_days(lab, 2, 3)
    run_days(lab, 4, 5, TEN_YEARS)
    assert len(lab.catalog.points.find()) == 4
    assert "retention.waits_for_clock" in codes_of(lab.finished(lab.tasks()[-1].id))
    assert doubts(lab) == [ClockDoubtKind.AHEAD]
    assert lab.log_codes().count("clock.ahead") == 1
    lab.at(local(11, day=6))
    run_days(lab, 6, 6)
    assert doubts(lab) == []
    assert "clock.believed" in lab.log_codes()
    (right,) = [row for row in lab.tasks() if row.created_at.year == 2026][-1:]
    assert "retention.point_ahead" in codes_of(lab.finished(right.id))
    run_days(lab, 7, 9)
    moments = [known.point.created_at for known in lab.catalog.points.find()]
    assert moments == sorted(moments, reverse=True)
    assert [moment.day for moment in moments] == [9, 8], "the points of the future have expired like the others"


@pytest.mark.parametrize("by", [timedelta(days=8), timedelta(hours=8)])
def test_a_step_of_the_clock_is_noticed_while_the_program_runs(lab: RuleLab, by: timedelta) -> None:
    lab.rule(lab.host.add_vm("web"), policy=WEEK)
    run_days(lab, 2, 4)
    step(lab, by)
    lab.tick()
    assert doubts(lab) == [ClockDoubtKind.AHEAD]
    step(lab, -by)
    lab.tick()
    assert doubts(lab) == []
    step(lab, -by)
    lab.tick()
    assert doubts(lab) == [ClockDoubtKind.BEHIND]
    step(lab, by)
    lab.tick()
    assert doubts(lab) == []


def test_a_small_correction_is_no_reason_for_doubt(lab: RuleLab) -> None:
    for minutes in (5, -5, 50, -50):
        step(lab, timedelta(minutes=minutes))
        lab.tick()
        assert doubts(lab) == []


def test_the_operator_can_confirm_the_clock(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=WEEK)
    run_days(lab, 2, 3)
    run_days(lab, 4, 4, timedelta(days=60))
    assert len(lab.catalog.points.find()) == 3
    lab.engine.execute(ConfirmClock())
    assert doubts(lab) == []
    assert "clock.confirmed" in lab.log_codes()
    run_days(lab, 5, 5, timedelta(days=60))
    assert len(lab.catalog.points.find()) == 2


def test_a_program_that_comes_back_after_two_months_asks_whether_the_clock_is_right(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        host = lab.host
        lab.rule(host.add_vm("web"), policy=WEEK)
        run_days(lab, 2, 4)
    with RuleLab(tmp_path, host=host, start=local(9, day=30)) as lab:
        lab.at(local(12, day=30))
        assert doubts(lab) == [ClockDoubtKind.AHEAD]
        assert len(lab.catalog.points.find()) == 3
    with RuleLab(tmp_path, host=host, start=local(9, day=6)) as lab:
        lab.tick()
        assert doubts(lab) == []


def test_a_console_that_does_not_know_what_was_before_asks_when_the_last_point_is_old(tmp_path: Path) -> None:
    """A new catalog over an old standby: no heartbeat tells of the time between."""
    with RuleLab(tmp_path) as lab:
        host = lab.host
        lab.rule(host.add_vm("web"), policy=WEEK)
        run_days(lab, 2, 3)
        lab.catalog.settings.put("clock", '{"believed_at":"2026-03-30T00:00:00Z","since":"2026-03-30T00:00:00Z"}')
    with RuleLab(tmp_path, host=host, start=local(9, day=30)) as lab:
        lab.at(local(12, day=30))
        lab.at(local(12, day=31))
        assert doubts(lab) == [ClockDoubtKind.AHEAD]
        assert len(lab.catalog.points.find()) == 4


def test_the_trash_is_kept_while_the_clock_is_doubted_and_a_deletion_of_the_future_counts_from_now(
    lab: RuleLab,
) -> None:
    lab.rule(lab.host.add_vm("web"), policy=periodic(daily("12:00"), retention=Retention(period=64)))
    run_days(lab, 2, 3)
    first, second = (known.point for known in lab.catalog.points.find())

    def collection() -> list[str]:
        task = lab.engine.execute(StartGarbageCollection(standby=lab.standby, target_path="vm/web"))
        report = lab.finished(task)
        assert report.task.state is TaskState.COMPLETED
        return codes_of(report)

    def deleted() -> set[str]:
        rows = lab.engine.ask(ListDeletedPoints(standby=lab.standby))
        return {str(row.id) for row in rows}

    lab.engine.execute(DeletePoint(standby=lab.standby, target_path="vm/web", point=first.id))
    step(lab, TEN_YEARS)
    lab.engine.execute(DeletePoint(standby=lab.standby, target_path="vm/web", point=second.id))
    assert "upkeep.trash_waits" in collection()
    assert deleted() == {first.id, second.id}
    step(lab, -TEN_YEARS)
    assert "upkeep.trash_waits" not in collection()
    assert deleted() == {first.id, second.id}
    lab.live_until(lab.turnable.now() + timedelta(days=8), timedelta(hours=12))
    collection()
    assert deleted() == set()


def test_a_clock_of_others_that_differs_is_a_reason_for_doubt_until_it_agrees_or_is_accepted(lab: RuleLab) -> None:
    watch = lab.engine.services.clock_watch
    watch.note_other(ClockDoubtKind.PLATFORM, "p", "vCenter", timedelta(hours=8))
    watch.note_other(ClockDoubtKind.STANDBY, "s", "nas", timedelta(minutes=-30))
    assert doubts(lab) == [ClockDoubtKind.PLATFORM]
    watch.note_other(ClockDoubtKind.PLATFORM, "p", "vCenter", timedelta(seconds=2))
    assert doubts(lab) == []
    watch.note_other(ClockDoubtKind.STANDBY, "s", "nas", timedelta(hours=-3))
    assert doubts(lab) == [ClockDoubtKind.STANDBY]
    lab.engine.execute(ConfirmClock())
    watch.note_other(ClockDoubtKind.STANDBY, "s", "nas", timedelta(hours=-3, minutes=2))
    assert doubts(lab) == []


def test_traffic_is_forgotten_only_while_the_clock_is_believed(lab: RuleLab) -> None:
    traffic, recorder = lab.catalog.traffic, lab.engine.recorder
    at_s = int(lab.turnable.now().timestamp())
    traffic.add([Moved(at_s=at_s, rule=None, vm=VmId("vm"), read_bytes=1, written_bytes=1)])
    lab.turn_to(lab.turnable.now() + timedelta(minutes=2))
    recorder.sample()
    step(lab, TEN_YEARS)
    recorder.sample()
    assert traffic.read(60, at_s - 60, at_s + 120)
    lab.engine.execute(ConfirmClock())
    lab.turn_to(lab.turnable.now() + timedelta(hours=2))
    recorder.sample()
    assert not traffic.read(60, at_s - 60, at_s + 120)


def test_a_host_that_is_used_by_no_engine_is_left_alone(tmp_path: Path) -> None:
    with RuleLab(tmp_path, host=LocalHost(tmp_path / "host"), settings=replace(BY_HAND)) as lab:
        assert doubts(lab) == []


def test_a_run_of_the_future_does_not_hide_how_later_runs_ended(lab: RuleLab) -> None:
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=WEEK)
    lab.at(local(12) + TEN_YEARS)
    assert lab.state(rule, vm) is not TaskState.FAILED
    lab.at(local(11, day=3))
    lab.host.faults.snapshot_failures = 3
    lab.at(local(12, day=3))
    assert lab.state(rule, vm) is TaskState.FAILED
    assert [row.vm_name for row in lab.engine.ask(ReadOverview()).failures] == ["web"]


# --- who tells -------------------------------------------------------------------------------------------------


def test_the_clock_of_a_standbys_file_server_is_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standby = Standby(id=StandbyId("s"), name="nas", root_path=str(tmp_path))
    equal = look_at(standby).clock_ahead
    assert equal is not None
    assert abs(equal) < timedelta(minutes=1)
    present = time.time
    monkeypatch.setattr(time, "time", lambda: present() + 3 * 3600)
    ahead = look_at(standby).clock_ahead
    assert ahead is not None
    assert abs(ahead - timedelta(hours=3)) < timedelta(minutes=1)


def test_the_engine_hears_of_a_standby_whose_clock_differs(lab: RuleLab, monkeypatch: pytest.MonkeyPatch) -> None:
    present = time.time
    monkeypatch.setattr(time, "time", lambda: present() - 5 * 3600)
    lab.engine.services.watch.refresh(again=True, wait_s=10)
    assert doubts(lab) == [ClockDoubtKind.STANDBY]
    monkeypatch.undo()
    lab.engine.services.watch.refresh(again=True, wait_s=10)
    assert doubts(lab) == []
