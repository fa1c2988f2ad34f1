"""debugctl and migrations, with a real engine between two simulated platforms behind the door."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.migration import MigrationState
from tests.support.migration_lab import MigrationLab, names_of
from tests.unit.cli.conftest import Run, typed_at

BEGIN = ("migrate", "start", "web", "--from", "here", "--to", "there", "--datastore", "ds1")


@pytest.fixture
def migrations(tmp_path: Path) -> Iterator[MigrationLab]:
    made = MigrationLab.make(tmp_path / "lab")
    (tmp_path / "lab").mkdir()
    with made.source, made.target, made:
        yield made


@pytest.fixture
def ctl(tmp_path: Path, migrations: MigrationLab, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    with typed_at(migrations.engine, tmp_path / "home", capsys) as ctl:
        yield ctl


def test_a_vm_is_migrated_with_a_cut_over_by_hand(ctl: Run, migrations: MigrationLab) -> None:
    status, out, err = ctl(*BEGIN, "--ready", "--name", "web-new")
    assert (status, err, "web: begun" in out) == (0, "", True)
    assert migrations.engine.wait_until_idle(60)
    assert "ready" in ctl("migrate", "list")[1]
    shown = json.loads(ctl("--json", "migrate", "show", "web")[1])
    assert (shown["state"], shown["name"], shown["target_name"]) == ("ready", "web-new", "there")
    assert "cut_over, stop, discard" in ctl("migrate", "show", shown["id"][:8])[1]
    assert ctl("migrate", "cutover", "web", "--wait")[0] == 0
    (row,) = migrations.rows()
    assert row.state is MigrationState.COMPLETED
    assert names_of(migrations.target) == {"web-new"}
    assert "Source kept as" in ctl("migrate", "show", "web")[1]
    assert ctl("migrate", "discard", "web", "--yes")[0] == 0
    assert migrations.rows() == ()
    assert names_of(migrations.target) == {"web-new"}


def test_a_migration_is_stopped_resumed_and_discarded(ctl: Run, migrations: MigrationLab) -> None:
    assert ctl(*BEGIN, "--ready")[0] == 0
    assert migrations.engine.wait_until_idle(60)
    assert ctl("migrate", "stop", "web")[0] == 0
    status, _, err = ctl("migrate", "cutover", "web")
    assert (status, "is not ready" in err) == (1, True)
    assert ctl("migrate", "resume", "web", "--wait")[0] == 0
    status, _, err = ctl("migrate", "discard", "web")
    assert (status, "would be deleted" in err) == (1, True)
    assert ctl("migrate", "discard", "web", "--yes", "--wait")[0] == 0
    assert names_of(migrations.target) == set()
    migrations.assert_source_unharmed()


def test_a_plan_changes_nothing(ctl: Run, migrations: MigrationLab) -> None:
    status, out, _ = ctl(*BEGIN, "--plan")
    assert (status, "Change tracking" in out, "Datastore" in out) == (0, True, True)
    assert migrations.rows() == ()
    assert ctl(*BEGIN, "--network", "no-pair")[0] == 2
