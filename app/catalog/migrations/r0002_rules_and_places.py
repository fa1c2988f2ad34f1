"""Standby machines with repositories in their directories; rules; what engines and platforms were last seen."""

import msgspec
import sqlalchemy as sa
from alembic import op

from app.domain.restore_point import RestorePoint

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables; nothing that was registered is lost."""
    _split_standbys()
    _place_points()
    _place_tasks()
    _make_rules()
    _make_sightings()


def _moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _split_standbys() -> None:
    op.create_table(
        "repositories",
        sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("target_path", sa.String(1024), primary_key=True),
        sa.Column("repository_id", sa.String(36), nullable=False),
    )
    op.execute(
        "INSERT INTO repositories (standby_id, target_path, repository_id) "
        "SELECT id, '', repository_id FROM standbys WHERE repository_id IS NOT NULL"
    )
    # Plain statements instead of alembic's: its way to alter a table on SQLite is to drop and make it again, and
    # dropping this one would take everything along that refers to it.
    op.execute("ALTER TABLE standbys DROP COLUMN repository_id")
    op.execute("ALTER TABLE standbys RENAME COLUMN target_path TO root_path")
    op.add_column("standbys", sa.Column("note", sa.Text, nullable=False, server_default=""))
    op.add_column("standbys", sa.Column("mark", sa.String(36)))


def _place_points() -> None:
    op.drop_index("ix_points_by_vm", "points")
    op.rename_table("points", "old_points")
    points = op.create_table(
        "points",
        sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("target_path", sa.String(1024), primary_key=True),
        sa.Column("id", sa.String(512), primary_key=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("rule_name", sa.Text, nullable=False),
        sa.Column("platform_address", sa.Text, nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("capacity_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        sa.Column("verified_at", _moment()),
    )
    op.create_index("ix_points_by_vm", "points", ["platform_address", "vm", "created_at"])
    connection = op.get_bind()
    old = sa.Table("old_points", sa.MetaData(), autoload_with=connection)
    for row in connection.execute(sa.select(old)).all():
        known = msgspec.json.decode(row.body, type=RestorePoint)
        values = row._asdict() | {
            "target_path": "",
            "rule_name": known.rule_name,
            "capacity_bytes": known.capacity_bytes,
            "stored_bytes": known.stored_bytes,
        }
        connection.execute(sa.insert(points).values(**values))
    op.drop_table("old_points")


def _place_tasks() -> None:
    op.add_column("tasks", sa.Column("target_path", sa.Text, nullable=False, server_default=""))
    op.add_column("tasks", sa.Column("rule_id", sa.String(36)))
    op.create_index("ix_tasks_by_rule", "tasks", ["rule_id", "vm", "created_at"])


def _make_rules() -> None:
    op.create_table(
        "rules",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("standby_id", sa.String(36), nullable=False),
        sa.Column("target_path", sa.Text, nullable=False),
        sa.Column("advanced", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("considered_until", _moment(), nullable=False),
    )
    op.create_table(
        "rule_vms",
        sa.Column("rule_id", sa.String(36), sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("vm", sa.String(255), primary_key=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("is_started", sa.Boolean, nullable=False),
        sa.UniqueConstraint("platform_id", "vm", name="uq_rule_vms_vm"),
    )
    op.create_table(
        "vm_successions",
        sa.Column("platform_id", sa.String(36), primary_key=True),
        sa.Column("old_vm", sa.String(255), primary_key=True),
        sa.Column("new_vm", sa.String(255), nullable=False),
        sa.Column("at", _moment(), nullable=False),
    )


def _make_sightings() -> None:
    op.create_table(
        "platform_sightings",
        sa.Column(
            "platform_id", sa.String(36), sa.ForeignKey("platforms.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("checked_at", _moment(), nullable=False),
        sa.Column("reachable", sa.Boolean, nullable=False),
        sa.Column("facts", sa.Text),
        sa.Column("license_name", sa.Text, nullable=False),
        sa.Column("vm_count", sa.Integer),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_params", sa.Text),
    )
    op.create_table(
        "engines",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("started_at", _moment(), nullable=False),
        sa.Column("beat_at", _moment(), nullable=False),
        sa.Column("ended_at", _moment()),
    )
