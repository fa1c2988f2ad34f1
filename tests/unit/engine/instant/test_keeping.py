"""What a VM wrote that ran from a restore point becomes a restore point."""

import os

from app.contract.instant import KeepInstantRecovery, ResumeInstantRecovery, StopInstantRecovery
from app.contract.restore import NewVm, StartRestore
from app.domain.ids import PointId
from app.domain.states import BackupKind
from app.domain.vms import VmPlacement
from tests.support.instant_lab import MIB, InstantLab


def restored(lab: InstantLab, point: PointId, name: str) -> bytes:
    """Restore a point as a new VM and return its disk."""
    command = StartRestore(
        standby=lab.standby,
        point=point,
        platform=lab.platform,
        target=NewVm(placement=VmPlacement(name=name, datastore="ds1")),
    )
    lab.completed(lab.engine.execute(command))
    return lab.content(name)


def test_a_stopped_recovery_becomes_the_next_point_of_its_chain(lab: InstantLab) -> None:
    lab.write("web", MIB, os.urandom(2 * MIB))
    point = lab.backup()
    row = lab.started(point)
    lab.write("web-now", 2 * MIB + 512, os.urandom(MIB))
    lab.write("web-now", 0, bytes(4096))
    expected = lab.content("web-now")
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id)))
    report = lab.completed(lab.engine.execute(KeepInstantRecovery(recovery=row.id)))
    kept = report.task.point
    assert kept is not None
    known = lab.catalog.points.get(lab.standby, "", kept)
    assert known is not None
    assert known.point.kind is BackupKind.INCREMENTAL
    assert (known.point.parent, known.point.chain) == (point.id, point.chain)
    assert known.point.read_bytes <= 2 * MIB, "only what was written is stored anew"
    assert restored(lab, kept, "proof") == expected

    lab.completed(lab.engine.execute(ResumeInstantRecovery(recovery=row.id)))
    assert lab.content("web-now") == expected, "the recovery itself goes on as it was"


def test_the_next_backup_of_the_vm_does_not_trust_its_changes(lab: InstantLab) -> None:
    """The kept point is another history of the VM: its next backup has to hold what the VM has now."""
    lab.write("web", MIB, os.urandom(MIB))
    row = lab.started(lab.backup())
    lab.write("web-now", MIB, os.urandom(MIB))
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id)))
    lab.completed(lab.engine.execute(KeepInstantRecovery(recovery=row.id)))
    lab.write("web", 5 * MIB, os.urandom(4096))
    expected = lab.content("web")
    newest = lab.backup(kind=BackupKind.INCREMENTAL)
    assert restored(lab, newest.id, "proof") == expected
