"""An engine that is killed while it offers disks leaves nothing once it is started again.

Its pin outlives it: until then nobody deletes the restore point.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.contract.offers import ListOffers
from app.contract.pins import ListPins
from app.contract.points import DeletePoint
from app.contract.standbys import StartGarbageCollection
from app.domain.states import TaskState
from app.repository.errors import PointPinned
from tests.support.engine_lab import EngineLab

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it is proven on Linux only")

ROOT = Path(__file__).parents[2]
OFFERING = r"""
import sys
from pathlib import Path
from app.contract.offers import OfferPoint
from tests.support.engine_lab import EngineLab

with EngineLab(Path(sys.argv[1])) as lab:
    point = lab.backup(lab.host.add_vm("web"))
    offer = lab.engine.execute(OfferPoint(standby=lab.standby, point=point.id))
    print(offer.disks[0].address.partition("?socket=")[2], flush=True)
    input()
"""


def test_the_next_start_removes_the_socket_of_a_killed_engine(
    tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = short_path
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    process = subprocess.Popen(
        [sys.executable, "-c", OFFERING, str(tmp_path / "lab")],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        assert left.parent.parent == run
        assert left.is_socket()
    finally:
        process.kill()
        process.communicate()
    assert left.is_socket()
    with EngineLab(tmp_path / "another", standby=tmp_path / "lab" / "standby") as other:
        (pin,) = other.engine.ask(ListPins(standby=other.standby))
        assert (pin.is_ours, str(pin.purpose), pin.vm_name) == (False, "disks over NBD", "web")
        assert pin.point is not None
        with pytest.raises(PointPinned):
            other.engine.execute(DeletePoint(standby=other.standby, point=pin.point))
        collection = other.finished(other.engine.execute(StartGarbageCollection(standby=other.standby)))
        assert collection.task.state is TaskState.COMPLETED, "nobody has to wait for a machine that is gone"
        assert len(other.engine.ask(ListPins(standby=other.standby))) == 1
    with EngineLab(tmp_path / "lab") as lab:
        assert list(run.iterdir()) == []
        assert lab.engine.ask(ListOffers()) == ()
        assert lab.engine.ask(ListPins(standby=lab.standby)) == ()
        lab.engine.execute(DeletePoint(standby=lab.standby, point=pin.point))
