"""The engine is killed with SIGKILL at the steps of an instant recovery: nothing is lost, nothing left behind."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from app.contract.instant import (
    FinishInstantRecovery,
    InstantRow,
    ResumeInstantRecovery,
    StartInstantRecovery,
    StopInstantRecovery,
)
from app.contract.proofs import StartProof
from app.domain.instant import FinishWay, InstantAction, InstantState
from tests.support import libnfs
from tests.support.forked import ForkingPython, forking_python
from tests.support.instant_lab import MIB, InstantLab
from tests.support.instant_process import Request

pytestmark = pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")
STRIDE = 1 if os.environ.get("STANDFAST_HYPOTHESIS") == "deep" else 3
"""Every step, or every third one."""
WRITTEN = b"what the guest was told is durable"


class Kills:
    """One installation whose engine is killed and started again."""

    def __init__(self, lab: InstantLab, engines: ForkingPython) -> None:
        self.lab = lab
        self._engines = engines
        (lab.directory / "ports.json").write_bytes(msgspec.json.encode(lab.ports))

    def run(self, request: Request, step: int) -> bool:
        """Send a request to an engine that kills itself at a step; return whether it came to that."""
        self.lab.leave()
        done = self._engines.run(
            *(str(self.lab.directory), str(step), msgspec.json.encode(request).decode()),
            stdin=msgspec.json.encode(self.lab.secrets.values),
            timeout_s=120,
        )
        assert done.returncode in (0, -9), done.stderr
        self.lab.open()
        assert self.lab.engine.wait_until_idle(60)
        if done.returncode == 0:
            assert done.stdout.strip() == "completed", done.stderr
        return done.returncode != 0

    def every(self) -> Iterator[int]:
        """Yield the numbers of steps, whichever there are."""
        yield from range(0, 1000, STRIDE)

    def row(self) -> InstantRow | None:
        """Return the recovery that is listed."""
        return next(iter(self.lab.rows()), None)

    def take_away(self) -> None:
        """End what is listed, and make sure that then nothing is left anywhere."""
        row = self.row()
        if row is not None:
            assert InstantAction.DISCARD in row.actions, row
            self.lab.completed(self.lab.engine.execute(StopInstantRecovery(recovery=row.id, discard=True)))
        self.check_clean({"web", "db"})

    def check_clean(self, names: set[str]) -> None:
        """Make sure that nothing of a recovery is on the platform or at the standby."""
        lab = self.lab
        assert lab.rows() == ()
        assert lab.names() == names
        assert not any(name.startswith("Standfast-") for name in lab.datastores())
        assert not list((lab.directory / "standby" / "recoveries").glob("*"))
        assert list(lab.service.exports.ids()) == []
        with lab.engine.services.repositories.lease(lab.standby) as repository:
            assert repository.pins.known() == ()


@pytest.fixture(scope="module")
def engines() -> Iterator[ForkingPython]:
    with forking_python("tests.support.instant_process") as forking:
        yield forking


@pytest.fixture
def kills(tmp_path: Path, engines: ForkingPython) -> Iterator[Kills]:
    lab = InstantLab.make(tmp_path, foreign_guests_have_tools=True)
    with lab.simulator, lab:
        yield Kills(lab, engines)


def test_a_start_that_is_killed_leaves_a_running_vm_or_nothing(kills: Kills) -> None:
    lab = kills.lab
    lab.write("web", MIB, os.urandom(MIB))
    point, content = lab.backup(), lab.content("web")
    member = lab.member(point)
    request = StartInstantRecovery(platform=lab.platform, members=(member,), address="127.0.0.1")
    for step in kills.every():
        was_killed = kills.run(request, step)
        row = kills.row()
        if row is not None:
            assert row.state is InstantState.RUNNING, row
            assert lab.content("web-now") == content
        kills.take_away()
        if not was_killed:
            assert row is not None
            break


def test_a_stop_that_is_killed_goes_on_and_keeps_what_was_written(kills: Kills) -> None:
    lab = kills.lab
    row = lab.started(lab.backup())
    lab.write("web-now", 8192, WRITTEN)
    for step in kills.every():
        was_killed = kills.run(StopInstantRecovery(recovery=row.id), step)
        now = kills.row()
        assert now is not None
        assert now.state in (InstantState.STOPPED, InstantState.RUNNING), now
        if now.state is InstantState.STOPPED:
            lab.completed(lab.engine.execute(ResumeInstantRecovery(recovery=row.id)))
        assert lab.content("web-now")[8192 : 8192 + len(WRITTEN)] == WRITTEN
        if not was_killed:
            break
    kills.take_away()


@pytest.mark.parametrize("way", FinishWay)
def test_a_move_that_is_killed_is_over_or_never_was(kills: Kills, way: FinishWay) -> None:
    lab = kills.lab
    point = lab.backup()
    for step in kills.every():
        row = lab.started(point)
        lab.write("web-now", 4 * MIB, os.urandom(MIB))
        lab.write("web-now", 0, WRITTEN)
        expected = lab.content("web-now")
        request = FinishInstantRecovery(recovery=row.id, way=way, datastore="ds1")
        was_killed = kills.run(request, step)
        assert "web-now" in lab.names(), step
        assert lab.content("web-now") == expected, step
        now = kills.row()
        if now is None:
            assert set(lab.machine("web-now").datastore_names) == {"ds1"}
            kills.check_clean({"web", "db", "web-now"})
            remove(lab)
        else:
            assert now.state is InstantState.RUNNING, now
            kills.take_away()
        if not was_killed:
            assert now is None
            break


def test_a_proof_that_is_killed_leaves_nothing(kills: Kills) -> None:
    lab = kills.lab
    point = lab.backup()
    request = StartProof(standby=lab.standby, point=point.id, address="127.0.0.1")
    for step in kills.every():
        was_killed = kills.run(request, step)
        kills.check_clean({"web", "db"})
        if not was_killed:
            break


def remove(lab: InstantLab) -> None:
    """Delete the VM that was moved."""
    with lab.engine.services.sessions.connect(lab.platform) as session:
        found = next(vm for vm in session.list_vms() if vm.name == "web-now")
        session.power_off(found.id)
        session.destroy_vm(found.id)
