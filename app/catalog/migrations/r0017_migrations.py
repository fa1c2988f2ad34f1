"""Migrations of VMs."""

import sqlalchemy as sa
from alembic import op

from app.catalog.reading import FLAG, UtcDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "migrations",
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
