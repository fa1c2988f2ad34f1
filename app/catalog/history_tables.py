"""Tables of what happened: the log, figures per day, unviewed errors, traffic; indices that asking for it needs.

The migrations make them.
"""

import sqlalchemy as sa

from app.catalog.reading import DAY, FLAG, UtcDateTime
from app.catalog.tables import metadata, points, tasks
from app.domain.messages import LogLevel

_WARNINGS = sa.text(f"level >= {int(LogLevel.WARNING)}")
_FAILED = sa.text("state = 'failed'")
_LAST_WORDS = sa.text("kind = 'backup' AND state IN ('completed', 'failed')")

log = sa.Table(
    "log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("level", sa.Integer, nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.Text, nullable=False),
    sa.Column("code", sa.String(96), nullable=False),
    sa.Column("params", sa.Text, nullable=False),
    sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE")),
    sa.Column("rule_id", sa.String(36)),
    sa.Column("vm", sa.String(255)),
    sa.Index("ix_log_by_time", "at"),
    sa.Index("ix_log_by_task", "task_id", "id"),
    sa.Index("ix_log_by_rule", "rule_id", "at"),
    sa.Index("ix_log_by_vm", "vm", "at"),
    sa.Index("ix_log_warnings", "at", sqlite_where=_WARNINGS, postgresql_where=_WARNINGS),
    sa.Index("ix_log_warnings_by_rule", "rule_id", "at", sqlite_where=_WARNINGS, postgresql_where=_WARNINGS),
)

subjects = sa.Table(
    "subjects",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("rule_id", sa.String(36), nullable=False),
    sa.Column("vm", sa.String(255), nullable=False),
    sa.Column("vm_name", sa.Text, nullable=False),
    sa.UniqueConstraint("rule_id", "vm", name="uq_subjects"),
)
"""What figures are kept of: a VM in a rule, a rule (``vm`` is empty), a VM outside every rule (``rule_id`` is
empty), or everything (both are)."""

day_figures = sa.Table(
    "day_figures",
    metadata,
    sa.Column("subject_id", sa.Integer, sa.ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("day", DAY, primary_key=True),
    sa.Column("succeeded", sa.Integer, nullable=False),
    sa.Column("failed", sa.Integer, nullable=False),
    sa.Column("read_bytes", sa.BigInteger, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

unviewed_errors = sa.Table(
    "unviewed_errors",
    metadata,
    sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("rule_id", sa.String(36)),
    sa.Column("vm", sa.String(255), nullable=False),
    sa.Index("ix_unviewed_errors_by_rule", "rule_id", "vm"),
    sqlite_with_rowid=False,
)

traffic_seconds = sa.Table(
    "traffic_seconds",
    metadata,
    sa.Column("at_s", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rule_id", sa.String(36), primary_key=True),
    sa.Column("vm", sa.String(255), primary_key=True),
    sa.Column("read_bytes", sa.BigInteger, nullable=False),
    sa.Column("written_bytes", sa.BigInteger, nullable=False),
    sa.Column("is_rolled_up", FLAG, nullable=False),
    sqlite_with_rowid=False,
)
"""Raw seconds: an empty ``rule_id`` is a task outside every rule."""

traffic = sa.Table(
    "traffic",
    metadata,
    sa.Column("subject_id", sa.Integer, sa.ForeignKey("subjects.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("slice_s", sa.Integer, primary_key=True),
    sa.Column("at_s", sa.BigInteger, primary_key=True),
    sa.Column("read_bytes", sa.BigInteger, nullable=False),
    sa.Column("written_bytes", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
"""Minutes and hours, rolled up from the seconds."""

sa.Index(
    "ix_points_tally",
    points.c.standby_id,
    points.c.target_path,
    points.c.rule_name,
    points.c.origin,
    points.c.vm,
    points.c.sequence,
    points.c.created_at,
    points.c.stored_bytes,
    points.c.capacity_bytes,
    points.c.vm_name,
    points.c.platform_address,
)
sa.Index(
    "ix_points_by_name",
    points.c.created_at,
    points.c.vm_name,
    points.c.rule_name,
    points.c.id,
    points.c.standby_id,
    points.c.target_path,
)
sa.Index("ix_tasks_ended", tasks.c.ended_at)
sa.Index("ix_tasks_by_state", tasks.c.state, tasks.c.created_at, tasks.c.id)
sa.Index("ix_tasks_ended_by_rule", tasks.c.rule_id, tasks.c.ended_at)
sa.Index("ix_tasks_failed", tasks.c.state, tasks.c.ended_at, sqlite_where=_FAILED, postgresql_where=_FAILED)
sa.Index(
    "ix_tasks_failed_by_rule", tasks.c.rule_id, tasks.c.ended_at, sqlite_where=_FAILED, postgresql_where=_FAILED
)
sa.Index(
    "ix_tasks_last_results",
    tasks.c.rule_id,
    tasks.c.vm,
    tasks.c.ended_at,
    sqlite_where=_LAST_WORDS,
    postgresql_where=_LAST_WORDS,
)
