"""What is remembered of VMs that run from restore points."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.changes import Subject
from app.domain.errors import KeptError
from app.domain.ids import PlatformId, PointId, RecoveryId, RuleId, StandbyId, VmId
from app.domain.instant import InstantPhase, InstantRecovery
from app.domain.vms import VmPlacement

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


def recovery(name: str) -> InstantRecovery:
    return InstantRecovery(
        id=RecoveryId(name * 32),
        created_at=NOON,
        phase=InstantPhase.STARTING,
        platform=PlatformId("p1"),
        standby=StandbyId("s1"),
        target_path="数据库",
        point=PointId("chain/2026-11-29_12-00-00"),
        rule=RuleId("r1"),
        rule_name="nightly",
        vm_name="web",
        placement=VmPlacement(name="web-now", host="host-1", networks=(("VM Network", "network-2"),)),
        power_on=False,
        address="10.0.0.2",
    )


def test_everything_of_a_recovery_comes_back_and_the_newest_first(catalog: Catalog) -> None:
    first, second = catalog.instant.add(recovery("a")), catalog.instant.add(recovery("b"))
    assert catalog.instant.all() == [second, first]
    changed = replace(
        first,
        phase=InstantPhase.SERVED,
        host="host-1",
        host_name="esx-1",
        datastore="Standfast-1 (1)",
        configuration="[Standfast-1 (1)] web/web.vmx",
        pin="c" * 32,
        vm=VmId("vm-7"),
        error=KeptError(code="standby.full", template="{path}", hint_template="!", params=(("path", "/mnt"),)),
    )
    catalog.instant.put(changed)
    assert catalog.instant.get(first.id) == changed
    assert catalog.instant.get(RecoveryId("d" * 32)) is None


def test_a_number_is_never_given_twice(catalog: Catalog) -> None:
    first = catalog.instant.add(recovery("a"))
    catalog.instant.remove(first.id)
    assert catalog.instant.add(recovery("a")).number > first.number > 0


def test_one_that_was_forgotten_does_not_come_back(catalog: Catalog) -> None:
    known = catalog.instant.add(recovery("a"))
    catalog.instant.remove(known.id)
    catalog.instant.put(known)
    assert catalog.instant.all() == []


def test_changes_are_announced_by_their_ids(catalog: Catalog) -> None:
    heard: list[tuple[Subject, frozenset[str] | None]] = []
    catalog.changes.start(lambda subject, keys: heard.append((subject, None if keys is None else frozenset(keys))))
    catalog.instant.add(recovery("a"))
    catalog.changes.close()
    assert (Subject.INSTANT, frozenset({"a" * 32})) in heard
