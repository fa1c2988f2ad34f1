"""What is known of restore points: a cache of the repositories' own lists, which can be rebuilt at any time."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from app.catalog.changing import Changing, changing
from app.catalog.database import Database
from app.catalog.origins import OriginsOfPoints, platform_of
from app.catalog.packed import fetch_packed
from app.catalog.proofs import forget_proof, proof_of, with_proof
from app.catalog.reading import Unreadable, UnreadableRows
from app.catalog.remembered import Remembered
from app.catalog.tables import points, repositories, rules
from app.core.changes import ChangeFeed
from app.domain.changes import Subject
from app.domain.ids import PointId, StandbyId, VmId
from app.domain.restore_point import RestorePoint
from app.domain.tasks import KnownPoint, PointTally, VerificationState, in_sequence

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RestorePoint).decode


_VERIFICATIONS = frozenset(state.value for state in VerificationState)
_Tallies = dict[tuple[str, ...], PointTally]

_TALLY_KEY = (
    points.c.standby_id,
    points.c.target_path,
    points.c.rule_name,
    points.c.origin,
    points.c.vm,
)


class PointStore:
    """Stores restore points with the result of their verification. Thread: any."""

    def __init__(self, database: Database, changes: ChangeFeed) -> None:
        self._database = database
        self._changes = changes
        self._tallies: Remembered[_Tallies] = Remembered(is_alone=database.is_ours_alone)

    def forget_tallies(self) -> None:
        """Count again at the next question: points went with their standby, or are another platform's."""
        self._tallies.forget()

    def put(self, standby: StandbyId, target_path: str, point: RestorePoint) -> None:
        """Remember a point; one already known keeps its verification."""
        here = _at(standby, target_path)
        with changing(self._database, self._changes) as transaction:
            connection = transaction.connection
            _note(transaction, standby, point.rule_name)
            known = _verifications(connection, here & (points.c.id == point.id))
            connection.execute(sa.delete(points).where(here, points.c.id == point.id))
            origin = OriginsOfPoints(connection).of(point.facts.platform)
            values = {**_values(standby, target_path, point, known), "origin": origin}
            connection.execute(sa.insert(points), [values])
            self._count_again(transaction, point.rule_name, point.facts.vm)

    def remove(self, standby: StandbyId, target_path: str, point: PointId) -> None:
        """Forget a point; nothing happens when it is not known."""
        this = _at(standby, target_path) & (points.c.id == point)
        with changing(self._database, self._changes) as transaction:
            connection = transaction.connection
            row = connection.execute(sa.select(points.c.rule_name, points.c.vm).where(this)).one_or_none()
            connection.execute(sa.delete(points).where(this))
            forget_proof(connection, standby, target_path, point)
            if row is not None:
                _note(transaction, standby, row.rule_name)
                self._count_again(transaction, row.rule_name, row.vm)

    def _count_again(self, transaction: Changing, rule_name: str, vm: str) -> None:
        here = (points.c.rule_name == rule_name) & (points.c.vm == vm)
        fresh = _counted(transaction.connection, here, self._database.unreadable)

        def changed(known: _Tallies) -> _Tallies:
            others = {key: tally for key, tally in known.items() if (tally.rule_name, tally.vm) != (rule_name, vm)}
            return others | fresh

        transaction.then(lambda: self._tallies.change(changed))

    def set_verification(
        self, standby: StandbyId, target_path: str, point: PointId, verification: VerificationState, at: datetime
    ) -> None:
        """Note what a verification found."""
        with changing(self._database, self._changes) as transaction:
            transaction.note(Subject.POINTS, standby)
            transaction.connection.execute(
                sa.update(points)
                .where(_at(standby, target_path), points.c.id == point)
                .values(verification=verification.value, verified_at=at)
            )

    def get(self, standby: StandbyId, target_path: str, point: PointId) -> KnownPoint | None:
        """Return one point, or None."""
        query = _with_repository().where(_at(standby, target_path), points.c.id == point)
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return next(iter(self._database.unreadable.readable(points, rows, _known)), None)

    def tallies(self, standby: StandbyId | None = None, *, rule_name: str | None = None) -> tuple[PointTally, ...]:
        """Return how many points each VM has in each rule and repository, without reading them.

        Args:
            standby: only those of this standby.
            rule_name: only those of rules of this name.
        """
        return tuple(
            tally
            for tally in self._all_tallies().values()
            if standby in (None, tally.standby) and rule_name in (None, tally.rule_name)
        )

    def _all_tallies(self) -> _Tallies:
        def read() -> _Tallies:
            with self._database.read() as connection:
                return _counted(connection, sa.true(), self._database.unreadable)

        return self._tallies.get(read)

    def newest(self) -> dict[tuple[str, VmId], datetime]:
        """Return the moment of the newest point of each VM in each rule, by the rule's name."""
        found: dict[tuple[str, VmId], datetime] = {}
        for tally in self._all_tallies().values():
            key = (tally.rule_name, tally.vm)
            found[key] = max(tally.newest, found.get(key, tally.newest))
        return found

    def count(self) -> int:
        """Return how many points are known."""
        return sum(tally.count for tally in self._all_tallies().values())

    def named(self, words: Collection[str], limit: int) -> tuple[KnownPoint, ...]:
        """Return the newest points in whose key, VM or rule every word occurs."""
        text = points.c.vm_name + " " + points.c.rule_name + " " + points.c.id
        key = (points.c.standby_id, points.c.target_path, points.c.id)
        # Read from the index alone: the points themselves are large.
        fitting = (
            sa.select(*key)
            .where(*(text.contains(word, autoescape=True) for word in words))
            .order_by(points.c.created_at.desc())
            .limit(limit)
        )
        with self._database.read() as connection:
            keys = [tuple(row) for row in fetch_packed(connection, fitting)]
            found = _with_repository().where(sa.tuple_(*key).in_(keys)).order_by(points.c.created_at.desc())
            rows = connection.execute(found) if keys else ()
            return in_sequence(self._database.unreadable.readable(points, rows, _known))

    def find(
        self,
        *,
        standby: StandbyId | None = None,
        target_path: str | None = None,
        vm: VmId | None = None,
        origin: str | None = None,
        chain: str | None = None,
        rule_name: str | None = None,
    ) -> tuple[KnownPoint, ...]:
        """Return the points that fit every condition given, newest first: in a chain by their sequence."""
        query = _with_repository().order_by(points.c.created_at.desc(), points.c.id.desc())
        wanted = {
            "standby_id": standby,
            "target_path": target_path,
            "vm": vm,
            "origin": origin,
            "chain": chain,
            "rule_name": rule_name,
        }
        for column, value in wanted.items():
            if value is not None:
                query = query.where(points.c[column] == value)
        with self._database.read() as connection:
            return in_sequence(self._database.unreadable.readable(points, connection.execute(query), _known))


def _note(transaction: Changing, standby: str, rule_name: str) -> None:
    """Note whose count of points is another: a standby's, and that of the rule of this name."""
    transaction.note(Subject.POINTS, standby)
    transaction.note(Subject.STANDBYS, standby)
    named = sa.select(rules.c.id).where(rules.c.name == rule_name)
    transaction.note(Subject.RULES, *transaction.connection.execute(named).scalars(), None)


def _counted(connection: sa.Connection, where: sa.ColumnElement[bool], unreadable: UnreadableRows) -> _Tallies:
    top = (
        sa.select(*_TALLY_KEY, sa.func.max(points.c.sequence).label("sequence")).where(where).group_by(*_TALLY_KEY)
    ).subquery()
    same = sa.and_(*(column == top.c[column.name] for column in _TALLY_KEY))

    def of_newest(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.func.max(sa.case((points.c.sequence == top.c.sequence, column))).label(column.name)

    query = (
        sa.select(
            *_TALLY_KEY,
            sa.func.count().label("point_count"),
            sa.func.sum(points.c.stored_bytes).label("stored_sum"),
            of_newest(points.c.created_at),
            of_newest(points.c.capacity_bytes),
            of_newest(points.c.vm_name),
            of_newest(points.c.platform_address),
        )
        .select_from(points.join(top, same))
        .where(where)
    )
    rows = fetch_packed(connection, query.group_by(*_TALLY_KEY))
    return dict(unreadable.readable(points, rows, _tally))


def _tally(row: sa.Row[Any]) -> tuple[tuple[str, ...], PointTally]:
    return tuple(row[: len(_TALLY_KEY)]), PointTally(
        standby=StandbyId(row.standby_id),
        target_path=row.target_path,
        rule_name=row.rule_name,
        origin=row.origin,
        platform_address=row.platform_address,
        vm=VmId(row.vm),
        count=row.point_count,
        stored_bytes=int(row.stored_sum),
        newest=row.created_at,
        capacity_bytes=row.capacity_bytes,
        vm_name=row.vm_name,
    )


def _with_repository() -> sa.Select[Any]:
    """Return the query for points with what is known of their repository and of their proofs."""
    here = (points.c.standby_id == repositories.c.standby_id) & (
        points.c.target_path == repositories.c.target_path
    )
    encrypted = sa.func.coalesce(repositories.c.is_encrypted, sa.false()).label("is_encrypted")
    return with_proof(sa.select(points, encrypted).select_from(points.outerjoin(repositories, here)))


def _at(standby: StandbyId, target_path: str) -> sa.ColumnElement[bool]:
    return (points.c.standby_id == standby) & (points.c.target_path == target_path)


def _verifications(
    connection: sa.Connection, where: sa.ColumnElement[bool]
) -> dict[str, tuple[str, datetime | None]]:
    query = sa.select(points.c.id, points.c.verification, points.c.verified_at).where(where)
    return {
        row.id: (row.verification, row.verified_at)
        for row in connection.execute(query)
        if row.verification in _VERIFICATIONS and not isinstance(row.verified_at, Unreadable)
    }


def _values(
    standby: StandbyId, target_path: str, point: RestorePoint, known: dict[str, tuple[str, datetime | None]]
) -> dict[str, object]:
    verification, verified_at = known.get(point.id, (VerificationState.UNKNOWN.value, None))
    return {
        "standby_id": standby,
        "target_path": target_path,
        "id": point.id,
        "chain": point.chain,
        "rule_name": point.rule_name,
        "platform_address": point.facts.platform_address,
        "platform_uuid": point.facts.platform_uuid,
        "vm": point.facts.vm,
        "vm_name": point.facts.name,
        "created_at": point.created_at,
        "sequence": point.sequence,
        "capacity_bytes": point.capacity_bytes,
        "stored_bytes": point.stored_bytes,
        "body": _encode(point),
        "verification": verification,
        "verified_at": verified_at,
    }


def _known(row: sa.Row[Any]) -> KnownPoint:
    return KnownPoint(
        standby=StandbyId(row.standby_id),
        target_path=row.target_path,
        point=_decode(row.body),
        verification=VerificationState(row.verification),
        verified_at=row.verified_at,
        is_encrypted=bool(row.is_encrypted),
        platform=platform_of(row.origin),
        proof=proof_of(row),
    )
