"""A standby whose free space is not known is used like any other; "unknown" is not taken for "full"."""

import shutil
from pathlib import Path

import pytest

from app.core.space import space_at
from app.domain.ids import StandbyId
from app.domain.standbys import Standby
from app.engine.standbys.filesystems import look_at
from tests.unit.repository.helpers import open_repository


def refuse(_path: object) -> object:
    raise OSError(95, "Operation not supported")


ANSWERS = {
    "zeros": lambda _path: shutil._ntuple_diskusage(0, 0, 0),
    "error": refuse,
    "more free than there is": lambda _path: shutil._ntuple_diskusage(10, 0, 20),
    "negative": lambda _path: shutil._ntuple_diskusage(-1, 0, -1),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_unknown_space_is_no_space_of_zero(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", ANSWERS[answer])
    assert space_at(tmp_path) is None
    with open_repository(tmp_path) as repository:
        assert repository.free_bytes() is None
    health = look_at(Standby(id=StandbyId("s"), name="s", root_path=str(tmp_path)))
    assert health.reachable
    assert health.writable
    assert (health.total_bytes, health.free_bytes) == (None, None)


def test_a_full_disk_is_known_to_be_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 10, 0))
    space = space_at(tmp_path)
    assert space is not None
    assert space.free_bytes == 0
