"""The catalog and the repositories list the same points, whatever came between."""

from pathlib import Path

import pytest

from app.contract.points import ListPoints
from app.domain.errors import OperationalError
from app.domain.ids import PointId
from app.domain.restore_point import RestorePoint
from app.domain.tasks import VerificationState
from tests.support.engine_lab import EngineLab, filled_vm
from tests.support.waiting import wait_until


def is_agreed(lab: EngineLab) -> bool:
    return set(lab.listed()) == {point.id for point in lab.points()}


def made(lab: EngineLab) -> PointId:
    known = set(lab.listed())
    lab.backup(lab.host.named("web"))
    (point,) = set(lab.listed()) - known
    return point


def test_a_point_that_was_committed_before_a_kill_is_listed_at_the_next_start(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        filled_vm(lab)
        points = [made(lab), made(lab)]
        lab.catalog.points.remove(lab.standby, "", points[1])  # what a kill right after the commit leaves behind
    with EngineLab(tmp_path, host=lab.host) as again:
        wait_until(lambda: set(again.listed()) == set(points), what="the adopted point")


def test_a_point_that_was_deleted_before_a_kill_leaves_the_list(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        filled_vm(lab)
        points = [made(lab), made(lab)]
        with lab.repository() as repository:
            repository.delete_point(points[0])
        assert set(lab.listed()) == set(points)
    with EngineLab(tmp_path, host=lab.host) as again:
        wait_until(lambda: again.listed() == [points[1]], what="the list without the deleted point")


def test_a_damaged_point_stays_listed_as_damaged(tmp_path: Path) -> None:
    with EngineLab(tmp_path) as lab:
        filled_vm(lab)
        point = made(lab)
        (tmp_path / "standby" / "points" / point / "point.json").write_bytes(b"{}")
    with EngineLab(tmp_path, host=lab.host) as again:

        def state() -> list[VerificationState]:
            return [known.verification for known in again.engine.ask(ListPoints(standby=again.standby))]

        wait_until(lambda: state() == [VerificationState.DAMAGED], what="the damage in the list")


@pytest.mark.allows_log("could not be listed", "not listed")
def test_a_point_whose_listing_failed_is_listed_after_its_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EngineLab(tmp_path) as lab:
        filled_vm(lab)
        put = lab.catalog.points.put
        failures = iter([True])

        def fails_once(standby: str, target_path: str, point: RestorePoint) -> None:
            if next(failures, False):
                raise OperationalError(detail="the disk of the catalog is full")
            put(standby, target_path, point)  # type: ignore[arg-type]

        monkeypatch.setattr(lab.catalog.points, "put", fails_once)
        lab.finished(lab.start_backup(lab.host.named("web")))
        wait_until(lambda: is_agreed(lab), what="the point in the list")
        assert len(lab.listed()) == 1


def test_what_another_console_wrote_and_deleted_is_seen_when_points_are_compared(tmp_path: Path) -> None:
    with EngineLab(tmp_path / "one") as lab:
        filled_vm(lab)
        points = [made(lab), made(lab), made(lab)]
        with lab.repository() as repository:  # stands for the other console
            repository.delete_point(points[1])
        lab.engine.points.compare(lab.standby, "")
        assert set(lab.listed()) == {points[0], points[2]}
