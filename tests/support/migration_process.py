"""An engine with a migration in a process of its own, to be killed: ``python -m tests.support.migration_process``.

Reads a :class:`Order` from its standard input, opens the installation, starts or resumes the migration, and prints
``ended`` with its state when nothing works any more. It kills itself with SIGKILL where the order says so.
"""

import os
import signal
import sys
from pathlib import Path

import msgspec

from app.contract.migration import ListMigrations, StartMigration
from app.domain.ids import MigrationId
from app.domain.migration import Migration
from app.engine.engine import Engine
from app.engine.ports import MigrationStore
from tests.support.engine_lab import MemorySecrets
from tests.support.forked import Forked, ForkingPython
from tests.support.migration_lab import SETTINGS, go_on, opened_engine


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the process does."""

    directory: str
    secrets: dict[str, str]
    start: StartMigration | None = None
    resume: MigrationId | None = None
    kill_before: int = 0
    """The number of the note before which it kills itself; 0: never."""
    kill_after: int = 0


class KillingStore:
    """Notes, and kills its process before or after one of the notes."""

    def __init__(self, store: MigrationStore, order: Order) -> None:
        self._put = store.put
        self._order = order
        self._count = 0

    def put(self, migration: Migration) -> None:
        """Note how a migration is."""
        self._count += 1
        if self._count == self._order.kill_before:
            os.kill(os.getpid(), signal.SIGKILL)
        self._put(migration)
        if self._count == self._order.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)


def started_process(engines: ForkingPython, order: Order) -> Forked:
    """Start the process; return once it has begun."""
    process = engines.start(stdin=msgspec.json.encode(order))
    assert process.stdout.readline() == "started\n"
    return process


def main() -> int:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    catalog, engine = opened_engine(Path(order.directory), MemorySecrets(dict(order.secrets)), SETTINGS)
    killing = KillingStore(catalog.migrations, order)
    catalog.migrations.put = killing.put  # type: ignore[method-assign]
    print("started", flush=True)
    _work(engine, order)
    states = [row.state.value for row in engine.ask(ListMigrations())]
    print("ended", *states, flush=True)
    engine.close(30)
    catalog.close()
    return 0


def _work(engine: Engine, order: Order) -> None:
    if order.start is not None:
        engine.execute(order.start)
    if order.resume is not None:
        go_on(engine, order.resume)
    engine.wait_until_idle(120)


if __name__ == "__main__":
    sys.exit(main())
