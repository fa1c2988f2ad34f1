"""Restore points know which registered platform they came from, and platforms where they were before."""

import json

import sqlalchemy as sa
from alembic import op

from app.catalog.origins import reassign

revision = "0012"
down_revision = "0011"

_POINTS = sa.table(
    "points",
    *(sa.column(name) for name in ("standby_id", "target_path", "id", "body", "platform_uuid", "origin")),
)
_AT_ONCE = 1000


def upgrade() -> None:
    """Add the columns, and fill them from the points themselves."""
    op.add_column("platforms", sa.Column("former_addresses", sa.Text, nullable=False, server_default="[]"))
    op.add_column("points", sa.Column("platform_uuid", sa.Text))
    op.add_column("points", sa.Column("origin", sa.Text, nullable=False, server_default=""))
    _replace_indices()
    _fill_uuids(op.get_bind())
    reassign(op.get_bind())


def _replace_indices() -> None:
    for name in ("ix_points_by_vm", "ix_points_tallies", "ix_points_tally"):
        op.drop_index(name, "points")
    op.create_index("ix_points_by_vm", "points", ["origin", "vm", "created_at"])
    chain = ["standby_id", "target_path", "rule_name", "origin", "vm"]
    op.create_index("ix_points_tallies", "points", [*chain, "created_at", "stored_bytes", "capacity_bytes"])
    counted = ["sequence", "created_at", "stored_bytes", "capacity_bytes", "vm_name", "platform_address"]
    op.create_index("ix_points_tally", "points", [*chain, *counted])


def _fill_uuids(connection: sa.Connection) -> None:
    key = (_POINTS.c.standby_id, _POINTS.c.target_path, _POINTS.c.id)
    keys = [tuple(row) for row in connection.execute(sa.select(*key))]
    for start in range(0, len(keys), _AT_ONCE):
        chosen = sa.tuple_(*key).in_(keys[start : start + _AT_ONCE])
        rows = connection.execute(sa.select(*key, _POINTS.c.body).where(chosen)).all()
        found = [(row, uuid) for row in rows if (uuid := _uuid_in(row.body)) is not None]
        for row, uuid in found:
            this = sa.tuple_(*key) == (row.standby_id, row.target_path, row.id)
            connection.execute(sa.update(_POINTS).where(this).values(platform_uuid=uuid))


def _uuid_in(body: object) -> str | None:
    try:
        uuid = json.loads(bytes(body))["facts"]["platform_uuid"]  # type: ignore[call-overload]
    except (ValueError, TypeError, KeyError):  # the row is named as unreadable where it is shown
        return None
    return uuid if isinstance(uuid, str) else None
