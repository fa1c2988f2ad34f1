"""The newest point is on top, whatever its date."""

from dataclasses import replace

from app.views.restore.points import point_columns
from tests.gui.restore.points import NEWEST, point


def test_points_are_sorted_by_their_number_and_not_by_what_a_clock_showed() -> None:
    old = point(number=1)
    ahead = replace(old, point=replace(old.point, sequence=1, created_at=NEWEST.replace(year=2036)))
    right = replace(old, point=replace(old.point, sequence=2, created_at=NEWEST))
    by_time = next(column for column in point_columns() if column.key == "time").sort
    assert by_time is not None
    assert sorted([right, old, ahead], key=by_time) == [old, ahead, right]
