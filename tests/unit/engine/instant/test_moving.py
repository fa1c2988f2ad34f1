"""The VM of a recovery moves to a datastore of its platform, while it runs or powered off."""

import os
from pathlib import Path

import pytest

from app.contract.instant import FinishInstantRecovery, StopInstantRecovery
from app.core.cancel import CancelToken
from app.core.nfshosting import RunsFromNfs
from app.domain.instant import FinishWay, InstantState
from app.domain.states import TaskState
from app.domain.vms import VmPlacement
from app.simulator.spec import License
from tests.support import libnfs
from tests.support.instant_lab import MIB, InstantLab
from tests.unit.engine.instant.test_start_and_stop import overlays


def finish(lab: InstantLab, way: FinishWay, name: str = "web-now") -> None:
    (row,) = [row for row in lab.rows() if row.name == name]
    lab.completed(lab.engine.execute(FinishInstantRecovery(recovery=row.id, way=way, datastore="ds1")))


def check_moved(lab: InstantLab, expected: bytes, before: set[str]) -> None:
    """Make sure that the VM runs on the datastore with what it wrote, and nothing of the recovery is left."""
    machine = lab.machine("web-now")
    assert machine.power_state == "poweredOn"
    assert set(machine.datastore_names) == {"ds1"}
    assert lab.content("web-now") == expected
    assert lab.names() == {"web", "db", "web-now"}
    assert lab.datastores() == before
    assert lab.rows() == ()
    assert overlays(lab) == []
    with lab.engine.services.repositories.lease(lab.standby) as repository:
        assert repository.pins.known() == ()


def written_on(lab: InstantLab) -> bytes:
    """Let the guest write on its disk; return what the disk is then."""
    lab.write("web-now", 0, os.urandom(MIB))
    lab.write("web-now", 5 * MIB + 512, b"a guest's word")
    return lab.content("web-now")


def test_a_vm_moves_while_it_runs(lab: InstantLab) -> None:
    lab.write("web", 2 * MIB, os.urandom(MIB))
    before = lab.datastores()
    lab.started(lab.backup())
    expected = written_on(lab)
    finish(lab, FinishWay.LIVE)
    check_moved(lab, expected, before)


def test_a_powered_off_vm_is_copied_and_compared(lab: InstantLab) -> None:
    lab.write("web", 2 * MIB, os.urandom(MIB))
    before = lab.datastores()
    lab.started(lab.backup())
    uuid = lab.machine("web-now").config.uuid
    expected = written_on(lab)
    finish(lab, FinishWay.COLD)
    check_moved(lab, expected, before)
    assert lab.machine("web-now").config.uuid == uuid, "it is the same machine to its guest"


def test_a_vm_that_somebody_moved_away_stays(lab: InstantLab) -> None:
    row = lab.started(lab.backup())
    expected = written_on(lab)
    with lab.engine.services.sessions.connect(lab.platform) as session:
        assert isinstance(session, RunsFromNfs)
        assert row.vm is not None
        session.move_storage(
            row.vm,
            VmPlacement(name="web-now", datastore="ds1"),
            on_progress=lambda _: None,
            cancel=CancelToken(),
        )
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id, discard=True)))
    assert lab.machine("web-now").power_state == "poweredOn"
    assert lab.content("web-now") == expected
    assert lab.rows() == ()


@pytest.mark.skipif(not libnfs.is_there(), reason="libnfs is not installed")
def test_a_move_that_the_license_forbids_leaves_the_vm_running(tmp_path: Path) -> None:
    lab = InstantLab.make(tmp_path, license=License.ESSENTIALS)
    with lab.simulator, lab:
        before = lab.datastores()
        row = lab.started(lab.backup())
        expected = written_on(lab)
        live = FinishInstantRecovery(recovery=row.id, way=FinishWay.LIVE, datastore="ds1")
        assert lab.finished(lab.engine.execute(live)).task.state is TaskState.FAILED
        (now,) = lab.rows()
        assert now.state is InstantState.RUNNING
        assert now.error is not None
        assert lab.machine("web-now").power_state == "poweredOn"
        finish(lab, FinishWay.COLD)
        check_moved(lab, expected, before)
