"""The machine's zone knows its changes, also those to come."""

import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.core.zones import LocalZone, local_zone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot choose its zone there")


@pytest.fixture
def zone_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"]
)
def test_it_agrees_with_the_zone_database_all_year(zone_of: pytest.MonkeyPatch, name: str) -> None:
    zone_of.setenv("TZ", name)
    zone, expected = local_zone(), ZoneInfo(name)
    moment = datetime(2026, 1, 1, 0, 17, tzinfo=UTC)
    while moment.year < 2028:
        ours, theirs = moment.astimezone(zone), moment.astimezone(expected)
        assert ours.replace(tzinfo=None) == theirs.replace(tzinfo=None)
        assert ours.fold == theirs.fold
        assert ours.utcoffset() == theirs.utcoffset()
        assert ours.astimezone(UTC) == moment
        moment += timedelta(hours=1)


def test_another_zone_holds_from_the_next_look_on(zone_of: pytest.MonkeyPatch) -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    zone_of.setenv("TZ", "Asia/Shanghai")
    assert noon.astimezone(local_zone()).hour == 20
    zone_of.setenv("TZ", "Europe/Berlin")
    assert noon.astimezone(local_zone()).hour == 14
    assert repr(local_zone()) == "LocalZone()"
    assert isinstance(local_zone(), LocalZone)
