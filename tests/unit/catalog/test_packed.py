import math
import sqlite3
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.catalog.packed import fetch_packed
from app.catalog.reading import DAY, FLAG, Unreadable, UtcDateTime

_kinds = sa.Table(
    "kinds",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("words", sa.String),
    sa.Column("count", sa.BigInteger),
    sa.Column("share", sa.Float),
    sa.Column("flag", FLAG),
    sa.Column("day", DAY),
    sa.Column("at", UtcDateTime),
)
_ROW = {"id": 1, "words": "one", "count": 1, "share": 0.5, "flag": True, "day": None, "at": None}

# As text goes into the catalog: SQLite ends text at a NUL, and UTF-8 has no half surrogates.
_words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_seconds = st.floats(1e-9, 1e9) | st.just(0.0)
_rows = st.lists(
    st.fixed_dictionaries(
        {
            "words": st.none() | _words,
            "count": st.none() | st.integers(-(2**63), 2**63 - 1),
            "share": st.none() | _seconds,
            "flag": st.none() | st.booleans(),
            "day": st.none() | st.dates(),
            "at": st.none() | st.datetimes(timezones=st.just(UTC)),
        }
    ),
    max_size=20,
)


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    with empty() as connection:
        yield connection


def empty() -> sa.Connection:
    connection = sa.create_engine("sqlite://").connect()
    _kinds.create(connection)
    return connection


def insert(connection: sa.Connection, **values: object) -> None:
    """Put a row in as another program would: SQLite takes any value for any column."""
    row = _ROW | values
    marks = ", ".join(f":{name}" for name in row)
    names = ", ".join(f'"{name}"' for name in row)
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    driver.execute(f"INSERT INTO kinds ({names}) VALUES ({marks})", row)


def both(connection: sa.Connection, query: sa.Select[Any]) -> tuple[list[Any], list[Any]]:
    return list(fetch_packed(connection, query)), list(connection.execute(query).all())


@given(rows=_rows)
def test_rows_are_those_that_single_steps_read(rows: list[dict[str, Any]]) -> None:
    with empty() as connection:
        if rows:
            connection.execute(sa.insert(_kinds), rows)
        packed, plain = both(connection, sa.select(_kinds).order_by(_kinds.c.id.desc()))
    assert packed == plain
    assert [[type(value) for value in row] for row in packed] == [[type(value) for value in row] for row in plain]


def test_rows_come_in_the_order_of_the_query_and_no_more_than_it_wants(connection: sa.Connection) -> None:
    rows = [{"words": f"{number * 7 % 100:02}", "count": number} for number in range(100)]
    connection.execute(sa.insert(_kinds), rows)
    query = sa.select(_kinds.c.words, _kinds.c.count).order_by(_kinds.c.words.desc()).limit(10).offset(5)
    packed, plain = both(connection, query)
    assert packed == plain
    assert [row.words for row in packed] == [f"{number:02}" for number in range(94, 84, -1)]


def test_rows_have_names_slices_and_sums(connection: sa.Connection) -> None:
    connection.execute(sa.insert(_kinds), [{"words": "a", "count": 1}, {"words": "a", "count": 2}])
    query = sa.select(_kinds.c.words, sa.func.sum(_kinds.c.count).label("total")).group_by(_kinds.c.words)
    [row] = fetch_packed(connection, query)
    assert (row.words, row.total, row[:1], row._fields) == ("a", 3, ("a",), ("words", "total"))


def test_all_rows_come_in_one_step(connection: sa.Connection) -> None:
    connection.execute(sa.insert(_kinds), [{"count": number} for number in range(1000)])
    statements: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *of: statements.append(of[2]))
    assert len(fetch_packed(connection, sa.select(_kinds))) == 1000
    [statement] = statements
    assert statement.startswith("SELECT json_group_array(")


@pytest.mark.parametrize(
    ("column", "value"),
    [("words", b"\xff\x00"), ("share", math.inf), ("count", b"blob")],
)
def test_what_json_cannot_hold_is_read_in_single_steps(
    connection: sa.Connection, column: str, value: object
) -> None:
    insert(connection, **{column: value})
    packed, plain = both(connection, sa.select(_kinds))
    assert packed == plain
    assert getattr(packed[0], column) == value


@pytest.mark.parametrize("column", ["flag", "day", "at"])
def test_values_of_another_type_are_marked_as_ever(connection: sa.Connection, column: str) -> None:
    insert(connection, **{column: "rubbish"})
    packed, plain = both(connection, sa.select(_kinds))
    assert packed == plain
    assert getattr(packed[0], column) == Unreadable("rubbish")


def test_moments_keep_their_microseconds(connection: sa.Connection) -> None:
    moment = datetime(2026, 3, 29, 1, 59, 59, 999_999, tzinfo=UTC)
    connection.execute(
        sa.insert(_kinds), [{"at": moment + timedelta(days), "day": date(2024, 2, 29)} for days in (0, 1)]
    )
    rows = fetch_packed(connection, sa.select(_kinds.c.at, _kinds.c.day).order_by(_kinds.c.at))
    assert [row.at for row in rows] == [moment, moment + timedelta(1)]
    assert rows[0].day == date(2024, 2, 29)
