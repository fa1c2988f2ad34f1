"""An index from which the points of each VM are counted without reading them."""

from alembic import op

revision = "0005"
down_revision = "0004"

_COLUMNS = [
    "standby_id",
    "target_path",
    "rule_name",
    "platform_address",
    "vm",
    "created_at",
    "stored_bytes",
    "capacity_bytes",
]


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_points_tallies", "points", _COLUMNS)
