"""An index of the tasks that are no backups: a few restores among a hundred thousand backups are listed often."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_NO_BACKUP = sa.text("kind <> 'backup'")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_tasks_no_backup",
        "tasks",
        ["created_at", "id"],
        sqlite_where=_NO_BACKUP,
        postgresql_where=_NO_BACKUP,
    )
