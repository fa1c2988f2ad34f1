"""The number of each restore point in its chain, by which points are in order whatever the clock showed."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

_COLUMNS = [
    "standby_id",
    "target_path",
    "rule_name",
    "platform_address",
    "vm",
    "sequence",
    "created_at",
    "stored_bytes",
    "capacity_bytes",
    "vm_name",
]


def upgrade() -> None:
    """Add the column, and let the index from which points are counted tell which is the newest.

    Points that are known already were made before points had numbers, and keep 0.
    """
    op.add_column("points", sa.Column("sequence", sa.BigInteger, nullable=False, server_default="0"))
    op.drop_index("ix_points_tally", "points")
    op.create_index("ix_points_tally", "points", _COLUMNS)
