"""A deleted restore point can be taken back, wherever the engine is."""

from datetime import timedelta

from app.contract.log import ReadLog
from app.contract.points import DeletePoint, ListDeletedPoints, ListPoints, RefreshPoints, TakeBackPoint
from app.domain.changes import Subject
from app.repository.errors import PointMissing
from tests.contract.door.conftest import Site
from tests.support.engine_lab import EngineLab
from tests.support.refusals import refused


def test_a_deleted_point_is_listed_taken_back_and_restores_again(site: Site) -> None:
    lab = site.lab
    vm = lab.host.add_vm("web")
    old, new = lab.backup(vm), lab.backup(vm)
    content = lab.content(old.id)
    site.door.execute(DeletePoint(standby=lab.standby, point=old.id))
    (deleted,) = site.door.ask(ListDeletedPoints(standby=lab.standby))
    assert (deleted.standby, deleted.target_path, deleted.id) == (lab.standby, "", old.id)
    assert deleted.kept_until - deleted.deleted_at == timedelta(days=7)
    assert deleted.point == old

    site.door.execute(TakeBackPoint(standby=lab.standby, point=old.id))
    assert {known.point.id for known in site.door.ask(ListPoints(standby=lab.standby))} == {old.id, new.id}
    assert lab.content(old.id) == content
    assert site.door.ask(ListDeletedPoints(standby=lab.standby, target_path="")) == ()
    newest = site.door.ask(ReadLog(limit=1)).rows[0]
    assert (newest.line.code, newest.subject, newest.action) == ("point.taken_back", "web", "point.take_back")
    assert lab.hears(Subject.POINTS, lab.standby)


def test_a_point_that_is_not_in_the_trash_cannot_be_taken_back(site: Site) -> None:
    lab = site.lab
    point = lab.backup(lab.host.add_vm("web"))
    with refused(PointMissing):
        site.door.execute(TakeBackPoint(standby=lab.standby, point=point.id))
    assert lab.listed() == [point.id]


def test_what_was_taken_back_outlasts_reading_the_repository_again(site: Site) -> None:
    lab: EngineLab = site.lab
    vm = lab.host.add_vm("web")
    point = lab.backup(vm)
    lab.backup(vm)
    site.door.execute(DeletePoint(standby=lab.standby, point=point.id))
    site.door.execute(TakeBackPoint(standby=lab.standby, point=point.id))
    assert site.door.execute(RefreshPoints(standby=lab.standby)) == 2
