"""VMs run from their restore points, and are taken away again."""

import os
from pathlib import Path

from app.contract.instant import ResumeInstantRecovery, StopInstantRecovery
from app.domain.instant import InstantAction, InstantState
from tests.support.instant_lab import MIB, InstantLab


def overlays(lab: InstantLab) -> list[Path]:
    """Return the folders of what VMs wrote."""
    return list((lab.directory / "standby" / "recoveries").glob("*"))


def test_a_vm_runs_from_its_restore_point_and_leaves_nothing_behind(lab: InstantLab) -> None:
    content = os.urandom(3 * MIB)
    lab.write("web", MIB, content)
    point = lab.backup()
    before = lab.datastores()
    row = lab.started(point)
    assert lab.content("web-now")[MIB : 4 * MIB] == content
    assert lab.machine("web-now").power_state == "poweredOn"
    assert row.point == point.id
    assert row.vm_name == "web"
    (datastore,) = lab.datastores() - before
    assert row.datastore == datastore
    lab.write("web-now", 0, b"what the guest wrote")
    assert lab.content("web")[:20] != b"what the guest wrote"

    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id, discard=True)))
    assert lab.names() == {"web", "db"}
    assert lab.datastores() == before
    assert lab.rows() == ()
    assert overlays(lab) == []
    with lab.engine.services.repositories.lease(lab.standby) as repository:
        assert repository.pins.known() == ()


def test_what_a_vm_wrote_is_kept_and_there_again_when_it_is_started_again(lab: InstantLab) -> None:
    row = lab.started(lab.backup())
    lab.write("web-now", 4096, b"kept")
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id)))
    (stopped,) = lab.rows()
    assert stopped.state is InstantState.STOPPED
    assert set(stopped.actions) == {InstantAction.RESUME, InstantAction.KEEP, InstantAction.DISCARD}
    assert lab.names() == {"web", "db"}
    lab.completed(lab.engine.execute(ResumeInstantRecovery(recovery=row.id)))
    assert lab.content("web-now")[4096:4100] == b"kept"
    assert lab.machine("web-now").power_state == "poweredOn"
