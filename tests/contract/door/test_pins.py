"""Restore points that are in use for long are listed, kept, and given up, wherever the engine is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from app.contract.log import ReadLog
from app.contract.offers import OfferPoint, WithdrawPoint
from app.contract.pins import EndPin, ListPins, PinProblem
from app.contract.points import DeletePoint, ListPoints
from app.contract.standbys import RemoveStandby, StartGarbageCollection
from app.domain.ids import StandbyId
from app.domain.restore_point import RestorePoint
from app.domain.states import TaskState
from app.engine.errors import RequestRefused, StandbyUnknown, StillInUse
from app.engine.points.errors import PinAtWork
from app.repository import PinPurpose
from app.repository.documents import document_body, encode_document
from app.repository.errors import PinUnreadable, PointPinned
from tests.contract.door.conftest import Site
from tests.support.engine_lab import EngineLab
from tests.support.refusals import refused


def offered(site: Site) -> RestorePoint:
    lab = site.lab
    point = lab.backup(lab.host.add_vm("web"))
    site.door.execute(OfferPoint(standby=lab.standby, point=point.id, over_tcp=True))
    return point


def pin_of_another_console(lab: EngineLab, point: RestorePoint) -> Path:
    """Pin a point as another console does, and return the pin's file."""
    with lab.repository() as repository:
        pin = repository.pins.take(point.id, PinPurpose.RESTORE)
        path = repository.root / "pins" / f"{pin.id}.pin"
        theirs = path.read_bytes()
        repository.pins.give_back(pin)
    body = msgspec.json.decode(document_body(theirs))
    path.write_bytes(encode_document({**body, "holder": "of another console", "host": "old-workstation"}))
    return path


def test_what_is_in_use_is_listed_with_its_holder(site: Site) -> None:
    assert site.door.ask(ListPins(standby=site.lab.standby)) == ()
    point = offered(site)
    (row,) = site.door.ask(ListPins(standby=site.lab.standby))
    assert (row.point, row.vm_name, row.point_at) == (point.id, "web", point.created_at)
    assert (str(row.purpose), row.is_ours, row.is_at_work, row.problem) == ("disks over NBD", True, True, None)
    assert row.since is not None
    assert abs(datetime.now(UTC) - row.since) < timedelta(minutes=1)


def test_garbage_is_collected_beside_what_is_offered(site: Site) -> None:
    lab = site.lab
    offered(site)
    report = lab.finished(site.door.execute(StartGarbageCollection(standby=lab.standby)))
    assert report.task.state is TaskState.COMPLETED


def test_an_offered_point_and_its_standby_stay(site: Site) -> None:
    lab = site.lab
    point = offered(site)
    with refused(PointPinned):
        site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    assert [known.point.id for known in site.door.ask(ListPoints(standby=lab.standby))] == [point.id]
    with refused(StillInUse):
        site.door.execute(RemoveStandby(standby=lab.standby))
    (row,) = site.door.ask(ListPins(standby=lab.standby))
    with refused(PinAtWork):
        site.door.execute(EndPin(standby=lab.standby, pin=row.id))
    site.door.execute(WithdrawPoint(standby=lab.standby, point=point.id))
    assert site.door.ask(ListPins(standby=lab.standby)) == ()
    site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    site.door.execute(RemoveStandby(standby=lab.standby))


def test_the_pin_of_a_console_that_is_gone_is_ended_by_the_operator(site: Site) -> None:
    lab = site.lab
    point = lab.backup(lab.host.add_vm("web"))
    path = pin_of_another_console(lab, point)
    (row,) = site.door.ask(ListPins(standby=lab.standby))
    assert (row.host, row.is_ours, row.is_at_work) == ("old-workstation", False, False)
    with refused(PointPinned, match="old-workstation"):
        site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    site.door.execute(EndPin(standby=lab.standby, pin=row.id))
    site.door.execute(EndPin(standby=lab.standby, pin=row.id))
    assert not path.exists()
    site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    lines = site.door.ask(ReadLog(limit=10)).rows
    told = next(line for line in lines if line.line.code == "point.pin_ended")
    assert (told.subject, told.action) == ("web", "pin.end")
    assert "old-workstation" in told.line.text
    assert not any(line.line.code == "point.unknown_pin_ended" for line in lines), "the second end found nothing"


def test_a_damaged_pin_is_listed_and_ended(site: Site) -> None:
    lab = site.lab
    point = lab.backup(lab.host.add_vm("web"))
    path = pin_of_another_console(lab, point)
    path.write_bytes(b"torn")
    (row,) = site.door.ask(ListPins(standby=lab.standby))
    assert (row.problem, row.point, row.since) == (PinProblem.UNREADABLE, None, None)
    with refused(PinUnreadable):
        site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    site.door.execute(EndPin(standby=lab.standby, pin=row.id))
    site.door.execute(DeletePoint(standby=lab.standby, point=point.id))


@pytest.mark.parametrize("pin", ["", "../../standby.json", "x" * 32, "A" * 32])
def test_what_is_no_pin_is_refused(site: Site, pin: str) -> None:
    site.lab.backup(site.lab.host.add_vm("web"))
    with refused(RequestRefused):
        site.door.execute(EndPin(standby=site.lab.standby, pin=pin))
    with refused(StandbyUnknown):
        site.door.ask(ListPins(standby=StandbyId("none")))
