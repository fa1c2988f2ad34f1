"""The engine is killed with SIGKILL at each step that a migration notes; the source is unharmed."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.contract.migration import StartMigration
from app.domain.migration import MigrationState
from tests.support.forked import ForkingPython, forking_python
from tests.support.migration_lab import KIB, SMALL, MigrationLab, machine_of, names_of, snapshots_of
from tests.support.migration_process import Order, started_process
from tests.support.waiting import wait_until

NOTES = 25
"""A little more than a migration of one disk makes."""
STEP = 1 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 3
CASES = [("before", number) for number in range(2, NOTES, STEP)]
CASES += [("after", number) for number in range(1, NOTES, STEP)]


@pytest.fixture(scope="module")
def engines() -> Iterator[ForkingPython]:
    with forking_python("tests.support.migration_process") as forking:
        yield forking


def killed_at(lab: MigrationLab, engines: ForkingPython, when: str, number: int) -> None:
    """Let an engine in a process of its own migrate until it is killed, or until it is done."""
    order = Order(
        directory=str(lab.directory),
        secrets=dict(lab.secrets.values),
        start=StartMigration(platform=lab.here, target=lab.there, members=(lab.member(),), options=SMALL),
        kill_before=number if when == "before" else 0,
        kill_after=number if when == "after" else 0,
    )
    process = started_process(engines, order)
    process.wait(120)
    process.close()


def check_completed(lab: MigrationLab, kept_as: str) -> None:
    assert machine_of(lab.target, "web").power_state == "poweredOn"
    assert machine_of(lab.source, kept_as).power_state == "poweredOff"
    assert lab.target_content() == lab.source_content(kept_as)
    assert names_of(lab.target) == {"web"}


@pytest.mark.parametrize(("when", "number"), CASES)
def test_a_kill_at_any_step_harms_no_source_and_leaves_nothing_unlisted(
    tmp_path: Path, engines: ForkingPython, when: str, number: int
) -> None:
    lab = MigrationLab.make(tmp_path, workload_bytes_per_s=64 * KIB, change_tracking=False)
    with lab.source, lab.target:
        with lab:
            pass
        killed_at(lab, engines, when, number)
        with lab:
            assert lab.engine.wait_until_idle(120)
            (row,) = lab.settled_rows()
            wait_until(lambda: not snapshots_of(lab.source), deadline_s=60, what="the removal of our snapshots")
            lab.assert_nothing_unlisted()
            if row.state is not MigrationState.COMPLETED:
                assert row.state in (MigrationState.FAILED, MigrationState.STOPPED, MigrationState.READY), row
                lab.assert_source_unharmed()
                assert all(
                    machine_of(lab.target, name).power_state == "poweredOff" for name in names_of(lab.target)
                )
                lab.go_on(row.id)
                row = lab.reached(row.id, MigrationState.COMPLETED)
            check_completed(lab, row.source_kept_as)
            assert snapshots_of(lab.source) == snapshots_of(lab.target) == []
