"""A query that nobody waits for any more ends inside SQLite."""

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from app.catalog.database import Database
from app.core.cancel import CancelToken, stoppable
from app.domain.errors import TaskCancelled

ENDLESS = sa.text("WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n")


def test_a_query_without_end_ends_when_it_is_withdrawn(tmp_path: Path) -> None:
    database, token = Database.open(tmp_path / "catalog.db"), CancelToken()
    threading.Timer(0.05, token.cancel).start()
    with stoppable(token), pytest.raises(TaskCancelled), database.read() as connection:
        connection.execute(ENDLESS)
    with stoppable(token), pytest.raises(TaskCancelled), database.read() as connection:
        connection.execute(sa.text("SELECT 1"))
    with database.read() as connection:  # the same connection, out of the pool
        assert connection.execute(sa.text("SELECT 1")).scalar_one() == 1
    database.close()
