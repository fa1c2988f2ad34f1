"""What is known of restore points: a cache of the repositories' own lists, which can be rebuilt at any time."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.tables import points
from app.domain.ids import PointId, StandbyId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.tasks import KnownPoint, VerificationState

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RestorePoint).decode


class PointStore:
    """Keeps restore points with the result of their verification. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, standby: StandbyId, point: RestorePoint) -> None:
        """Remember a point; one already known keeps its verification."""
        with self._database.write() as connection:
            known = _verifications(connection, standby)
            _delete(connection, standby, point.id)
            connection.execute(sa.insert(points), [_values(standby, point, known)])

    def replace_all(self, standby: StandbyId, found: Iterable[RestorePoint]) -> None:
        """Make the list of a standby's points equal to what its repository says."""
        with self._database.write() as connection:
            known = _verifications(connection, standby)
            rows = [_values(standby, point, known) for point in found]
            connection.execute(sa.delete(points).where(points.c.standby_id == standby))
            if rows:
                connection.execute(sa.insert(points), rows)

    def remove(self, standby: StandbyId, point: PointId) -> None:
        """Forget a point; nothing happens when it is not known."""
        with self._database.write() as connection:
            _delete(connection, standby, point)

    def set_verification(
        self, standby: StandbyId, point: PointId, verification: VerificationState, at: datetime
    ) -> None:
        """Note what a verification found."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(points)
                .where(points.c.standby_id == standby, points.c.id == point)
                .values(verification=verification.value, verified_at=at)
            )

    def get(self, standby: StandbyId, point: PointId) -> KnownPoint | None:
        """Return one point, or None."""
        query = sa.select(points).where(points.c.standby_id == standby, points.c.id == point)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _known(row)

    def find(
        self,
        *,
        standby: StandbyId | None = None,
        vm: VmId | None = None,
        platform_address: str | None = None,
        chain: str | None = None,
    ) -> tuple[KnownPoint, ...]:
        """Return the points that fit every condition given, newest first."""
        query = sa.select(points).order_by(points.c.created_at.desc(), points.c.id.desc())
        wanted = {"standby_id": standby, "vm": vm, "platform_address": platform_address, "chain": chain}
        for column, value in wanted.items():
            if value is not None:
                query = query.where(points.c[column] == value)
        with self._database.read() as connection:
            return tuple(_known(row) for row in connection.execute(query))


def _verifications(connection: sa.Connection, standby: StandbyId) -> dict[str, tuple[str, datetime | None]]:
    query = sa.select(points.c.id, points.c.verification, points.c.verified_at)
    rows = connection.execute(query.where(points.c.standby_id == standby))
    return {row.id: (row.verification, row.verified_at) for row in rows}


def _delete(connection: sa.Connection, standby: StandbyId, point: PointId) -> None:
    connection.execute(sa.delete(points).where(points.c.standby_id == standby, points.c.id == point))


def _values(
    standby: StandbyId, point: RestorePoint, known: dict[str, tuple[str, datetime | None]]
) -> dict[str, object]:
    verification, verified_at = known.get(point.id, (VerificationState.UNKNOWN.value, None))
    return {
        "standby_id": standby,
        "id": point.id,
        "chain": point.chain,
        "platform_address": point.facts.platform_address,
        "vm": point.facts.vm,
        "created_at": point.created_at,
        "body": _encode(point),
        "verification": verification,
        "verified_at": verified_at,
    }


def _known(row: sa.Row[Any]) -> KnownPoint:
    return KnownPoint(
        standby=StandbyId(row.standby_id),
        point=_decode(row.body),
        verification=VerificationState(row.verification),
        verified_at=row.verified_at,
    )
