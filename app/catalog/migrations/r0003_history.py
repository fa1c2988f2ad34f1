"""One log for everything; figures per day, unviewed errors and traffic."""

import msgspec
import sqlalchemy as sa
from alembic import op

from app.domain.restore_point import RestorePoint

revision = "0003"
down_revision = "0002"

_WARNINGS = sa.text("level >= 30")
_FAILED = sa.text("state = 'failed'")
_LAST_WORDS = sa.text("kind = 'backup' AND state IN ('completed', 'failed')")


def upgrade() -> None:
    """Make the tables, and fill them with what the tasks so far tell."""
    _make_log()
    _make_figures()
    _make_traffic()
    _name_points()
    _index_tasks()
    _count_what_was()


def _moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _subject() -> sa.Column[int]:
    return sa.Column("subject_id", sa.Integer, sa.ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True)


def _partial_index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)


def _make_log() -> None:
    op.create_table(
        "log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", _moment(), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("code", sa.String(96), nullable=False),
        sa.Column("params", sa.Text, nullable=False),
        sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE")),
        sa.Column("rule_id", sa.String(36)),
        sa.Column("vm", sa.String(255)),
    )
    op.execute(
        "INSERT INTO log (id, at, level, action, subject, code, params, task_id, rule_id, vm) "
        "SELECT task_log.id, task_log.at, level, kind, vm_name, code, params, task_id, rule_id, vm "
        "FROM task_log JOIN tasks ON tasks.id = task_log.task_id"
    )
    op.drop_table("task_log")
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
        _subject(),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("succeeded", sa.Integer, nullable=False),
        sa.Column("failed", sa.Integer, nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("stored_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "unviewed_errors",
        sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
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
        _subject(),
        sa.Column("slice_s", sa.Integer, primary_key=True),
        sa.Column("at_s", sa.BigInteger, primary_key=True),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("written_bytes", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _name_points() -> None:
    op.add_column("points", sa.Column("vm_name", sa.Text, nullable=False, server_default=""))
    op.create_index("ix_points_by_rule", "points", ["rule_name", "vm", "created_at"])
    tally = ["standby_id", "target_path", "rule_name", "platform_address", "vm"]
    tally += ["created_at", "stored_bytes", "capacity_bytes", "vm_name"]
    op.create_index("ix_points_tally", "points", tally)
    names = ["created_at", "vm_name", "rule_name", "id", "standby_id", "target_path"]
    op.create_index("ix_points_by_name", "points", names)
    points = sa.table(
        "points", *(sa.column(name) for name in ("standby_id", "target_path", "id", "vm_name", "body"))
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(points)).all():
        name = msgspec.json.decode(row.body, type=RestorePoint).facts.name
        here = (points.c.standby_id == row.standby_id) & (points.c.target_path == row.target_path)
        connection.execute(sa.update(points).where(here, points.c.id == row.id).values(vm_name=name))


def _index_tasks() -> None:
    op.drop_index("ix_tasks_by_state", "tasks")
    op.create_index("ix_tasks_by_state", "tasks", ["state", "created_at", "id"])
    op.create_index("ix_tasks_ended", "tasks", ["ended_at"])
    op.create_index("ix_tasks_ended_by_rule", "tasks", ["rule_id", "ended_at"])
    _partial_index("ix_tasks_failed", "tasks", ["state", "ended_at"], _FAILED)
    _partial_index("ix_tasks_failed_by_rule", "tasks", ["rule_id", "ended_at"], _FAILED)
    _partial_index("ix_tasks_last_results", "tasks", ["rule_id", "vm", "ended_at"], _LAST_WORDS)


def _count_what_was() -> None:
    """Tell the figures of the tasks so far: per day of UTC, for their local days are not known any more."""
    op.execute(
        "INSERT INTO subjects (rule_id, vm, vm_name) "
        "SELECT COALESCE(rule_id, ''), vm, MAX(vm_name) FROM tasks GROUP BY COALESCE(rule_id, ''), vm"
    )
    op.execute(
        "INSERT INTO subjects (rule_id, vm, vm_name) "
        "SELECT DISTINCT rule_id, '', '' FROM tasks WHERE rule_id IS NOT NULL"
    )
    op.execute("INSERT INTO subjects (rule_id, vm, vm_name) VALUES ('', '', '')")
    op.execute(
        "INSERT INTO day_figures (subject_id, day, succeeded, failed, read_bytes, stored_bytes) "
        "SELECT subjects.id, DATE(tasks.ended_at), "
        "SUM(CASE WHEN state = 'completed' THEN 1 ELSE 0 END), SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), "
        "SUM(read_bytes), SUM(written_bytes) FROM tasks JOIN subjects "
        "ON (subjects.rule_id = COALESCE(tasks.rule_id, '') AND subjects.vm IN (tasks.vm, '')) "
        "OR (subjects.rule_id = '' AND subjects.vm = '' AND tasks.rule_id IS NOT NULL) "
        "WHERE kind = 'backup' AND state IN ('completed', 'failed') AND tasks.ended_at IS NOT NULL "
        "GROUP BY subjects.id, DATE(tasks.ended_at)"
    )
    op.execute(
        "INSERT INTO unviewed_errors (task_id, rule_id, vm) "
        "SELECT id, rule_id, vm FROM tasks WHERE state = 'failed'"
    )
