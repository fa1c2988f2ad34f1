"""All tables of the first release.

Its number is 0011 because catalogs from before the release bear the numbers up to 0011, and those that bear
0011 have the same tables.
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision: str | None = None

_WARNINGS: Final = "level >= 30"
_FAILED: Final = "state = 'failed'"
_LAST_RESULTS: Final = "kind = 'backup' AND state IN ('completed', 'failed')"
_NO_BACKUP: Final = "kind <> 'backup'"


def upgrade() -> None:
    """Make the tables."""
    _make_platforms()
    _make_standbys()
    _make_points()
    _make_tasks()
    _make_rules()
    _make_log()
    _make_figures()
    _make_traffic()
    _make_journals()
    _make_settings()


def _moment(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _belonging_to(table: str, name: str, *, primary_key: bool = True, nullable: bool = False) -> sa.Column[object]:
    """Return a column whose row goes with the row that it names."""
    key = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    kind = sa.Integer() if table == "subjects" else sa.String(36)
    return sa.Column(name, kind, key, primary_key=primary_key, nullable=nullable)


def _partial_index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _make_platforms() -> None:
    op.create_table(
        "platforms",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("thumbprint_sha256", sa.Text),
        sa.Column("allows_plain_transport", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.UniqueConstraint("address", "port", name="uq_platforms_address"),
    )
    op.create_table(
        "platform_sightings",
        _belonging_to("platforms", "platform_id"),
        _moment("checked_at"),
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
        _moment("started_at"),
        _moment("beat_at"),
        _moment("ended_at", nullable=True),
    )


def _make_standbys() -> None:
    op.create_table(
        "standbys",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("root_path", sa.Text, nullable=False, unique=True),
        sa.Column("note", sa.Text, nullable=False, server_default=""),
        sa.Column("mark", sa.String(36)),
        sa.Column("encryption", sa.String(16), nullable=False, server_default="off"),
    )
    op.create_table(
        "repositories",
        _belonging_to("standbys", "standby_id"),
        sa.Column("target_path", sa.String(1024), primary_key=True),
        sa.Column("repository_id", sa.String(36), nullable=False),
        sa.Column("is_encrypted", sa.Boolean, nullable=False, server_default=sa.false()),
    )


def _make_points() -> None:
    op.create_table(
        "points",
        _belonging_to("standbys", "standby_id"),
        sa.Column("target_path", sa.String(1024), primary_key=True),
        sa.Column("id", sa.String(512), primary_key=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("rule_name", sa.Text, nullable=False),
        sa.Column("platform_address", sa.Text, nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        _moment("created_at"),
        sa.Column("capacity_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        _moment("verified_at", nullable=True),
        sa.Column("vm_name", sa.Text, nullable=False, server_default=""),
        sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_index("ix_points_by_vm", "points", ["platform_address", "vm", "created_at"])
    op.create_index("ix_points_by_rule", "points", ["rule_name", "vm", "created_at"])
    by_name = ["created_at", "vm_name", "rule_name", "id", "standby_id", "target_path"]
    op.create_index("ix_points_by_name", "points", by_name)
    chain = ["standby_id", "target_path", "rule_name", "platform_address", "vm"]
    op.create_index("ix_points_tallies", "points", [*chain, "created_at", "stored_bytes", "capacity_bytes"])
    counted = ["sequence", "created_at", "stored_bytes", "capacity_bytes", "vm_name"]
    op.create_index("ix_points_tally", "points", [*chain, *counted])


def _make_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        sa.Column("vm_name", sa.Text, nullable=False),
        sa.Column("platform_id", sa.String(36)),
        sa.Column("standby_id", sa.String(36), nullable=False),
        sa.Column("rule_name", sa.Text, nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("point", sa.String(512)),
        sa.Column("request", sa.Text, nullable=False),
        _moment("created_at"),
        _moment("started_at", nullable=True),
        _moment("ended_at", nullable=True),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("written_bytes", sa.BigInteger, nullable=False),
        sa.Column("source_busy_s", sa.Float, nullable=False),
        sa.Column("processing_busy_s", sa.Float, nullable=False),
        sa.Column("target_busy_s", sa.Float, nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_params", sa.Text),
        sa.Column("target_path", sa.Text, nullable=False, server_default=""),
        sa.Column("rule_id", sa.String(36)),
    )
    _index_tasks()
    op.create_table(
        "task_stages",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _belonging_to("tasks", "task_id", primary_key=False),
        sa.Column("state", sa.String(24), nullable=False),
        _moment("at"),
    )
    op.create_index("ix_task_stages_by_task", "task_stages", ["task_id", "id"])


def _index_tasks() -> None:
    op.create_index("ix_tasks_by_time", "tasks", ["created_at"])
    op.create_index("ix_tasks_by_vm", "tasks", ["platform_id", "vm", "created_at"])
    op.create_index("ix_tasks_by_rule", "tasks", ["rule_id", "vm", "created_at"])
    op.create_index("ix_tasks_by_state", "tasks", ["state", "created_at", "id"])
    op.create_index("ix_tasks_ended", "tasks", ["ended_at"])
    op.create_index("ix_tasks_ended_by_rule", "tasks", ["rule_id", "ended_at"])
    _partial_index("ix_tasks_failed", "tasks", ["state", "ended_at"], _FAILED)
    _partial_index("ix_tasks_failed_by_rule", "tasks", ["rule_id", "ended_at"], _FAILED)
    _partial_index("ix_tasks_last_results", "tasks", ["rule_id", "vm", "ended_at"], _LAST_RESULTS)
    _partial_index("ix_tasks_no_backup", "tasks", ["created_at", "id"], _NO_BACKUP)


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
        _moment("created_at"),
        _moment("considered_until"),
    )
    op.create_table(
        "rule_vms",
        _belonging_to("rules", "rule_id"),
        sa.Column("vm", sa.String(255), primary_key=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("is_started", sa.Boolean, nullable=False),
        sa.Column("instance_uuid", sa.String(64)),
        sa.Column("bios_uuid", sa.String(64)),
        sa.Column("platform_uuid", sa.String(64)),
        sa.UniqueConstraint("platform_id", "vm", name="uq_rule_vms_vm"),
    )
    op.create_table(
        "retries",
        _belonging_to("rules", "rule_id"),
        sa.Column("vm", sa.String(255), primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("times", sa.Integer, nullable=False),
        _moment("due_at"),
        sa.Column("task_id", sa.String(36), nullable=False),
    )
    op.create_table(
        "vm_successions",
        sa.Column("platform_id", sa.String(36), primary_key=True),
        sa.Column("old_vm", sa.String(255), primary_key=True),
        sa.Column("new_vm", sa.String(255), nullable=False),
        _moment("at"),
    )


def _make_log() -> None:
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        _moment("at"),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("code", sa.String(96), nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        _belonging_to("tasks", "task_id", primary_key=False, nullable=True),
        sa.Column("rule_id", sa.String(36)),
        sa.Column("vm", sa.String(255)),
    )
    op.create_index("ix_log_by_time", "log", ["at"])
    op.create_index("ix_log_by_task", "log", ["task_id", "id"])
    op.create_index("ix_log_by_rule", "log", ["rule_id", "at"])
    op.create_index("ix_log_by_vm", "log", ["vm", "at"])
    _partial_index("ix_log_warnings", "log", ["at"], _WARNINGS)
    _partial_index("ix_log_warnings_by_rule", "log", ["rule_id", "at"], _WARNINGS)


def _make_figures() -> None:
    op.create_table(
        "subjects",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("rule_id", sa.String(36), nullable=False),
        sa.Column("vm", sa.String(255), nullable=False),
        sa.Column("vm_name", sa.Text, nullable=False),
        sa.UniqueConstraint("rule_id", "vm", name="uq_subjects"),
    )
    op.create_table(
        "day_figures",
        _belonging_to("subjects", "subject_id"),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("succeeded", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unviewed_errors",
        _belonging_to("tasks", "task_id"),
        sa.Column("rule_id", sa.String(36)),
        sa.Column("vm", sa.String(255), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_unviewed_errors_by_rule", "unviewed_errors", ["rule_id", "vm"])


def _make_traffic() -> None:
    op.create_table(
        "traffic_seconds",
        sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rule_id", sa.String(36), primary_key=True),
        sa.Column("vm", sa.String(255), primary_key=True),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("written_bytes", sa.BigInteger, nullable=False),
        sa.Column("is_rolled_up", sa.Boolean, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "traffic",
        _belonging_to("subjects", "subject_id"),
        sa.Column("slice_s", sa.Integer, primary_key=True),
        sa.Column("at_s", sa.BigInteger, primary_key=True),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("written_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _make_journals() -> None:
    op.create_table(
        "snapshot_journal",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        _moment("opened_at"),
    )
    op.create_table(
        "restore_journal",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("created_as", sa.Text, nullable=False),
        sa.Column("created_vm", sa.Text),
        sa.Column("replaced_vm", sa.Text),
    )


def _make_settings() -> None:
    op.create_table(
        "settings",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )
