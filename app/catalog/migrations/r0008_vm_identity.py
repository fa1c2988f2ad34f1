"""What tells the VM of a rule from others beside its id."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the columns; the next backup of each VM fills them."""
    for name in ("instance_uuid", "bios_uuid", "platform_uuid"):
        op.add_column("rule_vms", sa.Column(name, sa.String(64)))
