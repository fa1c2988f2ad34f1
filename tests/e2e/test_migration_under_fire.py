"""Migration under fire: a guest that writes all the time, random faults, and kills at random moments.

Whatever happens, the source runs on untouched until the target has its place; then both hold the same.
``STANDFAST_HYPOTHESIS=deep`` makes 50 runs instead of 3.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyVmomi import vim, vmodl

from app.contract.migration import StartMigration
from app.domain.extents import Extent
from app.domain.migration import MigrationState
from app.simulator.server import VSphereSimulator
from app.simulator.spec import Flavour
from tests.support.forked import ForkingPython, forking_python
from tests.support.migration_lab import (
    KIB,
    MIB,
    SMALL,
    MigrationLab,
    content_of,
    machine_of,
    names_of,
    snapshots_of,
)
from tests.support.migration_process import Order, started_process
from tests.support.waiting import wait_until

RUNS = 50 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 3
ATTEMPTS = 4
"""So often it is disturbed; then it is left in peace."""

Fault = Callable[[VSphereSimulator, VSphereSimulator, random.Random], None]
_TASKS_OF_SOURCE = ("CreateSnapshotEx_Task", "RemoveSnapshot_Task", "PowerOffVM_Task", "Rename_Task")
_TASKS_OF_TARGET = ("CreateVM_Task", "Rename_Task", "PowerOnVM_Task", "Destroy_Task")


def _either(source: VSphereSimulator, target: VSphereSimulator, chance: random.Random) -> VSphereSimulator:
    return chance.choice((source, target))


FAULTS: dict[str, Fault] = {
    "a connection breaks": lambda s, t, c: _either(s, t, c).faults.drop_nfc(c.randrange(4 * MIB)),
    "a connection stalls": lambda s, t, c: _either(s, t, c).faults.stall_nfc(c.randrange(4 * MIB), 0.5),
    "a task of the source fails": lambda s, _, c: s.faults.fail_task(
        c.choice(_TASKS_OF_SOURCE), c.randint(1, 3), times=c.randint(1, 4)
    ),
    "a task of the target fails": lambda _, t, c: t.faults.fail_task(
        c.choice(_TASKS_OF_TARGET), c.randint(1, 2), times=c.randint(1, 3)
    ),
    "the platform is busy": lambda s, t, c: _either(s, t, c).faults.fail_call(
        "RetrievePropertiesEx", c.randint(1, 40), vmodl.fault.SystemError(msg="busy")
    ),
    "an answer is lost": lambda s, t, c: _either(s, t, c).faults.lose_answer(
        c.choice(("PowerOnVM_Task", "PowerOffVM_Task", "Rename_Task", "CreateSnapshotEx_Task"))
    ),
    "the login is lost": lambda s, t, c: s.faults.halt_reads(c.randrange(4 * MIB), t.faults.expire_sessions),
    "the target is full": lambda _, t, __: t.faults.fill_datastore("ds1"),
    "no host has the memory": lambda _, t, __: t.faults.fail_task(
        "PowerOnVM_Task", fault=vim.fault.InsufficientHostCapacityFault(msg="no memory"), times=4
    ),
    "change tracking leaves something out": lambda s, _, c: s.faults.lie_in_cbt(
        "web", 2000, Extent(c.randrange(20) * MIB, MIB)
    ),
}


class UnderFire:
    """One migration that is disturbed again and again."""

    def __init__(self, lab: MigrationLab, engines: ForkingPython, chance: random.Random) -> None:
        self.lab = lab
        self._engines = engines
        self.chance = chance
        self.told: list[str] = []

    def disturb(self) -> None:
        """Choose what goes wrong next."""
        for name in self.chance.sample(sorted(FAULTS), self.chance.randint(0, 2)):
            self.told.append(name)
            FAULTS[name](self.lab.source, self.lab.target, self.chance)

    def attempt(self) -> None:
        """Let an engine in a process of its own work; perhaps it is killed."""
        self.disturb()
        process = started_process(self._engines, self._order())
        if self.chance.random() < 0.6:
            delay_s = self.chance.uniform(0, 4)
            self.told.append(f"killed after {delay_s:.2f} s")
            time.sleep(delay_s)  # the instant of the kill is what this test varies
            process.kill()
        process.wait(180)
        process.close()
        for simulator in (self.lab.source, self.lab.target):
            simulator.faults.clear()
            simulator.faults.relieve_datastore("ds1")

    def _order(self) -> Order:
        lab = self.lab
        resumed = next((known.id for known in lab.catalog.migrations.all()), None)
        start = StartMigration(platform=lab.here, target=lab.there, members=(lab.member(),), options=SMALL)
        return Order(
            directory=str(lab.directory),
            secrets=dict(lab.secrets.values),
            start=start if resumed is None else None,
            resume=resumed,
        )

    def check(self) -> bool:
        """Start an engine that settles what is left; return whether the migration is completed.

        Raises:
            AssertionError: the source is harmed, or something is left.
        """
        with self.lab as lab:
            assert lab.engine.wait_until_idle(120), self.told
            rows = lab.settled_rows()
            wait_until(lambda: not snapshots_of(lab.source), deadline_s=60, what="the removal of our snapshots")
            lab.assert_nothing_unlisted()
            if rows and rows[0].state is MigrationState.COMPLETED:
                self._check_completed(rows[0].source_kept_as)
                return True
            lab.assert_source_unharmed()
            assert all(
                machine_of(lab.target, name).power_state == "poweredOff" for name in names_of(lab.target)
            ), self.told
            return False

    def _check_completed(self, kept_as: str) -> None:
        lab = self.lab
        assert names_of(lab.source) == {kept_as}, self.told
        assert names_of(lab.target) == {"web"}, self.told
        assert machine_of(lab.source, kept_as).power_state == "poweredOff", self.told
        assert machine_of(lab.target, "web").power_state == "poweredOn", self.told
        for key in (2000, 2001):
            assert content_of(lab.target, "web", key) == content_of(lab.source, kept_as, key), self.told


@pytest.fixture(scope="module")
def engines() -> Iterator[ForkingPython]:
    with forking_python("tests.support.migration_process") as forking:
        yield forking


@pytest.mark.parametrize("run", range(RUNS))
def test_the_target_is_the_source_and_the_source_is_never_harmed(
    tmp_path: Path, engines: ForkingPython, run: int
) -> None:
    chance = random.Random(f"under fire {run}")
    target = chance.choice(list(Flavour))
    lab = MigrationLab.make(
        tmp_path, target=target, disks=2, workload_bytes_per_s=512 * KIB, change_tracking=False
    )
    with lab.source, lab.target:
        with lab:
            pass
        fire = UnderFire(lab, engines, chance)
        is_done = False
        for _ in range(ATTEMPTS):
            fire.attempt()
            is_done = fire.check()
            if is_done:
                break
        if not is_done:
            with lab:
                rows = lab.rows()
                migration = rows[0].id if rows else lab.start()
                if rows:
                    lab.go_on(migration)
                lab.reached(migration, MigrationState.COMPLETED)
            assert fire.check()
