"""Proofs are queued by the clock, within the budget of their rule. The local hypervisor starts no VM from here."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from app.contract.overview import ReadOverview
from app.contract.rules import ChangeRuleProof, RemoveVmsFromRule
from app.contract.tasks import ListTasks, TaskRow
from app.core.cancel import CancelToken
from app.core.disks import DiskReader
from app.domain.concerns import ConcernKind
from app.domain.errors import OperationalError, StandbyUnavailable
from app.domain.ids import PointId, RecoveryId, RuleId, StandbyId, TaskId, VmId
from app.domain.instant import InstantPhase, InstantRecovery, RecoveryPurpose
from app.domain.policies import Retention
from app.domain.proofs import ProofKind, ProofPolicy, ProofWhen, ProofWhich, newest_planned, unproven_since
from app.domain.states import TaskKind, TaskState
from app.domain.tasks import TaskRecord
from app.domain.vms import VmPlacement
from app.engine.proof.lateness import names_of_unproven
from app.engine.proof.schedule import PROOF_PRIORITY, RETRY_AFTER, History
from app.engine.tasks.spec import ProofSpec, VerifySpec
from app.engine.tasks.stored import encode_spec
from app.guestcheck import DiskFindings, check_disks
from tests.support.engine_lab import filled_vm
from tests.support.guest_images import made
from tests.support.local_host import LocalHost
from tests.support.rule_lab import BY_HAND, SHANGHAI, RuleLab, daily, local, periodic

PROVING = replace(BY_HAND, proof_schedule_s=60.0)
AFTER_BACKUP = ProofPolicy(when=ProofWhen.AFTER_BACKUP)
HOUR = timedelta(hours=1)
pytestmark = pytest.mark.outside_tools("mke2fs")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[RuleLab]:
    with RuleLab(tmp_path, host=LocalHost(tmp_path / "host"), settings=PROVING) as opened:
        yield opened


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("ext2"), 1, "mke2fs", "-q", "-t", "ext2", "-b", "1024")


def with_system(lab: RuleLab, system: bytes, name: str = "web") -> VmId:
    """Return a VM whose disk has a file system."""
    vm = filled_vm(lab) if name == "web" else lab.host.add_vm(name, (2 << 20,))
    lab.host.write(vm, 2000, 0, system)
    return vm


def ruled(lab: RuleLab, *vms: VmId, proof: ProofPolicy, at: str = "12:00") -> RuleId:
    rule = lab.rule(*vms, policy=periodic(daily(at), retention=Retention(period=64)))
    lab.engine.execute(ChangeRuleProof(rule=rule, proof=proof))
    return rule


def proofs(lab: RuleLab) -> list[TaskRow]:
    """Return the proofs, the oldest first."""
    return list(lab.engine.ask(ListTasks(kinds=(TaskKind.PROOF,)))[::-1])


def test_a_rule_proves_nothing_unless_it_is_told_to(lab: RuleLab, system: bytes) -> None:
    ruled(lab, with_system(lab, system), proof=ProofPolicy())
    lab.live_until(local(23), HOUR)
    assert proofs(lab) == []


def test_each_backup_is_followed_by_the_proof_of_its_point(lab: RuleLab, system: bytes) -> None:
    vm = with_system(lab, system)
    rule = ruled(lab, vm, proof=AFTER_BACKUP)
    lab.live_until(local(23, day=4), HOUR)
    rows = proofs(lab)
    assert [row.state for row in rows] == [TaskState.COMPLETED] * 3
    assert {row.rule for row in rows} == {rule}
    points = lab.catalog.points.find()
    assert {row.point for row in rows} == {known.point.id for known in points}
    assert {known.proof.kind for known in points if known.proof is not None} == {ProofKind.STRUCTURE}
    newest = points[0].proof
    assert newest is not None
    assert (lab.row(rule).last_proven, lab.row(rule).last_proven_kind) == (newest.at, ProofKind.STRUCTURE)
    assert lab.vm_row(rule, vm).last_proven == newest.at


def test_every_so_many_days_the_newest_point_is_proven_at_its_hour(lab: RuleLab, system: bytes) -> None:
    policy = ProofPolicy(when=ProofWhen.EVERY_DAYS, every_days=2, at=time(20, 30))
    ruled(lab, with_system(lab, system), proof=policy)
    lab.live_until(local(23, 50, day=6), timedelta(minutes=30))
    begun = [row.created_at.astimezone(SHANGHAI) for row in proofs(lab)]
    assert [(at.day, at.hour) for at in begun] == [(2, 12), (3, 20), (5, 20)], "at once, then every second night"


def test_each_point_is_proven_where_that_is_wanted(lab: RuleLab, system: bytes) -> None:
    rule = ruled(lab, with_system(lab, system), proof=ProofPolicy())
    lab.live_until(local(23, day=5), HOUR)
    lab.engine.execute(ChangeRuleProof(rule=rule, proof=replace(AFTER_BACKUP, which=ProofWhich.EACH)))
    lab.live_until(local(3, day=6), timedelta(minutes=10))
    assert len({row.point for row in proofs(lab)}) == len(lab.catalog.points.find()) == 4


def test_a_point_that_is_not_proven_is_not_tried_again_and_again(lab: RuleLab) -> None:
    ruled(lab, filled_vm(lab), proof=AFTER_BACKUP)
    lab.live_until(local(11, day=3), HOUR)
    (row,) = proofs(lab)
    assert row.state is TaskState.FAILED
    assert row.error is not None
    assert row.error.code == "proof.not_proven"


def test_a_proof_that_could_not_be_carried_out_is_tried_again_later(
    lab: RuleLab, system: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def lost(*_: object) -> None:
        calls.append(1)
        raise StandbyUnavailable(path="/mnt", detail="gone")

    monkeypatch.setattr("app.engine.proof.run.Booting", lost)
    ruled(lab, with_system(lab, system), proof=AFTER_BACKUP)
    lab.live_until(local(12) + RETRY_AFTER - HOUR, timedelta(minutes=30))
    assert len(calls) == 1
    monkeypatch.undo()
    lab.live_until(local(12) + RETRY_AFTER + HOUR, timedelta(minutes=30))
    assert [row.state for row in proofs(lab)] == [TaskState.FAILED, TaskState.COMPLETED]


def test_stopped_vms_are_not_proven(lab: RuleLab, system: bytes) -> None:
    vm = with_system(lab, system)
    rule = ruled(lab, vm, proof=ProofPolicy())
    lab.live_until(local(13), HOUR)
    lab.catalog.rules.set_started(rule, [vm], started=False)
    lab.engine.execute(ChangeRuleProof(rule=rule, proof=AFTER_BACKUP))
    lab.live_until(local(15), HOUR)
    assert proofs(lab) == []


def test_settings_that_cannot_be_are_refused(lab: RuleLab, system: bytes) -> None:
    rule = ruled(lab, with_system(lab, system), proof=ProofPolicy())
    with pytest.raises(OperationalError) as caught:
        lab.engine.execute(ChangeRuleProof(rule=rule, proof=ProofPolicy(limit_min=60, minutes_per_day=30)))
    assert "minutes per day" in caught.value.message
    assert lab.catalog.rules.all()[0].proof == ProofPolicy()


# --- the budget --------------------------------------------------------------------------------------------------

NOON = local(12)


def record(number: int, *, minutes: float | None, began: datetime = NOON, **fields: object) -> TaskRecord:
    """Return a proof that took so many minutes, or has not ended."""
    spec = ProofSpec(
        standby=StandbyId("s"),
        point=PointId(f"chain/{number}"),
        platform=None,
        limit_s=600.0,
        cpus=1,
        memory_mib=128,
        rule=RuleId("r"),
        is_automatic=bool(fields.get("is_automatic", True)),
        priority=PROOF_PRIORITY,
    )
    return TaskRecord(
        id=TaskId(f"t{number}"),
        kind=TaskKind.PROOF,
        state=TaskState.PENDING if minutes is None else TaskState.COMPLETED,
        vm=VmId("vm"),
        vm_name="web",
        platform=None,
        standby=spec.standby,
        rule=spec.rule,
        rule_name="nightly",
        point=spec.point,
        request=encode_spec(spec),
        created_at=began,
        started_at=began,
        ended_at=None if minutes is None else began + timedelta(minutes=minutes),
    )


def room(
    *known: TaskRecord, at_once: int = 4, minutes: int = 60, limit: int = 10, now: datetime = NOON + HOUR
) -> int:
    policy = ProofPolicy(at_once=at_once, minutes_per_day=minutes, limit_min=limit)
    unfinished = [task for task in known if not task.state.is_final]
    return History(RuleId("r"), unfinished, known).room(policy, now, SHANGHAI)


def test_no_more_run_at_once_than_the_rule_says() -> None:
    assert room(at_once=3) == 3
    assert room(record(1, minutes=None), at_once=3) == 2
    assert room(record(1, minutes=None), record(2, minutes=None), at_once=2) == 0


def test_the_minutes_of_a_day_are_counted_with_what_may_still_come_of_those_that_run() -> None:
    assert room(record(1, minutes=35)) == 2
    assert room(record(1, minutes=51)) == 0
    assert room(record(1, minutes=30), record(2, minutes=None)) == 2
    assert room(record(1, minutes=51, is_automatic=False)) == 4
    assert room(record(1, minutes=51, began=local(23, day=1))) == 4
    assert room(record(1, minutes=51), now=local(1, day=3)) == 4


def test_proofs_of_the_future_count_for_no_day() -> None:
    assert room(record(1, minutes=51, began=datetime(2035, 1, 1, tzinfo=UTC))) == 4


def test_a_rule_of_many_vms_spends_its_day_and_goes_on_tomorrow_with_those_that_wait(
    lab: RuleLab, system: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    vms = [with_system(lab, system), *(with_system(lab, system, f"vm{number}") for number in range(3))]
    ruled(lab, *vms, proof=replace(AFTER_BACKUP, limit_min=25, minutes_per_day=60, at_once=1))

    def slow(disks: Sequence[tuple[str, DiskReader]], cancel: CancelToken) -> tuple[DiskFindings, ...]:
        lab.turnable.turn(20 * 60.0)
        return check_disks(disks, cancel)

    monkeypatch.setattr("app.engine.proof.structure.check_disks", slow)
    lab.live_until(local(20), timedelta(minutes=5))
    assert len(proofs(lab)) == 2, "a third might take the day beyond its hour"
    lab.live_until(local(11, day=3), timedelta(minutes=5))
    assert {row.vm for row in proofs(lab)} == set(vms)
    assert len(proofs(lab)) == 4


def test_those_of_one_rule_run_at_once_as_it_says(lab: RuleLab, system: bytes) -> None:
    vms = [with_system(lab, system), *(with_system(lab, system, f"vm{number}") for number in range(3))]
    ruled(lab, *vms, proof=replace(AFTER_BACKUP, at_once=2))
    lab.live_until(local(12), timedelta(minutes=1))
    before = len(proofs(lab))
    lab.at(local(12, 1))
    assert len(proofs(lab)) - before <= 2
    lab.live_until(local(12, 10), timedelta(minutes=1))
    assert {row.vm for row in proofs(lab)} == set(vms)


def test_a_proof_waits_while_something_more_important_waits(lab: RuleLab, system: bytes) -> None:
    rule = ruled(lab, with_system(lab, system), proof=ProofPolicy())
    lab.live_until(local(13), HOUR)
    lab.engine.execute(ChangeRuleProof(rule=rule, proof=AFTER_BACKUP))
    manager = lab.engine.manager
    limits = manager.limits
    manager.set_limits(replace(limits, max_tasks=0))
    (known,) = lab.catalog.points.find()
    verify = VerifySpec(standby=known.standby, target_path=known.target_path, point=known.point.id)
    waiting = manager.submit(lab.engine.factory.task(verify))
    lab.turn_to(local(14))
    lab.engine.tick()
    assert proofs(lab) == []
    manager.cancel(waiting)
    manager.set_limits(limits)
    lab.at(local(14, 2))
    assert len(proofs(lab)) == 1


# --- late ones ---------------------------------------------------------------------------------------------------


def test_a_vm_without_a_proof_for_too_long_is_a_warning_until_it_is_proven(lab: RuleLab, system: bytes) -> None:
    vm = with_system(lab, system)
    rule = ruled(lab, vm, proof=ProofPolicy(warn_after_days=3))
    lab.live_until(local(11, day=5), HOUR)
    overview = lab.engine.ask(ReadOverview())
    late = overview.unproven[0]
    assert (late.vm, late.last_proven, overview.unproven_count, overview.proven_vms) == (vm, None, 1, 0)
    (concern,) = [one for one in overview.concerns() if one.kind is ConcernKind.UNPROVEN]
    assert concern.count == 1
    assert not concern.kind.is_urgent
    assert lab.row(rule).unproven_vms == 1
    assert lab.vm_row(rule, vm).unproven_since == late.expected_by
    assert names_of_unproven(lab.catalog, lab.turnable) == ("web (nightly)",)
    lab.engine.execute(ChangeRuleProof(rule=rule, proof=replace(AFTER_BACKUP, warn_after_days=3)))
    lab.live_until(local(14, day=5), HOUR)
    overview = lab.engine.ask(ReadOverview())
    assert (overview.unproven, overview.unproven_count) == ((), 0)
    assert (overview.proven_vms, overview.booted_vms) == (1, 0)
    assert lab.row(rule).unproven_vms == 0


def test_a_vm_that_left_its_rule_is_not_counted_any_more(lab: RuleLab, system: bytes) -> None:
    web, other = with_system(lab, system), with_system(lab, system, "other")
    rule = ruled(lab, web, other, proof=replace(AFTER_BACKUP, at_once=2))
    lab.live_until(local(14), HOUR)
    assert lab.engine.ask(ReadOverview()).proven_vms == 2
    lab.engine.execute(RemoveVmsFromRule(rule=rule, vms=(other,)))
    assert lab.engine.ask(ReadOverview()).proven_vms == 1


@pytest.mark.parametrize(
    ("last", "now", "expected"),
    [
        (None, local(2), local(3, day=1)),
        (None, local(4), local(3)),
        (local(4), local(2, day=3), None),
        (local(4), local(4, day=3), local(3, day=3)),
        (local(2), local(4), local(3)),
        (datetime(2035, 1, 1, tzinfo=UTC), local(4), local(3)),
    ],
)
def test_a_daily_proof_belongs_to_the_night_that_begins_at_its_hour(
    last: datetime | None, now: datetime, expected: datetime | None
) -> None:
    policy = ProofPolicy(when=ProofWhen.EVERY_DAYS, every_days=1, at=time(3))
    assert newest_planned(policy, last, now, SHANGHAI) == expected


def test_a_proof_is_late_by_the_last_one_or_by_the_age_of_the_rule() -> None:
    policy = ProofPolicy(warn_after_days=7)
    assert unproven_since(policy, local(1), local(0, day=1), local(0, day=9)) is None
    assert unproven_since(policy, local(1), local(0, day=1), local(1, day=9)) == local(1, day=9)
    assert unproven_since(policy, None, local(0, day=1), local(0, day=8)) == local(0, day=8)
    assert unproven_since(ProofPolicy(), None, local(0, day=1), local(0, day=28)) is None


def test_what_a_proof_could_not_take_away_is_taken_away_within_minutes(lab: RuleLab, system: bytes) -> None:
    ruled(lab, with_system(lab, system), proof=ProofPolicy())
    lab.live_until(local(13), HOUR)
    (known,) = lab.catalog.points.find()
    left = InstantRecovery(
        id=RecoveryId("ab" * 16),
        created_at=lab.turnable.now(),
        phase=InstantPhase.SERVED,
        purpose=RecoveryPurpose.PROOF,
        platform=lab.platform,
        standby=known.standby,
        target_path=known.target_path,
        point=known.point.id,
        rule_name="nightly",
        vm_name="web",
        placement=VmPlacement(name="web-proof"),
    )
    lab.catalog.instant.add(left)
    lab.live_until(local(13, 12), timedelta(minutes=1))
    assert list(lab.catalog.instant.all()) == []
