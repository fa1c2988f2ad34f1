"""The first tables: platforms, standbys, points, tasks with stages and log, and both journals."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision: str | None = None


def upgrade() -> None:
    """Make the tables."""
    _make_registered()
    _make_points()
    _make_tasks()
    _make_journals()


def _moment() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _make_registered() -> None:
    op.create_table(
        "platforms",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("port", sa.Integer, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("thumbprint_sha256", sa.Text),
        sa.UniqueConstraint("address", "port", name="uq_platforms_address"),
    )
    op.create_table(
        "standbys",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("target_path", sa.Text, nullable=False, unique=True),
        sa.Column("repository_id", sa.String(36)),
    )


def _make_points() -> None:
    op.create_table(
        "points",
        sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("id", sa.String(512), primary_key=True),
        sa.Column("chain", sa.Text, nullable=False),
        sa.Column("platform_address", sa.Text, nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("verification", sa.String(16), nullable=False),
        sa.Column("verified_at", _moment()),
    )
    op.create_index("ix_points_by_vm", "points", ["platform_address", "vm", "created_at"])


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
        sa.Column("created_at", _moment(), nullable=False),
        sa.Column("started_at", _moment()),
        sa.Column("ended_at", _moment()),
        sa.Column("total_bytes", sa.BigInteger, nullable=False),
        sa.Column("done_bytes", sa.BigInteger, nullable=False),
        sa.Column("read_bytes", sa.BigInteger, nullable=False),
        sa.Column("written_bytes", sa.BigInteger, nullable=False),
        sa.Column("source_busy_s", sa.Float, nullable=False),
        sa.Column("processing_busy_s", sa.Float, nullable=False),
        sa.Column("target_busy_s", sa.Float, nullable=False),
        sa.Column("error_code", sa.String(64)),
        sa.Column("error_params", sa.Text),
    )
    op.create_index("ix_tasks_by_time", "tasks", ["created_at"])
    op.create_index("ix_tasks_by_state", "tasks", ["state"])
    op.create_index("ix_tasks_by_vm", "tasks", ["platform_id", "vm", "created_at"])
    op.create_table(
        "task_stages",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("state", sa.String(24), nullable=False),
        sa.Column("at", _moment(), nullable=False),
    )
    op.create_index("ix_task_stages_by_task", "task_stages", ["task_id", "id"])
    op.create_table(
        "task_log",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
        sa.Column("at", _moment(), nullable=False),
        sa.Column("level", sa.Integer, nullable=False),
        sa.Column("code", sa.String(96), nullable=False),
        sa.Column("params", sa.Text, nullable=False),
    )
    op.create_index("ix_task_log_by_task", "task_log", ["task_id", "id"])


def _make_journals() -> None:
    op.create_table(
        "snapshot_journal",
        sa.Column("task_id", sa.String(36), primary_key=True),
        sa.Column("platform_id", sa.String(36), nullable=False),
        sa.Column("vm", sa.Text, nullable=False),
        sa.Column("opened_at", _moment(), nullable=False),
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
