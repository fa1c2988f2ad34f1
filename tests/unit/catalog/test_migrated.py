"""What is remembered of migrations."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.catalog import Catalog
from app.core.clock import SystemClock
from app.domain.changes import Subject
from app.domain.errors import KeptError
from app.domain.ids import MigrationId, PlatformId, TaskId, VmId
from app.domain.migration import (
    Migration,
    MigrationCheck,
    MigrationDisk,
    MigrationOptions,
    MigrationPhase,
    MigrationProgress,
)
from app.domain.restore_point import HistoryMark
from app.domain.vms import VmPlacement

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path / "catalog.db", clock=SystemClock()) as opened:
        yield opened


def migration(name: str) -> Migration:
    return Migration(
        id=MigrationId(name * 32),
        created_at=NOON,
        platform=PlatformId("p1"),
        vm=VmId("vm-7"),
        vm_name="web",
        target=PlatformId("p2"),
        placement=VmPlacement(name="web", host="host-1", networks=(("VM Network", "network-2"),)),
        options=MigrationOptions(quick=False, automatic=False, check=MigrationCheck.SAMPLE, ready_within_s=5.0),
    )


def test_everything_of_a_migration_comes_back_and_the_newest_first(catalog: Catalog) -> None:
    first, second = catalog.migrations.add(migration("a")), catalog.migrations.add(migration("b"))
    assert catalog.migrations.all() == [second, first]
    mark = HistoryMark(at=NOON, platform="uuid", event_key=7, event_at=NOON)
    changed = replace(
        first,
        phase=MigrationPhase.TAKING_PLACE,
        instance_uuid="u1",
        bios_uuid="u2",
        platform_uuid="u3",
        created_as="web-standfast-aaaaaaaa",
        target_vm=VmId("vm-9"),
        disks=(
            MigrationDisk(
                key=2000,
                label="硬盘 1",
                uuid="d1",
                capacity_bytes=1 << 44,
                target_key=2001,
                target_path="[ds2] web/web.vmdk",
                is_blank=False,
                change_id="52 aa/3",
                history=mark,
            ),
        ),
        progress=MigrationProgress(
            passes=3,
            frozen_at=NOON,
            held_bytes=1 << 40,
            change_bytes_per_s=1.5,
            copy_bytes_per_s=2.5,
            is_tracked=True,
        ),
        source_was_on=True,
        is_shutting_down=True,
        source_kept_as="web-migrated-aaaaaaaa",
        task=TaskId("t1"),
        ended_at=NOON,
        error=KeptError(code="standby.full", template="{path}", hint_template="!", params=(("path", "/mnt"),)),
    )
    catalog.migrations.put(changed)
    assert catalog.migrations.get(first.id) == changed
    assert catalog.migrations.get(MigrationId("d" * 32)) is None


def test_a_number_is_never_given_twice(catalog: Catalog) -> None:
    first = catalog.migrations.add(migration("a"))
    catalog.migrations.remove(first.id)
    assert catalog.migrations.add(migration("a")).number > first.number > 0


def test_one_that_was_forgotten_does_not_come_back(catalog: Catalog) -> None:
    known = catalog.migrations.add(migration("a"))
    catalog.migrations.remove(known.id)
    catalog.migrations.put(known)
    assert catalog.migrations.all() == []


def test_changes_are_announced_by_their_ids(catalog: Catalog) -> None:
    heard: list[tuple[Subject, frozenset[str] | None]] = []
    catalog.changes.start(lambda subject, keys: heard.append((subject, None if keys is None else frozenset(keys))))
    catalog.migrations.add(migration("a"))
    catalog.changes.close()
    assert (Subject.MIGRATION, frozenset({"a" * 32})) in heard
