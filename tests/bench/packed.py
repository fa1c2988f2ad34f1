"""A list out of the catalog, row by row and in one step: alone, and beside threads that compute.

The threads hash and count, as those of running backups do. Run by ``./dev bench packed [--rows N] [--rounds N]``.
"""

import argparse
import hashlib
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from app.catalog.database import Database
from app.catalog.packed import fetch_packed
from app.catalog.reading import UtcDateTime
from app.cli.headless.command import SWITCH_S
from tests.bench.page import circumstances, write_section

THREADS = 8
NOW = datetime.now(UTC)
_HASHED = bytes(1 << 20)
_vms = sa.Table(
    "measured_vms",
    sa.MetaData(),
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text),
    sa.Column("rule", sa.String(36)),
    sa.Column("bytes", sa.BigInteger),
    sa.Column("at", UtcDateTime),
)


@contextmanager
def computing(count: int) -> Iterator[None]:
    """Let threads compute for the time of the block."""
    ending = threading.Event()

    def compute() -> None:
        while not ending.is_set():
            hashlib.sha256(_HASHED).digest()
            sum(range(20_000))

    threads = [threading.Thread(target=compute) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def fill(database: Database, rows: int) -> None:
    """Make a table beside those of the catalog."""
    _vms.create(database.engine)
    values = [{"name": f"server {n}", "rule": f"{n % 500:036}", "bytes": n << 20, "at": NOW} for n in range(rows)]
    with database.write() as connection:
        connection.execute(sa.insert(_vms), values)


def milliseconds(read: Callable[[], int], rounds: int) -> float:
    """Return the median of the time that a reading takes."""
    found = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        read()
        found.append((time.perf_counter() - began_s) * 1000)
    return statistics.median(found)


def measure(rows: int, rounds: int) -> str:
    """Return the table of the figures."""
    lines = ["| beside | row by row | in one step | ratio |", "|---|---|---|---|"]
    query = sa.select(_vms).order_by(_vms.c.id)
    with tempfile.TemporaryDirectory(prefix="standfast-bench-") as folder:
        database = Database.open(Path(folder) / "catalog.db")
        try:
            fill(database, rows)
            with database.read() as connection:

                def singly() -> int:
                    return len(connection.execute(query).all())

                def packed() -> int:
                    return len(fetch_packed(connection, query))

                for threads in (0, THREADS):
                    with computing(threads):
                        ways = milliseconds(singly, rounds), milliseconds(packed, rounds)
                    name = f"{threads} threads that compute" if threads else "nothing"
                    lines.append(f"| {name} | {ways[0]:.0f} ms | {ways[1]:.0f} ms | {ways[0] / ways[1]:.1f} |")
        finally:
            database.close()
    return "\n".join(lines)


def main() -> int:
    """Measure and write the section; return 0."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    sys.setswitchinterval(SWITCH_S)
    table = measure(arguments.rows, arguments.rounds)
    facts = f"{arguments.rows:,} rows of five columns, medians of {arguments.rounds} rounds."
    text = "\n".join([facts, "", table, "", circumstances(f"./dev bench packed --rows {arguments.rows}")])
    print(text)
    write_section("packed", "A list out of the catalog beside running backups", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
