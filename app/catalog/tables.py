"""Tables of the catalog. The migrations make them; a test holds both together."""

import sqlalchemy as sa

from app.catalog.reading import FLAG, UtcDateTime

metadata = sa.MetaData()

platforms = sa.Table(
    "platforms",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("port", sa.Integer, nullable=False),
    sa.Column("user", sa.Text, nullable=False),
    sa.Column("thumbprint_sha256", sa.Text),
    sa.Column("allows_plain_transport", FLAG, nullable=False, server_default=sa.false()),
    sa.Column("former_addresses", sa.Text, nullable=False, server_default="[]"),
    sa.Column("transports", sa.Text, nullable=False, server_default="[]"),
    sa.UniqueConstraint("address", "port", name="uq_platforms_address"),
)

standbys = sa.Table(
    "standbys",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("root_path", sa.Text, nullable=False, unique=True),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("mark", sa.String(36)),
    sa.Column("encryption", sa.String(16), nullable=False, server_default="off"),
)

repositories = sa.Table(
    "repositories",
    metadata,
    sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("target_path", sa.String(1024), primary_key=True),
    sa.Column("repository_id", sa.String(36), nullable=False),
    sa.Column("is_encrypted", FLAG, nullable=False, server_default=sa.false()),
)

platform_sightings = sa.Table(
    "platform_sightings",
    metadata,
    sa.Column("platform_id", sa.String(36), sa.ForeignKey("platforms.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("checked_at", UtcDateTime, nullable=False),
    sa.Column("reachable", FLAG, nullable=False),
    sa.Column("facts", sa.Text),
    sa.Column("license_name", sa.Text, nullable=False),
    sa.Column("vm_count", sa.Integer),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_params", sa.Text),
)

points = sa.Table(
    "points",
    metadata,
    sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("target_path", sa.String(1024), primary_key=True),
    sa.Column("id", sa.String(512), primary_key=True),
    sa.Column("chain", sa.Text, nullable=False),
    sa.Column("rule_name", sa.Text, nullable=False),
    sa.Column("platform_address", sa.Text, nullable=False),
    sa.Column("platform_uuid", sa.Text),
    sa.Column("origin", sa.Text, nullable=False, server_default=""),
    sa.Column("vm", sa.Text, nullable=False),
    sa.Column("vm_name", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("capacity_bytes", sa.BigInteger, nullable=False),
    sa.Column("stored_bytes", sa.BigInteger, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("verification", sa.String(16), nullable=False),
    sa.Column("verified_at", UtcDateTime),
    sa.Index("ix_points_by_vm", "origin", "vm", "created_at"),
    sa.Index("ix_points_by_rule", "rule_name", "vm", "created_at"),
    # Counting points reads this index alone: the bodies of two years of points are tens of megabytes.
    sa.Index(
        "ix_points_tallies",
        "standby_id",
        "target_path",
        "rule_name",
        "origin",
        "vm",
        "created_at",
        "stored_bytes",
        "capacity_bytes",
    ),
)

NO_BACKUP = sa.text("kind <> 'backup'")
"""An index of every kind would serve lists of restores too, but SQLite would then walk along it for backups."""

tasks = sa.Table(
    "tasks",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("vm", sa.Text, nullable=False),
    sa.Column("vm_name", sa.Text, nullable=False),
    sa.Column("platform_id", sa.String(36)),
    sa.Column("standby_id", sa.String(36), nullable=False),
    sa.Column("target_path", sa.Text, nullable=False, server_default=""),
    sa.Column("rule_id", sa.String(36)),
    sa.Column("rule_name", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("point", sa.String(512)),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("started_at", UtcDateTime),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("total_bytes", sa.BigInteger, nullable=False),
    sa.Column("done_bytes", sa.BigInteger, nullable=False),
    sa.Column("read_bytes", sa.BigInteger, nullable=False),
    sa.Column("written_bytes", sa.BigInteger, nullable=False),
    sa.Column("source_busy_s", sa.Float, nullable=False),
    sa.Column("processing_busy_s", sa.Float, nullable=False),
    sa.Column("target_busy_s", sa.Float, nullable=False),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_params", sa.Text),
    sa.Index("ix_tasks_by_time", "created_at"),
    sa.Index("ix_tasks_by_vm", "platform_id", "vm", "created_at"),
    sa.Index("ix_tasks_by_rule", "rule_id", "vm", "created_at"),
    sa.Index("ix_tasks_no_backup", "created_at", "id", sqlite_where=NO_BACKUP, postgresql_where=NO_BACKUP),
)

task_stages = sa.Table(
    "task_stages",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("task_id", sa.String(36), sa.ForeignKey("tasks.id", ondelete="CASCADE"), nullable=False),
    sa.Column("state", sa.String(24), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Index("ix_task_stages_by_task", "task_id", "id"),
)

rules = sa.Table(
    "rules",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("standby_id", sa.String(36), nullable=False),
    sa.Column("target_path", sa.Text, nullable=False),
    sa.Column("advanced", sa.Text, nullable=False),
    sa.Column("policy", sa.Text, nullable=False),
    sa.Column("proof", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("considered_until", UtcDateTime, nullable=False),
)

rule_vms = sa.Table(
    "rule_vms",
    metadata,
    sa.Column("rule_id", sa.String(36), sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("vm", sa.String(255), primary_key=True),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("is_started", FLAG, nullable=False),
    sa.Column("instance_uuid", sa.String(64)),
    sa.Column("bios_uuid", sa.String(64)),
    sa.Column("platform_uuid", sa.String(64)),
    sa.UniqueConstraint("platform_id", "vm", name="uq_rule_vms_vm"),
)

retries = sa.Table(
    "retries",
    metadata,
    sa.Column("rule_id", sa.String(36), sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("vm", sa.String(255), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("times", sa.Integer, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("task_id", sa.String(36), nullable=False),
)

point_proofs = sa.Table(
    "point_proofs",
    metadata,
    sa.Column("standby_id", sa.String(36), sa.ForeignKey("standbys.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("target_path", sa.String(1024), primary_key=True),
    sa.Column("id", sa.String(512), primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("outcome", sa.String(16), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("task_id", sa.String(36)),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("picture", sa.LargeBinary),
)
"""The newest proof of each restore point. The picture is last, so that the others are read without it."""

proven_vms = sa.Table(
    "proven_vms",
    metadata,
    sa.Column("rule_id", sa.String(36), sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("vm", sa.String(255), primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
)

vm_successions = sa.Table(
    "vm_successions",
    metadata,
    sa.Column("platform_id", sa.String(36), primary_key=True),
    sa.Column("old_vm", sa.String(255), primary_key=True),
    sa.Column("new_vm", sa.String(255), nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
)

engines = sa.Table(
    "engines",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("beat_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
)

snapshot_journal = sa.Table(
    "snapshot_journal",
    metadata,
    sa.Column("task_id", sa.String(36), primary_key=True),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("vm", sa.Text, nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
)

attachment_journal = sa.Table(
    "attachment_journal",
    metadata,
    sa.Column("task_id", sa.String(36), primary_key=True),
    sa.Column("machine_uuid", sa.String(64), primary_key=True),
    sa.Column("bus", sa.Integer, primary_key=True),
    sa.Column("unit", sa.Integer, primary_key=True),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("machine_name", sa.Text, nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("disk_uuid", sa.String(64), nullable=False),
    sa.Column("owns_controller", FLAG, nullable=False),
    sa.Column("is_writable", FLAG, nullable=False, server_default=sa.false()),
    sa.Column("opened_at", UtcDateTime, nullable=False),
)

instant_recoveries = sa.Table(
    "instant_recoveries",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("purpose", sa.String(16), nullable=False, server_default="recovery"),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("standby_id", sa.String(36), nullable=False),
    sa.Column("target_path", sa.Text, nullable=False),
    sa.Column("point_id", sa.Text, nullable=False),
    sa.Column("rule_id", sa.String(36)),
    sa.Column("rule_name", sa.Text, nullable=False),
    sa.Column("vm_name", sa.Text, nullable=False),
    sa.Column("placement", sa.Text, nullable=False),
    sa.Column("power_on", FLAG, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("host_name", sa.Text, nullable=False),
    sa.Column("datastore", sa.Text, nullable=False),
    sa.Column("configuration", sa.Text, nullable=False),
    sa.Column("pin", sa.String(32), nullable=False),
    sa.Column("vm", sa.Text),
    sa.Column("task_id", sa.String(36)),
    sa.Column("successor", sa.Text),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_params", sa.Text),
    sqlite_autoincrement=True,
)
"""VMs that run from restore points; a number is never given twice."""

migrations = sa.Table(
    "migrations",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(32), nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("vm", sa.Text, nullable=False),
    sa.Column("vm_name", sa.Text, nullable=False),
    sa.Column("instance_uuid", sa.String(64)),
    sa.Column("bios_uuid", sa.String(64)),
    sa.Column("platform_uuid", sa.String(64)),
    sa.Column("target_id", sa.String(36), nullable=False),
    sa.Column("placement", sa.Text, nullable=False),
    sa.Column("options", sa.Text, nullable=False),
    sa.Column("created_as", sa.Text, nullable=False),
    sa.Column("target_vm", sa.Text),
    sa.Column("disks", sa.Text, nullable=False),
    sa.Column("progress", sa.Text, nullable=False),
    sa.Column("source_was_on", FLAG, nullable=False),
    sa.Column("is_shutting_down", FLAG, nullable=False),
    sa.Column("source_kept_as", sa.Text, nullable=False),
    sa.Column("task_id", sa.String(36)),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("error_code", sa.String(64)),
    sa.Column("error_params", sa.Text),
    sqlite_autoincrement=True,
)
"""Migrations of VMs; a number is never given twice."""

restore_journal = sa.Table(
    "restore_journal",
    metadata,
    sa.Column("task_id", sa.String(36), primary_key=True),
    sa.Column("platform_id", sa.String(36), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("created_as", sa.Text, nullable=False),
    sa.Column("created_vm", sa.Text),
    sa.Column("replaced_vm", sa.Text),
)

settings = sa.Table(
    "settings",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
