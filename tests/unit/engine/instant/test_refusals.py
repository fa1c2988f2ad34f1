"""What fails leaves nothing behind, and what is needed is not taken away."""

import socket
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from app.contract.errors import ErrorRow
from app.contract.instant import (
    KeepInstantRecovery,
    ListServingAddresses,
    PlanInstantRecovery,
    ResumeInstantRecovery,
    StopInstantRecovery,
)
from app.contract.pins import EndPin, ListPins
from app.contract.platforms import RemovePlatform
from app.contract.points import DeletePoint
from app.contract.standbys import RemoveStandby
from app.contract.tasks import CancelTask, RetryTask, TaskDetails
from app.domain.errors import OperationalError
from app.domain.ids import RecoveryId
from app.domain.instant import InstantState
from app.domain.states import TaskState
from tests.support.instant_lab import InstantLab
from tests.unit.engine.instant.test_start_and_stop import overlays


def refused(code: str) -> AbstractContextManager[pytest.ExceptionInfo[OperationalError]]:
    return pytest.raises(OperationalError, check=lambda error: error.code == code)


def check_nothing_left(lab: InstantLab, before: set[str]) -> None:
    assert lab.rows() == ()
    assert lab.names() == {"web", "db"}
    assert lab.datastores() == before
    assert overlays(lab) == []
    assert list(lab.service.exports.ids()) == []
    with lab.engine.services.repositories.lease(lab.standby) as repository:
        assert repository.pins.known() == ()


def failed(lab: InstantLab, **fields: str) -> ErrorRow:
    """Start a point, which fails; return why."""
    point, before = lab.backup(), lab.datastores()
    (task,) = lab.start(lab.member(point, **fields))
    report = lab.finished(task)
    assert report.task.state is TaskState.FAILED
    check_nothing_left(lab, before)
    assert report.task.error is not None
    return report.task.error


def test_a_port_that_another_program_has_is_named(lab: InstantLab) -> None:
    with socket.create_server(("127.0.0.1", lab.ports[0])):
        error = failed(lab)
    assert error.code == "nfs.port_unavailable"
    assert dict(error.params)["port"] == str(lab.ports[0])


def test_a_host_that_mounts_no_more_leaves_nothing(lab: InstantLab) -> None:
    lab.simulator.world.nas.most_volumes = 0
    assert failed(lab).code == "nfs.mount_failed"


def test_a_name_that_is_taken_leaves_nothing(lab: InstantLab) -> None:
    assert failed(lab, name="db").code == "vm.creation_failed"


def test_a_host_that_is_not_there_leaves_nothing(lab: InstantLab) -> None:
    assert failed(lab, host="esx99.lab").code == "vm.creation_failed"


def test_a_task_that_failed_is_run_once_more(lab: InstantLab) -> None:
    point = lab.backup()
    with socket.create_server(("127.0.0.1", lab.ports[0])):
        (task,) = lab.start(lab.member(point))
        assert lab.finished(task).task.state is TaskState.FAILED
    lab.completed(lab.engine.execute(RetryTask(task=task)))
    (row,) = lab.rows()
    assert row.state is InstantState.RUNNING


def test_one_that_waits_is_listed_and_leaves_nothing_when_it_is_cancelled(lab: InstantLab) -> None:
    point, before = lab.backup(), lab.datastores()
    running, waiting = lab.start(lab.member(point), lab.member(point, "web-later"))
    rows = {row.name: row for row in lab.rows()}
    assert (rows["web-later"].state, rows["web-later"].task) == (InstantState.PREPARING, waiting)
    lab.engine.execute(CancelTask(task=waiting))
    lab.completed(running)
    (row,) = lab.rows()
    assert row.name == "web-now"
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id, discard=True)))
    check_nothing_left(lab, before)


def test_vms_start_in_their_order(lab: InstantLab) -> None:
    point = lab.backup()
    tasks = lab.start(*(lab.member(point, name) for name in ("c", "a", "b")))
    for task in tasks:
        lab.completed(task)
    assert [row.name for row in lab.rows()] == ["b", "a", "c"], "the newest first"
    assert len({row.datastore for row in lab.rows()}) == 1, "a host mounts one datastore for all"
    ended = [lab.engine.ask(TaskDetails(task=task)).task.ended_at for task in tasks]
    assert ended == sorted(ended, key=str)


def test_what_a_recovery_needs_is_not_taken_away(lab: InstantLab) -> None:
    point = lab.backup()
    row = lab.started(point)
    with refused("instant.needed"):
        lab.engine.execute(RemoveStandby(standby=lab.standby))
    with refused("instant.needed"):
        lab.engine.execute(RemovePlatform(platform=lab.platform))
    (pin,) = lab.engine.ask(ListPins(standby=lab.standby))
    assert pin.is_at_work
    with refused("instant.needed"):
        lab.engine.execute(EndPin(standby=lab.standby, pin=pin.id))
    with pytest.raises(OperationalError):
        lab.engine.execute(DeletePoint(standby=lab.standby, point=point.id))
    lab.completed(lab.engine.execute(StopInstantRecovery(recovery=row.id)))
    with refused("instant.needed"):
        lab.engine.execute(RemoveStandby(standby=lab.standby))


def test_what_does_not_fit_its_state_is_refused(lab: InstantLab) -> None:
    row = lab.started(lab.backup())
    with refused("instant.not_stopped"):
        lab.engine.execute(ResumeInstantRecovery(recovery=row.id))
    with refused("instant.not_stopped"):
        lab.engine.execute(KeepInstantRecovery(recovery=row.id))
    with refused("instant.unknown"):
        lab.engine.execute(StopInstantRecovery(recovery=RecoveryId("0" * 32)))


def test_it_is_planned_without_anything_being_done(lab: InstantLab) -> None:
    point, before = lab.backup(), lab.datastores()
    planned = lab.engine.ask(PlanInstantRecovery(platform=lab.platform, member=lab.member(point)))
    assert planned is not None
    assert planned.host == "esx01.lab"
    with refused("restore.name_taken"):
        lab.engine.ask(PlanInstantRecovery(platform=lab.platform, member=lab.member(point, name="db")))
    check_nothing_left(lab, before)
    (address, *_) = lab.engine.ask(ListServingAddresses(platform=lab.platform))
    assert (address.address, address.is_preferred) == ("127.0.0.1", True)


def test_the_secret_of_a_share_is_in_no_log(lab: InstantLab) -> None:
    row = lab.started(lab.backup())
    export = lab.service.exports.read(row.id)
    assert export is not None
    logs = "".join(path.read_text() for path in (lab.directory / "logs").iterdir())
    assert logs
    for text in (logs, *(path.read_bytes().decode("latin-1") for path in catalog_files(lab))):
        assert export.name not in text


def catalog_files(lab: InstantLab) -> list[Path]:
    return list(lab.directory.glob("catalog.db*"))
