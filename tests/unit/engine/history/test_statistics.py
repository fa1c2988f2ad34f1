"""Traffic, statistics, overview, status and search, through the engine's door, after backups that really ran."""

from datetime import timedelta
from pathlib import Path

from app.contract.overview import HitKind, ReadOverview, ReadStatus, Search
from app.contract.rules import DeleteRule, MarkErrorsViewed
from app.contract.statistics import (
    ListStatisticsTasks,
    ReadStatistics,
    ReadTraffic,
    Traffic,
    TrafficRange,
)
from app.core.changes import Keys
from app.domain.changes import Subject
from app.domain.ids import RuleId, VmId
from app.domain.periods import StatisticsPeriod
from app.domain.states import TaskKind, TaskState
from tests.support.engine_lab import filled_vm
from tests.support.rule_lab import RuleLab, local
from tests.support.waiting import wait_until


def moved(traffic: Traffic, now_s: float) -> float:
    """Return the bytes read under a chart; the last slice is as long as it lasted."""
    return sum(
        point.read_bytes_per_s * min(traffic.slice_s, int(now_s) + 1 - int(point.at.timestamp()))
        for point in traffic.points
    )


def a_night_with_a_failure(lab: RuleLab) -> tuple[RuleId, VmId, VmId]:
    """Back two VMs up at noon; the second is gone by noon of the next day."""
    web, db = filled_vm(lab, name="web"), filled_vm(lab, name="db")
    rule = lab.rule(web, db)
    lab.at(local(12))
    del lab.host.vms[db]
    lab.at(local(12, day=3))
    return rule, web, db


def test_statistics_are_what_happened(lab: RuleLab) -> None:
    rule, _, db = a_night_with_a_failure(lab)
    whole = lab.engine.ask(ReadStatistics(rule=rule))
    assert (whole.succeeded, whole.failed, whole.unviewed_errors) == (3, 1, 1)
    assert [(day.day.isoformat(), day.succeeded, day.failed) for day in whole.days] == [
        ("2026-03-02", 2, 0),
        ("2026-03-03", 1, 1),
    ]
    statistics = lab.engine.ask(ReadStatistics(rule=rule, vm=db))
    assert (statistics.succeeded, statistics.failed, statistics.unviewed_errors) == (1, 1, 1)
    points = [known.point for known in lab.catalog.points.find()]
    assert whole.read_bytes == sum(point.read_bytes for point in points)
    assert sum(day.read_bytes for day in whole.days) == whole.read_bytes
    assert lab.engine.ask(ReadStatistics()) == whole, "there is no other rule"


def test_a_period_shows_its_days_and_the_sums_of_all_time(lab: RuleLab) -> None:
    rule, *_ = a_night_with_a_failure(lab)
    lab.turn_to(local(13, day=9))
    assert [
        day.day.day for day in lab.engine.ask(ReadStatistics(rule=rule, period=StatisticsPeriod.WEEK)).days
    ] == [3]
    lab.turn_to(local(13, day=20, month=4))
    month = lab.engine.ask(ReadStatistics(rule=rule, period=StatisticsPeriod.MONTH))
    assert (month.days, month.succeeded) == ((), 3)
    assert len(lab.engine.ask(ReadStatistics(rule=rule, period=StatisticsPeriod.YEAR)).days) == 2


def test_failed_tasks_come_first_with_their_reason_and_looking_at_them_counts(lab: RuleLab) -> None:
    rule, web, _ = a_night_with_a_failure(lab)
    first, *others = lab.engine.ask(ListStatisticsTasks(rule=rule))
    assert (first.vm_name, first.result, first.kind, first.viewed) == (
        "db",
        TaskState.FAILED,
        TaskKind.BACKUP,
        False,
    )
    assert first.error is not None
    assert first.error.hint
    assert [row.result for row in others] == [TaskState.COMPLETED] * 3
    assert all(row.viewed and row.backup_kind in ("full", "incremental") for row in others)
    assert all(row.source_bytes > 0 and row.written_bytes > 0 for row in others[-2:]), "the first points"
    assert lab.engine.ask(ReadStatus()).unviewed_errors == 1
    noted: list[tuple[Subject, Keys]] = []
    lab.catalog.changes.watch(lambda subject, keys: noted.append((subject, keys)))
    lab.engine.execute(MarkErrorsViewed(rule=rule, vm=web))
    assert noted == [], "nothing was changed"
    assert lab.engine.ask(ReadStatus()).unviewed_errors == 1, "the failure is another VM's"
    lab.engine.execute(MarkErrorsViewed(rule=rule))
    assert lab.engine.ask(ReadStatus()).unviewed_errors == 0
    assert lab.row(rule).unviewed_errors == 0
    assert lab.engine.ask(ListStatisticsTasks(rule=rule, only_failed=True))[0].viewed
    assert noted == [(Subject.RULES, frozenset({rule})), (Subject.FIGURES, frozenset({rule}))]


def test_every_byte_that_was_read_is_under_every_chart(lab: RuleLab) -> None:
    web = filled_vm(lab)
    rule = lab.rule(web)
    lab.at(local(12))
    lab.engine.recorder.sample()
    read_bytes = lab.engine.ask(ReadStatistics(rule=rule)).read_bytes
    assert read_bytes > 0

    def charts(range_: TrafficRange) -> list[float]:
        now_s = lab.turnable.now().timestamp()
        asked = (ReadTraffic(range=range_, rule=rule, vm=web), ReadTraffic(range=range_, rule=rule))
        return [round(moved(lab.engine.ask(query), now_s)) for query in (*asked, ReadTraffic(range=range_))]

    for range_ in TrafficRange:
        assert charts(range_) == [read_bytes] * 3
    live = lab.engine.ask(ReadTraffic(range=TrafficRange.LIVE, rule=rule))
    assert live.end - live.start >= timedelta(minutes=10)
    last = live.points[-1].at
    assert lab.engine.ask(ReadTraffic(range=TrafficRange.LIVE, rule=rule, since=last)).points == ()
    lab.turnable.turn(3 * 3600)
    lab.engine.recorder.sample()
    assert charts(TrafficRange.LIVE) == [0, 0, 0]
    assert charts(TrafficRange.DAY) == charts(TrafficRange.HISTORY) == [read_bytes] * 3


def test_traffic_and_statistics_survive_a_restart(tmp_path: Path) -> None:
    with RuleLab(tmp_path) as lab:
        rule = lab.rule(filled_vm(lab))
        lab.at(local(12))
        before = lab.engine.ask(ReadStatistics(rule=rule))
        host, now = lab.host, lab.turnable.now()
    with RuleLab(tmp_path, host=host, start=now + timedelta(seconds=5)) as again:
        assert again.engine.ask(ReadStatistics(rule=rule)) == before
        live = again.engine.ask(ReadTraffic(range=TrafficRange.LIVE, rule=rule))
        assert round(moved(live, again.turnable.now().timestamp())) == before.read_bytes


def test_deleting_a_rule_deletes_its_statistics(lab: RuleLab) -> None:
    rule, *_ = a_night_with_a_failure(lab)
    assert lab.engine.ask(ReadStatus()).unviewed_errors == 1
    lab.engine.execute(DeleteRule(rule=rule, delete_data=False))
    gone = lab.engine.ask(ReadStatistics(rule=rule))
    assert (gone.days, gone.succeeded, gone.failed, gone.unviewed_errors) == ((), 0, 0, 0)
    assert lab.engine.ask(ListStatisticsTasks(rule=rule)) == ()
    assert lab.engine.ask(ReadTraffic(range=TrafficRange.DAY, rule=rule)).points == ()
    assert lab.engine.ask(ReadStatus()).unviewed_errors == 0
    assert lab.engine.ask(ReadOverview()).failures == ()
    assert len(lab.tasks()) == 4, "what ran stays in the list of tasks"


def test_the_first_page_tells_whether_we_are_safe(lab: RuleLab) -> None:
    rule, _, db = a_night_with_a_failure(lab)
    lab.turn_to(local(13, day=3))
    page = lab.engine.ask(ReadOverview())
    assert (page.protected_vms, page.point_count) == (2, 3)
    assert (page.succeeded_7d, page.failed_7d) == (3, 1)
    assert [(row.vm_name, row.state) for row in page.failures] == [("db", TaskState.FAILED)]
    assert page.overdue == (), "the run had no time to finish yet"
    assert (page.running, page.pending) == ((), 0)
    assert page.next_runs == ((local(12, day=4), "nightly"),)
    lab.turn_to(local(19, day=3))
    (late,) = lab.engine.ask(ReadOverview()).overdue
    assert (late.rule, late.vm, late.name, late.expected_by) == (rule, db, "db", local(18, day=3))
    assert late.newest_point is not None
    assert late.newest_point.date().day == 2


def test_the_status_tells_how_full_standbys_are(lab: RuleLab) -> None:
    wait_until(lambda: all(standby.reachable for standby in lab.engine.ask(ReadStatus()).standbys))
    (gauge,) = lab.engine.ask(ReadStatus()).standbys
    assert gauge.name == "standby"
    assert gauge.total_bytes is not None
    assert gauge.free_bytes is not None
    assert 0 < gauge.free_bytes <= gauge.total_bytes
    status = lab.engine.ask(ReadStatus())
    assert (status.running, status.pending, status.unviewed_errors) == (0, 0, 0)
    assert status.engine_pid > 0


def test_everything_with_a_name_is_found(lab: RuleLab) -> None:
    rule, _, db = a_night_with_a_failure(lab)

    def found(text: str, limit: int = 30) -> list[tuple[HitKind, str]]:
        return [(hit.kind, hit.title) for hit in lab.engine.ask(Search(text=text, limit=limit))]

    assert found("WEB") == [
        (HitKind.VM, "web"),
        (HitKind.POINT, "web"),
        (HitKind.POINT, "web"),
        (HitKind.TASK, "web"),
        (HitKind.TASK, "web"),
    ]
    assert found("night")[0] == (HitKind.RULE, "nightly")
    assert {title for _, title in found("nightly db")} == {"db"}
    assert len(found("nightly", limit=3)) == 3
    assert found("nobody") == found("  ") == []
    hits = lab.engine.ask(Search(text="db"))
    assert {hit.rule for hit in hits if hit.kind is HitKind.VM} == {rule}
    assert {hit.vm for hit in hits} == {db}
