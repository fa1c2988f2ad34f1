"""Whether disks of a platform may travel unencrypted, which nobody has allowed so far."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the column."""
    op.add_column(
        "platforms", sa.Column("allows_plain_transport", sa.Boolean, nullable=False, server_default=sa.false())
    )
