"""Disks may be attached to be written too."""

import sqlalchemy as sa
from alembic import op

from app.catalog.reading import FLAG

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the column; what was attached before was only read."""
    op.add_column("attachment_journal", sa.Column("is_writable", FLAG, nullable=False, server_default=sa.false()))
