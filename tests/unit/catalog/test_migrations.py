"""How a catalog gets its tables, and what becomes of one that another version of the program has made."""

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.catalog import Catalog, migrations
from app.catalog.database import Database
from app.catalog.errors import CatalogTooNew, CatalogTooOld, CatalogUnavailable
from app.catalog.migrations import REVISIONS, newest_revision
from app.catalog.safety import COPIES_FOLDER
from app.catalog.tables import metadata
from app.core.clock import SystemClock
from app.core.space import Space
from app.domain.ids import PointId
from tests.unit.catalog.test_catalog import PLATFORM, STANDBY, point

BEFORE_RELEASE = Path(__file__).with_name("before_release.sql")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "catalog.db"


def test_the_migrations_make_exactly_the_tables_that_the_code_uses(path: Path) -> None:
    database = Database.open(path)
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == newest_revision()
    database.close()


def test_revisions_are_a_straight_line() -> None:
    parents = [module.down_revision for module in REVISIONS]
    assert parents == [None, *(module.revision for module in REVISIONS[:-1])]


# --- before the first release ------------------------------------------------------------------------------------


def test_the_first_revision_makes_the_tables_that_catalogs_had_before_the_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    monkeypatch.setattr(migrations, "REVISIONS", REVISIONS[:1])
    Database.open(new).close()
    _run_script(old, BEFORE_RELEASE.read_text(encoding="utf-8"))
    assert _schema(new) == _schema(old)


def test_a_catalog_that_had_these_tables_before_the_release_goes_on(path: Path) -> None:
    _run_script(path, BEFORE_RELEASE.read_text(encoding="utf-8"))
    _run_script(path, "INSERT INTO platforms VALUES ('p1', 'main', 'vc.test', 443, 'backup', 'AA:BB', 0)")
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert catalog.platforms.all() == (PLATFORM,)
    assert _rows(path, "SELECT version_num FROM alembic_version") == [(newest_revision(),)]


def test_points_of_the_first_release_learn_where_they_came_from(path: Path) -> None:
    made = [
        point(1),
        replace(point(2), facts=replace(point(2).facts, platform_address="gone.test", platform_uuid="U-9")),
        replace(point(3), facts=replace(point(3).facts, platform_address="gone.test")),
    ]
    with Catalog.open(path, clock=SystemClock()) as catalog:
        catalog.platforms.put(PLATFORM)
        catalog.standbys.put(STANDBY)
        for number, known in enumerate(made):
            catalog.points.put(STANDBY.id, "", replace(known, id=PointId(f"chain/{number}")))
    _run_script(path, _BACK_TO_0011)
    with Catalog.open(path, clock=SystemClock()) as catalog:
        found = {known.point.id: known.platform for known in catalog.points.find()}
        assert found == {"chain/0": PLATFORM.id, "chain/1": None, "chain/2": None}
        assert {tally.origin for tally in catalog.points.tallies()} == {PLATFORM.id, "uuid:u-9", "at:gone.test"}


_BACK_TO_0011 = """
DROP TABLE attachment_journal; DROP TABLE instant_recoveries;
DROP TABLE point_proofs; DROP TABLE proven_vms; ALTER TABLE rules DROP COLUMN proof;
DROP TABLE migrations;
DROP INDEX ix_points_by_vm; DROP INDEX ix_points_tallies; DROP INDEX ix_points_tally;
ALTER TABLE points DROP COLUMN origin; ALTER TABLE points DROP COLUMN platform_uuid;
ALTER TABLE platforms DROP COLUMN former_addresses; ALTER TABLE platforms DROP COLUMN transports;
CREATE INDEX ix_points_by_vm ON points (platform_address);
CREATE INDEX ix_points_tallies ON points (platform_address);
CREATE INDEX ix_points_tally ON points (platform_address);
UPDATE alembic_version SET version_num = '0011';
"""


@pytest.mark.parametrize("revision", ["0001", "0010"])
def test_a_catalog_with_other_tables_of_before_the_release_is_refused_with_the_remedy(
    path: Path, revision: str
) -> None:
    Catalog.open(path, clock=SystemClock()).close()
    _run_script(path, f"DROP TABLE retries; UPDATE alembic_version SET version_num = '{revision}'")
    before = _schema(path)
    with pytest.raises(CatalogTooOld, match="--catalog new") as caught:
        Catalog.open(path, clock=SystemClock())
    assert str(path) in caught.value.message
    assert revision in caught.value.message
    assert _schema(path) == before


# --- later revisions ---------------------------------------------------------------------------------------------


def test_a_database_of_a_newer_program_is_refused_untouched(path: Path) -> None:
    Catalog.open(path, clock=SystemClock()).close()
    _run_script(path, "UPDATE alembic_version SET version_num = '9999'")
    before = _schema(path)
    with pytest.raises(CatalogTooNew, match="9999"):
        Catalog.open(path, clock=SystemClock())
    assert _schema(path) == before


def test_a_catalog_of_an_older_release_gets_what_it_lacks_and_keeps_its_rows(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog.open(path, clock=SystemClock()) as catalog:
        catalog.platforms.put(PLATFORM)
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, _adding("9012", "first"), _adding("9013", "second")))
    with Catalog.open(path, clock=SystemClock()) as catalog:
        assert catalog.platforms.all() == (PLATFORM,)
    columns = [row[1] for row in _rows(path, "PRAGMA table_info(engines)")]
    assert columns[-2:] == ["first", "second"]
    assert _rows(path, "SELECT version_num FROM alembic_version") == [("9013",)]
    Catalog.open(path, clock=SystemClock()).close()


def test_what_an_older_release_wrote_is_kept_beside_the_catalog_and_opens_there_again(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Catalog.open(path, clock=SystemClock()) as catalog:
        catalog.platforms.put(PLATFORM)
    older = REVISIONS[-1].revision
    with monkeypatch.context() as newer:
        newer.setattr(migrations, "REVISIONS", (*REVISIONS, _adding("9012", "first")))
        for _ in range(2):
            Catalog.open(path, clock=SystemClock()).close()
    (kept,) = (path.parent / COPIES_FOLDER).glob("*.db")
    assert kept.name == f"schema-{older}.db"
    with pytest.raises(CatalogTooNew):
        Catalog.open(path, clock=SystemClock())
    again = tmp_path / "again" / "catalog.db"
    again.parent.mkdir()
    shutil.copyfile(kept, again)
    with Catalog.open(again, clock=SystemClock()) as catalog:
        assert catalog.platforms.all() == (PLATFORM,)


def test_without_room_for_that_copy_nothing_is_changed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Catalog.open(path, clock=SystemClock()).close()
    before = _schema(path)
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, _adding("9012", "first")))
    monkeypatch.setattr("app.catalog.safety.space_at", lambda _: Space(total_bytes=1 << 30, free_bytes=0))
    with pytest.raises(CatalogUnavailable):
        Catalog.open(path, clock=SystemClock())
    assert _schema(path) == before


def test_of_several_changes_none_is_made_when_the_last_one_fails(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalog.open(path, clock=SystemClock()).close()
    before = _schema(path)
    twice = (_adding("9012", "first"), _adding("9013", "first"))
    monkeypatch.setattr(migrations, "REVISIONS", (*REVISIONS, *twice))
    with pytest.raises(Exception, match="duplicate column"):
        Catalog.open(path, clock=SystemClock())
    assert _schema(path) == before
    assert _rows(path, "SELECT version_num FROM alembic_version") == [(REVISIONS[-1].revision,)]


def _adding(revision: str, column: str) -> ModuleType:
    """Return a revision that adds a column."""
    module = ModuleType(f"r{revision}")
    vars(module).update(
        revision=revision, upgrade=lambda: op.add_column("engines", sa.Column(column, sa.Text, nullable=True))
    )
    return module


def _run_script(path: Path, script: str) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def _rows(path: Path, query: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(path)
    rows = connection.execute(query).fetchall()
    connection.close()
    return rows


def _schema(path: Path) -> dict[object, object]:
    """Return every table and index by its name, with its clauses in their order."""
    return {
        (row[0], row[1]): _clauses(str(row[2])) for row in _rows(path, "SELECT type, name, sql FROM sqlite_master")
    }


def _clauses(sql: str) -> list[str]:
    """Split a statement at its line breaks and commas, whatever way it was folded."""
    return [clause for part in sql.replace("\n", ",").split(",") if (clause := " ".join(part.split()))]
