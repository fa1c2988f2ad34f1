"""What of a standby machine is encrypted, and which repositories were encrypted when they were opened."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the columns; whatever is there was not encrypted."""
    op.add_column("standbys", sa.Column("encryption", sa.String(16), nullable=False, server_default="off"))
    op.add_column("repositories", sa.Column("is_encrypted", sa.Boolean, nullable=False, server_default=sa.false()))
