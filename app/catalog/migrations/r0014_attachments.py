"""Disks that may be attached to the VM that the program runs in."""

import sqlalchemy as sa
from alembic import op

from app.catalog.reading import FLAG, UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the journal."""
    op.create_table(
        "attachment_journal",
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
        sa.Column("opened_at", UtcDateTime, nullable=False),
    )
