"""Platforms have an order in which the ways to their disks are tried."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add the column; an empty list is the order with the best first."""
    op.add_column("platforms", sa.Column("transports", sa.Text, nullable=False, server_default="[]"))
