"""Traffic over time: raw seconds for ten minutes, minutes for a month, hours for two years.

Every second with running tasks is written as it is, one row per task. Once its minute is over, a second is rolled
up: added to the minute and the hour of its VM in its rule, of its rule and of everything, and marked, all in one
transaction. So a kill loses the second that was not written yet, and nothing is counted twice.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.figures import of_subjects, subject_id
from app.catalog.history_tables import subjects, traffic, traffic_seconds
from app.catalog.packed import fetch_packed
from app.domain.history import Moved, TrafficSlice
from app.domain.ids import RuleId, VmId

SECOND_S: Final = 1
MINUTE_S: Final = 60
HOUR_S: Final = 3600
KEPT_S: Final = {SECOND_S: 600, MINUTE_S: 31 * 86400, HOUR_S: 2 * 366 * 86400}
"""How long slices of each length are kept, in seconds."""

_ADD_SECOND = sa.text(
    "INSERT INTO traffic_seconds (at_s, rule_id, vm, read_bytes, written_bytes, is_rolled_up) "
    "VALUES (:at_s, :rule_id, :vm, :read_bytes, :written_bytes, FALSE) "
    "ON CONFLICT (at_s, rule_id, vm) DO UPDATE SET read_bytes = traffic_seconds.read_bytes + excluded.read_bytes, "
    "written_bytes = traffic_seconds.written_bytes + excluded.written_bytes"
)
_ADD_SLICE = sa.text(
    "INSERT INTO traffic (subject_id, slice_s, at_s, read_bytes, written_bytes) "
    "VALUES (:subject_id, :slice_s, :at_s, :read_bytes, :written_bytes) "
    "ON CONFLICT (subject_id, slice_s, at_s) DO UPDATE SET read_bytes = traffic.read_bytes + excluded.read_bytes, "
    "written_bytes = traffic.written_bytes + excluded.written_bytes"
)


class _Row(NamedTuple):
    """A second, as it is kept."""

    at_s: int
    rule_id: str
    vm: str
    read_bytes: int
    written_bytes: int


class TrafficStore:
    """Stores traffic. Thread: any."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, moved: Iterable[Moved]) -> None:
        """Add what was moved; a second that was rolled up before (the clock was set back) is rolled up at once."""
        rows = [
            _Row(traffic.at_s, traffic.rule or "", traffic.vm, traffic.read_bytes, traffic.written_bytes)
            for traffic in moved
        ]
        if not rows:
            return
        first, last = min(row.at_s for row in rows), max(row.at_s for row in rows)
        again = sa.select(traffic_seconds).where(
            traffic_seconds.c.at_s.between(first, last), traffic_seconds.c.is_rolled_up
        )
        with self._database.write() as connection:
            late = {(row.at_s, row.rule_id, row.vm) for row in connection.execute(again)}
            connection.execute(_ADD_SECOND, [row._asdict() for row in rows])
            _add_to_slices(connection, [row for row in rows if row[:3] in late])

    def roll_up(self, now_s: int) -> None:
        """Add the seconds of every minute that is over to minutes and hours, and forget what is too old."""
        over = now_s - now_s % MINUTE_S
        ripe = sa.and_(traffic_seconds.c.is_rolled_up.is_(False), traffic_seconds.c.at_s < over)
        with self._database.write() as connection:
            _add_to_slices(connection, _rows(connection, ripe))
            connection.execute(sa.update(traffic_seconds).where(ripe).values(is_rolled_up=True))
            connection.execute(
                sa.delete(traffic_seconds).where(
                    traffic_seconds.c.is_rolled_up, traffic_seconds.c.at_s < now_s - KEPT_S[SECOND_S]
                )
            )

    def forget_old(self, now_s: int) -> None:
        """Forget the minutes and hours that are older than they are kept."""
        with self._database.write() as connection:
            for slice_s in (MINUTE_S, HOUR_S):
                connection.execute(
                    sa.delete(traffic).where(
                        # By subject, so that the primary key finds the rows.
                        traffic.c.subject_id.in_(sa.select(subjects.c.id)),
                        traffic.c.slice_s == slice_s,
                        traffic.c.at_s < now_s - KEPT_S[slice_s],
                    )
                )

    def read(
        self, slice_s: int, start_s: int, end_s: int, *, rule: RuleId | None = None, vm: VmId | None = None
    ) -> tuple[TrafficSlice, ...]:
        """Return the slices of a stretch in which something ran, oldest first.

        Args:
            slice_s: 1, 60 or 3600.
            start_s: first second of the stretch.
            end_s: first second behind it.
            rule: of this rule; None is everything.
            vm: of this VM in the rule; without a rule, of the VM wherever it is backed up.
        """
        with self._database.read() as connection:
            if slice_s == SECOND_S:
                return tuple(_raw(connection, SECOND_S, start_s, end_s, rule, vm, [sa.true()]))
            kept = _rolled_up(connection, slice_s, start_s, end_s, rule, vm)
            young = _raw(
                connection, slice_s, start_s, end_s, rule, vm, [traffic_seconds.c.is_rolled_up.is_(False)]
            )
        return _merged(kept, young) if young else tuple(kept)


def _rows(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[_Row]:
    columns = [traffic_seconds.c[name] for name in _Row._fields]
    found = [_Row(*row) for row in fetch_packed(connection, sa.select(*columns).where(which))]
    return [row for row in found if _is_sound(row.at_s, row.read_bytes, row.written_bytes)]


def _is_sound(*numbers: object) -> bool:
    """Return whether numbers are numbers: SQLite keeps text in a column of numbers too."""
    return all(isinstance(number, int) for number in numbers)


def _add_to_slices(connection: sa.Connection, rows: Iterable[_Row]) -> None:
    sums: dict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0, 0])
    keys: dict[tuple[str, str], int] = {}
    for row in rows:
        for pair in {(row.rule_id, row.vm), (row.rule_id, ""), ("", "")}:
            if pair not in keys:
                keys[pair] = _subject(connection, *pair)
            for slice_s in (MINUTE_S, HOUR_S):
                total = sums[keys[pair], slice_s, row.at_s - row.at_s % slice_s]
                total[0] += row.read_bytes
                total[1] += row.written_bytes
    if sums:
        connection.execute(
            _ADD_SLICE,
            [
                {"subject_id": key, "slice_s": slice_s, "at_s": at_s, "read_bytes": read, "written_bytes": written}
                for (key, slice_s, at_s), (read, written) in sums.items()
            ],
        )


def _subject(connection: sa.Connection, rule: str, vm: str) -> int:
    query = sa.select(subjects.c.id).where(subjects.c.rule_id == rule, subjects.c.vm == vm)
    known = connection.execute(query).scalar_one_or_none()
    return subject_id(connection, rule, vm) if known is None else known


def _rolled_up(
    connection: sa.Connection, slice_s: int, start_s: int, end_s: int, rule: RuleId | None, vm: VmId | None
) -> list[TrafficSlice]:
    ids = connection.execute(of_subjects(rule, vm)).scalars().all()
    query = (
        sa.select(traffic.c.at_s, traffic.c.read_bytes, traffic.c.written_bytes)
        .where(
            traffic.c.slice_s == slice_s,
            traffic.c.at_s >= start_s - start_s % slice_s,
            traffic.c.at_s < end_s,
        )
        .order_by(traffic.c.at_s)
    )
    if len(ids) == 1:
        rows = fetch_packed(connection, query.where(traffic.c.subject_id == ids[0]))
        return [TrafficSlice(*row) for row in rows if _is_sound(*row)]
    sums = query.where(traffic.c.subject_id.in_(ids)).group_by(traffic.c.at_s)
    sums = sums.with_only_columns(
        traffic.c.at_s, sa.func.sum(traffic.c.read_bytes), sa.func.sum(traffic.c.written_bytes)
    )
    return [_slice(*row) for row in fetch_packed(connection, sums) if _is_sound(row[0])]


def _raw(
    connection: sa.Connection,
    slice_s: int,
    start_s: int,
    end_s: int,
    rule: RuleId | None,
    vm: VmId | None,
    conditions: list[sa.ColumnElement[bool]],
) -> list[TrafficSlice]:
    start = (traffic_seconds.c.at_s - traffic_seconds.c.at_s % slice_s).label("start")
    columns = (sa.func.sum(traffic_seconds.c.read_bytes), sa.func.sum(traffic_seconds.c.written_bytes))
    query = sa.select(start, *columns).where(
        traffic_seconds.c.at_s >= start_s - start_s % slice_s, traffic_seconds.c.at_s < end_s, *conditions
    )
    if rule is not None:
        query = query.where(traffic_seconds.c.rule_id == rule)
    if vm is not None:
        query = query.where(traffic_seconds.c.vm == vm)
    rows = connection.execute(query.group_by(start).order_by(start))
    return [_slice(*row) for row in rows if _is_sound(row[0])]


def _slice(at_s: int, read_bytes: float, written_bytes: float) -> TrafficSlice:
    return TrafficSlice(at_s, int(read_bytes), int(written_bytes))  # with text in a column the sum is a fraction


def _merged(kept: list[TrafficSlice], young: list[TrafficSlice]) -> tuple[TrafficSlice, ...]:
    slices = {stored.at_s: stored for stored in kept}
    for recent in young:
        other = slices.get(recent.at_s, TrafficSlice(recent.at_s, 0, 0))
        slices[recent.at_s] = TrafficSlice(
            recent.at_s, other.read_bytes + recent.read_bytes, other.written_bytes + recent.written_bytes
        )
    return tuple(slices[at_s] for at_s in sorted(slices))
