"""Rules, successions, sightings and heartbeats come back as they were; an older catalog keeps everything."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.catalog.rules import _packed, _unpacked
from app.core.clock import SystemClock
from app.domain.engines import EngineBeat
from app.domain.errors import KeptError, PlatformUnreachable
from app.domain.ids import PlatformId, RuleId, StandbyId, TaskId, VmId
from app.domain.platforms import PlatformFacts, PlatformKind, PlatformSighting
from app.domain.policies import (
    GrandfatherFatherSon,
    OneTimePolicy,
    PeriodicPolicy,
    Plan,
    PolicyUnit,
    Retention,
    Weekday,
)
from app.domain.reasons import REFUSED
from app.domain.rules import AdvancedSettings, BackupRule, ProtectedVm
from app.domain.states import BackupKind, TaskState
from tests.unit.catalog.test_catalog import NOON, PLATFORM, STANDBY, point, task

RULE = BackupRule(
    id=RuleId("r1"),
    name="每晚 nightly",
    platform=PLATFORM.id,
    standby=STANDBY.id,
    target_path="vm/web",
    vms=(ProtectedVm(vm=VmId("vm-2"), name="db"), ProtectedVm(vm=VmId("vm-1"), name="web", is_started=False)),
    advanced=AdvancedSettings(lan_free=True, quiesce=True),
    policy=PeriodicPolicy(
        plans=(
            Plan(
                unit=PolicyUnit.WEEKLY,
                kind=BackupKind.DIFFERENTIAL,
                times=(time(17, 51), time(3, 0)),
                weekdays=frozenset({Weekday.MONDAY, Weekday.SUNDAY}),
            ),
        ),
        retention=Retention(period=3, unit=PolicyUnit.WEEKLY, keep_newest=2, gfs=GrandfatherFatherSon(years=1)),
        run_missed_on_start=True,
    ),
)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


def test_a_rule_comes_back_as_it_was_with_its_vms_in_order(catalog: Catalog) -> None:
    catalog.rules.add(RULE, NOON, NOON)
    assert catalog.rules.get(RULE.id) == RULE
    other = replace(RULE, id=RuleId("r2"), name="a", vms=(), policy=OneTimePolicy(start=NOON))
    catalog.rules.add(other, NOON, NOON - timedelta(seconds=1))
    assert catalog.rules.all() == (other, RULE)
    assert catalog.rules.considered() == {RULE.id: NOON, other.id: NOON - timedelta(seconds=1)}
    catalog.rules.remove(RULE.id)
    assert catalog.rules.all() == (other,)


def test_a_rule_changes_part_by_part(catalog: Catalog) -> None:
    catalog.rules.add(RULE, NOON, NOON)
    catalog.rules.add_vms(RULE.id, [ProtectedVm(vm=VmId("vm-3"), name="mail")])
    catalog.rules.remove_vms(RULE.id, [VmId("vm-2")])
    catalog.rules.set_started(RULE.id, [VmId("vm-1")], started=True)
    catalog.rules.set_policy(RULE.id, OneTimePolicy(start=NOON), NOON + timedelta(days=1))
    changed = catalog.rules.get(RULE.id)
    assert changed is not None
    assert [(vm.name, vm.is_started) for vm in changed.vms] == [("web", True), ("mail", True)]
    assert changed.policy == OneTimePolicy(start=NOON)
    assert catalog.rules.considered()[RULE.id] == NOON + timedelta(days=1)


def test_a_vm_is_never_in_two_rules(catalog: Catalog) -> None:
    catalog.rules.add(RULE, NOON, NOON)
    with pytest.raises(sa.exc.IntegrityError):
        catalog.rules.add(replace(RULE, id=RuleId("r2"), name="other"), NOON, NOON)
    elsewhere = replace(RULE, id=RuleId("r3"), name="elsewhere", platform=PlatformId("p2"))
    catalog.rules.add(elsewhere, NOON, NOON)
    assert len(catalog.rules.all()) == 2


_KINDS = st.sampled_from(list(BackupKind))
_PLANS = st.builds(
    Plan,
    unit=st.sampled_from(list(PolicyUnit)),
    kind=_KINDS,
    times=st.lists(st.times().map(lambda at: at.replace(second=0, microsecond=0)), max_size=3).map(tuple),
    weekdays=st.frozensets(st.sampled_from(list(Weekday))),
    month_day=st.integers(1, 31),
    quarter_month=st.integers(1, 3),
)
_POLICIES = st.one_of(
    st.builds(OneTimePolicy, start=st.datetimes(timezones=st.just(UTC))),
    st.builds(
        PeriodicPolicy,
        plans=st.lists(_PLANS, max_size=4).map(tuple),
        retention=st.builds(Retention, period=st.integers(1, 64), unit=st.sampled_from(list(PolicyUnit))),
        run_missed_on_start=st.booleans(),
    ),
)


@settings(max_examples=60)
@given(_POLICIES)
def test_every_policy_survives_being_kept(policy: OneTimePolicy | PeriodicPolicy) -> None:
    assert _unpacked(_packed(policy)) == policy


def test_a_vm_that_took_anothers_place_takes_it_in_the_rule_too(catalog: Catalog) -> None:
    catalog.rules.add(RULE, NOON, NOON)
    assert catalog.rules.succeed_all(PLATFORM.id, {VmId("vm-1"): VmId("vm-9")}, NOON) == {VmId("vm-1"): RULE.id}
    assert catalog.rules.succeed_all(PLATFORM.id, {VmId("vm-1"): VmId("vm-9")}, NOON) == {}, (
        "a second time is harmless"
    )
    assert catalog.rules.succeed_all(PLATFORM.id, {VmId("vm-77"): VmId("vm-78")}, NOON) == {}
    changed = catalog.rules.get(RULE.id)
    assert changed is not None
    assert [(vm.vm, vm.name, vm.is_started) for vm in changed.vms] == [
        ("vm-2", "db", True),
        ("vm-9", "web", False),
    ]
    assert catalog.rules.successions(PLATFORM.id) == {"vm-1": "vm-9", "vm-77": "vm-78"}
    assert catalog.rules.successions(PlatformId("other")) == {}


def test_the_newest_backup_of_each_vm_is_found_whatever_came_before(catalog: Catalog) -> None:
    catalog.rules.add(RULE, NOON, NOON)
    for number, vm in enumerate(["vm-1", "vm-1", "vm-2", "vm-1", "vm-77"], start=1):
        catalog.tasks.add(task(number, vm=VmId(vm), rule=RULE.id))
    for number in (1, 2):
        catalog.tasks.enter(TaskId(f"t{number}"), TaskState.COMPLETED, NOON)
    assert {task.id for task in catalog.tasks.newest_of_rules()} == {"t4", "t3"}
    assert {task.id for task in catalog.tasks.newest_of_rules([RULE.id], ended=True)} == {"t2"}
    assert catalog.tasks.newest_of_rules([RuleId("none")]) == ()
    catalog.tasks.set_priority(TaskId("t4"), 100)
    kept = catalog.tasks.get(TaskId("t4"))
    assert kept is not None
    assert kept.priority == 100


def test_the_size_and_name_of_a_vm_are_those_of_its_newest_point(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    first = replace(point(1), sequence=1)
    second = replace(
        point(2),
        sequence=2,
        disks=(replace(first.disks[0], capacity_bytes=1 << 30),),
        facts=replace(first.facts, name="a later name"),
    )
    for stored in (first, second):
        catalog.points.put(STANDBY.id, "a", stored)
    (tally,) = catalog.points.tallies()
    assert first.capacity_bytes > second.capacity_bytes
    assert (tally.capacity_bytes, tally.vm_name) == (second.capacity_bytes, "a later name")


def test_points_are_kept_apart_by_their_place_and_counted_without_reading_them(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    catalog.points.put(STANDBY.id, "a", point(1))
    catalog.points.put(STANDBY.id, "b", point(1))
    catalog.points.put(STANDBY.id, "b", point(2))
    catalog.points.remove(STANDBY.id, "a", point(2).id)
    tallies = {tally.target_path: (tally.count, tally.newest) for tally in catalog.points.tallies()}
    assert tallies == {"a": (1, point(1).created_at), "b": (2, point(2).created_at)}
    assert len(catalog.points.find(target_path="b", rule_name="nightly")) == 2
    assert catalog.points.find(rule_name="other") == ()
    assert catalog.points.tallies(StandbyId("other")) == ()


def test_repositories_are_known_by_their_place(catalog: Catalog) -> None:
    catalog.standbys.put(STANDBY)
    catalog.standbys.note_repository(STANDBY.id, "a", "one")
    catalog.standbys.note_repository(STANDBY.id, "", "two")
    catalog.standbys.note_repository(STANDBY.id, "a", "three")
    assert catalog.standbys.repositories(STANDBY.id) == {"": "two", "a": "three"}
    catalog.standbys.remove(STANDBY.id)
    assert catalog.standbys.repositories(STANDBY.id) == {}


def test_a_sighting_is_forgotten_with_its_platform(catalog: Catalog) -> None:
    facts = PlatformFacts(
        kind=PlatformKind.VCENTER, full_name="x", version="8", api_version="8", build="1", instance_uuid=None
    )
    seen = PlatformSighting(
        platform=PLATFORM.id, checked_at=NOON, reachable=True, facts=facts, license_name="L", vm_count=7
    )
    catalog.sightings.put(seen)
    assert catalog.sightings.all() == {}, "it was not registered"
    catalog.platforms.put(PLATFORM)
    catalog.sightings.put(seen)
    away = PlatformUnreachable(address="vc", port=443, detail=REFUSED)
    lost = replace(seen, reachable=False, error=KeptError.of(away))
    catalog.sightings.put(lost)
    assert catalog.sightings.get(PLATFORM.id) == lost
    catalog.platforms.remove(PLATFORM.id)
    assert catalog.sightings.all() == {}


def test_engines_long_silent_are_forgotten_when_another_begins(catalog: Catalog) -> None:
    old = EngineBeat(id="old", host="h", pid=1, started_at=NOON, beat_at=NOON)
    catalog.engines.begin(old)
    later = NOON + timedelta(days=31)
    new = EngineBeat(id="new", host="h", pid=2, started_at=later, beat_at=later)
    catalog.engines.begin(new)
    assert catalog.engines.all() == (new,)
