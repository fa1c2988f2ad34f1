"""Points go when they have expired, after a run that succeeded, and never before."""

from datetime import timedelta

from app.contract.offers import OfferPoint, WithdrawPoint
from app.contract.points import StartVerify
from app.contract.rules import PreviewRetention, RunNow
from app.domain.ids import PointId
from app.domain.policies import GrandfatherFatherSon, Retention, Weekday
from app.domain.states import BackupKind, TaskState
from app.engine.tasks.dispatcher import Limits
from tests.support.engine_lab import codes_of
from tests.support.rule_lab import RuleLab, daily, local, once, periodic, weekly

FULL, DIFFERENTIAL = BackupKind.FULL, BackupKind.DIFFERENTIAL


def days(lab: RuleLab) -> list[int]:
    return [moment.day for moment in lab.moments()]


def run_days(lab: RuleLab, first: int, last: int) -> None:
    for day in range(first, last + 1):
        lab.at(local(12, day=day))


def test_points_older_than_the_period_go_after_a_successful_run(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=periodic(retention=Retention(period=3)))
    run_days(lab, 2, 7)
    assert days(lab) == [5, 6, 7]
    with lab.engine.services.repositories.lease(lab.standby, "vm/web") as repository:
        assert len(repository.points().points) == 3
        assert len(repository.deleted_points()) == 3
    assert "retention.point_expired" in codes_of(lab.finished(lab.tasks()[-1].id))


def test_a_failed_run_deletes_nothing(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=periodic(retention=Retention(period=1)))
    lab.at(local(12))
    lab.host.faults.snapshot_failures = 3
    run_days(lab, 3, 5)
    assert [row.state for row in lab.tasks()[1:]] == [TaskState.FAILED] * 3
    assert days(lab) == [2]
    lab.at(local(12, day=6))
    assert days(lab) == [6]


def test_each_vm_keeps_its_own_points(lab: RuleLab) -> None:
    web, db = lab.host.add_vm("web"), lab.host.add_vm("db")
    lab.rule(web, db, policy=periodic(retention=Retention(period=2)))
    lab.rule(lab.host.add_vm("mail"), name="other", policy=periodic(retention=Retention(period=64)))
    run_days(lab, 2, 6)
    counts = {vm: len(lab.catalog.points.find(vm=vm)) for vm in (web, db, lab.host.named("mail"))}
    assert counts == {web: 2, db: 2, lab.host.named("mail"): 5}


def test_a_full_stays_while_differentials_need_it(lab: RuleLab) -> None:
    plan = daily("12:00", kind=DIFFERENTIAL)
    rule = lab.rule(lab.host.add_vm("web"), policy=periodic(plan, retention=Retention(period=3)))
    run_days(lab, 2, 9)
    assert (days(lab), lab.kinds()[0]) == ([2, 7, 8, 9], FULL)
    lab.engine.execute(RunNow(rule=rule, kind=FULL))
    lab.tick()
    assert days(lab) == [7, 8, 9, 9]


def test_counts_and_generations_keep_more(lab: RuleLab) -> None:
    retention = Retention(period=1, keep_newest=2, gfs=GrandfatherFatherSon(weeks=2))
    lab.rule(lab.host.add_vm("web"), policy=periodic(retention=retention))
    run_days(lab, 2, 11)
    # Sunday the 8th is the newest of the week before; 10 and 11 are the two newest.
    assert days(lab) == [8, 10, 11]


def test_a_point_that_a_task_uses_goes_at_the_next_run(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=periodic(retention=Retention(period=1)))
    lab.at(local(12))
    (old,) = lab.catalog.points.find()
    manager = lab.engine.manager
    manager.set_limits(Limits(max_tasks=0, max_tasks_per_host=1))
    lab.turn_to(local(12, day=3))
    lab.engine.tick()
    lab.engine.execute(StartVerify(standby=lab.standby, target_path="vm/web", point=old.point.id, priority=-1))
    manager.set_limits(Limits(max_tasks=1, max_tasks_per_host=1))
    lab.tick()
    assert days(lab) == [2, 3]
    lab.at(local(12, day=4))
    assert days(lab) == [4]


def test_a_pinned_point_goes_once_its_pin_has_ended(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=periodic(retention=Retention(period=1)))
    lab.at(local(12))
    (old,) = lab.catalog.points.find()
    lab.engine.execute(OfferPoint(standby=lab.standby, target_path="vm/web", point=old.point.id, over_tcp=True))
    lab.at(local(12, day=3))
    assert days(lab) == [2, 3]
    assert "retention.point_pinned" in codes_of(lab.finished(lab.tasks()[-1].id))
    lab.engine.execute(WithdrawPoint(standby=lab.standby, target_path="vm/web", point=old.point.id))
    lab.at(local(12, day=4))
    assert days(lab) == [4]


def test_a_rule_that_runs_once_keeps_its_point(lab: RuleLab) -> None:
    lab.rule(lab.host.add_vm("web"), policy=once(local(9)))
    lab.at(local(9))
    lab.turnable.turn(timedelta(days=4000).total_seconds())
    lab.tick()
    assert len(lab.catalog.points.find()) == 1


def test_the_preview_says_what_then_happens(lab: RuleLab) -> None:
    policy = periodic(
        daily("12:00"), weekly(Weekday.SUNDAY, "20:00"), retention=Retention(period=1, keep_newest=3)
    )
    rule = lab.rule(vm := lab.host.add_vm("web"), policy=policy)
    lab.at(local(12))
    lab.at(local(12, day=3))
    preview = lab.engine.ask(PreviewRetention(policy=policy, rule=rule, vm=vm, days=14))
    assert [day.day.day for day in preview] == list(range(3, 17))
    for day in preview[1:]:
        for at, _kind in day.runs:
            lab.at(at)
        assert lab.moments() == [point.created_at for point in day.points], day.day
        assert lab.kinds() == [point.kind for point in day.points], day.day
    known: set[PointId | None] = {known.point.id for known in lab.catalog.points.find()}
    assert {point.id for point in preview[0].points} - known, "the first ones have gone by now"


def test_the_preview_of_a_new_rule_starts_with_nothing(lab: RuleLab) -> None:
    first, second, *_ = lab.engine.ask(PreviewRetention(policy=periodic(retention=Retention(period=1)), days=5))
    assert [kind for _, kind in first.runs] == [BackupKind.INCREMENTAL]
    assert [(point.id, point.kind) for point in first.points] == [(None, FULL)]
    assert (len(second.points), second.removed_count) == (1, 1)
