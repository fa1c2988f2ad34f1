"""VMs that run from restore points."""

import sqlalchemy as sa
from alembic import op

from app.catalog.reading import FLAG, UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "instant_recoveries",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
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
