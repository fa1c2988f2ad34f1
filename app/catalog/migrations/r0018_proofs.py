"""Proofs of restore: how rules want them, how the last of each point ended, and when each VM was last proven."""

import sqlalchemy as sa
from alembic import op

from app.catalog.reading import UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Add the columns and the tables; what runs from a restore point so far is what the operator needs."""
    op.add_column(
        "instant_recoveries", sa.Column("purpose", sa.String(16), nullable=False, server_default="recovery")
    )
    op.add_column("rules", sa.Column("proof", sa.Text, nullable=False, server_default=""))
    op.create_table(
        "point_proofs",
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
    op.create_table(
        "proven_vms",
        sa.Column("rule_id", sa.String(36), sa.ForeignKey("rules.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("vm", sa.String(255), primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
    )
